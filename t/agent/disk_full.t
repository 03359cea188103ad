#!/usr/bin/perl

# Two agents on one queue, and the disk of one has almost nothing left: some
# pages, so that a start gets half way; some inodes; or it can be read only.
# Whatever step that ends, the function does not fail for it, and the node is
# well again when the disk is.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

use constant { N => 12, IMAGES => 80 };

AgentHost::begin('disk');
AgentHost::private_mounts();

my $good = started('g', settings('g', bridge_address => '172.16.0.1/24',
    log_level => 'info'));
my ($run, $bad, $round, $asked, $sick) = ("$dir/run-x", '', 0, 0);

image("f$_") for 1 .. IMAGES;

# as a disk becomes that has errors, to all that opens something anew
on('size=1m', sub {
    almost('it can only be read', sub {
        system("mount --bind $run $run && mount -o remount,bind,ro $run") == 0
            or die 'mount';
    }, sub { system('umount', $run) == 0 or die 'umount' },
        qr/Read-only file system/);
});

on('size=1m', sub {
    for my $free (0 .. 4, 8) {
        almost("$free pages are left", sub {
            AgentHost::fill('x');
            truncate "$run/ballast", (-s "$run/ballast") - 4096 * $free
                or die $!;
        }, sub { unlink "$run/ballast" or die $! },
            $free ? undef : qr/No space left on device/);
    }
});

on('size=1m,nr_inodes=40', sub {
    for my $free (0, 1, 3, 5, 7, 8) {
        almost("$free inodes are left", sub {
            my $n = 0;
            $n++ while open my $f, '>', "$run/ballast-$n";
            unlink "$run/ballast-$_" or die $! for 1 .. $free;
        }, sub { unlink glob "$run/ballast-*" },
            $free ? undef : qr/No space left on device/);
    }
});

like($bad, qr/another node may try/, 'the sick one has tried');
unlike($bad . $good->output, qr/is not possible in state/, 'no illegal event');
ok($good->stop, 'the other ends');
done_testing();


# what an agent does whose run_dir is mounted like this, and what it says
sub on {
    my ($options, $what) = @_;

    mkdir $run;
    system('mount', '-t', 'tmpfs', '-o', "$options,mode=700", 'none', $run)
        == 0 or die 'mount';
    $sick = started('x', settings('x', bridge_address => '172.17.0.1/24',
        log_level => 'info'));

    $what->();
    ok($sick->stop, 'it ends');
    is_deeply([glob "$run/*-*"], [], 'and has left nothing');
    $bad .= $sick->output;
    system('umount', $run) == 0 or die 'umount';
}

sub says { $etcd->get_json('/workers/x') }

sub ask {
    die 'too many' if ++$asked > IMAGES;
    our_job("f$asked", "req-$round-$asked", 0);
}

sub settled {
    my @keys = $etcd->keys('/functions/');
    return grep { m{/(?:instances|failures)/} } @keys;
}

# who takes a job is chance, unless the other stands still
sub tries {
    my $tried = sub { scalar(() = $sick->output =~ /another node may try/g) };
    my $before = $tried->();

    $good->pause;
    ask();
    wait_for(sub { $tried->() > $before || says()->{state} eq 'ill' }, 60,
        'it to try');
    $good->resume;
    wait_for(sub { settled() >= $asked }, 60, 'the other to take it');
}

sub almost {
    my ($what, $break, $mend, $reason) = @_;

    subtest $what => sub {
        $round++;
        $asked = 0;
        $break->();
        ask() for 1 .. N;
        wait_for(sub { settled() >= $asked }, 120, 'each to have an outcome');

        if ($reason) {
            tries() until says()->{state} eq 'ill';
            like(says()->{reason}, $reason, 'it says why');
            wait_for(sub { settled() >= $asked }, 60, 'the last of them');
        }

        my @failed = grep { m{/failures/} } settled();
        is(scalar(@failed), 0, 'all started, none failed')
            or diag(map { "$_: " . $etcd->get($_) . "\n" } @failed);

        kill 'KILL', vmms('g'), vmms('x');
        $mend->();
        wait_for(sub { !vmms('g') && !vmms('x') && !vm_dirs('g')
            && !vm_dirs('x') && !$etcd->keys('/functions/') }, 60,
            'all to be gone');
        wait_for(sub { says()->{state} eq 'ready' }, 60,
            'it to be well again');
        pass('it is well again');
    };
}
