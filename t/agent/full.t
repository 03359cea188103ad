#!/usr/bin/perl

# An agent whose disk is full: it starts, ends what a killed one left, and
# goes on when there is room again.

use strict;
use warnings;

use lib 't/lib';
use AgentHost;
use FcfTest;
use Test::More;

use constant SYS_UNSHARE => 272;
use constant CLONE_NEWNS => 0x20000;

if ($> != 0 || syscall(SYS_UNSHARE, CLONE_NEWNS) != 0) {
    plan skip_all => 'needs root';
}

AgentHost::begin('full');
system('mount', '--make-rprivate', '/') == 0 or die 'mount';
mkdir "$dir/run-a" or die $!;
system('mount', '-t', 'tmpfs', '-o', 'size=512k', 'tmpfs', "$dir/run-a") == 0
    or die 'mount';

# every byte of it
sub fill {
    open my $f, '>', "$dir/run-a/ballast" or die $!;
    1 while syswrite $f, 'x' x 4096;
    1 while syswrite $f, 'x';
}

image('hello', body => 'here');

my $agent = started('a', settings('a', state_dir => "$dir/run-a"));
job('hello', 'req-1');
my (undef, $first) = instance('hello');
is(call('hello', $first->{proxy_port})->{body}, 'here', 'a VM serves');

fill();
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
