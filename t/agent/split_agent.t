#!/usr/bin/perl

# A whole agent and its proxy: what happens to instances, requests and the node
# when the proxy is killed, stands still, or is not there.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('splitagent');
chmod 0711, $dir;
image($_) for qw(hello idle);

sub proxy_of {
    my ($agent) = @_;
    my (@pids) = $agent->output =~ /the proxy, process (\d+), is there/g;
    return $pids[-1];
}

sub met {
    my ($agent) = @_;
    my $n = () = $agent->output =~ /the proxy, process \d+, is there/g;
    return $n;
}

# what a client gets that tries again where a gateway would
sub served {
    my ($function, $port) = @_;
    my $status;
    wait_for(sub { $status = eval { call($function, $port)->{status} } // 0;
        $status == 200 }, 20, "$function to be served");
    return $status;
}

subtest 'settings that cannot do' => sub {
    for (['proxy_user', 'no-such-user', qr/there is no user "no-such-user"/],
        ['proxy_user', 'root', qr/user "root" is root/],
        ['proxy', '/no/such/program', qr{proxy = "/no/such/program": No such}])
    {
        my ($name, $value, $why) = @$_;
        my $agent = agent('x', settings('x', $name => $value));
        is($agent->wait(20) >> 8, 1, "$name = $value: it does not start");
        like($agent->output, $why, 'and says why');
    }
};

my $agent = started('a', settings('a'));
job('hello', 'req-1');
my ($key, $i) = instance('hello');
my $port = $i->{proxy_port};

subtest 'its proxy is killed' => sub {
    is(call('hello', $port)->{status}, 200, 'served');
    my $vmm = join ' ', vmms('a');

    for (1 .. 3) {
        my ($was, $met) = (proxy_of($agent), met($agent));
        kill 'KILL', $was;
        is(call('hello', $port)->{status}, 200, 'who comes now waits');
        wait_for(sub { met($agent) > $met }, 20, 'another proxy');
        isnt(proxy_of($agent), $was, 'by another process');
    }

    is_deeply([instances('hello')], [$key], 'the instance is the same');
    is(join(' ', vmms('a')), $vmm, 'and so is its VM');
    is($etcd->get_json($key)->{proxy_port}, $port, 'on the same port');
};

subtest 'an idle instance ends over two proxies' => sub {
    $etcd->spec('idle', idle_timeout_s => 2);
    our_job('idle', 'req-i', 1);
    my ($idle, $j) = instance('idle');
    is(call('idle', $j->{proxy_port})->{status}, 200, 'served');
    my $met = met($agent);
    kill 'KILL', proxy_of($agent);
    wait_for(sub { met($agent) > $met }, 20, 'another proxy');
    wait_for(sub { !instances('idle') }, 30, 'the idle stop');
    wait_for(sub { vmms('a') == 1 }, 20, 'its VM to be gone');
    $etcd->del('/specs/idle');
    pass('ended');
};

subtest 'it comes to its end while the proxy stands still' => sub {
    my $proxy = proxy_of($agent);
    kill 'STOP', $proxy;
    my $t = now();
    ok($agent->stop('TERM'), 'it ends');
    cmp_ok(now() - $t, '<', 35, 'in bounded time');
    ok(is_gone($proxy), 'the proxy too');
    is(scalar(vmms('a')), 0, 'no VM');
    is(taps('a'), 0, 'no TAP');
    is_deeply([grep { !m{^/specs/} } $etcd->keys('/')], [], 'no key');
};

subtest 'a proxy that somebody else starts' => sub {
    my $socket = "$dir/b.sock";
    my $b = agent('b', settings('b', proxy => '', proxy_socket => $socket));
    $b->line_matching(qr/no proxy: .*No such file/, 20);
    ok(!$etcd->get('/workers/b'), 'without it the node is not registered');

    my $spawn = sub {
        return FcfTest::Proc->spawn(name => "proxy-$_[0]", argv => [
            build_dir() . '/agent/fcfaas-proxy', "--socket=$socket",
            '--user=' . AgentHost::PROXY_USER]);
    };
    my $proxy = $spawn->(1);
    $b->line_matching(qr/"msg":"ready: /, 20);
    job('hello', 'req-b');
    my ($at, $k) = instance('hello');
    is(call('hello', $k->{proxy_port})->{status}, 200, 'then it serves');

    $proxy->stop('KILL');
    my $waits = http_send($k->{proxy_port}, '/', headers => {
        'X-Fcfaas-Function' => 'hello', 'X-Fcfaas-Token' => 'sesame' });
    $b->line_matching(qr/no proxy: .*refused/, 20);
    $proxy = $spawn->(2);
    is($waits->response(20)->{status}, 200, 'who waited is served');
    is_deeply([instances('hello')], [$at], 'nothing was replaced');

    $proxy->stop('TERM');
    $proxy = $spawn->(3);
    is(served('hello', $k->{proxy_port}), 200, 'and over a clean restart');
    ok($b->stop('TERM'), 'the agent ends');
    ok($proxy->alive, 'without it');
    ok($proxy->stop('TERM'), 'which ends when it is told to');

    my $c = agent('c', settings('c', proxy => '',
        proxy_socket => "$dir/c.sock"));
    $c->line_matching(qr/no proxy: /, 20);
    my $t = now();
    ok($c->stop('TERM'), 'one that waits for its proxy ends');
    cmp_ok(now() - $t, '<', 10, 'at once');
    is_deeply([grep { !m{^/specs/} } $etcd->keys('/')], [], 'no key');
};

done_testing();
