#!/usr/bin/perl

# A snapshot of another kernel, VMM, version of the VMM or CPU is never loaded:
# each is really another here, and the next start is a boot that nobody tried
# to shorten.  And VMs that an earlier agent started have snapshots made of
# their version, and processes started ahead, like any other.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('other');
AgentHost::private_mounts();

my $vmm = build_dir() . '/vm/vmm/fcfaas-vmm';
my $store = "$dir/state-a/snapshots";
my $asked = 0;
my $agent;

# which version it is is not to be seen in the program's file
spew("$dir/vmm-version", '1.15.0');
spew("$dir/vmm", "#!/bin/sh\nexec $vmm --api-version \$(cat $dir/vmm-version) "
    . "\"\$@\"\n");
chmod 0755, "$dir/vmm";

my %set = settings('a', adopt => 'yes', snapshots => 'yes',
    snapshot_runtimes => 'base', vmms_ahead => 0, vmm => "$dir/vmm",
    admin => '127.0.0.1:9181', admin_token_file => "$dir/token");

image('f');
$etcd->spec('f', max_instances => 20, idle_timeout_s => 600);
$agent = started('a', %set);
start_is('boot', 'the first');
snapshot_is(1);
start_is('restore', 'the second');

another('kernel', sub { spew("$dir/vmlinux", 'y') });
another('initrd', sub { spew("$dir/initrd", 'y') });
another('program of the VMM', sub { spew("$dir/vmm", slurp("$dir/vmm") . "\n") });
another('version of the VMM', sub { spew("$dir/vmm-version", '1.16.0') }, 1);
another('CPU', \&another_cpu);
another('runtime image', sub {
    spew("$dir/new.img", "\0" x 8192);
    rename "$dir/new.img", "$dir/runtimes/base.img" or die $!;
});
same_runtime();
adopted();

$agent->kill('TERM')->wait(40);
unlike($agent->output, qr/Sanitizer|runtime error|is not possible/, 'no fault');
done_testing();


sub metric {
    my ($name) = @_;
    my $text = http_get(9181, '/metrics', headers => {
        Authorization => 'Bearer sesame' })->{body};
    my ($n) = $text =~ /^fcfaas_agent_\Q$name\E (\S+)$/m;
    return $n // die "no metric $name\n$text";
}


# what has ended is gone before another begins
sub end_all {
    kill 'KILL', vmms('a');
    wait_for(sub { !vmms('a') && !instances('f') }, 60, 'their end');
}


# one more instance, which answers, and how it came up
sub start_is {
    my ($kind, $what) = @_;
    my %had = map { $_ => 1 } instances('f');
    my %before = map { $_ => metric("starts_total{kind=\"$_\"}") }
        qw(boot restore);
    my $request = 'req-' . ++$asked;

    our_job('f', $request, 1);
    my ($key) = wait_for(sub { (grep { !$had{$_} } instances('f'))[0] }, 60,
        "$what: an instance");
    is(call('f', $etcd->get_json($key)->{proxy_port})->{status}, 200,
        "$what: it answers");
    wait_for(sub { metric("starts_total{kind=\"$kind\"}")
        == $before{$kind} + 1 }, 20, "$what: a $kind");
    pass("$what: a $kind");

    my @loads = grep { /"$request"/ && /-> restore on/ }
        split /\n/, $agent->output;
    is(@loads, $kind eq 'restore' ? 1 : 0, "$what: "
        . ($kind eq 'restore' ? 'loaded' : 'and nothing is loaded'));
}


sub snapshot_is {
    my ($n) = @_;
    wait_for(sub { metric('snapshots') == $n
        && $agent->output =~ /snapshot of version 1 made/ }, 60, "snapshot $n");
}


# told: what is another is known once the VMM tells it, and what was of it goes
sub another {
    my ($what, $change, $told) = @_;

    end_all();
    my $have = metric('snapshots');
    $agent->stop;
    $change->();
    $agent = started('a', %set);
    wait_for(sub { metric('snapshots') == $have }, 60, 'all are checked');

    start_is('boot', "another $what");
    is(metric('restore_failures_total'), $told ? 1 : 0,
        $told ? 'which was told in time' : 'nobody tried');
    snapshot_is($have + ($told ? 0 : 1));
    start_is('restore', "another $what, with a snapshot of its own");
}


# the agent runs while the image is written over: with what it was, and with
# something else
sub same_runtime {
    my $file = "$dir/runtimes/base.img";

    end_all();
    spew("$dir/new.img", slurp($file));
    rename "$dir/new.img", $file or die $!;
    start_is('restore', 'the same image in another file');

    end_all();
    my $made = () = $agent->output =~ /snapshot of version 1 made/g;
    spew($file, "\1" x 8192);
    start_is('boot', 'another image in the same file');
    wait_for(sub { (() = $agent->output =~ /snapshot of version 1 made/g)
        > $made }, 60, 'its snapshot');
    start_is('restore', 'with a snapshot of its own');
}


sub another_cpu {
    my $text = slurp('/proc/cpuinfo');
    $text =~ s/^(model name\s*: ).*/$1Another CPU/mg or die 'no model name';
    spew("$dir/cpuinfo", $text);
    system('mount', '--bind', "$dir/cpuinfo", '/proc/cpuinfo') == 0
        or die 'mount';
    FcfTest::at_end(sub { system('umount', '-l', '/proc/cpuinfo') });
}


# the agent dies, and is there again
sub again {
    $agent->kill('KILL')->wait(5);
    $agent = started('a', %set, @_);
}


sub adopted {
    end_all();
    $agent->stop;
    my $program = $set{vmm} = $vmm;     # one that is known again
    image('g');
    $etcd->spec('g', max_instances => 20, idle_timeout_s => 600);

    $agent = started('a', %set, snapshots => 'no');
    our_job('g', 'req-g', 1);
    my ($key) = instance('g', 60);
    again();
    wait_for(sub { $agent->output =~ /snapshot of version 1 made[^\n]*"g"/ },
        60, 'a snapshot');
    pass('one that an earlier agent started has a snapshot made');
    is_deeply([instances('g')], [$key], 'it is there still');

    again(vmms_ahead => 2);
    wait_for(sub { metric('vmms_ahead') == 1 }, 60, 'a process ahead');
    pass('and a process started ahead');
    is_deeply([instances('g')], [$key], 'nobody asked for another');
}
