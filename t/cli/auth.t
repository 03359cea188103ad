# fcfaas and an etcd with TLS, client certificates, users and roles.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Tls;
use Test::More;

FcfTest::Tls::certificates(server => '/O=etcd', client => '/O=fcfaas');

my $dir = tmpdir();
my $port = free_port();
my $etcd = FcfTest::Etcd->start(also => ["https://127.0.0.1:$port"],
    args => ['--cert-file', "$dir/server.crt", '--key-file', "$dir/server.key",
        '--trusted-ca-file', "$dir/ca.crt", '--client-cert-auth']);

$etcd->spec('hello');
$etcd->ctl(@$_) for
    ['user', 'add', 'root:r'], ['user', 'grant-role', 'root', 'root'],
    ['role', 'add', 'people'],
    ['role', 'grant-permission', 'people', '--prefix=true', 'readwrite',
        '/specs/'],
    ['role', 'grant-permission', 'people', '--prefix=true', 'read',
        '/functions/'],
    ['user', 'add', 'ada:s3cret'], ['user', 'grant-role', 'ada', 'people'],
    ['auth', 'enable'];

spew("$dir/password", "s3cret\n", 0600);
my %conf = (etcd => "https://127.0.0.1:$port", etcd_ca => "$dir/ca.crt",
    etcd_cert => "$dir/client.crt", etcd_key => "$dir/client.key",
    etcd_user => 'ada', etcd_password_file => "$dir/password");
my $cli = FcfTest::Cli->new(conf => \%conf);

is($cli->json('ls')->[0]{name}, 'hello', 'ls');
$cli->ok('scale', 'hello', '--max', 3);
is($cli->json('ls')->[0]{max_instances}, 3, 'scale');

my $r = $cli->run('nodes');
is($r->{status}, 4, 'what the role does not allow');
like($r->{err}, qr/permission denied/, 'is told');

spew("$dir/wrong", "wrong\n", 0600);
$r = $cli->run('ls', '--etcd-password-file', "$dir/wrong");
is($r->{status}, 4, 'a wrong password');
like($r->{err}, qr/^fcfaas: etcd user "ada": .*invalid/, 'names the user');
unlike($r->{err}, qr/wrong/, 'and not the password');

$r = $cli->run('doctor', '--etcd-password-file', "$dir/wrong");
is($r->{status}, 1, 'doctor with it');
like($r->{out}, qr/^WRONG +etcd .*refuses us: .*etcd_password_file/m,
    'names the setting');

$r = $cli->run('ls', '--etcd-ca', "$dir/client.crt");
is($r->{status}, 3, "a server's certificate by somebody else");
like($r->{err}, qr/certificate/, 'is told');

$r = $cli->run('env', 'hello');
is($r->{status}, 4, 'no right to environments');
like($r->{err}, qr/^fcfaas: the environment of hello: .*permission denied/,
    'is told');

$cli->ok('rm', 'hello');
is_deeply($cli->json('ls'), [], 'rm');

done_testing;
