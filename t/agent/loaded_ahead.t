#!/usr/bin/perl

# A snapshot loaded ahead: on a TAP outside the bridge until a start takes both;
# what it has goes to whoever needs it; and what goes wrong with it, whenever,
# is no fault of a start.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('loaded');

# that of the host but for what two VMs take
my ($host_mb) = slurp('/proc/meminfo') =~ /^MemTotal:\s+(\d+) kB/;
$host_mb = int $host_mb / 1024;

my %set = settings('a', adopt => 'yes', snapshots => 'yes',
    snapshot_runtimes => 'base', vmms_ahead => 1, with_admin());
my $asked = 0;
my $agent = started('a', %set);

taken_by_a_start();
in_vain();
refused();
load_fails();
loses_its_tap();
outlives_nobody();
memory_is_given();
addresses_are_given();
ends();
done_testing();


sub function {
    my ($name, %image) = @_;
    image($name, %image);
    $etcd->spec($name, max_instances => 20, idle_timeout_s => 600);
}

# one more of it, which answers
sub more {
    my ($name, $what) = @_;
    my %had = map { $_ => 1 } instances($name);
    my $request = 'req-' . ++$asked;

    our_job($name, $request, 1);
    wait_for(sub { grep { !$had{$_} } instances($name) }, 60,
        "an instance of $name");
    my ($new) = grep { !$had{$_} } instances($name);
    is(call($name, $etcd->get_json($new)->{proxy_port})->{status}, 200, $what);
    return $request;
}

sub end_all {
    my @names = @_;
    kill 'KILL', vmms('a');
    wait_for(sub { !grep { instances($_) } @names }, 60, 'their end');
}

# TAPs that are up and have no master
sub apart {
    return grep { /: ta\d+:/ && /[<,]UP[,>]/ && !/ master / } split /\n/,
        $ns->run('ip', '-o', 'link');
}

sub one_is_loaded {
    my ($name, $what) = @_;

    wait_for(sub { metric('vmms_ahead') == 1 && apart() == 1 }, 60,
        "one of $name ahead");
    $agent->says(qr/"loaded ahead: version 1"[^\n]*"function_id":"$name"/, 30);
    pass($what) if defined $what;
}

# its snapshot is there, and loaded
sub with_snapshot {
    my ($name) = @_;
    function($name, boot_ms => 50);
    more($name, "$name: the first");
    one_is_loaded($name, "$name: its snapshot is loaded");
}

# how often this start was in that state
sub steps {
    my ($request) = @_;
    return join ' ', $agent->output =~
        /"\w+ -> (\w+) on [^\n]*"request_id":"$request"/g;
}


sub taken_by_a_start {
    with_snapshot('f');
    my $ahead = metric('starts_ahead_total');
    my $request = more('f', 'the next one answers');

    is(metric('starts_ahead_total'), $ahead + 1, 'it was the one loaded');
    like(steps($request), qr/^claimed network restore wake join restored /,
        'which began with its end');
    one_is_loaded('f', 'another one is loaded');
    is(scalar(instances('f')), 2, 'two serve');
    is(metric('restore_failures_total'), 0, 'no failure');
}


# killed while nobody needs it: the next start does without, and loads another
sub in_vain {
    my %serves = map { (split m{/})[-1] => 1 } instances('f');
    my ($waits) = grep { readlink("/proc/$_/cwd") =~ m{/([^/]+)$}
        && !$serves{$1} } vmms('a');

    kill 'KILL', $waits;
    $agent->says(qr/started ahead of version 1 is of no use: [^\n]*signal 9/,
        30);
    wait_for(sub { metric('vmms_ahead') == 0 && !apart() }, 20, 'its TAP back');
    more('f', 'a start does without');
    one_is_loaded('f');
    is(metric('restore_failures_total'), 0, 'it is no failure of one');
}


