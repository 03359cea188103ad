#!/usr/bin/perl

# An instance that hangs, or is dead, as gateways see it through its port; and
# strangers that take all the connections they get.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;

# what a node may have that nobody has thought about
if (!$ENV{FCF_FEW_FILES}) {
    $ENV{FCF_FEW_FILES} = 1;
    exec 'prlimit', '--nofile=512:1024', $^X, $0;
}

AgentHost::begin('hung');

image('hang', fail => 'hang');
my $agent = started('a', settings('a'));

sub last_of {
    my ($key) = @_;
    return ($etcd->get_json($key) // {})->{state};
}

subtest 'three requests past timeout_s' => sub {
    $etcd->spec('hang', version => 1, timeout_s => 1);
    our_job('hang', 'req-1', 1);
    my ($key, $i) = instance('hang');
    my @c = map { http_send($i->{proxy_port}, '/', headers => {
        'X-Fcfaas-Function' => 'hang', 'X-Fcfaas-Token' => 'sesame' }) } 1, 2;
    $agent->line_matching(qr/registered after/, 10);
    ok(!eval { $_->response(1.5); 1 }, 'no answer') for @c;
    is(last_of($key) // 'ready', 'ready', 'two are not enough');
    push @c, http_send($i->{proxy_port}, '/', headers => {
        'X-Fcfaas-Function' => 'hang', 'X-Fcfaas-Token' => 'sesame' });
    $agent->line_matching(qr/longer than timeout_s; replacing it/, 10);
    wait_for(sub { (last_of($key) // 'gone') ne 'ready' }, 5,
        'it to be given up');
    is(call('hang', $i->{proxy_port})->{headers}{'x-fcfaas-unsent'},
        'draining', 'its port says so');
    our_job('hang', 'req-2', 1);
    wait_for(sub { my @k = instances('hang'); @k == 1 && $k[0] ne $key }, 20,
        'another instance');
    pass('another takes its place');
    undef @c;
};

# Nobody waits out the grace that a living one has.
subtest 'a VM that dies while its last request is awaited' => sub {
    image('last', answer_ms => 60000);
    $etcd->spec('last', version => 1);
    our_job('last', 'req-last', 1);
    my ($key, $i) = instance('last');
    my ($worker) = $key =~ m{([^/]+)$};
    my $request = http_send($i->{proxy_port}, '/', headers => {
        'X-Fcfaas-Function' => 'last', 'X-Fcfaas-Token' => 'sesame' });
    wait_for(sub { $ns->run('ss', '-Htn', 'dst', $i->{internal_vm_ip},
        qw(and dport = :80)) =~ /ESTAB/ }, 5, 'the request to be inside');

    $etcd->del('/specs/last');
    # who comes before that is inside, too
    wait_for(sub {
        my $r = eval { http_send($i->{proxy_port}, '/', headers => {
            'X-Fcfaas-Function' => 'last', 'X-Fcfaas-Token' => 'sesame' })
            ->response(0.3) };
        $r && ($r->{headers}{'x-fcfaas-unsent'} // '') eq 'draining';
    }, 10, 'it to be drained');
    my ($pid) = grep { readlink("/proc/$_/cwd") =~ m{/\Q$worker\E(?:/|$)} }
        vmms('a');
    my $t = now();
    kill 'KILL', $pid;
    is($request->response(9)->{status}, 502, 'what it had is told');
    cmp_ok(now() - $t, '<', 5, 'at once');
    wait_for(sub { !-d "$dir/state-a/$worker" }, 5, 'nothing of it is left');
};

# Gateways keep connections, and send on one what they have just got.
subtest 'a VM that dies' => sub {
    image('dies');
    job('dies', 'req-d');
    my ($key, $i) = instance('dies');
    my @c = map { IO::Socket::INET->new("127.0.0.1:$i->{proxy_port}") } 1, 2;
    my $request = "POST / HTTP/1.1\r\nHost: h\r\nX-Fcfaas-Function: dies\r\n"
        . "X-Fcfaas-Token: sesame\r\nContent-Length: 1\r\n\r\nx";
    my $answer = sub {
        my ($c) = @_;
        my $got = '';
        until ($got =~ /\r\n\r\n/) {
            IO::Select->new($c)->can_read(10) or last;
            sysread $c, $got, 4096, length $got or last;
        }
        return $got;
    };

    for my $c (@c) {
        syswrite $c, $request;
        like($answer->($c), qr/^HTTP\S+ 200 /, 'served');
    }

    kill 'KILL', vmms('a');
    # what comes before the proxy knows is sent, or waits for a connection
    wait_for(sub { call('dies', $i->{proxy_port})->{body}
        =~ /"the instance is gone"/ }, 10, 'its death to be known');
    syswrite $c[0], $request;
    like($answer->($c[0]), qr/^HTTP\S+ 503 .*X-Fcfaas-Unsent: gone\r\n/s,
        'what comes next on an idle connection was not sent');
    wait_for(sub { !IO::Socket::INET->new("127.0.0.1:$i->{proxy_port}") }, 10,
        'the port to be closed');
    syswrite $c[1], $request;
    like($answer->($c[1]), qr/^HTTP\S+ 503 .*X-Fcfaas-Unsent: gone\r\n/s,
        'nor when its port is closed');
    wait_for(sub { !vmms('a') && !vm_dirs('a') }, 10, 'the rest to be gone');
};

subtest 'idle connections without a token' => sub {
    my ($soft, $hard) = slurp("/proc/$agent->{pid}/limits")
        =~ /^Max open files\s+(\d+)\s+(\d+)/m;
    is($soft, $hard, 'the soft limit of descriptors is raised');

    image('target');
    image('cold');
    job('target', 'req-t');
    my ($key, $i) = instance('target');
    my @pids;

    for (1 .. 3) {
        pipe my $done, my $held or die "pipe: $!";
        my $pid = fork // die "fork: $!";

        if (!$pid) {
            my @held = map { IO::Socket::INET->new(
                "127.0.0.1:$i->{proxy_port}") } 1 .. 400;
            syswrite $held, '.';
            POSIX::pause();
            POSIX::_exit(0);
        }

        push @pids, $pid;
        close $held;
        sysread $done, my $byte, 1;
    }

    my $t = now();
    job('cold', 'req-c');
    my ($ckey, $c) = instance('cold');
    cmp_ok(now() - $t, '<', 8, '1200 of them do not stop a cold start');
    is(call('cold', $c->{proxy_port})->{status}, 200, 'nor a request there');
    is(call('target', $i->{proxy_port})->{status}, 200, 'nor here');
    kill 'KILL', @pids;
    waitpid $_, 0 for @pids;
};

$agent->stop;
ok(!vmms('a'), 'nothing is left');

done_testing();
