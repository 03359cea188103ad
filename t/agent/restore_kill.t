#!/usr/bin/perl

# The agent is killed in each state of a restore, and of a template: the next
# one does the job, and nothing is left of what was under way.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

use constant TRIES => 40;

AgentHost::begin('rkill');

my %set = settings('a', adopt => 'yes', snapshots => 'yes',
    snapshot_runtimes => 'base', vmms_ahead => 0, max_boots => 32, max_vms => 100);
my $store = "$dir/state-a/snapshots";
my ($asked, $named) = (0, 0);
my $agent = started('a', %set);

with_snapshot('f');
killed_in('f', $_) for qw(apart restore wake join restored ready);
with_snapshot('broken', fail => 'load');
killed_in('broken', 'fallback');
template_killed_in($_) for qw(looking network spawn configure boot save keep
    end);
killed_with_one_ahead();

$agent->kill('TERM')->wait(20);
unlike(join('', map { slurp($_) } glob "$dir/agent-a-*.log"),
    qr/is not possible|Sanitizer|runtime error/, 'no fault');
done_testing();


sub with_snapshot {
    my ($name, %image) = @_;

    image($name, %image);
    $etcd->spec($name, max_instances => 90, idle_timeout_s => 600);
    our_job($name, 'req-' . ++$asked, 1);
    instance($name);
    wait_for(sub { $agent->output =~ /snapshot of version 1 made[^\n]*"$name"/ },
        20, "a snapshot of $name");
}


# Reads what the agent logs as it comes, and kills it once that matches.
sub kill_at {
    my ($what, $begin) = @_;
    my ($text, $end) = ('', now() + 60);

    open my $log, '<', $agent->log or die $!;
    seek $log, 0, 2;
    $begin->();

    until ($text =~ $what) {
        die "never $what\n" if now() > $end;
        sysread $log, $text, 65536, length $text;
    }

    $agent->kill('KILL')->wait(10);
    1 while sysread $log, $text, 65536, length $text;
    return $text;
}


sub again {
    $agent = started('a', %set);
}


# nothing but what serves: n VMs, their directories, and all TAPs in the bridge;
# besides, one waits ("waits"), or "may", if the last one was restored, and not
# booted, as it is while a new agent has not looked at the snapshots yet
sub at_rest {
    my ($what, $n, $ahead) = @_;
    my ($least, $most) = !$ahead ? ($n, $n)
        : ($n + ($ahead eq 'waits'), $n + 1);
    my $are;

    wait_for(sub { $are = vmms('a'); $are == vm_dirs('a') && !taken('a')
        && !$redis->jobs && $least <= $are && $are <= $most }, 60,
        "$what: nothing else is left");
    bridged('a', "$what: nothing else is left", $are - $n);
}


sub end_all {
    my ($name) = @_;
    kill 'KILL', vmms('a');
    wait_for(sub { !vmms('a') && !instances($name) }, 60, 'their end');
}


sub killed_in {
    my ($name, $state, $ahead) = @_;

    for my $try (1 .. TRIES) {
        one_waits($name) if $ahead;
        my $have = instances($name);
        my $text = kill_at(qr/-> $state on [^\n]*"$name"/, sub {
            our_job($name, 'req-' . ++$asked, 1) });
        my ($last) = $text =~ /.*"\w+ -> (\w+) on [^\n]*"$name"/s;

        again();
        wait_for(sub { instances($name) == $have + 1 }, 60,
            "its job is done all the same: $state");
        next if $last ne $state;

        my @wrong = grep { call($name, $etcd->get_json($_)->{proxy_port})
            ->{status} != 200 } instances($name);
        is(@wrong, 0, "killed in state $state: all answer");
        at_rest($state, $have + 1, $ahead && 'may');
        end_all($name);
        return;
    }

    die "never killed in state $state\n";
}


# a start leaves one; who was adopted does not
sub one_waits {
    my ($name) = @_;
    my $n = instances($name) + 1;

    our_job($name, 'req-' . ++$asked, 1);
    wait_for(sub { instances($name) == $n }, 60, 'another one');
    at_rest('one waits', $n, 'waits');
}


# its VMM has no record until it is asked to go on
sub killed_with_one_ahead {
    $set{vmms_ahead} = 1;
    $agent->kill('KILL')->wait(10);
    again();
    end_all('t0');
    with_snapshot('ahead');
    killed_in('ahead', $_, 1) for qw(claimed restore wake);
}


# of a version for each try, since one is made only once
sub template_killed_in {
    my ($state) = @_;

    for my $try (1 .. TRIES) {
        my $name = 't' . ++$named;

        image($name);
        $etcd->spec($name, max_instances => 90, idle_timeout_s => 600);
        my $text = kill_at(qr/template: \w+ -> $state"[^\n]*"$name"/, sub {
            our_job($name, 'req-' . ++$asked, 1) });
        my ($last) = $text =~ /.*"template: \w+ -> (\w+)"[^\n]*"$name"/s;

        again();
        instance($name);

        if ($last eq $state) {
            at_rest("template, $state", 1);
            made_again($name);
        }

        end_all($name);
        return if $last eq $state;
    }

    die "never killed in state $state of a template\n";
}


# once another instance serves, unless it was kept before the kill
sub made_again {
    my ($name) = @_;

    our_job($name, 'req-' . ++$asked, 1);
    wait_for(sub { instances($name) == 2 }, 60, 'a second one');
    wait_for(sub { $agent->output
        =~ /(?:snapshot of version 1 made|-> restored on )[^\n]*"$name"/ }, 60,
        'its snapshot');
    our_job($name, 'req-' . ++$asked, 1);
    wait_for(sub { instances($name) == 3 }, 60, 'a third one');
    like($agent->output, qr/-> restored on [^\n]*"$name"/,
        'one is made and used');
}
