#!/usr/bin/perl

# run_dir: where VMs have their directories, which need not outlive the host's
# run; what becomes of them when it is another, another agent's, or gone.

use strict;
use warnings;

use lib 't/lib';
use AgentHost;
use FcfTest;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

AgentHost::begin('run_dir');
image($_) for qw(hello other);

# an agent's VM, and the agent killed
sub left_behind {
    my ($agent, $request) = @_;

    job('hello', $request);
    my ($key) = instance('hello');
    $agent->kill('KILL');
    $agent->wait(10);
    return $key =~ s{.*/}{}r;
}

sub pid_in { my ($pid) = slurp("$_[0]/pid") =~ /^(\d+) /; return $pid }

my $agent = started('a', settings('a'));
job('hello', 'req-1');
my ($worker) = (instance('hello'))[0] =~ m{([^/]+)$};
ok(-e "$dir/run-a/$worker/pid", 'a VM is in run_dir');
is_deeply([glob "$dir/state-a/$worker*"], [],
    'and nothing of it in state_dir');
is(readlink("$dir/state-a/vms"), "$dir/run-a", 'where it is is noted');
is((stat "$dir/run-a")[2] & 07777, 0700, 'for root alone');

subtest 'it is one agent\'s' => sub {
    my $second = agent('b', settings('b', run_dir => "$dir/run-a",
        bridge_address => '172.17.0.1/24'));
    isnt($second->wait(20), 0, 'another one ends at once');
    like($second->output, qr{run_dir = \S+/run-a\S+: another agent is running on it},
        "and says why");
    ok(!is_gone(pid_in("$dir/run-a/$worker")), 'the VM lives');
};

subtest 'it is another, after a kill' => sub {
    my $pid = pid_in("$dir/run-a/$worker");
    $agent->kill('KILL');
    $agent->wait(10);
    $agent = started('a', settings('a', adopt => 'yes',
        run_dir => "$dir/run-a2"));
    ok(is_gone($pid), 'the VM is ended');
    like($agent->output, qr{ended 1 VMs in \Q$dir\E/run-a, which was run_dir},
        'which is said');
    ok(!-e "$dir/run-a", 'its directory is gone');
    is(readlink("$dir/state-a/vms"), "$dir/run-a2", 'the new one is noted');
    wait_for(sub { !instances('hello') }, 20, 'its key to go');
};

subtest 'another agent has the former by now' => sub {
    my $left = left_behind($agent, 'req-2');
    my $b = started('b', settings('b', run_dir => "$dir/run-b",
        bridge_address => '172.17.0.1/24'));
    job('other', 'req-3');
    my ($of_b) = (instance('other'))[0] =~ m{([^/]+)$};
    my $pid = pid_in("$dir/run-b/$of_b");

    # as if run_dir had been that one
    unlink "$dir/state-a/vms" or die $!;
    symlink "$dir/run-b", "$dir/state-a/vms" or die $!;
    $agent = started('a', settings('a', run_dir => "$dir/run-a2"));
    like($agent->output, qr{/run-b\S+, which another agent has now},
        'it says so');
    ok(!is_gone($pid), 'its VM lives');
    ok(!-e "$dir/run-a2/$left", 'its own are found in any case');

    # and is away: what is not this node's stays
    $b->kill('KILL');
    $b->wait(10);
    $agent->stop;
    unlink "$dir/state-a/vms" or die $!;
    symlink "$dir/run-b", "$dir/state-a/vms" or die $!;
    $agent = started('a', settings('a', run_dir => "$dir/run-a2"));
    ok(!is_gone($pid), 'the VM of a node of another name lives');
    $b = started('b', settings('b', run_dir => "$dir/run-b",
        bridge_address => '172.17.0.1/24'));
    ok(is_gone($pid), 'until its own agent is there');
    $b->stop;
};

subtest 'VMs of an agent that noted nothing' => sub {
    my $left = left_behind($agent, 'req-4');
    my $pid = pid_in("$dir/run-a2/$left");
    rename "$dir/run-a2/$left", "$dir/state-a/$left" or die $!;
    unlink "$dir/state-a/vms" or die $!;
    $agent = started('a', settings('a', run_dir => "$dir/run-a2"));
    ok(is_gone($pid), 'are looked for in state_dir, and ended');
    ok(!-e "$dir/state-a/$left", 'with their directories');
    ok(-e "$dir/state-a/lock", 'whose own files stay');
};

subtest 'it is gone, as after a reboot' => sub {
    my $left = left_behind($agent, 'req-5');
    my $pid = pid_in("$dir/run-a2/$left");
    kill 'KILL', $pid;
    wait_for(sub { is_gone($pid) }, 10, 'the VM to end');
    system('rm', '-r', "$dir/run-a2") == 0 or die;
    $agent = started('a', settings('a', adopt => 'yes',
        run_dir => "$dir/run-a2"));
    wait_for(sub { !instances('hello') }, 20, 'its key to go');
    job('hello', 'req-6');
    my ($key) = instance('hello');
    isnt($key =~ m{([^/]+)$} ? $1 : '', $left, 'a new VM has a new name');
    is(call('hello', $etcd->get_json($key)->{proxy_port})->{status}, 200,
        'and serves');
};

subtest 'it is the same as state_dir' => sub {
    $agent->stop;
    $agent = started('a', settings('a', adopt => 'yes',
        run_dir => "$dir/state-a"));
    my $left = left_behind($agent, 'req-7');
    my $pid = pid_in("$dir/state-a/$left");
    $agent = started('a', settings('a', adopt => 'yes',
        run_dir => "$dir/state-a"));
    ok(!is_gone($pid), 'a VM is gone on with');
    $agent->stop;
    $agent = started('a', settings('a', run_dir => "$dir/state-a"));
    ok(is_gone($pid), 'or ended');
};

$agent->stop;
done_testing();
