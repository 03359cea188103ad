#!/usr/bin/perl

# TLS in front of the ports of VMs: they are opened on "listen", and gateways
# are told of "advertise".  VMs of before, whose ports are on another address.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Front;
use FcfTest::Tls;
use AgentHost;
use IO::Socket::INET;
use Test::More;

FcfTest::Front::skip_without();
AgentHost::begin('listen');

my $address = '10.77.0.5';
my ($first, $last, $admin) = (29500, 29515, 29600);
$ns->run(qw(ip link add lan0 type veth peer name lan1));
$ns->run('ip', 'addr', 'add', "$address/24", 'dev', 'lan0');
$ns->run(qw(ip link set lan0 up));
image('hello');
image('slow', answer_ms => 3000);

my %set = settings('a', advertise => $address, adopt => 'yes',
    port_first => $first, port_last => $last, admin => "127.0.0.1:$admin");
my %fronted = (%set, listen => '127.0.0.1');

FcfTest::Tls::certificates(server => '/O=fcfaas/OU=node',
    gateway => '/O=fcfaas/OU=gateway');

sub open_at {
    my ($ip, $port) = @_;
    return IO::Socket::INET->new(PeerAddr => $ip, PeerPort => $port,
        Timeout => 5) ? 1 : 0;
}

sub check {
    my (%all) = @_;
    my $proc = FcfTest::Proc->spawn(name => 'check',
        argv => [build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null',
            '--check', '--trial-timeout=20', map { "--$_=$all{$_}" }
            keys %all]);
    $proc->wait(30) // die 'the check does not end';
    my ($said) = grep { /^(?:ok|FAIL) +front / } split /\n/, $proc->output;
    unlink $proc->log;
    return $said // '';
}

is(check(%set), '', 'without a front nothing is said of it');
like(check(%fronted),
    qr/^FAIL.*\Q$address:$first\E, before 127.*refused -- start fcfaas-front/,
    'nobody takes the connections');

# a VM of before, with a request inside
my $agent = started('a', %set);
job($_, "req-$_") for 'hello', 'slow';
my (undef, $i) = instance('hello');
my (undef, $slow) = instance('slow');
is($i->{worker_ip}, $address, 'before: the key names the address');
ok(open_at($address, $i->{proxy_port}), 'and the port is open there');
is($etcd->get_json('/workers/a')->{admin}, "127.0.0.1:$admin",
    'the admin listener is told as it is');
my $inside = http_send($slow->{proxy_port}, '/x', host => $address,
    headers => { 'X-Fcfaas-Function' => 'slow', 'X-Fcfaas-Token' => 'sesame' });
wait_for(sub { slurp($agent->log) =~ /slow/ && vmms('a') == 2 }, 5, 'two VMs');

my ($proxy) = proxies();
$agent->kill('TERM');
is($agent->wait(20), 0, 'the agent ends');
$agent = started('a', %fronted);
is(join(' ', proxies()), $proxy, 'the proxy lives, whatever it listens on');
is($inside->response(20)->{status}, 200, 'a request inside is answered');
wait_for(sub { !instances('hello') && !instances('slow') && vmms('a') == 0 },
    20, 'VMs of before to be ended');
my $log = $agent->output;
is(() = $log =~ /has its port on an address that is not listened on/g, 2,
    'which is said');
ok(!open_at($address, $i->{proxy_port}), 'its port is closed');
like($etcd->get_json('/workers/a')->{admin}, qr/^\Q$address:$admin\E$/,
    'the admin listener is told at advertise');

# its place on that address is free for the front
my $front = FcfTest::Front->start(node => { address => $address,
    first => $first, last => $last, admin => $admin });
job('hello', 'req-again');
(undef, $i) = instance('hello');
is($i->{worker_ip}, $address, 'the key names advertise');
ok(!FcfTest::Netns::within(undef, sub { open_at('127.0.0.1', $last) }),
    'a port without a VM');
is(call('hello', $i->{proxy_port})->{status}, 200, 'it listens on "listen"');

sub ask {
    my ($port, $path, @args) = @_;
    my $tmp = tmpdir();

    return curl('--cacert', "$tmp/ca.crt", '--cert', "$tmp/gateway.crt",
        '--key', "$tmp/gateway.key", '--resolve', "node.fcfaas:$port:$address",
        '-m', 10, @args, "https://node.fcfaas:$port$path");
}

is(ask($i->{proxy_port}, '/x', '-H', 'X-Fcfaas-Function: hello', '-H',
    'X-Fcfaas-Token: sesame')->{status}, 200, 'and is reached over TLS');
is(ask($i->{proxy_port}, '/x', '-H', 'X-Fcfaas-Function: hello')->{status},
    403, 'with the token alone');
is(ask($admin, '/healthz')->{status}, 200, 'the admin listener, too');

$agent->kill('KILL');
$agent->wait(10);
$agent = started('a', %fronted);
is((instance('hello'))[1]{started_ms}, $i->{started_ms},
    'with the same settings the next agent goes on with it');
is(ask($i->{proxy_port}, '/x', '-H', 'X-Fcfaas-Function: hello', '-H',
    'X-Fcfaas-Token: sesame')->{status}, 200, 'it serves');

$agent->stop;
my %twin = (%fronted, node_id => 'b', state_dir => "$dir/state-b",
    run_dir => "$dir/run-b", bridge => 'br-b', tap_prefix => 'tb');
like(check(%twin), qr/^ok.*\Q$address\E takes connections before 127/,
    'the check finds the front');
like(check(%twin, allow => '10.77.0.0/24'),
    qr/^FAIL.*allow has no network with 127\.0\.0\.1 --/, 'and who may come');

$front->stop;
done_testing;
