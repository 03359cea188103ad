#!/usr/bin/perl

# Everything between machines over TLS, with certificates of one CA: gateway to
# node, agents, gateway and command to etcd, Redis and store, and the admin
# listener.  Who has no such certificate is refused everywhere, and under a
# load of GET and POST nothing is lost that is not lost without TLS.

use strict;
use warnings;

use lib 't/lib';
use AgentHost;
use FcfTest;
use FcfTest::Front;
use FcfTest::Tls;
use IO::Socket::INET;
use Test::More;

FcfTest::Front::skip_without();

my $tmp = tmpdir();
my ($etcd_port, $redis_port, $store_port) = map { free_port() } 1 .. 3;
my ($at, $first, $last, $admin) = ('10.77.0.5', 29500, 29531, 29600);
my $etcd_url = "https://127.0.0.1:$etcd_port";
my @files = map { "$tmp/$_" } qw(ca.crt server.crt server.key);

FcfTest::Tls::certificates(server => '/O=fcfaas/OU=head',
    node => '/O=fcfaas/OU=node', gateway => '/O=fcfaas/OU=gateway');
FcfTest::Tls::stranger('stranger', '/O=fcfaas/OU=gateway');

# both also without TLS, on ports that only this test knows
AgentHost::begin('tls',
    etcd => [also => [$etcd_url], args => ['--client-cert-auth',
        '--trusted-ca-file', $files[0], '--cert-file', $files[1],
        '--key-file', $files[2]]],
    redis => [args => ['--tls-port', $redis_port, '--tls-auth-clients', 'yes',
        '--tls-ca-cert-file', $files[0], '--tls-cert-file', $files[1],
        '--tls-key-file', $files[2]]]);
$ns->run(qw(ip link add lan0 type veth peer name lan1));
$ns->run('ip', 'addr', 'add', "$at/24", 'dev', 'lan0');
$ns->run(qw(ip link set lan0 up));
image('warm');
image('talks', say => 'words of a guest');
$etcd->spec('warm', concurrency => 0, idle_timeout_s => 3600,
    memory_mb => 1024);
$etcd->spec('talks');

sub redis_through {
    my ($socket) = @_;
    return [{ socket => $socket, address => "127.0.0.1:$redis_port",
        name => 'head.fcfaas' }];
}

my $front = FcfTest::Front->start(name => 'front', certificate => 'node',
    node => { address => $at, first => $first, last => $last,
        admin => $admin, roles => ['gateway', 'head'] },
    redis => redis_through("$tmp/node-redis.sock"));
my $side = FcfTest::Front->start(name => 'front-of-gateway',
    certificate => 'gateway', redis => redis_through("$tmp/redis.sock"));

my %set = settings('a', adopt => 'yes', log_level => 'info',
    listen => '127.0.0.1', advertise => $at, allow => '127.0.0.1',
    port_first => $first, port_last => $last, admin => "127.0.0.1:$admin",
    etcd => $etcd_url, etcd_ca => "$tmp/ca.crt", etcd_cert => "$tmp/node.crt",
    etcd_key => "$tmp/node.key", redis => "unix:$tmp/node-redis.sock",
    store_ca => "$tmp/ca.crt");
my $agent = FcfTest::Service->start(name => 'agent',
    argv => [build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null',
        map { "--$_=$set{$_}" } sort keys %set]);
$agent->ready(30);

my $store = FcfTest::Nginx->start(name => 'store', module => 0,
    server => <<"EOC");
    listen 127.0.0.1:$store_port ssl;
    ssl_certificate     $tmp/server.crt;
    ssl_certificate_key $tmp/server.key;
    client_max_body_size 64m;
    @{[FcfTest::Cli::store('/store', "$tmp/images")]}
EOC

my $tls = $front->gateway;
my %gateway = (http => <<"EOC", server => <<"EOS");
    fcfaas_etcd $etcd_url ca=$tmp/ca.crt cert=$tmp/gateway.crt
                key=$tmp/gateway.key;
    fcfaas_redis unix:$tmp/redis.sock;
    fcfaas_token_file $dir/token;
    fcfaas_state_file $tmp/registry;
    upstream functions { fcfaas; keepalive 1024; }
    keepalive_requests 1000000;
