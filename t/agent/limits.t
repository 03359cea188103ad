#!/usr/bin/perl

# What VMs may take, seen from the agent: memory with the VMM's own counts,
# and each VM has a cgroup, or none if that is wanted.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use POSIX ();
use Test::More;

AgentHost::begin('limits');
image($_) for qw(one two three big);

my ($total) = slurp('/proc/meminfo') =~ /^MemTotal: +(\d+) kB/m;
my $mb = int($total / 1024);

sub group {
    my ($pid) = @_;
    return join '', grep { /:(?:[^:]*\b(?:memory|pids)\b[^:]*|):/ }
        split /(?<=\n)/, slurp("/proc/$pid/cgroup");
}

subtest 'memory' => sub {
    # 400 MB: three of 128, but two with what their VMMs take
    my $agent = started('m', settings('m', node_id => "m$$", memory_reserve_mb => $mb - 400,
        vmm_overhead_mb => 60, boot_timeout_s => 20));
    job($_, "req-$_") for qw(one two three);
    wait_for(sub { 2 == grep { instances($_) } qw(one two three) }, 20, 'two');
    my $worker = $etcd->get_json("/workers/m$$");
    wait_for(sub { $worker = $etcd->get_json("/workers/m$$");
        $worker->{vms} == 2 }, 10, 'the node to say so');
    is($worker->{memory_mb} - $worker->{memory_mb_free}, 2 * (128 + 60),
        'the node counts what VMMs take');
    is(scalar(grep { instances($_) } qw(one two three)), 2,
        'a third does not fit');
    my ($there) = grep { instances($_) } qw(one two three);
    my ($none) = grep { !instances($_) } qw(one two three);
    kill 'KILL', (vmms('m'))[0];
    wait_for(sub { instances($none) }, 20, 'the third, when there is room');
    pass('until another has ended');
    job('big', 'req-big', memory_mb => 350);
    is(failure('big', 'req-big')->{error}, 'no_capacity',
        'one that fits alone, but not with its VMM');
    ok($agent->stop, 'ends');
    is($agent->wait(0), 0, 'well');
};

SKIP: {
    skip 'no cgroups here', 1 unless qx(mount) =~ /cgroup.*\bpids\b/;

    subtest 'cgroups' => sub {
        $redis->cli('DEL', QUEUE);
        my $agent = started('c', settings('c', node_id => "c$$"));
        like($agent->output, qr/limits by cgroup version \d: memory/, 'said');
        job('one', 'req-c1');
        instance('one');
        my ($pid) = vmms('c');
        like(group($pid), qr{/vm-c$$-\d+\.\w+$}m, 'a VM has its own');
        unlike(group($agent->pid), qr{/vm-c$$-}, 'the agent is in none of them');

        # or the next one starts it anew
        wait_for(sub { taken("c$$") == 0 }, 20, 'its job to be done');
        $agent->stop('KILL');
        cmp_ok(scalar(groups('c')), '>', 0, 'they outlive the agent');
        $agent = started('c', settings('c', node_id => "c$$"));
        is(scalar(groups('c')), 0, 'the next one removes them');
        ok($agent->stop, 'ends');

        $agent = started('c', settings('c', node_id => "c$$", cgroups => 'no'));
        like($agent->output, qr/cgroups = no: VMs run without limits/, 'no');
        job('two', 'req-c2');
        instance('two');
        is(group((vmms('c'))[0]), group($agent->pid), 'a VM has none');
        ok($agent->stop, 'ends');
        is(scalar(groups('c')), 0, 'nothing is left');
    };
}

# a group that this test made for VMs, where the host has the controller
sub bounded {
    my ($controller) = @_;
    my ($mount) = slurp('/proc/mounts')
        =~ m{^\S+ (\S+) cgroup [^ ]*\b$controller\b[ ,]}m or return;
    my $group = "$mount/fcf-limits-$$";
    mkdir $group;
    return $group;
}

sub set {
    my ($file, $value) = @_;
    open my $fh, '>', $file or die "$file: $!";
    syswrite($fh, $value) // die "$file: $!";
}

# so many processes in it, which end when the handle is closed
sub crowd {
    my ($group, $n) = @_;
    my $pid = open my $fh, '|-';
    if (!$pid) {
        set("$group/cgroup.procs", $$);
        fork or last for 2 .. $n;
        1 while <STDIN>;
        POSIX::_exit(0);
    }
    wait_for(sub { slurp("$group/pids.current") == $n }, 20, 'a crowd');
    return $fh;
}

my ($pids, $cpu) = map { bounded($_) } qw(pids cpu);

SKIP: {
    skip 'no such controllers of version 1', 1 unless $pids && $cpu;

    subtest 'what the groups above VMs give' => sub {
        $redis->cli('DEL', QUEUE);
        set("$cpu/cpu.cfs_quota_us", 50000);
        set("$pids/pids.max", 150);
        my $crowd = crowd($pids, 30);
        my $port = free_port();
        my $agent = started('b', settings('b', node_id => "b$$",
            cgroup_root => "fcf-limits-$$", cpu_overcommit => 6,
            admin => "127.0.0.1:$port"));
        is($etcd->get_json("/workers/b$$")->{cpu}, 3,
            'half a CPU, for six each');
        like(http_get($port, '/metrics')->{body},
            qr/^fcfaas_agent_host_left\{resource="pids"\} 120$/m,
            'processes that are left: in metrics');

        job('three', 'req-b3');
        $agent->line_matching(qr/held until there is room.*req-b3/, 10);
        is(scalar(instances('three')), 0, 'too few for a VM: it is held');
        close $crowd;
        ok(instance('three', 20), 'until others have ended');

        set("$pids/pids.max", 100);
        # it goes by what it read up to 50 ms ago
        select undef, undef, undef, 0.1;
        job('big', 'req-b4');
        my $f = failure('big', 'req-b4');
        is($f->{error}, 'no_capacity', 'fewer than a VM may need: never');
        like($f->{message}, qr{fcf-limits-$$/pids.max}, 'by name');
        ok($agent->stop, 'ends');
    };
}

END {
    for my $name (qw(memory cpu pids blkio)) {
        my $group = bounded($name) or next;
        rmdir $group;
    }
}

done_testing();
