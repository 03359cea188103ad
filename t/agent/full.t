#!/usr/bin/perl

# An agent whose disk is full: it starts, ends what a killed one left, and
# goes on when there is room again.

use strict;
use warnings;

use lib 't/lib';
use AgentHost;
use FcfTest;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

AgentHost::begin('full');
AgentHost::private_mounts();
AgentHost::small_run_dir('a', 'size=512k');

image('hello', body => 'here');

my $agent = started('a', settings('a', state_dir => "$dir/run-a"));
job('hello', 'req-1');
my (undef, $first) = instance('hello');
is(call('hello', $first->{proxy_port})->{body}, 'here', 'a VM serves');

AgentHost::fill('a');
$agent->kill('KILL');
$agent->wait(10);
is(scalar vmms('a'), 1, 'it outlives its agent');

$agent = started('a', settings('a', state_dir => "$dir/run-a"));
pass('the next agent starts on a full disk');
is(scalar vmms('a'), 0, 'and has ended the VM');
is(scalar vm_dirs('a'), 0, 'and removed its directory');

unlink "$dir/run-a/ballast" or die $!;
wait_for(sub { !instances('hello') }, 20, 'the old key to go');
job('hello', 'req-2');
my (undef, $second) = instance('hello', 20);
is(call('hello', $second->{proxy_port})->{body}, 'here',
    'with room again, it serves');

$agent->stop;
done_testing();
