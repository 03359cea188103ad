# A store with TLS, whose certificate is of somebody's own.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Tls;
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $tmp = tmpdir();
my $port = free_port();

FcfTest::Tls::certificates(server => '/O=store');
FcfTest::Cli::function("$tmp/f");

my $nginx = FcfTest::Nginx->start(server => <<"EOC");
    listen 127.0.0.1:$port ssl;
    ssl_certificate     $tmp/server.crt;
    ssl_certificate_key $tmp/server.key;

    @{[FcfTest::Cli::store('/store', "$tmp/store")]}
EOC
my $store = "https://127.0.0.1:$port/store";
my $cli = FcfTest::Cli->new(cwd => $tmp, conf => { etcd => $etcd->endpoint,
    functions => '/nowhere', runtimes => '/nowhere', store => $store,
    gateway => 'http://127.0.0.1:1' });
my @deploy = ('deploy', "$tmp/f", '--no-wait');
my @ca = ('--store-ca', "$tmp/ca.crt");

sub images { return scalar(my @all = glob "$tmp/store/*.img") }

$cli->refused('nobody of the system signed it', undef, qr/certificate/i,
    @deploy);
$cli->refused('a file that is not there', undef, qr/certificate/i, @deploy,
    '--store-ca', '/nowhere');
is(images(), 0, 'nothing is sent');
is_deeply([$etcd->keys('/specs/')], [], 'nor declared');

$cli->ok(@deploy, @ca);
is(images(), 1, 'store_ca says who may have');
is_deeply($cli->json('describe', 'f', @ca)->{stores}, { $store => 'has it' },
    'for describe, too');
like($cli->json('describe', 'f')->{stores}{$store}, qr/certificate/i,
    'which tells what is wrong without');
my ($of) = grep { $_->{name} eq 'f' }
    @{ FcfTest::json_decode($cli->run('doctor', '--json')->{out}) };
like($of->{says} // '', qr/cannot be asked: .*certificate/i,
    'as doctor does');
is_deeply([grep { $_->{name} eq 'f' } @{ FcfTest::json_decode(
    $cli->run('doctor', '--json', @ca)->{out}) }], [], 'but not with');
$cli->ok('rm', 'f', @ca);
is(images(), 0, 'rm');

done_testing;
