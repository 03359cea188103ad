#!/usr/bin/perl

# fcfaas-proxy as a process of its own: who serves on when the other ends, is
# killed or stands still, and what each believes of the other.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use POSIX ();
use RouteHost;
use Test::More;

my $dir = tmpdir();
chmod 0711, $dir;
my $guest = RouteHost::guest();
my $n = 0;

sub socket_path { "$dir/proxy-" . ++$n . '.sock' }
sub field {
    return slurp("/proc/$_[0]/status") =~ /^$_[1]:[ \t]*(.*?)[ \t]*$/m
        ? $1 : '';
}

subtest 'an agent starts its proxy, which ends with it' => sub {
    my $h = RouteHost->new(socket => socket_path(), program => 1);
    ok($h->up, 'met');
    my $pid = $h->proxy_pid;

    like(field($pid, 'Uid'), qr/^61234\t61234\t61234\t61234$/, 'its user');
    like(field($pid, 'Gid'), qr/^61234\t61234\t61234\t61234$/, 'its group');
    is(field($pid, 'Groups'), '', 'no other group');
    is(field($pid, "Cap$_"), '0' x 16, "no capability: $_")
        for qw(Eff Prm Inh Amb);
    is(field($pid, 'NoNewPrivs'), 1, 'no new privileges');

    for my $task (glob "/proc/$pid/task/*") {
        is(slurp("$task/status") =~ /^Seccomp:\s*(\d)/m ? $1 : '', 2,
            'system calls filtered in each thread');
    }

    my $port = $h->open('a', $guest);
    is(RouteHost::call($port)->{body}, 'ok', 'it serves');
    wait_for(sub { $h->stat('a')->{requests} == 1 }, 20, 'it to be counted');
    is($h->quit, 0, 'the agent ends');
    ok(is_gone($pid), 'and the proxy with it');
};

subtest 'drain is answered' => sub {
    my $h = RouteHost->new(socket => socket_path(), program => 1);
    $h->up;
    my $port = $h->open('a', $guest);
    is(RouteHost::call($port)->{status}, 200, 'served');
    $h->cmd('drain a 1');
    ok($h->event('drained a'), 'it holds');
    is(RouteHost::call($port)->{headers}{'x-fcfaas-unsent'}, 'draining',
        'not served');
    is($h->stat('a')->{requests}, 1, 'nor counted as such');
    $h->cmd('drain a 0');
    ok($h->event('drained a'), 'and back');
    is(RouteHost::call($port)->{status}, 200, 'served again');
    $h->cmd('close a 0 0 0');
    ok($h->event('closed a'), 'closed');
    is(RouteHost::call($port)->{status}, 0, 'nobody listens');
    is($h->quit, 0, 'end');
};

# a guest that takes a request and says nothing
sub mute {
    my $s = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1')
        or die $!;
    return $s;
}

subtest 'a guest that dies while its route closes' => sub {
    my $h = RouteHost->new(socket => socket_path(), program => 1);
    $h->up;
    my $mute = mute();
    my $port = $h->open('a', $mute->sockport);
    my $waits = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port") or die $!;
    print $waits "GET / HTTP/1.1\r\nHost: x\r\nX-Fcfaas-Function: f\r\n"
        . "X-Fcfaas-Token: secret\r\n\r\n";
    my $guest = $mute->accept;
    sysread $guest, my $got, 4096;
    like($got, qr{^GET /}, 'the guest has it');

    $h->cmd('close a 0 3000000 0');
    is($h->stat('a')->{inflight}, 1, 'it is waited for');
    $h->cmd('dead a');
    my $answer = do { local $/; <$waits> };
    like($answer, qr{^HTTP/1.1 502 .*"gone"}s, 'until the guest is known dead');
    ok($h->event('closed a'), 'and the route is over');

    # said again of one that is over: the two cross
    my $again = $h->open('b', $mute->sockport);
    $h->cmd('close b 0 0 0');
    $h->cmd('dead b');
    ok($h->event('closed b'), 'another');
    ok($h->open('c', $mute->sockport), 'the connection is still good');
    is(() = $h->log =~ /is there: it has/g, 1, 'it was never lost');
    is($h->quit, 0, 'end');
};

subtest 'closing in a callback of its own' => sub {
    my $h = RouteHost->new(socket => socket_path(), program => 1);
    $h->up;
    $h->open($_, $guest) for qw(a b c);
    $h->cmd('end a');
    ok($h->event('closed a'), 'told once');
    waitpid $h->pid, 0;
    is($?, 0, 'all ended');
    $h->{pid} = undef;
};

subtest 'the proxy is killed under load' => sub {
    my $h = RouteHost->new(socket => socket_path(), program => 1);
    $h->up;
    my $port = $h->open('a', $guest);
    my $load = RouteHost::load($port);
    my $more = sub {
        my $seen = $h->stat('a')->{requests};
        wait_for(sub { $h->stat('a')->{requests} > $seen + 20 }, 20,
            'requests');
    };

    for (1 .. 5) {
        $more->();
        my $met = $h->meetings;
        kill 'KILL', $h->proxy_pid;
        $h->met($met + 1);
    }

    $more->();
    my ($sent, @lost) = RouteHost::load_end($load);
    my $counted = $h->stat('a')->{requests};
    ok($counted > 100 && $counted <= $sent,
        "counters go on from proxy to proxy: $counted of $sent");
    cmp_ok($sent, '>', 100, "$sent requests");
    cmp_ok(scalar @lost, '<=', 5, 'lost: only those inside')
        or diag(join "\n", @lost);
    like($h->log, qr/"level":"error".*loss 3 in a row/, 'it is told');
    $h->cmd('close a 0 0 0');
    ok($h->event('closed a'), 'closed');
    is($h->quit, 0, 'end');
};

