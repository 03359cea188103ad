#!/usr/bin/perl

# The disk is full when the agent is killed: the next one goes on with what
# lives, starts nothing of which it could leave no record, and is well again
# when there is room.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

AgentHost::begin('full');
AgentHost::private_mounts();
AgentHost::small_run_dir('a', 'size=512k,mode=0711');

image($_) for qw(first second);
my $agent = started('a', settings('a', adopt => 'yes',
    state_dir => "$dir/run-a"));
job('first', 'req-1');
my ($key, $i) = instance('first');
my ($pid) = vmms('a');
wait_for(sub { taken('a') == 0 }, 5, 'its job to be settled');

AgentHost::fill('a');
$agent->kill('KILL');
$agent->wait(10);

# as a spec in etcd would have it drained, so that its state changes as well
$agent = started('a', settings('a', adopt => 'yes',
    state_dir => "$dir/run-a"));
is((instance('first'))[0], $key, 'the next one starts, and goes on with it');
is((vmms('a'))[0], $pid, 'in the same process');
is(call('first', $i->{proxy_port})->{status}, 200, 'it serves');
ok($etcd->get('/workers/a'), 'the node is in etcd');

subtest 'no VM without a record' => sub {
    my $from = length $agent->output;
    job('second', 'req-2');
    wait_for(sub { substr($agent->output, $from) =~ /No space left/ }, 20,
        'it to say why not');
    wait_for(sub { !$etcd->keys('/functions/second/slots/') }, 10,
        'its slot to be free');
    is(scalar(vmms('a')), 1, 'no process');
    wait_for(sub { vm_dirs('a') == 1 }, 5, 'no directory');
    is(scalar(instances('second')), 0, 'no instance');
};

subtest 'killed on a full disk once more' => sub {
    $agent->kill('KILL');
    $agent->wait(10);
    $agent = started('a', settings('a', adopt => 'yes',
    state_dir => "$dir/run-a"));
    is(call('first', $i->{proxy_port})->{status}, 200, 'it serves on');
    is((vmms('a'))[0], $pid, 'in the same process');
};

unlink "$dir/run-a/ballast" or die $!;
image('third');
my $asked = 0;
wait_for(sub { job('third', 'req-3-' . ++$asked);
    eval { wait_for(sub { instances('third') }, 1, 'it') } }, 40,
    'VMs to be started again');
my (undef, $j) = instance('third');
is(call('third', $j->{proxy_port})->{status}, 200, 'with room again VMs start');

$agent->kill('TERM');
is($agent->wait(20), 0, 'it hands over');
$agent = started('a', settings('a'));
wait_for(sub { !vmms('a') && !vm_dirs('a') }, 20, 'all to be ended');
ok($agent->stop, 'the end');
unlike(join('', map { slurp($_) } glob "$dir/agent-a-*.log"),
    qr/is not possible in state|Sanitizer|runtime error/, 'no fault');

done_testing();