EOC
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas \$function_id;
        fcfaas_park_timeout 60s;
        proxy_pass https://functions\$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        $tls
    }
    location ~ "^/fcfaas/nodes/(?<node>[a-z]+)(?<path>/instances)\$" {
        fcfaas_node \$node;
        proxy_pass https://\$fcfaas_node_admin\$path;
        $tls
    }
    location = /fcfaas/nodes { fcfaas_nodes; }
EOS
my $nginx = FcfTest::Nginx->start(name => 'gateway', workers => 2, %gateway);
my $port = $nginx->port;

is(http_get($port, '/run/warm', timeout => 60)->{status}, 200,
    'a cold call over TLS');
is(http_post($port, '/run/warm/x', 'x')->{status}, 200, 'a warm one');
my (undef, $vm) = instance('warm');
is($vm->{worker_ip}, $at, 'through the front');

wait_for(sub { http_get($port, '/fcfaas/nodes/a/instances')->{status} == 200
    }, 10, 'a node, as the page asks it');

# who may not
sub https {
    my ($address, $who, $path) = @_;
    return curl('--cacert', "$tmp/ca.crt", '--connect-to',
        "node.fcfaas:1:$address", defined $who ? ('--cert', "$tmp/$who.crt",
        '--key', "$tmp/$who.key") : (), '-m', 20,
        "https://node.fcfaas:1$path");
}

sub redis_says {
    my ($who) = @_;
    my @cert = defined $who ? ('--cert', "$tmp/$who.crt", '--key',
        "$tmp/$who.key") : ();
    my $said = qx(redis-cli -h 127.0.0.1 -p $redis_port --tls --cacert \\
        $tmp/ca.crt @cert ping 2>&1);
    return $said =~ /^PONG/ ? 1 : 0;
}

my %place = (
    'a port of a VM' => sub { https("$at:$vm->{proxy_port}", @_, '/')->{status} },
    'the admin listener' => sub { https("$at:$admin", @_, '/healthz')->{status} },
    'etcd' => sub { https("127.0.0.1:$etcd_port", @_, '/health')->{status} },
    'Redis' => \&redis_says,
);

for my $where (sort keys %place) {
    ok($place{$where}->('gateway'), "$where: a certificate of the CA");
    ok(!$place{$where}->(undef), "$where: none");
    ok(!$place{$where}->('stranger'), "$where: one of another CA");
}
ok(!IO::Socket::INET->new(PeerAddr => $at, PeerPort => $etcd->port),
    'nothing but the front listens there');

# the command
my $cli = FcfTest::Cli->new(cwd => $tmp, conf => { etcd => $etcd_url,
    etcd_ca => "$tmp/ca.crt", etcd_cert => "$tmp/gateway.crt",
    etcd_key => "$tmp/gateway.key", redis => "unix:$tmp/redis.sock",
    node_ca => "$tmp/ca.crt", node_cert => "$tmp/gateway.crt",
    node_key => "$tmp/gateway.key", store_ca => "$tmp/ca.crt",
    store => "https://127.0.0.1:$store_port/store", functions => '/nowhere',
    runtimes => '/nowhere', gateway => "http://127.0.0.1:$port/run" });

FcfTest::Cli::function("$tmp/f");
$cli->ok('deploy', "$tmp/f", '--no-wait');
is(scalar(my @images = glob "$tmp/images/*.img"), 1, 'an image, put over TLS');
is(http_get($port, '/run/talks', timeout => 60)->{status}, 200, 'talks');
wait_for(sub { $cli->run('logs', 'talks')->{out} =~ /words of a guest/ }, 20,
    'what it printed, over TLS');
$cli->ok('nodes');
like($cli->run('logs', 'talks', '--node-ca', "$tmp/stranger.crt")->{err},
    qr/node a: .*certificate/i, 'a node of another CA is refused');
