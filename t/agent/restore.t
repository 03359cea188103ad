#!/usr/bin/perl

# VMs from snapshots: made of a template once a version serves, restored at a
# place of their own, and booted instead, for the same request, whatever goes
# wrong with that.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('restore');

my %set = settings('a', adopt => 'yes', snapshots => 'yes',
    snapshot_runtimes => 'base', vmms_ahead => 0, max_boots => 32, with_admin());
my $store = "$dir/state-a/snapshots";
my $asked = 0;
my $agent = started('a', %set);

serves();
all_right();
fails('broken', fail => 'load');
fails($_, clone => $_) for qw(deaf refuses ends lost);
forgets();
young();
of_another_vmm();
damaged();
goes();
ahead();
ends();
done_testing();


sub snapshots { map { m{([^/]+)$} } glob "$store/*" }

# it has one; others may be made meanwhile
sub has_snapshot {
    my ($name) = @_;
    return scalar grep { peek($_) =~ /"\Q$name\E"/ }
        glob "$store/*/meta";
}

sub function {
    my ($name, $spec, %image) = @_;
    image($name, %image);
    $etcd->spec($name, max_instances => 20, idle_timeout_s => 600, %$spec);
}

# n more instances of it, all of which answer, each at its own address
sub more {
    my ($name, $n) = @_;
    my %had = map { $_ => 1 } instances($name);

    our_job($name, 'req-' . ++$asked, 1) for 1 .. $n;
    wait_for(sub { instances($name) == $n + keys %had }, 90,
        "$n instances of $name");

    my @new = map { $etcd->get_json($_) } grep { !$had{$_} } instances($name);
    my @wrong = grep { call($name, $_->{proxy_port})->{status} != 200 } @new;
    my %place = map { $_->{internal_vm_ip} => 1 }
        map { $etcd->get_json($_) } instances($name);

    is(@wrong, 0, "$name: $n answer");
    is(keys %place, $n + keys %had, 'at addresses of their own');
}

# all of them end
sub end_all {
    my ($name) = @_;
    kill 'KILL', vmms('a');
    wait_for(sub { !vmms('a') && !instances($name) }, 60, 'their end');
}

# one is up, and its snapshot made
sub with_snapshot {
    my ($name, $spec, %image) = @_;

    function($name, $spec, %image);
    more($name, 1);
    $agent->says(qr/snapshot of version 1 made[^\n]*"$name"/, 60);
    wait_for(sub { has_snapshot($name) }, 60, 'its directory');
}


sub serves {
    with_snapshot('f', {}, boot_ms => 300);
    is(metric('starts_total', 'kind="boot"'), 1, 'the first was booted');
    is(metric('snapshots'), 1, 'one snapshot');
    is(vmms('a'), 1, 'its template has gone');

    more('f', 1);
    is(metric('starts_total', 'kind="restore"'), 1, 'the second was restored');
    is(metric('restore_seconds_count'), 1, 'and is in the histogram');
    is(metric('restore_failures_total'), 0, 'without a failure');
    bridged('a', 'all TAPs are in the bridge');
    my ($mac) = $ns->run(qw(cat /sys/class/net/br-a/address)) =~ /(\S+)/;
    is(scalar(() = $ns->run(qw(ip -o link)) =~ /: ta\d+.*\Q$mac\E/g), 0,
        'with MACs of their own');
    is_deeply([map { (stat)[2] & 07777 } glob "$store/*/snapshot.memory"],
        [0444], 'its memory is not written to');
}


# sixteen at once, seven times
sub all_right {
    for (1 .. 7) {
        end_all('f');
        more('f', 16);
    }

    is(metric('starts_total', 'kind="restore"'), 1 + 7 * 16,
        'all of them were restored');
    is(metric('restore_failures_total'), 0, 'none in vain');
    end_all('f');
}


sub fails {
    my ($how, @image) = @_;
    my $failures = metric('restore_failures_total');
    my $boots = metric('starts_total', 'kind="boot"');

    with_snapshot($how, {}, @image);
    more($how, 1);
    $agent->says(qr/not restored, in state [^\n]*"$how"/);
    more($how, 1);
    wait_for(sub { !has_snapshot($how) }, 60, "$how: it is dropped");
    more($how, 1);

    is(metric('starts_total', 'kind="boot"'), $boots + 4,
        "$how: all were booted");
    is(metric('restore_failures_total'), $failures + 2,
        'two after a try, and then no more');
    is($etcd->keys("/functions/$how/failures/"), 0, 'nobody heard of it');
    end_all($how);
}


sub forgets {
    function('same', {}, forgets => 1);
    more('same', 1);
    $agent->says(qr/draw the same random numbers/);
    more('same', 1);
    is(metric('restore_failures_total'), 10, 'no try');

    with_snapshot('told', { snapshot => JSON::PP::true }, forgets => 1);
    function('no', { snapshot => JSON::PP::false });
    more('no', 1);
    end_all($_) for qw(same told no);
}


