#!/usr/bin/perl

# Control groups per VM (agent/vmm/vmm_cgroup*.c): the host's own version, and
# version 2 with all its controllers in a guest, whatever the host has.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Standin;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $host = build_dir() . '/t/unit/cgroup_host';
my $node = "t$$";

# what cgroup_host says to each of these lines
sub host {
    my (@lines) = @_;
    my $in = spew(tmpdir() . '/script', join '', map { "$_\n" } @lines);
    my $out = qx($host <$in 2>&1);
    is($?, 0, 'it ends well') or diag $out;
    return split /^\.\n/m, $out;
}

# where a controller of version 1 is mounted
sub v1 {
    my ($name) = @_;
    my ($dir) = slurp('/proc/mounts')
        =~ m{^\S+ (\S+) cgroup [^ ]*\b$name\b[ ,]}m;
    return $dir;
}

# and this process's group there, as the agent's base
sub base {
    my ($name) = @_;
    my ($own) = slurp('/proc/self/cgroup') =~ m{^\d+:[^:]*\b$name\b[^:]*:(.*)$}m;
    return v1($name) . ($own eq '/' ? "/fcfaas-$node.t" : $own);
}

sub groups { grep { -d } map { glob } map { "$_[0]/$_" } @_[1 .. $#_] }

SKIP: {
    skip 'no controllers of version 1', 3
        if grep { !defined v1($_) } qw(memory cpu pids);
    my %base = map { $_ => base($_) } qw(memory cpu pids);

    subtest 'version 1' => sub {
        my @got = host("open yes $node", "run $node-1 64 2 10 1",
            (map { "cat $base{$_->[0]}/vm-$node-1.t/$_->[1]" }
                [qw(memory memory.limit_in_bytes)], [qw(cpu cpu.shares)],
                [qw(pids pids.max)]),
            "remove $node-1 20", 'kill', "remove $node-1 5000");
        like($got[0], qr/^open 1 .* version 1: memory cpu pids/, 'is found');
        for (qw(memory cpu pids)) {
            like($got[1], qr{^\d+:$_:.*/vm-$node-1.t$}m,
                "$_: the process is in its group");
        }
        is_deeply([@got[2 .. 4]], [(64 << 20) . "\n", "2048\n", "10\n"],
            'with its limits');
        like($got[5], qr/^failed removing .*busy/, 'one in use stays');
        is($got[7], "removed\n", 'when it has ended it goes');
        ok(!groups($_, "vm-$node-*"), 'nothing is left')
            for values %base;
    };

    subtest 'version 1: a VM that takes too much' => sub {
        my @got = host("open yes $node", "run $node-2 16 1 10 64", 'wait',
            "kills $node-2", "remove $node-2 5000");
        is($got[2], "signal 9\n", 'is killed');
        cmp_ok($got[3], '>', 0, 'and the kernel says why');
    };

    subtest 'version 1: what an earlier life left' => sub {
        for (values %base) {
            mkdir $_;
            mkdir "$_/vm-$node-77.t" or die "$_: $!";
        }
        # of nodes of other names, and of one that has the same elsewhere
        my @others = ("vm-x$node-1.t", "vm-$node-a-1.t", "vm-$node-77.u",
            "vm-$node-77");
        mkdir "$base{pids}/$_" || die for @others;
        host("open yes $node");
        ok(!groups($_, "vm-$node-77.t"), 'goes') for values %base;
        is(scalar(groups($base{pids}, @others)), 4,
            'another node\'s stays');
        rmdir "$base{pids}/$_" for @others;
        rmdir $_ for grep { /fcfaas-$node\.t$/ } values %base;
    };

    subtest 'version 1: a root of its own' => sub {
        my @got = host("open yes $node fcf-$node/vms",
            "run $node-3 64 1 10 1", 'kill', "remove $node-3 5000");
        like($got[1], qr{:memory:/fcf-$node/vms/vm-$node-3.t$}m, 'is used');
        for my $c (qw(memory cpu pids blkio)) {
            rmdir v1($c) . "/fcf-$node$_" for '/vms', '';
        }
        ok(!-d v1('memory') . "/fcf-$node", 'and empty in the end');
    };
}

subtest 'settings' => sub {
    my @got = host("open no $node");
    like($got[0], qr/^open 0 cgroups = no: VMs run without limits/, 'no');
};

# a /proc/self of the test's own
sub proc_dir {
    my ($name, $mountinfo, $cgroup) = @_;
    my $dir = tmpdir() . "/$name";
    mkdir $dir;
    spew("$dir/mountinfo", $mountinfo);
    spew("$dir/cgroup", $cgroup);
    return $dir;
}

subtest 'a host without controllers' => sub {
    my $proc = proc_dir('none', "21 1 8:1 / / rw - ext4 /dev/x rw\n", '');
    my @got = host("open auto $node - $proc", "run $node-1 64 1 10 1", 'kill',
        "kills $node-1", "remove $node-1 0", "open yes $node - $proc");
    is($got[0], "open 0 VMs run without limits: no cgroup controllers on this "
        . "host\n", 'auto: goes on, and says so');
    like($got[1], qr/^\d+:/, 'VMs run');
    is($got[2] . $got[3] . $got[4], "signal 9\n0\nremoved\n", 'and end');
    like($got[5], qr/^refused cgroups = "yes": no cgroup controllers/,
        'yes: refuses');
};

subtest 'groups that cannot be written' => sub {
    my $tree = tmpdir() . '/fake';
    mkdir $tree;
    mkdir "$tree/svc";
    spew("$tree/svc/cgroup.type", "domain\n");
    my $proc = proc_dir('fake', "30 21 0:26 / $tree rw - cgroup2 c rw\n",
        "0::/svc\n");
    my @got = host("open auto $node - $proc", "open yes $node - $proc");
    like($got[0], qr{^open 0 VMs .*writing 0 to $tree/svc/agent/cgroup.procs},
        'auto: goes on, and names the file');
    like($got[1], qr/^refused cgroups = "yes": writing/, 'yes: refuses');

    # a container's view: what is mounted is a part
    $proc = proc_dir('part', "30 21 0:26 /docker/x $tree rw - cgroup2 c rw\n",
        "0::/docker/x/svc\n");
    @got = host("open auto $node - $proc");
    like($got[0], qr{writing 0 to $tree/svc/agent/}, 'found below the part');
};

# the same program as process 1 of a guest with these commands
sub guest {
    my (@lines) = @_;
    my $dir = tmpdir() . '/initramfs';
    mkdir $dir;
    system('cp', "$images/cgroup_guest", "$dir/init") == 0 or die;
    spew("$dir/script", join '', map { "$_\n" } @lines);
    system("cd $dir && printf 'init\\nscript\\n' | "
        . "cpio -o -H newc --quiet >$dir.img") == 0 or die;
    my $vm = vmm(backend => 'qemu');
    for (['/machine-config', vcpu_count => 1, mem_size_mib => 256],
        ['/boot-source', kernel_image_path => "$images/vmlinux",
            initrd_path => "$dir.img", boot_args =>
            'console=ttyS0 quiet loglevel=1 reboot=k panic=-1 '
            . 'cryptomgr.notests'],
        ['/serial', serial_out_path => $vm->{console}],
        ['/actions', action_type => 'InstanceStart'])
    {
        my $r = put($vm, @$_);
        is($r->{status}, 204, $_->[0]) or diag $r->{body};
    }
    defined $vm->{proc}->wait(120) or die 'the guest does not end';
    my $out = slurp($vm->{console}) =~ s/\r//gr;
    like($out, qr/^end$/m, 'the guest came to its end') or diag $out;
    return map { s/^> .*\n//mr } split /^\.\n/m, $out;
}

SKIP: {
    skip 'no guest kernel, or no qemu', 1
        if !-e root() . '/build/vm/vmlinux'
            || !on_path('qemu-system-x86_64');

    subtest 'version 2' => sub {
        my $top = '/sys/fs/cgroup';
        my $vm = "$top/fcfaas-n.t/vm-n-1.t";
        my @got = guest('open yes n', 'run n-1 64 2 10 1',
            (map { "cat $vm/$_" } qw(memory.max cpu.weight pids.max
                memory.oom.group)), 'remove n-1 20', 'kill', 'remove n-1 5000',
            'run n-2 16 1 10 64', 'wait', 'kills n-2', 'remove n-2 5000',
            # what an earlier life left, and others
            (map { "mkdir $top/fcfaas-n.t/$_" } 'vm-n-8.t', 'vm-nn-8.t'),
            'open yes n', (map { "stat $top/fcfaas-n.t/$_" } 'vm-n-8.t',
                'vm-nn-8.t'),
            # a group of its own, as a service manager delegates it
            "mkdir $top/svc", "enter $top/svc/cgroup.procs", 'stay',
            'open yes n', 'open auto n', "stat $top/svc/agent",
            'cat /proc/self/cgroup', 'kill', 'open yes n',
            'cat /proc/self/cgroup', 'run n-3 64 1 10 1', 'kill',
            # the next life, put into the leaf
            'open yes n', 'cat /proc/self/cgroup', 'open yes n a/b',
            'run n-4 64 1 10 1', 'kill');

        my $next = sub { shift @got };
        is($next->(), "open 2 limits by cgroup version 2: memory cpu pids "
            . "io\n", 'is found');
        is($next->(), "0::/fcfaas-n.t/vm-n-1.t\n", 'a child is born in it');
        is($next->(), (64 << 20) . "\n", 'memory.max');
        is($next->(), "200\n", 'cpu.weight');
        is($next->(), "10\n", 'pids.max');
        is($next->(), "1\n", 'memory.oom.group');
        like($next->(), qr/^failed removing .*busy/, 'one in use stays');
        $next->();
        is($next->(), "removed\n", 'when it has ended it goes');
        $next->();
        is($next->(), "signal 9\n", 'one that takes too much is killed');
        cmp_ok($next->(), '>', 0, 'and the kernel says why');
        $next->() for 1 .. 4;
        is($next->() . $next->(), "gone\nthere\n",
            'left-overs go, another node\'s stay');
        $next->() for 1 .. 3;
        like($next->(), qr/^refused cgroups = "yes": other processes live in/,
            'a group shared with others: refused');
        like($next->(), qr/^open 0 VMs run without limits: other processes/,
            'or done without');
        is($next->() . $next->(), "gone\n0::/svc\n", 'and nothing changes');
        $next->();
        like($next->(), qr/^open 2 /, 'alone it is well');
        is($next->(), "0::/svc/agent\n", 'the agent is in a leaf');
        is($next->(), "0::/svc/vm-n-3.t\n", 'VMs beside it');
        $next->();
        like($next->(), qr/^open 2 /, 'once more, from the leaf');
        is($next->(), "0::/svc/agent\n", 'which it does not leave');
        like($next->(), qr/^open 2 /, 'a root of its own');
        is($next->(), "0::/a/b/vm-n-4.t\n", 'is used');
    };
}

done_testing();