# it goes with the start that has it
sub refused {
    $etcd->spec('f', max_instances => 3, idle_timeout_s => 600);
    wait_for(sub { metric('vmms_ahead') == 1 }, 20, 'one ahead');
    our_job('f', 'req-' . ++$asked, 1);
    is(failure('f', "req-$asked")->{error}, 'at_max',
        'one too many: refused');
    wait_for(sub { !apart() && vmms('a') == 3 }, 20, 'all it had to go');
    AgentHost::bridged('a', 'its TAP is in the bridge');
    end_all('f');
}


sub load_fails {
    my $boots = metric('starts_total', 'kind="boot"');

    function('broken', fail => 'load');
    more('broken', 'the first');
    $agent->says(qr/is of no use: [^\n]*load[^\n]*"function_id":"broken"/, 30);
    wait_for(sub { !apart() }, 20, 'its TAP back');
    more('broken', 'the next is booted');
    is(metric('starts_total', 'kind="boot"'), $boots + 2, 'as the first was');
    is(metric('restore_failures_total'), 1, 'after a try of its own');
    end_all('broken');
}


sub loses_its_tap {
    with_snapshot('g');
    my ($tap) = (apart())[0] =~ /: (ta\d+):/;

    $ns->run('ip', 'link', 'del', $tap);
    wait_for(sub { metric('vmms_ahead') == 0 && vmms('a') == 1 }, 20,
        'it goes with its TAP');
    more('g', 'a start does without');
    one_is_loaded('g', 'and another one is loaded');

    # a start has it already, and awaits its slot
    ($tap) = (apart())[0] =~ /: (ta\d+):/;
    $etcd->pause;
    our_job('g', 'req-' . ++$asked, 1);
    $agent->says(qr/-> claimed on images found"[^\n]*"req-$asked"/, 30);
    $ns->run('ip', 'link', 'del', $tap);
    $agent->says(qr/"its TAP $tap was deleted[^\n]*"req-$asked"/, 30);
    $etcd->resume;
    $agent->says(qr/registered after [^\n]*, of a snapshot: [^\n]*"req-$asked"/,
        30);
    like(steps("req-$asked"),
        qr/ network fallback network apart spawn restore /,
        'a start that has it loads another');
    one_is_loaded('g');
    is(metric('restore_failures_total'), 1, 'no failure more');
}


sub outlives_nobody {
    $agent->kill('KILL')->wait(5);
    my @were = vmms('a');
    is(@were, 4, 'three serve, one is loaded');
    $agent = started('a', %set);
    one_is_loaded('g', 'of the VMs that were adopted one is loaded again');
    my %is = map { $_ => 1 } vmms('a');
    is(grep({ $is{$_} } @were), 3, 'the one that was has gone');
    is(apart(), 1, 'and no TAP of it');
    end_all('g');
}


# another agent, with what is to be scarce
sub again {
    my (%with) = @_;
    $agent->kill('TERM')->wait(40);
    $etcd->del_prefix('/specs/');
    $agent = started('a', %set, adopt => 'no', %with);
}


# room for two VMs: one serves, one is loaded, and another function's gets in
sub memory_is_given {
    again(memory_reserve_mb => $host_mb - 330, vmm_overhead_mb => 32);
    with_snapshot('h');
    function('k');
    more('k', 'another function gets the memory');
    wait_for(sub { !apart() && vmms('a') >= 2 }, 20, 'it goes for it');
    is(scalar(instances('h')), 1, 'the one that serves goes on');
    pass('none is loaded any more');
}


# five of them: for three VMs and the loaded one; a fourth, a template, which
# leaves its own, and a fifth
sub addresses_are_given {
    again(bridge_address => '172.29.0.1/29');
    with_snapshot('m');
    function('n');
    more('n', 'another function') for 1 .. 2;
    wait_for(sub { apart() == 1 }, 30, 'one loaded');
    with_snapshot('p');
    more('n', 'one that gets the last address, too');
    is(scalar(map { instances($_) } qw(m n p)), 5, 'all of them serve');
    is(apart(), 0, 'and nothing is loaded');
}


sub ends {
    $agent->kill('TERM')->wait(40);
    is(taps('a'), 0, 'no TAP is left');
    is(vmms('a'), 0, 'no VMM either');
    unlike($agent->output, qr/Sanitizer|runtime error|is not possible/,
        'no fault');
}
