#!/usr/bin/perl

# The agent with jailer = yes: VMs in jails and control groups, and nothing
# left of either.

use strict;
use warnings;

# programs are linked into jails: both on one file system
BEGIN { $ENV{TMPDIR} = 'build' }

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

use constant { MIB => 1 << 20, FIRST => 1_900_000_000 };

# a sanitizer needs /proc, which no jail has
my ($vmm) = grep { -x } map { "$_/vm/vmm/fcfaas-vmm" }
    grep { !/asan$/ } build_dir(), map { root() . "/build/$_" }
    qw(release clang);
plan skip_all => 'needs a build without sanitizer' unless $vmm;

AgentHost::begin('jail');
AgentHost::as_in_unit();
my $base = "$dir/jails";
mkdir $base;
chmod 0755, $dir;
image('hello', body => 'from a jail');
image('two');

my $version1 = slurp('/proc/mounts') =~ m{ cgroup [^ ]*\bmemory\b};

sub jailed {
    my ($name, %more) = @_;
    # groups are found by a name that no other test has
    return settings($name, node_id => "$name$$", jailer => 'yes', vmm => $vmm, jail_base => $base,
        jailer_binary => build_dir() . '/vm/jailer/fcfaas-jailer', %more);
}

# the VM of a worker, by its record
sub pid_of {
    my ($name, $worker) = @_;
    return pid_at("$dir/run-$name", $worker);
}

sub pid_at { (slurp("$_[0]/$_[1]/pid") =~ /^(\d+)/)[0] }