subtest 'what waits while there is no proxy' => sub {
    my $socket = socket_path();
    my $h = RouteHost->new(socket => $socket);
    my $proxy = RouteHost::proxy(socket => $socket);
    $h->up;
    my $port = $h->open('a', $guest);
    my $gone = $h->open('b', $guest);
    is(RouteHost::call($port)->{status}, 200, 'served');
    $proxy->stop('KILL');

    my @waiting = map { RouteHost::request($port) } 1 .. 20;
    my $met = $h->meetings;
    $h->cmd('drain b 1');
    $h->cmd('close b 1000 1000 0');
    ok($h->event('drained b') && $h->event('closed b'),
        'a route is closed without one');
    $proxy = RouteHost::proxy(socket => $socket);
    $h->met($met + 1);
    is(scalar(grep { $_->response(20)->{status} == 200 } @waiting), 20,
        'all wait in the backlog and are served');
    is(RouteHost::call($gone)->{status}, 0, 'the closed one is not back');
    $h->quit;
    ok($proxy->alive, 'it is nobody\'s child, and stays');
    wait_for(sub { RouteHost::call($port)->{status} == 0 }, 10,
        'it to have heard that');
    pass('without routes');
    ok($proxy->stop('TERM'), 'until it is told to end');
};

subtest 'the agent is killed and started again under load' => sub {
    my $socket = socket_path();
    my $h = RouteHost->new(socket => $socket, program => 1, keep => 1);
    $h->up;
    my $pid = $h->proxy_pid;
    my $port = $h->open('a', $guest);
    my $other = $h->open('b', $guest);
    # before that, the proxy may not have heard of them
    is(RouteHost::call($_)->{status}, 200, 'served') for $port, $other;
    my $load = RouteHost::load($port);

    for (1 .. 20) {
        $h->kill('KILL');
        $h = RouteHost->new(socket => $socket, program => 1, keep => 1);
        $h->up or last;
        my $was = $h->cmd("take a $port");
        $was eq 'ok' or diag("take: $was"), last;
        my $seen = $h->stat('a')->{requests};
        wait_for(sub { $h->stat('a')->{requests} > $seen + 5 }, 20, 'more');
    }

    my ($sent, @lost) = RouteHost::load_end($load);
    cmp_ok($sent, '>', 100, "$sent requests");
    is(scalar @lost, 0, 'none lost') or diag(join "\n", @lost);
    is($h->proxy_pid, $pid, 'by the same proxy');
    is($h->cmd("take a $port"), 'none', 'a route is taken once');
    is($h->cmd("take x $other"), 'none', 'by whose it is');
    is(RouteHost::call($other)->{status}, 200, 'what nobody took is served');
    $h->cmd('settle');
    wait_for(sub { RouteHost::call($other)->{status} == 0 }, 20,
        'and closed in the end');
    is(RouteHost::call($port)->{status}, 200, 'the other goes on');

    my $met = $h->meetings;
    kill 'KILL', $pid;
    $h->met($met + 1);
    is(RouteHost::call($port)->{status}, 200,
        'its socket was handed back, and to the next proxy');
    $h->cmd('drain a 1');
    ok($h->event('drained a'), 'it is drained');
    $h->kill('KILL');
    $h = RouteHost->new(socket => $socket, program => 1);
    $h->up;
    is($h->cmd("take a $port"), 'ok', 'taken over, draining');
    wait_for(sub { RouteHost::call($port)->{status} == 200 }, 20,
        'it to serve, as is wanted now');
    $pid = $h->proxy_pid;
    is($h->quit, 0, 'one that keeps nothing ends');
    wait_for(sub { is_gone($pid) }, 20, 'the proxy with it');
    pass('the proxy too');
};

subtest 'a proxy that was told to stay' => sub {
    my $socket = socket_path();
    my $h = RouteHost->new(socket => $socket, program => 1, keep => 1);
    $h->up;
    my $pid = $h->proxy_pid;
    my $port = $h->open('a', $guest);
    RouteHost::call($port);
    is($h->quit, 0, 'the agent ends');
    is(RouteHost::call($port)->{status}, 200, 'it serves on');
    $h = RouteHost->new(socket => $socket, program => 1, keep => 1);
    $h->up;
    is($h->proxy_pid, $pid, 'and is met again');
    my $slow = RouteHost::request($port, '/slow');
    wait_for(sub { $h->cmd("take a $port") eq 'ok' }, 20, 'the route');
    wait_for(sub { $h->stat('a')->{inflight} }, 20, 'a request');
    $h->cmd('close a 0 10000 0');
    is($h->stat('a')->{inflight}, 1, 'which is inside');
    is($h->quit, 0, 'the agent ends again');
    is($slow->response(20)->{status}, 200, 'what was inside is served');
    wait_for(sub { is_gone($pid) }, 20, 'nothing to stay for');

    $h = RouteHost->new(socket => $socket, program => 1, keep => 1);
    $h->up;
    $pid = $h->proxy_pid;
    is($h->quit, 0, 'and once more');
    wait_for(sub { is_gone($pid) }, 20, 'without a route it does not stay');
    pass('ended');
};

done_testing();
