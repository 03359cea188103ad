#!/usr/bin/perl

# fcfaas-agent --check: each lack by name, with a remedy, and no other.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('check');

my $said;                               # all that the last check said

# the lines of a check: name => [ok or FAIL, the rest]
sub check {
    my (%set) = @_;
    my $want = delete $set{want} // 256;
    my @in = @{delete $set{in} // []};
    my %all = (settings('k'), %set);
    my $proc = FcfTest::Proc->spawn(name => 'check-' . (++$AgentHost::life),
        argv => [@in, build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null',
            '--check', '--trial-timeout=20', map { "--$_=$all{$_}" } keys %all]);
    my $status = $proc->wait(30) // die 'the check does not end';
    is($status, $want, 'the status tells whether there is a lack');
    $said = $proc->output;
    return map { /^(ok|FAIL) +(\w+) +(.*)/ ? ($2 => [$1, $3]) : () }
        split /\n/, $proc->output;
}

sub only {
    my ($lack, $re, %set) = @_;
    my @more = @{delete $set{more} // []};

    subtest "$lack: $re" => sub {
        my %got = check(%set);
        is_deeply([sort grep { $got{$_}[0] eq 'FAIL' } keys %got],
            [sort $lack, @more], "only that, and what comes of it: @more");
        like($got{$lack}[1], $re, 'the place and the value');
        like($got{$lack}[1], qr/ -- \w/, 'a remedy');
    };
}

subtest 'nothing is missing' => sub {
    my %got = check(want => 0);
    is_deeply([grep { $got{$_}[0] ne 'ok' } keys %got], [], 'all is well');
    like($got{guest}[1], qr/boots a guest in \d+ ms$/,
        'a guest boots with drives, over bridge and firewall');
    is(scalar(() = glob "$dir/run-k/*/"), 0, 'nothing is left of it');
    unlike($ns->run('ip', '-o', 'link'), qr/br-k|tk\d/, 'neither here');
};

subtest 'beside an agent that runs' => sub {
    my $admin = '127.0.0.1:' . free_port();
    my $agent = started('k', settings('k', admin => $admin));
    image('hello');
    job('hello', 'req-1');
    my (undef, $i) = instance('hello');
    is(call('hello', $i->{proxy_port})->{status}, 200, 'with a VM');

    my %got = check(admin => $admin);
    like($said, qr/^note +beside +an agent runs on state_dir = /m, 'is said');
    # the instant backend does not boot without drives
    is_deeply([grep { $got{$_}[0] ne 'ok' } keys %got], ['guest'],
        'what it has is no lack');
    like($got{$_}[1], qr/agent/, "$_: says whose") for qw(network admin);
    is(call('hello', $i->{proxy_port})->{status}, 200, 'and it serves on');

    $agent->stop;
};

only('functions', qr/functions = "\/nowhere": No such file/,
    functions => '/nowhere');
# the instant backend does not boot without drives
only('runtimes', qr/runtimes = "\/etc\/passwd": Not a directory/,
    runtimes => '/etc/passwd', more => ['runtime', 'guest']);
only('proxy', qr/there is no user "nobody-here"/,
    proxy_user => 'nobody-here');
only('proxy', qr{proxy = "/nowhere/proxy": No such file},
    proxy => '/nowhere/proxy');
only('proxy', qr{/nowhere\.sock: No such file}, proxy => '',
    proxy_socket => '/nowhere.sock');
mkdir "$dir/empty";
only('runtime', qr{empty/base.img: No such file}, runtimes => "$dir/empty",
    more => ['guest']);
spew("$dir/open-token", "sesame\n");
chmod 0644, "$dir/open-token";
only('secrets', qr{token_file = "\Q$dir\E/open-token": its mode is 644},
    token_file => "$dir/open-token");
only('memory', qr/memory_reserve_mb = "99999999": this host has/,
    memory_reserve_mb => 99999999);
SKIP: {
    my ($mount) = slurp('/proc/mounts')
        =~ m{^\S+ (\S+) cgroup [^ ]*\bpids\b[ ,]}m
        or skip 'no pids controller of version 1', 1;
    my $group = "$mount/fcf-check-$$";
    mkdir $group;
    spew("$group/pids.max", 100);
    only('pids', qr{\Q$group\E/pids.max is 100, of which 100 are left: a VM},
        cgroup_root => "fcf-check-$$");
    for my $top (glob '/sys/fs/cgroup/*') {
        rmdir "$top/fcf-check-$$";
    }
}
only('runtime', qr{whole/base.img: an empty file}, runtimes => "$dir/whole")
    if mkdir("$dir/whole") && spew("$dir/whole/base.img", '');
only('runtime', qr{odd/base.img: not a regular file}, runtimes => "$dir/odd",
    more => ['guest']) if mkdir("$dir/odd") && mkdir "$dir/odd/base.img";
only('limits', qr/max_vms = "65000" needs 585256 descriptors/,
    max_vms => 65000);
only('limits', qr/the hard limit is 1000/, in => ['prlimit', '--nofile=1000']);
SKIP: {
    my @root = ('unshare', '-U', '--map-root-user');
    my $none = 'echo 0 > /proc/sys/user/max_inotify_instances';
    system("@root sh -c '$none' 2>/dev/null") == 0
        or skip 'no user namespaces', 1;
    only('limits', qr/no inotify instance is left/, more => ['guest',
        'network'], in => [@root, 'sh', '-c', $none . '; exec "$0" "$@"']);
}
subtest 'fewer addresses than VMs' => sub {
    check(want => 0, bridge_address => '172.16.0.1/29');
    like($said, qr{^note +room +max_vms = "1000", but 172\.16\.0\.1/29 has 5 }m,
        'is said');
};
only('state_dir', qr{state_dir = "/proc/nothing": writing in /proc:},
    state_dir => '/proc/nothing', more => ['guest']);
only('state_dir', qr{state_dir = "/etc/passwd": /etc/passwd is no directory},
    state_dir => '/etc/passwd', more => ['guest']);
mkdir "$dir/small";
system('mount', '-t', 'tmpfs', '-o', 'size=1m', 'none', "$dir/small") == 0
    or die "mount: $?";
END { system('umount', "$dir/small") if $dir && -e "$dir/small/here" }
spew("$dir/small/here", '');
only('state_dir', qr{state_dir = "\Q$dir\E/small/s": [01] MB are free},
    state_dir => "$dir/small/s");
only('run_dir', qr{run_dir = "/proc/nothing": writing in /proc:},
    run_dir => '/proc/nothing', more => ['guest']);
only('run_dir', qr{run_dir = "/etc/passwd": /etc/passwd is no directory},
    run_dir => '/etc/passwd', more => ['guest']);
only('run_dir', qr{run_dir = "\Q$dir\E/small/s": [01] MB are free},
    run_dir => "$dir/small/s");
mkdir "$dir/few";
system('mount', '-t', 'tmpfs', '-o', 'size=100m,nr_inodes=200', 'none',
    "$dir/few") == 0 or die "mount: $?";
END { system('umount', "$dir/few") if $dir && -e "$dir/few/here" }
spew("$dir/few/here", '');
only($_, qr{$_ = "\Q$dir\E/few/s": \d+ files can be made, and no more},
    $_ => "$dir/few/s") for qw(state_dir run_dir);
subtest 'run_dir on a disk, and in memory' => sub {
    my $disk = root() . '/build';
    plan skip_all => 'no disk here' if qx(stat -f -c %T $disk) =~ /tmpfs/;
    my $run = "$disk/check-$$";
    check(want => 0, run_dir => $run);
    is(join(' ', map { m{([^/]+)$} } glob "$run/*"), 'lock', 'nothing is left');
    unlink "$run/lock";
    rmdir $run;
    like($said, qr{^note +run_dir +\Q$disk\E\S+ is on a disk}m, 'is said');
    check(run_dir => "$dir/small/s");
    unlike($said, qr/is on a disk/, 'in memory it is not');
};
only('secrets', qr{token_file = "/nowhere/token"},
    token_file => '/nowhere/token');

$ns->run('ip', 'link', 'add', 'cable7', 'type', 'veth',
    'peer', 'name', 'cable8');
$ns->run('ip', 'addr', 'add', '172.30.0.1/16', 'dev', 'cable7');
only('network', qr{172\.30\.5\.1/24 overlaps.*cable7},
    bridge_address => '172.30.5.1/24', more => ['guest']);
only('network', qr/cable7.*no bridge/, bridge => 'cable7',
    more => ['guest']);
unlike($ns->run('ip', '-o', 'link'), qr/br-k|tk\d/, 'nothing is made');

$ns->run('nft', 'add table ip filter; add chain ip filter FORWARD '
    . '{ type filter hook forward priority 0; policy drop; }');
only('firewall', qr/FORWARD/, egress => 'internet');
$ns->run('nft', 'delete table ip filter');

for (['input', 'iif lo'], ['output', 'oif lo']) {
    my ($hook, $lo) = @$_;
    $ns->run('nft', "add table inet f; add chain inet f c { type filter hook "
        . "$hook priority 0; policy drop; }; add rule inet f c $lo accept");
    only('firewall', qr/chain c of table inet f drops what it does not know/,
        more => ['guest']);
    like($said, qr/^FAIL +guest .* -- let guests and this host reach each/m,
        "$hook: the guest's remedy");
    $ns->run('nft', 'delete table inet f');
}

only('admin', qr/10\.9\.8\.7:9180/, admin => '10.9.8.7:9180',
    admin_token_file => "$dir/token");

only('ports', qr/10\.9\.8\.7:30000/, advertise => '10.9.8.7');
{
    my $port = free_port();
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
        LocalPort => $port, Proto => 'tcp') or die "listen: $!";
    only('ports', qr/0 of $port to $port are free/, port_first => $port,
        port_last => $port);
    only('admin', qr/127\.0\.0\.1:$port/, admin => "127.0.0.1:$port");
}

$etcd->put('/workers/k', { address => '10.1.2.3', cpu => 1, memory_mb => 1,
    cpu_free => 1, memory_mb_free => 1, vms => 0, agent_version => '0',
    state => 'ready' });
only('node_id', qr/node_id = "k": in use by an agent at 10\.1\.2\.3/);
$etcd->put('/workers/k', 'garbage');
check(want => 0);
$etcd->del('/workers/k');

$etcd->pause;
only('etcd', qr/etcd +|no answer|timed? ?out/i);
$etcd->resume;
# it has missed its own heartbeats, and elects a leader first
wait_for(sub { eval { $etcd->put('/specs/again', 'x'); 1 } }, 30,
    'etcd to answer again');
$redis->pause;
only('redis', qr/redis|no answer/i);
$redis->resume;

done_testing();