like($cli->run('logs', 'talks', '--node-cert', "$tmp/stranger.crt",
    '--node-key', "$tmp/stranger.key")->{err}, qr/node a: /,
    'and refuses one');
unlike($cli->run('doctor')->{out}, qr/^.*node.*(?:refuses|cannot)/mi,
    'doctor reaches the node');

# under load; may: how many may be answered 502, since they were inside
sub under_load {
    my ($what, $may, $code) = @_;
    my @load = map { FcfTest::Load->start(port => $port, interval_ms => 10,
        path => '/run/warm/x', again => 1, patience_s => 60, @$_) } [],
        [body => 'x'];

    served(10);
    $code->();
    served(10);

    for my $method (qw(GET POST)) {
        my $n = (shift @load)->end;
        my $bad = $n->{sent} - ($n->{status}{200} // 0);

        diag(sprintf '%s, %s: sent %d, not 200: %d, lost %d, slowest %.0f ms',
            $what, $method, $n->{sent}, $bad, $n->{lost}, $n->{slowest_ms});
        is($n->{lost}, 0, "$what, $method: each answered")
            or diag(explain($n->{why}));
        cmp_ok($n->{sent}, '>', 0, "$what, $method: there are some");
        cmp_ok($bad, '<=', $may, "$what, $method: with 200")
            or diag(explain($n->{status}));
    }
}

sub served {
    my ($n) = @_;
    for (1 .. $n) {
        is(http_post($port, '/run/warm/y', 'x', timeout => 60)->{status}, 200,
            'served');
    }
}

sub warm_vm {
    my ($key) = instance('warm', 30);
    my ($worker) = $key =~ m{([^/]+)$};
    my ($pid) = grep { readlink("/proc/$_/cwd") =~ m{/\Q$worker\E$} } vmms('a');
    return ($key, $pid);
}

under_load('the agent is killed', 0, sub {
    for (1 .. 3) {
        $agent->kill('KILL');
        $agent->ready(60);
    }
});

under_load('the front is given another certificate', 0, sub {
    FcfTest::Tls::certificate('next', '/O=fcfaas/OU=node');
    for my $name (('next', 'node') x 3) {
        $front->write(certificate => $name)->reload;
        served(1);
    }
});

under_load('the gateway is given another certificate', 0, sub {
    FcfTest::Tls::certificate('gateway', '/O=fcfaas/OU=gateway');
    for (1 .. 4) {
        $nginx->reload;
        served(1);
    }
});

under_load('another version', 0, sub {
    my ($old) = warm_vm();
    $etcd->spec('warm', concurrency => 0, idle_timeout_s => 3600,
        memory_mb => 1024, version => 2);
    wait_for(sub { my @now = instances('warm');
        @now && !grep { $_ eq $old } @now }, 60, 'the old one to go');
    served(2);
});

under_load('the VM is killed', 64, sub {
    for (1 .. 3) {
        my ($old, $pid) = warm_vm();
        kill 'KILL', $pid;
        wait_for(sub { my @now = instances('warm');
            @now && !grep { $_ eq $old } @now }, 60, 'another one');
        served(2);
    }
});

under_load('the proxy is killed', 64, sub {
    my ($old) = proxies();
    kill 'KILL', $old;
    wait_for(sub { my ($new) = proxies(); $new && $new != $old }, 30,
        'another proxy');
    # over connections that the front has not closed yet it is lost with the
    # others that were inside
    wait_for(sub { http_post($port, '/run/warm/y', 'x', timeout => 60)
        ->{status} == 200 }, 30, 'a POST to be served');
});

under_load('Redis and etcd are cut', 0, sub {
    $redis->stop->start_again;
    $etcd->stop->start_again;
    served(2);
});

is(http_get($port, '/run/talks', timeout => 60)->{status}, 200,
    'at the end all is well');

ok($agent->stop, 'the end');
$_->stop for $nginx, $store;
$_->stop for $front, $side;
done_testing;
