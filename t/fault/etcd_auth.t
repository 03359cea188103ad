# etcd with users, tokens that are lost, and TLS client certificates.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use FcfTest;
use FcfTest::Tls;
use Probe;
use Test::More;

my @prefixes = ('--prefix', '/functions/');


subtest 'users' => sub {
    my $etcd = FcfTest::Etcd->start;

    $etcd->ctl('user', 'add', 'root:r');
    $etcd->ctl('user', 'grant-role', 'root', 'root');
    $etcd->ctl('role', 'add', 'gate');
    $etcd->ctl('role', 'grant-permission', 'gate', '--prefix=true',
        'readwrite', '/functions/');
    $etcd->ctl('user', 'add', 'gate:s3cret');
    $etcd->ctl('user', 'grant-role', 'gate', 'gate');
    $etcd->ctl('auth', 'enable');

    my $p = Probe->new('--etcd', $etcd->endpoint, '--user', 'gate',
        '--password', 's3cret', @prefixes);
    $p->state_becomes('live', 5, 'live with a token');
    like($p->ask('put /functions/a 1'), qr/^ok/, 'allowed');
    $p->becomes({ '/functions/a' => '1' }, 5, 'and seen');
    like($p->ask('put /secrets/a 1'), qr/^auth: .*permission denied/,
        'not allowed: said so');

    # one that only calls
    my $q = Probe->new('--etcd', $etcd->endpoint, '--user', 'gate',
        '--password', 's3cret');
    like($q->ask('get /functions/a'), qr/^ok.*a=1/, 'another client');
    $etcd->stop;
    $etcd->start_again;
    like($q->ask('get /functions/a'), qr/^ok.*a=1/,
        'a restarted etcd knows no token: a new one is taken');
    $p->state_becomes('stale', 5);
    $p->state_becomes('live', 10, 'the watch too');
    $etcd->ctl('--user', 'root:r', 'put', '/functions/b', '2');
    $p->becomes({ '/functions/a' => '1', '/functions/b' => '2' }, 5,
        'and goes on');
    is($p->stat->{lists}, 1, 'without listing again');
    $_->quit for $p, $q;

    $p = Probe->new('--etcd', $etcd->endpoint, '--user', 'gate',
        '--password', 'wrong');
    like($p->ask('get /functions/a'), qr/^auth: etcd user "gate": .*invalid/,
        'a wrong password is named');
    $p->quit;

    $p = Probe->new('--etcd', $etcd->endpoint);
    like($p->ask('get /functions/a'), qr/^auth: .*user name is empty/,
        'no user where one is needed');
    $p->quit;
    $etcd->stop;
};


subtest 'tokens that expire' => sub {
    my $dir = tmpdir();
    system("openssl genrsa -out $dir/jwt.key 4096 2>/dev/null"
        . " && openssl rsa -in $dir/jwt.key -pubout -out $dir/jwt.pub"
        . ' 2>/dev/null') == 0 or plan skip_all => 'no openssl command';
    my $etcd = FcfTest::Etcd->start(name => 'jwt', args => ['--auth-token',
        "jwt,pub-key=$dir/jwt.pub,priv-key=$dir/jwt.key,sign-method=RS512,"
        . 'ttl=3s']);

    $etcd->ctl('user', 'add', 'root:r');
    $etcd->ctl('user', 'grant-role', 'root', 'root');
    $etcd->ctl('auth', 'enable');
    my $p = Probe->new('--etcd', $etcd->endpoint, '--user', 'root',
        '--password', 'r', @prefixes);
    $p->state_becomes('live', 10, 'live with a token of 3 s');

    # a probe every 2 s needs more than one of them
    my $from = now();
    wait_for(sub { now() - $from > 7 }, 10, 'three of them to expire');
    like($p->ask('put /functions/late 1'), qr/^ok/, 'a call after that');
    $p->becomes({ '/functions/late' => '1' }, 10, 'and an event');
    is(scalar(grep { /^state stale/ } split /\n/, $p->proc->output), 0,
        'nobody noticed');
    is(scalar(grep { /invalid auth token/ } split /\n/, slurp($p->proc->log)),
        0, 'and nothing was said');
    $p->quit;

    # a wrong password is said once, however often it is tried
    $p = Probe->new('--etcd', $etcd->endpoint, '--user', 'root',
        '--password', 'wr0ng', @prefixes);
    my $tries = sub { $p->stat->{reconnects} };
    wait_for(sub { $tries->() > 4 }, 20, 'several tries');
    is(scalar(grep { /invalid user ID or password/ } split /\n/,
        slurp($p->proc->log)), 1, 'a wrong password: one line');
    unlike(slurp($p->proc->log), qr/wr0ng/, 'without it');
    $p->quit;
    $etcd->stop;
};


subtest 'TLS with client certificates' => sub {
    plan skip_all => 'no openssl command' if system('command -v openssl '
        . '>/dev/null') != 0;

    my $dir = tmpdir();
    FcfTest::Tls::certificates(server => '/O=etcd', client => '/O=fcfaas');
    my ($crt, $key, $client_crt, $client_key) = map { ("$dir/$_.crt",
        "$dir/$_.key") } qw(server client);

    my ($port, $peer) = (free_port(), "http://127.0.0.1:" . free_port());
    my $url = "https://127.0.0.1:$port";
    my $etcd = FcfTest::Proc->spawn(name => 'etcd-tls', argv => ['etcd',
        '--name', 'test', '--data-dir', "$dir/tls.data",
        '--listen-client-urls', $url, '--advertise-client-urls', $url,
        '--listen-peer-urls', $peer, '--initial-advertise-peer-urls', $peer,
        '--initial-cluster', "test=$peer", '--client-cert-auth',
        '--trusted-ca-file', "$dir/ca.crt", '--cert-file', $crt,
        '--key-file', $key]);
    my @tls = ('--etcd', $url, '--ca', "$dir/ca.crt");

    my $p = Probe->new(@tls, '--cert', $client_crt, '--key', $client_key,
        @prefixes);
    $p->state_becomes('live', 15, 'live over TLS');
    like($p->ask('put /functions/a 1'), qr/^ok/, 'a call');
    $p->becomes({ '/functions/a' => '1' }, 5, 'an event');
    $p->quit;

    $p = Probe->new(@tls);
    like($p->ask('get /functions/a'), qr/^unavailable: /,
        'without a certificate: refused');
    $p->quit;

    $p = Probe->new('--etcd', $url, '--cert', $client_crt, '--key',
        $client_key);
    like($p->ask('get /functions/a'), qr/^unavailable: .*certificate/i,
        'an unknown authority: refused by us');
    $p->quit;

    $p = Probe->new(@tls, '--cert', $client_crt);
    like($p->proc->output, qr/^fatal etcd: a certificate and its key go/m,
        'a certificate without its key');
    $p->quit;
    $etcd->stop;
};

done_testing();
