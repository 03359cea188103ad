#!/usr/bin/perl

# The stand-in for Firecracker's jailer (vm/jailer): each way of calling it
# does what the real one was seen to do.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $jailer = build_dir() . '/vm/jailer/fcfaas-jailer';
my $probe = build_dir() . '/t/unit/jail_probe';
my $base = tmpdir() . '/base';
my $count = 0;

mkdir $base or die;
umask 022;

# what it said and how it ended; id => undef leaves that argument out
sub jail {
    my ($set, @rest) = @_;
    my %set = (id => 'j' . ++$count, 'exec-file' => $probe, uid => 1234,
        gid => 2345, 'chroot-base-dir' => $base, %$set);
    my ($split) = grep { $rest[$_] eq '--' } 0 .. $#rest;
    my @extra = defined $split ? splice @rest, $split : ('--', 0);
    my $proc = FcfTest::Proc->spawn(name => "jailer-$count",
        argv => [$jailer, (map { ("--$_", $set{$_}) }
            grep { defined $set{$_} } sort keys %set), @rest, @extra]);
    my $status = $proc->wait(20) // die 'it does not end';
    my %got = (code => $status >> 8, proc => $proc, id => $set{id},
        output => $proc->output, told($proc->output),
        lines => scalar(() = $proc->output =~ /\n/g));
    my $name = (split m{/}, $set{'exec-file'} // '')[-1] // '';
    $got{jail} = "$base/$name/" . ($set{id} // '');
    $got{root} = "$got{jail}/root";
    return \%got;
}

# the probe's lines: name => [values]
sub told {
    my %told;
    for (split /\n/, $_[0]) {
        my ($name, $value) = split / /, $_, 2;
        push @{ $told{$name} }, $value if defined $name;
    }
    return %told;
}

# exit 1 with two lines, and nothing is made
sub refused {
    my ($what, $re, $set, @rest) = @_;
    my $got = jail($set, @rest);
    is($got->{code}, 1, "$what: exit 1");
    is($got->{lines}, 2, "$what: two lines");
    like($got->{output}, $re, "$what: and why");
    ok(!-e $got->{jail} || ($set->{id} // '') eq '', "$what: nothing is made");
}

sub starts {
    my ($what, $set, @rest) = @_;
    my $got = jail($set, @rest);
    is($got->{code}, 0, "$what: runs") or diag $got->{output};
    return $got;
}

sub mode { sprintf '%04o', (lstat $_[0])[2] & 07777 }
sub owner { join ':', (lstat $_[0])[4, 5] }

subtest 'arguments' => sub {
    refused("no $_", qr/'$_' required/, { $_ => undef })
        for qw(id exec-file uid gid);
    refused("--$_ twice", qr/'$_' was provided more than once/, {},
        "--$_", 'x') for qw(id exec-file uid gid chroot-base-dir);
    refused("--$_ twice", qr/'$_' was provided more than once/, {},
        "--$_", "--$_") for qw(daemonize new-pid-ns);
    refused('an unknown one', qr/Found argument '--nonsense'/, {},
        '--nonsense');
    refused('a bare word', qr/Found argument 'word'/, {}, 'word');
    refused('id=value', qr/Found argument '--netns=x'/, {}, '--netns=x');
    refused('no value', qr/'netns' requires a value/, {}, '--netns');
    refused('an option for a value', qr/'netns' requires a value/, {},
        '--netns', '--daemonize');

    for (['--help'], ['-h'], ['--nonsense', '--help']) {
        my $got = jail({}, @$_);
        is($got->{code}, 0, "@$_: exit 0");
        like($got->{output}, qr/--chroot-base-dir/, 'and tells the arguments');
        ok(!-e $got->{jail}, 'nothing is made');
    }
    my $got = jail({ uid => undef }, '--version');
    is($got->{code}, 0, '--version: exit 0');
    like($got->{output}, qr/^Jailer v\d+\.\d+\.\d+$/m, 'and tells it');

    $got = starts('--help after --', {}, '--', '--help', '-h', 0);
    is($got->{argv}[-2], '-h', 'is not ours');
};

subtest 'id' => sub {
    refused("\"$_\"", qr/Invalid instance ID/, { id => $_ })
        for 'a_b', 'a.b', 'a/b', '../a', 'a b', 'a' x 65;
    refused('an empty one', qr/Invalid len \(0\)/, { id => '' });
    starts("\"$_\"", { id => $_ }) for 'a', 'a' x 64, '-a-', 'A-9';
};

subtest 'uid and gid' => sub {
    for my $which (qw(uid gid)) {
        refused("$which $_", qr/Invalid $which: \Q$_\E/, { $which => $_ })
            for '-1', '4294967295', '4294967296', '12x', '0x10', ' 1', 'root';
    }
    my $got = starts('0', { uid => 0, gid => 0 });
    is($got->{ids}[0], '0 0 0 0', 'is taken');
    $got = starts('4294967294', { uid => 4294967294, gid => 4294967294 });
    is($got->{ids}[0], '-2 -2 -2 -2', 'is taken');
    $got = starts('different ones', { uid => 17, gid => 18 });
    is($got->{ids}[0], '17 17 18 18', 'are both taken');
};

subtest 'the program' => sub {
    my $dir = tmpdir();
    refused('not there', qr/canonicalize.*No such file/,
        { 'exec-file' => "$dir/none" });
    refused('a directory', qr/is not a file/, { 'exec-file' => $dir });
    refused('empty', qr/canonicalize/, { 'exec-file' => '' });

    system 'cp', $probe, "$dir/any.name" and die;
    symlink "$dir/any.name", "$dir/link" or die;
    my $got = starts('another name', { 'exec-file' => "$dir/any.name" });
    is($got->{argv}[0], '/any.name', 'is argv[0]');
    $got = jail({ 'exec-file' => "$dir/link", id => 'by-link' });
    is($got->{argv}[0], '/any.name', 'a link: the name of what it leads to');
    ok(-d "$base/any.name/by-link/root", 'in the layout too');

    spew("$dir/text", 'no program');
    chmod 0755, "$dir/text";
    $got = jail({ 'exec-file' => "$dir/text" });
    is($got->{code}, 1, 'what cannot be run: exit 1');
    like($got->{output}, qr/^Failed to exec.*Exec format/m, 'and why');
    is($got->{lines}, 2, 'two lines');
};

subtest 'the base' => sub {
    refused('not there', qr/canonicalize.*No such file/,
        { 'chroot-base-dir' => "$base/none" });
    refused('a file', qr/is not a directory/, { 'chroot-base-dir' => $probe });
    symlink $base, tmpdir() . '/base-link' or die;
    my $got = starts('a link', { 'chroot-base-dir' => tmpdir()
        . '/base-link' });
    ok(-d $got->{root}, 'is followed');

    chdir tmpdir() or die;
    $got = starts('a relative one', { 'chroot-base-dir' => 'base' });
    ok(-d $got->{root}, 'is taken');
    chdir root() or die;
};

subtest 'what the program gets' => sub {
    local $ENV{SECRET} = 'x';
    my $got = starts('it', { id => 'gets' }, '--', '--api-sock', 'a b', '',
        '--', 0);
    my $args = join '|', @{ $got->{argv} };
    like($args, qr/^\/jail_probe\|--id\|gets\|--start-time-us\|\d+\|
        --start-time-cpu-us\|\d+\|--parent-cpu-time-us\|\d+\|
        --api-sock\|a\ b\|\|--\|0$/x, 'arguments, ours and its own');
    is($got->{env}, undef, 'an empty environment');
    is($got->{cwd}[0], '/', 'cwd /');
    is($got->{groups}[0], 0, 'no supplementary groups');
    is_deeply($got->{fd}, [0, 1, 2], 'descriptors 0, 1, 2');
    is($got->{umask}[0], '022', 'umask 022');
    is($got->{nofile}[0], '2048 2048', 'RLIMIT_NOFILE');
    is($got->{fsize}[0], '-1 -1', 'RLIMIT_FSIZE');
    is($got->{up}[0], 'shut', 'no way out');
    is($got->{tun}[0], 'opens', '/dev/net/tun opens');
    is($got->{ids}[0], '1234 1234 2345 2345', 'uid and gid');
    is(slurp("$got->{root}/jail_probe.pid"), $got->{pid}[0], 'its pid');
    is(jail({}, '--', 7)->{code}, 7, 'its exit code is ours');

    # the jailer is the process: no fork
    my $pid = open my $fh, '-|', $jailer, '--id', 'same', '--exec-file',
        $probe, '--uid', 1, '--gid', 1, '--chroot-base-dir', $base, '--', 0
        or die;
    my $out = join '', <$fh>;
    close $fh;
    like($out, qr/^pid $pid$/m, 'the same pid');
    like($out, qr/^sid @{[ (getsid()) ]}$/m, 'the same session');
};

sub getsid { syscall 124, 0 }

subtest 'the layout' => sub {
    my $got = starts('it', {});
    my $root = $got->{root};
    my %want = ('' => '0700 1234:2345', '/dev' => '0700 1234:2345',
        '/dev/net' => '0700 1234:2345', '/run' => '0700 1234:2345',
        '/dev/net/tun' => '0600 1234:2345', '/dev/kvm' => '0600 1234:2345',
        '/dev/urandom' => '0600 1234:2345',
        '/jail_probe' => '0755 1234:2345', '/jail_probe.pid' => '0644 0:0');
    $want{'/dev/userfaultfd'} = '0600 1234:2345'
        if slurp('/proc/misc') =~ / userfaultfd$/m;
    my %is = map { s/^\Q$root\E//r => mode($_) . ' ' . owner($_) }
        split /\n/, qx(find $root);
    is_deeply(\%is, \%want, 'modes and owners');
    is(join(',', map { join ' ', (lstat "$root/dev/$_")[6] }
        qw(net/tun kvm urandom)), join(',', 10 << 8 | 200, 10 << 8 | 232,
        1 << 8 | 9), 'devices');
    is(mode($got->{jail}) . owner($got->{jail}), '07550:0',
        'the directory above is ours');
    is(slurp("$root/jail_probe"), slurp($probe), 'the program is a copy');
    isnt((stat "$root/jail_probe")[1], (stat $probe)[1], 'of its own');
};

subtest 'a root that is there' => sub {
    my $root = "$base/jail_probe/used/root";
    system 'mkdir', '-p', "$root/dev" and die;
    spew("$root/image", 'data');
    spew("$root/jail_probe", 'x' x (1 + -s $probe));
    chmod 0755, "$root/jail_probe";
    my $got = starts('it', { id => 'used' });
    is(owner("$root/image") . mode("$root/image"), '0:00644',
        'what is in it keeps its owner');
    is(slurp("$root/jail_probe"), slurp($probe), 'the program is replaced');
    is(owner($root) . mode($root), '1234:23450700', 'the root changes hands');

    $got = jail({ id => 'used' });
    is($got->{code}, 1, 'twice: exit 1');
    like($got->{output}, qr{/dev/net/tun.*File exists}, 'and why');

    my $other = "$base/jail_probe/linked/root";
    system 'mkdir', '-p', $other and die;
    spew(tmpdir() . '/victim', 'untouched');
    link tmpdir() . '/victim', "$other/jail_probe" or die;
    $got = jail({ id => 'linked' });
    is($got->{code}, 1, 'a hard link for the program: exit 1');
    like($got->{output}, qr/hard link/, 'and why');
    is(slurp(tmpdir() . '/victim'), 'untouched', 'and what it leads to stays');
    unlink "$other/jail_probe";
    symlink tmpdir() . '/victim', "$other/jail_probe" or die;
    is(jail({ id => 'linked' })->{code}, 1, 'a symbolic one: exit 1');
    is(slurp(tmpdir() . '/victim'), 'untouched', 'and what it leads to stays');
};

subtest 'resource limits' => sub {
    my $got = starts('both', {}, '--resource-limit', 'no-file=77',
        '--resource-limit', 'fsize=4096');
    is($got->{nofile}[0], '77 77', 'no-file');
    is($got->{fsize}[0], '4096 4096', 'fsize');
    $got = starts('twice', {}, '--resource-limit', 'no-file=10',
        '--resource-limit', 'no-file=99');
    is($got->{nofile}[0], '99 99', 'the last one counts');
    refused($_, qr/Invalid/, {}, '--resource-limit', $_) for 'no-file',
        'no-file=', 'no-file=-1', 'no-file=1x', 'cpu=1', '=1', 'no-file=1=2',
        'no-file=99999999999999999999';
    $got = jail({}, '--resource-limit', 'no-file=0');
    is($got->{code}, 1, 'no-file=0: exit 1');
    like($got->{output}, qr/Failed to open.*Too many open files/, 'and why');
};

# what the jail's pid file says, once it does
sub left_pid {
    my ($got) = @_;
    my $file = "$got->{root}/jail_probe.pid";
    return wait_for(sub { -s $file && slurp($file) }, 10, $file);
}

subtest '--new-pid-ns' => sub {
    my $got = jail({}, '--new-pid-ns', '--', 7);
    is($got->{code}, 0, 'exit 0, whatever becomes of the program');
    like(left_pid($got), qr/^\d+$/, 'the pid is in the jail');
    wait_for(sub { $got->{proc}->output =~ /^tun /m }, 10, 'its output');
    my %told = told($got->{proc}->output);
    is($told{pid}[0], 1, 'it is process 1');
    is($told{sid}[0], 0, 'in no session of its namespace');
};

subtest '--daemonize' => sub {
    my $got = jail({}, '--daemonize', '--', 7);
    is($got->{code}, 0, 'exit 0');
    like(left_pid($got), qr/^\d+$/, 'the pid is in the jail');
    is($got->{output}, '', 'nothing is said');
};

subtest '--netns' => sub {
    my $got = jail({}, '--netns', '/nowhere');
    is($got->{code}, 1, 'not there: exit 1');
    like($got->{output}, qr{Failed to open file /nowhere}, 'and why');
    $got = jail({}, '--netns', '/etc/passwd');
    is($got->{code}, 1, 'something else: exit 1');
    like($got->{output}, qr{netns}, 'and why');
    my $ns = FcfTest::Netns->new('jailer');
    starts('a namespace', {}, '--netns', '/run/netns/' . $ns->name);
};

SKIP: {
    my ($pids) = slurp('/proc/mounts')
        =~ m{^\S+ (\S+) cgroup [^ ]*\bpids\b}m;
    skip 'no pids controller of version 1', 1 unless defined $pids;

    subtest 'cgroups, version 1' => sub {
        my $bad = sub { refused($_[0], $_[1], {}, '--cgroup', $_[0]) };
        $bad->('nonsense.max=1', qr/Controller nonsense is unavailable/);
        $bad->('pids.max', qr/Invalid format/);
        $bad->('pids.max=', qr/Invalid format/);
        $bad->('pids.max=1=2', qr/Invalid format/);
        $bad->($_, qr/invalid file/i) for '=1', 'pids=1', '../pids.max=1',
            '/pids.max=1', 'pids/x.y=1', '..=1';
        refused("parent $_", qr/Parent cgroup path is invalid/, {},
            '--parent-cgroup', $_, '--cgroup', 'pids.max=9')
            for '/abs', '..', 'a/../b', '../a', './a', '';
        refused('version 3', qr/3 is an invalid cgroup version/, {},
            '--cgroup-version', 3, '--cgroup', 'pids.max=9');
        refused('version x', qr/x is an invalid cgroup version/, {},
            '--cgroup-version', 'x');

        my $top = "fcf-t-$$";
        my $got = starts('a limit', { id => 'lim' }, '--parent-cgroup',
            "$top/a..b", '--cgroup', 'pids.max=9');
        is(slurp("$pids/$top/a..b/lim/pids.max"), "9\n", 'is set');
        ok(-d "$pids/$top/a..b/lim", 'the directory is left behind');

        $got = jail({ id => 'bad' }, '--parent-cgroup', $top, '--cgroup',
            'pids.max=many');
        is($got->{code}, 1, 'a value the kernel refuses: exit 1');
        like($got->{output}, qr/Failed to write to.*Invalid argument/,
            'and why');
        ok(-d $got->{root}, 'after the layout was made');

        starts('by its name', { id => 'name' }, '--cgroup', 'pids.max=9');
        ok(-d "$pids/jail_probe/name", 'the parent is the program\'s name');
        starts('no --cgroup', {}, '--cgroup-version', 9);
        rmdir "$pids/$_" for "$top/a..b/lim", "$top/a..b", "$top/bad", $top,
            'jail_probe/name', 'jail_probe';
        ok(!-d "$pids/$top", 'and nobody is in them');
    };
}

SKIP: {
    my ($v2) = slurp('/proc/mounts') =~ m{^\S+ (\S+) cgroup2 }m;
    skip 'no cgroup version 2', 1 unless defined $v2;

    subtest 'cgroups, version 2' => sub {
        my @with = ('--cgroup-version', 2);
        refused('no such controller', qr/Controller nonsense is unavailable/,
            {}, @with, '--cgroup', 'nonsense.max=1');
        my $top = "fcf-t-$$";
        mkdir "$v2/$top" or die "$v2/$top: $!";
        starts('no --cgroup, the parent there', {}, @with,
            '--parent-cgroup', $top);
        starts('no --cgroup, no such parent', {}, @with,
            '--parent-cgroup', "$top-none");
        ok(!-d "$v2/$top-none", 'it is not made');
        rmdir "$v2/$top" or diag "$v2/$top: $!";

        my ($c) = grep { $_ ne 'cpuset' } split ' ',
            slurp("$v2/cgroup.controllers");
        if (($c // '') =~ /^(pids|hugetlb)$/) {
            my ($file, $value) = $c eq 'pids' ? ('pids.max', 9)
                : ('hugetlb.2MB.max', 0);
            starts("a limit of $c", { id => 'two' }, @with,
                '--parent-cgroup', $top, '--cgroup', "$file=$value");
            is(slurp("$v2/$top/two/$file"), "$value\n", 'is set');
            rmdir "$v2/$top/$_" for 'two', '';
        }
    };
}

subtest 'a base that does not do' => sub {
    my $dir = tmpdir() . '/mnt';
    mkdir $dir;
    for my $opt (qw(nodev noexec)) {
        system('mount', '-t', 'tmpfs', '-o', $opt, 'none', $dir) == 0 or die;
        my $got = jail({ 'chroot-base-dir' => $dir, uid => 0, gid => 0 });
        if ($opt eq 'noexec') {
            is($got->{code}, 1, "$opt: exit 1");
            like($got->{output}, qr/Failed to exec.*Permission/, 'and why');
        } else {
            is($got->{tun}[0], 'Permission denied', "$opt: dead devices");
        }
        system 'umount', $dir;
    }
    system('mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', $dir) == 0
        or die;
    my $got = jail({ 'chroot-base-dir' => $dir });
    is($got->{code}, 1, 'full: exit 1');
    like($got->{output}, qr/No space left/, 'and why');
    system 'umount', $dir;
};

subtest 'without root' => sub {
    chmod 0755, tmpdir(), $base;
    my $pid = open my $fh, '-|' // die;
    if ($pid == 0) {
        open STDERR, '>&', \*STDOUT;
        $( = $) = 65534;
        $> = $< = 65534;
        exec $jailer, '--id', 'low', '--exec-file', $probe, '--uid', 1,
            '--gid', 1, '--chroot-base-dir', $base;
    }
    my @said = <$fh>;
    close $fh;
    is($? >> 8, 1, 'exit 1');
    like($said[0] // '', qr/Failed to create directory.*Permission/, 'why');
    is(scalar(@said), 2, 'two lines');
};

done_testing();