sub worker { (split m{/}, (instance($_[0]))[0])[-1] }
sub jails { my ($b) = @_; grep { -d } glob(($b // $base) . '/fcfaas-vmm/*') }
sub status { (slurp("/proc/$_[0]/status") =~ /^$_[1]:[ \t]*(.*)$/m)[0] }

# where a process is, in the hierarchy of a controller
sub group_of {
    my ($pid, $controller) = @_;
    my ($path) = slurp("/proc/$pid/cgroup")
        =~ /^\d+:[^:]*\b$controller\b[^:]*:(.*)$/m;
    my ($mount) = slurp('/proc/mounts')
        =~ m{^\S+ (\S+) cgroup [^ ]*\b$controller\b[ ,]}m;
    return $mount . $path;
}

sub gone {
    my ($name, $b) = @_;
    wait_for(sub { !jails($b) && !vm_dirs($name) && !groups($name) }, 10,
        'jails, directories and cgroups to go');
    pass('nothing is left');
}

sub refuses {
    my ($what, $re, %more) = @_;
    my $agent = agent('x', jailed('x', %more));
    is(($agent->wait(20) // die 'it goes on') >> 8, 1, "$what: status 1");
    like($agent->output, $re, "$what: and why");
}

refuses('no such base', qr{jail_base = \\"$dir/none\\": No such file},
    jail_base => "$dir/none");
refuses('a file for a base', qr{jail_base = .*Not a directory},
    jail_base => "$dir/token");
refuses('no such jailer', qr{jailer_binary = .*/nowhere},
    jailer_binary => '/nowhere/jailer');
refuses('too few users', qr/jail_uid_last = .*leaves 3 users/,
    jail_uid_first => 70000, jail_uid_last => 70002);
refuses('with QEMU', qr/jailer = .*none of QEMU's files/,
    vmm_args => '--backend qemu');

for my $opt (qw(nodev noexec)) {
    mkdir "$dir/$opt";
    system('mount', '-t', 'tmpfs', '-o', $opt, 'none', "$dir/$opt") == 0
        or die;
    refuses($opt, qr{jail_base = .*$opt.*is mounted $opt},
        jail_base => "$dir/$opt");
    system 'umount', "$dir/$opt";
}

my $agent = started('a', jailed('a'));
like($agent->output, qr/jails below \Q$base\E/, 'it says where');
like($agent->output, qr/limits by cgroup version/, 'and what limits');

job('hello', 'req-1');
my ($key, $i) = instance('hello');
is(call('hello', $i->{proxy_port})->{body}, 'from a jail', 'it serves');
my $worker = worker('hello');
my $pid = pid_of('a', $worker);
my $root = "$base/fcfaas-vmm/$worker/root";

subtest 'the process' => sub {
    is(status($pid, 'Uid'), join("\t", (FIRST) x 4), 'its user');
    is(status($pid, 'Gid'), join("\t", (FIRST) x 4), 'its group');
    like(status($pid, 'Groups'), qr/^\s*$/, 'no other groups');
    is(status($pid, "Cap$_"), '0' x 16, "no capability: $_")
        for qw(Prm Eff);
    is(status($pid, 'NoNewPrivs'), 1, 'and none to come');
    is(status($pid, 'NSpid'), "$pid\t1", 'process 1 of a namespace');
    is(join(':', (stat "/proc/$pid/root/.")[0, 1]),
        join(':', (stat $root)[0, 1]), 'its root is the jail');
    is(slurp("/proc/$pid/environ"), '', 'no environment');
    my ($nofile) = slurp("/proc/$pid/limits") =~ /^Max open files +(\d+)/m;
    is($nofile, 2048, 'descriptors');
    my ($fsize) = slurp("/proc/$pid/limits") =~ /^Max file size +(\d+)/m;
    is($fsize, 64 * MIB, 'size of a file');
    like($ns->run('ip', '-d', 'link'), qr/ user @{[FIRST]} /,
        'the TAP is its own');
};

subtest 'the jail' => sub {
    is((stat $root)[2] & 07777, 0700, 'is closed');
    is((stat $root)[4], FIRST, 'and its user\'s');
    is((stat "$root/function.img")[1], (stat "$dir/functions/hello.img")[1],
        'the image is a link');
    is((stat "$root/kernel")[1], (stat "$dir/vmlinux")[1], 'the kernel too');
    is((stat "$root/config.img")[2] & 07777, 0600, 'the config drive: closed');
    is((stat "$root/config.img")[4], FIRST, 'and its user\'s');
    is((stat "$root/console")[4], FIRST, 'the console too');
    is(readlink("$dir/run-a/$worker/jail"), "$base/fcfaas-vmm/$worker",
        'the VM\'s directory leads to it');
    unlike($agent->output, qr/is copied to/, 'nothing is copied');
};

SKIP: {
    skip 'cgroups of another version', 1 unless $version1;
    subtest 'its cgroups' => sub {
        is(slurp(group_of($pid, 'memory') . '/memory.limit_in_bytes'),
            (128 + 2 + 16) * MIB . "\n", 'memory, with the VMM\'s');
        is(slurp(group_of($pid, 'cpu') . '/cpu.shares'), "1024\n", 'cpu');
        is(slurp(group_of($pid, 'pids') . '/pids.max'), "128\n", 'pids');
        like(group_of($pid, $_), qr{/vm-\Q$worker\E\.\w+$}, "$_: its own")
            for qw(memory cpu pids);
    };
}

subtest 'users' => sub {
    job('two', 'req-2');
    instance('two');
    my $other = pid_of('a', worker('two'));
    is(status($other, 'Uid'), join("\t", (FIRST + 1) x 4),
        'each VM has another');
    kill 'KILL', $other;
    wait_for(sub { jails() == 1 && vm_dirs('a') == 1 }, 10, 'its end');
    is(scalar(grep { !/vm-\Q$worker\E\.\w+$/ } groups('a')), 0,
        'of a dead one nothing is left');
};

subtest 'too much memory' => sub {
    image('greedy', take_mb => 400);
    job('greedy', 'req-3');
    my $f = failure('greedy', 'req-3');
    is($f->{error}, 'boot_failed', 'boot_failed');
    like($f->{message}, qr/signal 9, out of memory: its limit is 146 MB, /,
        'with its limit');
    like($f->{message}, qr/ 128 for the guest and 18 for the VMM/,
        'and what that is made of');
    wait_for(sub { jails() == 1 && vm_dirs('a') == 1 }, 10, 'its end');
};

subtest 'an image that not everybody may read' => sub {
    image('secret', body => 'secret');
    image('secret2', body => 'secret2');
    chmod 0600, "$dir/functions/$_.img" for qw(secret secret2);
    job($_, "req-$_") for qw(secret secret2);
    is(call($_, (instance($_))[1]{proxy_port})->{body}, $_, "$_ is served")
        for qw(secret secret2);
    my @said = $agent->output =~ /(secret2?\.img is copied to .*?)"/g;
    is(scalar(@said), 1, 'it is copied, and that is said once');
    like($said[0], qr/not readable for everybody/, 'with the reason');
    is((stat "$base/fcfaas-vmm/" . worker('secret')
        . '/root/function.img')[2] & 07777, 0444, 'a user in a jail reads it');
    is((stat "$base/.copies")[2] & 07777, 0700, 'and nobody outside');
};

subtest 'killed and started again' => sub {
    cmp_ok(scalar(jails()), '>=', 3, 'jails are there');
    $agent->stop('KILL');
    ok(!is_gone($pid), 'and outlive the agent');
    $agent = started('a', jailed('a'));
    ok(is_gone($pid), 'the next ends the VMs');
    is(scalar(jails()), 0, 'and removes the jails');
    is(scalar(groups('a')), 0, 'and their cgroups');
    job('hello', 'req-4');
    is(call('hello', (instance('hello'))[1]{proxy_port})->{status}, 200,
        'and serves again');
};

subtest 'killed in the middle of starts' => sub {
    image("mid$_") for 1 .. 8;
    for my $round (1 .. 4) {
        job("mid$_", "req-m$round-$_") for 1 .. 8;
        wait_for(sub { jails() > $round }, 10, 'some jails');
        $agent->stop('KILL');
        $agent = started('a', jailed('a'));
        my @dead = grep { !-e "$dir/run-a/$_" } map { m{([^/]+)$} } jails();
        is("@dead", '', "round $round: no jail without a VM");
    }
};

# it has a user of its own, too
subtest 'a node that doubts itself' => sub {
    my $well = sub { scalar(() = $agent->output =~ /this node is well/g) };
    my ($before, $bad) = ($well->(), 0);

    # two in a row: others may still be coming up
    wait_for(sub {
        my $function = 'bad' . ++$bad;
        image($function, fail => 'start');
        job($function, "req-$function");
        failure($function, "req-$function");
        return $well->() > $before;
    }, 40, 'its check to end');
    unlike($agent->output, qr/this node is ill/, 'is well');
};

subtest 'the end' => sub {
    ok($agent->stop('TERM'), 'ends');
    gone('a');
    is(join(' ', glob "$base/*"), '', 'the base is empty');
    is(taps('a'), 0, 'no TAP');
    unlike($agent->output, qr/Sanitizer/, 'no memory fault');
};

subtest 'VMs outlive their agent' => sub {
    $redis->cli('DEL', QUEUE);
    my @set = ('d', jailed('d', adopt => 'yes',
        bridge_address => '172.24.0.1/24'));
    my $first = started(@set);
    job('hello', 'req-d1');
    my ($key, $i) = instance('hello');
    my $pid = pid_of('d', worker('hello'));
    ok($first->stop('TERM'), 'the agent ends');
    ok(!is_gone($pid), 'the VM does not');

    my $next = started(@set);
    wait_for(sub { eval { call('hello', $i->{proxy_port})->{status} } == 200 },
        10, 'it to be served again');
    is((instances('hello'))[0], $key, 'the next one goes on with it');
    is(pid_of('d', worker('hello')), $pid, 'as it is');
    job('two', 'req-d2');
    instance('two');
    isnt(status(pid_of('d', worker('two')), 'Uid'), status($pid, 'Uid'),
        'its user is no other VM\'s');

    $next->stop('KILL');
    $next = started(@set);
    wait_for(sub { eval { call('hello', $i->{proxy_port})->{status} } == 200 },
        10, 'it to be served again');
    ok(!is_gone($pid), 'after a kill -9 too');
    kill 'KILL', $pid;
    wait_for(sub { jails() == 1 && vm_dirs('d') == 1 && !grep {
        m{vm-\Q@{[ $key =~ m{([^/]+)$} ]}\E\.\w+$} } groups('d') }, 10,
        'what a dead one had to go');
    pass('what a dead one had goes');
    $next->stop('TERM');

    # those that no VM's directory leads to, as after a reboot
    my @stray = map { "$base/fcfaas-vmm/d$_" } "$$-977", "$$-e-977";
    for (@stray) {
        mkdir $_ for $_, "$_/root";
        spew("$_/root/left", 'here');
    }

    # without adopt the next one ends them
    $next = started('d', jailed('d', bridge_address => '172.24.0.1/24'));
    ok(!-e $stray[0], 'and removes a jail of its own that no VM has');
    ok(-e $stray[1], 'not one of another node');
    system 'rm', '-r', $stray[1];
    ok($next->stop('TERM'), 'ends');
    gone('d');
};

subtest 'clones in jails' => sub {
    $redis->cli('DEL', QUEUE);
    my @set = ('e', jailed('e', adopt => 'yes', snapshots => 'yes',
        snapshot_runtimes => 'base', bridge_address => '172.25.0.1/24'));
    my $next = started(@set);
    my %id = (clone => 'snapshot.memory', of => 'snapshot.state');

    image('copy', body => 'a clone');
    $etcd->spec('copy', max_instances => 20, idle_timeout_s => 600);
    our_job('copy', 'req-e0', 1);
    my ($first) = instance('copy');
    wait_for(sub { $next->output =~ /snapshot of version 1 made/ }, 20,
        'a snapshot of a jailed template');
    wait_for(sub { $next->output =~ /template: end -> gone/ && jails() == 2 },
        10, 'the template to go, and a VMM to be started ahead');

    our_job('copy', "req-e$_", 1) for 1 .. 6;
    wait_for(sub { instances('copy') == 7 }, 20, 'six more');
    is(scalar(() = $next->output =~ /-> restored on/g), 6,
        'all six of the snapshot');
    my @new = map { (split m{/})[-1] } grep { $_ ne $first } instances('copy');
    is(scalar(grep { call('copy', $etcd->get_json($_)->{proxy_port})->{body}
        eq 'a clone' } instances('copy')), 7, 'all answer');

    my %uid = map { status(pid_of('e', $_), 'Uid') => 1 } @new;
    is(scalar(keys %uid), 6, 'users of their own');
    my ($kept) = glob "$dir/state-e/snapshots/*";
    for my $file (values %id) {
        my %inode = map { (stat "$base/fcfaas-vmm/$_/root/$file")[1] => 1 }
            @new;
        is_deeply([keys %inode], [(stat "$kept/$file")[1]],
            "$file is linked, and not copied");
        is((stat "$kept/$file")[2] & 07777, 0444, 'nobody writes to it');
        is((stat "$kept/$file")[4], 0, 'and it is root\'s');
    }

    # killed while one is restored: its job is done all the same
    our_job('copy', 'req-e7', 1);
    wait_for(sub { $next->output =~ /-> restore on [^\n]*req-e7/ }, 10,
        'another to be restored');
    $next->stop('KILL');
    $next = started(@set);
    wait_for(sub { instances('copy') == 8 }, 20, 'the eighth');
    wait_for(sub { jails() == 9 && vm_dirs('e') == 9 }, 10,
        'nothing else to be left, but one that waits');

    # once its API answers: before, it may not be there to be ended
    my %has = map { (split m{/})[-1] => 1 } instances('copy');
    my ($ahead) = grep { !$has{$_} } map { (split m{/})[-1] } vm_dirs('e');
    wait_for(sub { $next->output =~ /-> SPAWNED"[^\n]*"vm":"\Q$ahead\E"/ }, 10,
        'it to wait');

    kill 'KILL', vmms('e');
    kill 'KILL', map { pid_of('e', m{([^/]+)$}) } vm_dirs('e');
    # one that hands over leaves to the next what it has not removed yet
    wait_for(sub { !instances('copy') && !jails() && !vm_dirs('e') }, 20,
        'their end');
    $next->stop('TERM');
    gone('e');
    is((stat "$kept/snapshot.memory")[3], 1, 'the snapshot stays, alone');
    unlike($next->output, qr/not restored|Sanitizer|is not possible/,
        'no fault');
};

# VMMs that wait leave a user for each VM that may come
subtest 'no more users than VMs' => sub {
    $redis->cli('DEL', QUEUE);
    my $next = started('h', jailed('h', snapshots => 'yes',
        snapshot_runtimes => 'base', bridge_address => '172.27.0.1/24',
        max_vms => 3, jail_uid_first => FIRST, jail_uid_last => FIRST + 2));

    image($_) for qw(few more last);
    $etcd->spec($_, idle_timeout_s => 600) for qw(few more last);
    our_job('few', 'req-h0', 1);
    wait_for(sub { $next->output =~ /snapshot of version 1 made/ }, 20,
        'a snapshot');
    wait_for(sub { $next->output =~ /template: end -> gone/ }, 10,
        'the template to go');
    our_job($_, "req-h-$_", 1) for qw(more last);
    wait_for(sub { instances('more') && instances('last') }, 20,
        'as many as there may be');
    pass('each has a user');
    $next->stop('TERM');
    gone('h');
};

subtest 'long paths, and another file system' => sub {
    my $long = "$dir/" . join '/', ('a-directory-with-quite-a-name') x 6;
    system 'mkdir', '-p', "$long/fs" and die;
    system('mount', '-t', 'tmpfs', '-o', 'size=48m', 'none', "$long/fs") == 0
        or die;
    chmod 0755, "$long/fs";
    $redis->cli('DEL', QUEUE);
    my $b = started('b', jailed('b', jail_base => "$long/fs",
        state_dir => "$long/state", run_dir => "$long/run", bridge_address => '172.22.0.1/24'));
    job('two', 'req-5');
    is(call('two', (instance('two'))[1]{proxy_port})->{status}, 200,
        'it serves');
    my @said = $b->output =~ /(\S+ is copied to .*?)"/g;
    is(scalar(@said), 1, 'files are copied, and that is said once');
    like($said[0], qr/another file system/, 'with the reason');

    image('three');
    job('three', 'req-5b');
    instance('three');
    is(scalar(keys %{{ map { (stat "$_/root/kernel")[1] => 1 }
        jails("$long/fs") }}), 1, 'once for all jails');
    my @copies = glob "$long/fs/.copies/*";
    image('three', body => 'another one');
    kill 'KILL', pid_at("$long/run", worker('three'));
    wait_for(sub { jails("$long/fs") == 1 }, 10, 'its end');
    job('three', 'req-5c');
    is(call('three', (instance('three'))[1]{proxy_port})->{body},
        'another one', 'a file that was changed is copied anew');
    is(scalar(@{[ glob "$long/fs/.copies/*" ]}), @copies + 1, 'it alone');

    # no room for a jail: the VM fails, with the reason, and leaves nothing
    my $before = jails("$long/fs");
    system "dd if=/dev/zero of=$long/fs/filler bs=64k 2>/dev/null";
    $etcd->spec('full', max_instances => 1);
    image('full');
    our_job('full', 'req-6', 1);
    like(failure('full', 'req-6', 20)->{message}, qr/No space left/,
        'a full base is told');
    wait_for(sub { jails("$long/fs") == $before }, 10, 'its jail to go');
    ok($b->stop('TERM'), 'ends');
    gone('b', "$long/fs");
    system 'umount', "$long/fs";
};

subtest '--check' => sub {
    my $check = sub {
        my %set = jailed('k', bridge_address => '172.23.0.1/24', @_);
        my $proc = FcfTest::Proc->spawn(name => 'check-' . ++$AgentHost::life,
            argv => [build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null',
                '--check', '--trial-timeout=10',
                map { "--$_=$set{$_}" } keys %set]);
        $proc->wait(60) // die 'it does not end';
        return $proc->output;
    };
    my $out = $check->();
    like($out, qr/^ok +jails .*fcfaas-jailer, below \Q$base\E$/m, 'jails');
    like($out, qr/^ok +cgroups .*limits by cgroup/m, 'cgroups');
    like($out, qr/^ok +guest .*boots a guest/m, 'and a guest boots in one')
        or diag $out;
    is(scalar(jails()), 0, 'of which nothing is left');

    # a check beside an agent that runs: what it is making stays
    mkdir "$base/.copies";
    spew("$base/.copies/new-1-1", 'half');
    my ($pids) = slurp('/proc/mounts') =~ m{^\S+ (\S+) cgroup [^ ]*\bpids\b}m;
    my $group = $pids ? "$pids/fcf-$$/vm-k$$-5" : undef;
    if ($group) {
        mkdir $_ for "$pids/fcf-$$", $group;
    }
    $check->(cgroup_root => "fcf-$$");
    ok(-e "$base/.copies/new-1-1", 'a copy under way stays');
    if ($group) {
        ok(-d $group, 'and a group that is still empty');
        system "find /sys/fs/cgroup -depth -type d -path '*/fcf-$$*' "
            . '-exec rmdir {} \;';
    }
    $out = $check->(jail_base => "$dir/none");
    like($out, qr/^FAIL +jails .*No such file.* -- make jail_base/m,
        'no base: with the remedy');
    like($check->(cgroups => 'no'), qr/^ok +cgroups +cgroups = no/m,
        'no cgroups, if that is wanted');
};

done_testing();
