#!/usr/bin/perl

# The agent's end when something does not end, and what it does with what it
# does not get, or gets twice.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

use constant { SYS_ptrace => 101, PTRACE_SEIZE => 0x4206 };

AgentHost::begin('stop');
image($_) for qw(held warm twice node);
image('late', boot_ms => 800);

# A process that a debugger of ours holds on to: killed, it stays a zombie
# that its parent cannot reap, as one in a system call that never returns.
my $stuck = started('s', settings('s', prefix => 's:',
    bridge_address => '172.21.0.1/24'));
$redis->cli('LPUSH', 's:' . QUEUE, json_encode({ request_id => 'req-s',
    function_id => 'held', cpu => 1, memory_mb => 128 }));
wait_for(sub { $etcd->keys('s:/functions/held/instances/') }, 10, 'a VM');
my ($tracee) = vmms('s');
is(syscall(SYS_ptrace, PTRACE_SEIZE, 0 + $tracee, 0, 0), 0, 'a VMM is held');
my $stop_since = now();
$stuck->kill('TERM');

my $agent = started('a', settings('a'));

subtest 'the same request twice' => sub {
    $redis->cli('ZADD', '{queue:vm_provision}:pending:late',
        1000 * (time + 60), 'req-l');
    job('late', 'req-l', version => 0, attempt => 1);
    wait_for(sub { $etcd->keys('/functions/late/slots/') }, 5, 'a boot');
    job('late', 'req-l', version => 0, attempt => 2);
    is(failure('late', 'req-l')->{error}, 'duplicate', 'on this node');
    is(pending('late'), 1, 'its id stays pending');
    my ($key) = instance('late');
    is(scalar($etcd->keys('/functions/late/slots/')), 1, 'one slot');
    wait_for(sub { taken('a') == 0 }, 5, 'both to be settled');

    $etcd->put('/functions/twice/slots/0', '{"worker_id":"other-7",'
        . '"request_id":"req-t","version":0}');
    job('twice', 'req-t');
    is(failure('twice', 'req-t')->{error}, 'duplicate', 'on another node');
    is(scalar($etcd->keys('/functions/twice/slots/')), 1, 'no other slot');
    wait_for(sub { taken('a') == 0 }, 5, 'it to be settled');
};

subtest 'Redis refuses for a while' => sub {
    # long enough for Redis to be told while it boots
    image('refused', boot_ms => 4000);
    job('refused', 'req-r');
    wait_for(sub { $etcd->keys('/functions/refused/slots/') }, 5, 'a boot');
    $redis->cli('CONFIG', 'SET', 'min-replicas-to-write', 1);
    is(scalar(instances('refused')), 0, 'which is told before it is up');
    instance('refused', 20);
    $agent->line_matching(qr/settling a job.*NOREPLICAS.*refused/i, 5);
    is(taken('a'), 1, 'the job cannot be settled');
    $redis->cli('CONFIG', 'SET', 'min-replicas-to-write', 0);
    wait_for(sub { taken('a') == 0 }, 5, 'it to be settled');
    pass('it is, later');
};

subtest 'the key of the node is deleted' => sub {
    $etcd->del('/workers/a');
    job('node', 'req-n');
    my ($key, $i) = instance('node');
    wait_for(sub { $etcd->get('/workers/a') }, 5, 'the key');
    is($etcd->lease_of('/workers/a'), $etcd->lease_of($key),
        'it is put again');
    is(call('node', $i->{proxy_port})->{status}, 200, 'and VMs serve on');
};

subtest 'more than this node has, and others are busy' => sub {
    $etcd->put('/workers/other', { address => '10.1.2.3', cpu => 1,
        memory_mb => 1, cpu_free => 1, memory_mb_free => 1, vms => 0,
        agent_version => '0' }, $etcd->lease(600));
    # one watch brings both, in order
    $etcd->put('/specs/mark', 'rubbish');
    $agent->line_matching(qr{/specs/mark.*ignored}, 10);
    $etcd->del('/specs/mark');
    image('big');
    job('big', 'req-big', memory_mb => 1 << 22);
    wait_for(sub { grep { ($_->{refused_by}[0] // '') eq 'a' }
        map { json_decode($_) } map { @{ $redis->cli('LRANGE', $_, 0, -1) } }
        QUEUE, '{queue:vm_provision}:taken:a' }, 5, 'it to be refused');
    my ($t, $n) = (now(), $redis->calls('blmove'));
    wait_for(sub { now() - $t > 2 }, 5, 'two seconds');
    cmp_ok($redis->calls('blmove') - $n, '<', 10, 'it does not go in circles');
    job('warm', 'req-w');
    ok((instance('warm'))[0], 'other jobs are done meanwhile');
    $etcd->del('/workers/other');
    is(failure('big', 'req-big')->{error}, 'no_capacity',
        'no_capacity when all nodes have refused it');
    wait_for(sub { taken('a') == 0 }, 5, 'it to be settled');
};

subtest 'told to stop twice' => sub {
    image('busy', answer_ms => 30000);
    job('busy', 'req-b');
    my ($key, $i) = instance('busy');
    my $request = http_send($i->{proxy_port}, '/', headers => {
        'X-Fcfaas-Function' => 'busy', 'X-Fcfaas-Token' => 'sesame' });
    wait_for(sub {
        $ns->run('ss', '-Htn', 'dst', '172.16.0.0/24', qw(and dport = :80))
            =~ /ESTAB/
    }, 5, 'the request to be inside');

    $agent->kill('TERM');
    $agent->line_matching(qr/"msg":"stopping: /, 5);
    is($agent->wait(1), undef, 'it lets the request end');
    my $t = now();
    $agent->kill('INT');
    is($agent->wait(10), 0, 'told again it ends');
    cmp_ok(now() - $t, '<', 3, 'soon');
    is($request->response(5)->{status}, 502, 'and says so to the client');
    is(scalar(vmms('a')), 0, 'no VMM');
    is(scalar(vm_dirs('a')), 0, 'no directory');
    is(taps('a'), 0, 'no TAP');
    unlike($agent->output, qr/is not possible in state/, 'no illegal event');
};

subtest 'a VM that does not end' => sub {
    my $cpu = sub {
        my @stat = split ' ', slurp('/proc/' . $stuck->pid . '/stat')
            =~ s/.*\)//sr;
        return $stat[11] + $stat[12];           # hundredths of a second
    };
    my ($t, $used) = (now(), $cpu->());
    wait_for(sub { now() - $t > 2 }, 5, 'two seconds');
    cmp_ok($cpu->() - $used, '<', 100, 'its agent waits at rest');

    my $status = $stuck->wait(45);
    is(defined $status ? $status >> 8 : 'no end', 1, 'is given up: status 1');
    cmp_ok(now() - $stop_since, '>', 25, 'not too early');
    like($stuck->output, qr/"msg":"does not end, in state stopping".*"vm"/,
        'by name');
    is_deeply([$etcd->keys('s:/')], [], 'no key stays');
    unlike($stuck->output, qr/Sanitizer/, 'no memory fault');
    waitpid $tracee, 0;                 # the debugger lets go
    $stuck = started('s', settings('s', prefix => 's:',
        bridge_address => '172.21.0.1/24'));
    is(scalar(vm_dirs('s')), 0, 'the next start reclaims');
    ok($stuck->stop, 'and ends');
};

done_testing();