# a template whose kernel may still do what it put off is given a while for it
sub young {
    with_snapshot('young', { snapshot => JSON::PP::true }, young => 1);

    my %at = map { $_->[1] => 3600 * $_->[2] + 60 * $_->[3] + $_->[4] }
        grep { $_->[0] eq 'young' } map {
            [/"function_id":"(\w+)"/, /"template: \w+ -> (\w+)"/,
             /"ts":"[^T"]+T(\d+):(\d+):([\d.]+)Z"/]
        } grep { /"template: / } split /\n/, $agent->output;
    my $ms = 1000 * ($at{save} - $at{settle});
    $ms += 86_400_000 if $ms < 0;       # midnight
    cmp_ok($ms, '>=', 1499, 'one with a young kernel is not saved at once');
    end_all('young');
}


# the same agent again, while none runs
sub again {
    my ($between) = @_;
    $agent->kill('KILL')->wait(5);
    $between->() if $between;
    $agent = started('a', %set);
}


sub of_another_vmm {
    end_all('f');
    with_snapshot('other', {});
    end_all('other');
    again(sub {
        for (glob "$store/*/meta") {
            my $meta = slurp($_);
            next unless $meta =~ /"other"/;
            $meta =~ s/"vmm_version":"[^"]*"/"vmm_version":"1.0.1"/ or die;
            chmod 0600, $_;
            spew($_, $meta);
        }
    });
    wait_for(sub { metric('snapshots') > 1 }, 60, 'they are checked');
    more('other', 1);
    $agent->says(qr/the snapshot is of VMM version 1\.0\.1/);
    $agent->says(qr/snapshot of version 1 made/, 60);
    more('other', 1);
    is(metric('starts_total', 'kind="restore"'), 1,
        'its own snapshot is made again, and used');
    end_all('other');
}


sub damaged {
    my $have = snapshots();

    again(sub {
        my ($memory) = glob "$store/*/snapshot.memory";
        chmod 0600, $memory;
        open my $f, '+<', $memory or die $!;
        seek $f, 20, 0;
        print $f 'X';
        close $f;
        mkdir "$store/.new-half";
        spew("$store/rubbish", 'x');
    });

    $agent->says(qr/its memory is damaged; removed/);
    wait_for(sub { snapshots() == $have - 1 && !-e "$store/.new-half"
        && !-e "$store/rubbish" }, 60, 'it is dropped, and what is none');
    more('f', 1);
    end_all('f');
}


sub goes {
    with_snapshot('old', {});
    $etcd->spec('old', version => 2, max_instances => 20);
    wait_for(sub { !has_snapshot('old') }, 60, 'it goes with its version');
    pass('a snapshot goes with its version');

    # its instance serves on, until one of the new version does
    with_snapshot('next', {});
    is(instances('old'), 1, 'what is of the old version serves still');
    is(has_snapshot('old'), 0, 'and no other is made of it');
    end_all($_) for qw(old next);
}


sub ahead_are {
    my ($n, $why) = @_;
    wait_for(sub { metric('vmms_ahead') == $n }, 60, "$why: $n ahead");
    pass("$why: $n ahead");
}

# pids of those that wait, of which a guest's is none
sub waiting {
    my %serves = map { (split m{/}, $_)[-1] => 1 }
        map { instances($_) } qw(old one two three);
    return grep { readlink("/proc/$_/cwd") =~ m{/([^/]+)(?:/root)?$}
        && !$serves{$1} } vmms('a');
}


# processes that wait for a start: used, replaced, and never a fault of one
sub ahead {
    $set{vmms_ahead} = 2;
    again();
    ahead_are(0, 'none before a start');

    with_snapshot($_, {}) for qw(one two);
    ahead_are(2, 'as soon as there are snapshots');
    is(waiting(), 2, 'and no more');

    my $used = metric('starts_ahead_total');
    more('one', 1);
    is(metric('starts_ahead_total'), $used + 1, 'a start takes it');
    ahead_are(2, 'another one follows');
    is(metric('restore_failures_total'), 0, 'no failure');

    # more than there are: the rest is started for it
    more('one', 3);
    is(metric('starts_total', 'kind="restore"'), 4, 'all were restored');

    with_snapshot('three', {});
    ahead_are(2, 'the one used longest ago goes');
    wait_for(sub { waiting() == 2 }, 60, 'its process');
    $used = metric('starts_ahead_total');
    more('two', 1);
    is(metric('starts_ahead_total'), $used, 'of which none is there');

    # one that dies is missed by nobody, whenever that is
    kill 'KILL', waiting();
    $agent->says(qr/started ahead of version 1 is of no use: [^\n]*signal 9/);
    more($_, 1) for qw(one two three);
    is(metric('restore_failures_total'), 0, 'nor is that a failure');
    dies_while_taken();

    more('two', 1);
    ahead_are(2, 'all is well');
    $etcd->spec('three', version => 2, max_instances => 20);
    ahead_are(1, 'one goes with its version');
    my @old = waiting();
    again();
    wait_for(sub { !grep { kill 0, $_ } @old }, 60, 'none outlives the agent');
    ahead_are(2, 'VMs that do have others started');
}


# between the job and its use, while a slot is awaited
sub dies_while_taken {
    ahead_are(2, 'before one dies while it is taken');
    my @waiting = waiting();
    my $used = metric('starts_ahead_total');

    $etcd->pause;
    our_job('three', 'req-' . ++$asked, 1);
    $agent->says(qr/-> claimed on images found"[^\n]*"req-$asked"/);
    kill 'KILL', @waiting;
    wait_for(sub { !grep { kill 0, $_ } @waiting }, 20, 'their end');
    $etcd->resume;
    $agent->says(qr/started ahead is of no use any more"[^\n]*"req-$asked"/);
    $agent->says(
        qr/registered after [^\n]*, of a snapshot: [^\n]*"req-$asked"/);
    is(metric('starts_ahead_total'), $used + 1, 'it had been taken');
    is(metric('restore_failures_total'), 0, 'and nobody heard of it');
}


sub ends {
    $agent->kill('TERM')->wait(20);
    unlike($agent->output, qr/Sanitizer|runtime error|is not possible/,
        'no fault');
}
