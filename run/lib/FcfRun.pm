package FcfRun;

# What run/up and run/down share: the settings, the directory of
# one running system, and its lock.
#
# RUN_DIR holds everything: lock (held while it runs), address,
# conf/, log/, data/, functions/, store/, and pid/<service> with "pid starttime".

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use Fcntl qw(:flock);
use File::Basename qw(dirname);
use File::Path qw(make_path remove_tree);

our @EXPORT_OK = qw(%set root tell fail slurp spew try_lock own_lock
    lock_owner clear_run_dir kernel_files);

my $root = abs_path(dirname(__FILE__) . '/../..');
sub root { $root }

sub _setting {
    my ($name, $default) = @_;
    my $value = $ENV{$name};
    return defined $value && $value ne '' ? $value : $default;
}

our %set = map { $_->[0] => _setting(@$_) } (
    [RUN_DIR        => "$root/build/run"],
    [GATEWAY_PORT   => 8080],
    [ETCD_PORT      => 12379],
    [ETCD_PEER_PORT => 12380],
    [REDIS_PORT     => 16379],
    [ADMIN_PORT     => 19180],      # the agent's admin listener
    [VM_PORT_FIRST  => 30000],      # one port a microVM
    [VM_PORT_LAST   => 30999],
    [BRIDGE         => 'fc-bridge0'],
    [BRIDGE_ADDRESS => '172.16.0.1/24'],
    [TAP_PREFIX     => 'fctap'],
    [PROXY_USER     => 61999],      # nobody's: the proxy has its rights
    [NODE_ID        => 'local'],    # with another BRIDGE: local-<BRIDGE>
    [EGRESS         => 'internet'],
    [MAX_VMS        => 100],
    [SNAPSHOTS      => 'no'],
    [PARK_TIMEOUT   => '60s'],
    [WORKERS        => 2],
    [RUN_VMM        => 'auto'],     # firecracker, qemu, instant
    [KERNEL         => 'auto'],     # debian, small, or an ELF's path
    [AGENT_MORE     => ''],         # of agent.conf: name=value;name=value
    [RUN_BUILD      => "$root/build/release"],
    [RUN_DETACH     => 0],          # return when it is up
    [RUN_CALLS      => 1],          # make the two example calls
);

# An agent takes a host's bridge and TAPs that bear its name for its own.
$set{NODE_ID} = 'local-' . lc($set{BRIDGE}) =~ s/[^a-z0-9]/-/gr
    if !$ENV{NODE_ID} && $set{BRIDGE} ne 'fc-bridge0';

for my $name (qw(RUN_DIR RUN_BUILD)) {
    $set{$name} = "$root/$set{$name}" unless $set{$name} =~ m{^/};
}

for my $name (grep { /_PORT/ } keys %set) {
    fail("$name=$set{$name} is not a port")
        unless $set{$name} =~ /^\d{1,5}$/ && $set{$name} > 0
            && $set{$name} < 65536;
}

fail("RUN_VMM=$set{RUN_VMM} is none of auto, firecracker, qemu, instant")
    unless $set{RUN_VMM} =~ /^(?:auto|firecracker|qemu|instant)$/;

# auto: the small one where it has been built (make -C vm kernel).  Another
# than Debian's has what it needs inside, or brings no guest up.
sub kernel_files {
    my $vm = "$root/build/vm";
    my $name = $set{KERNEL};

    $name = -e "$vm/vmlinux-small" ? 'small' : 'debian' if $name eq 'auto';

    return ("$vm/vmlinux", "$vm/initramfs.img") if $name eq 'debian';
    return ($name eq 'small' ? "$vm/vmlinux-small"
        : $name =~ m{^/} ? $name : "$root/$name", "$vm/initramfs-small.img");
}

# etcd and etcdctl refuse to start with one that contradicts an option
delete @ENV{grep { /^ETCD(?:CTL)?_/ } keys %ENV};

$ENV{PATH} .= ':/usr/local/sbin:/usr/sbin:/sbin';
$| = 1;


sub tell { print "fcfaas: @_\n" }

sub fail {
    print STDERR "fcfaas: @_\n";
    exit 1;
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<', $path or return undef;
    local $/;
    return scalar <$fh>;
}


sub spew {
    my ($path, $text, $mode) = @_;

    open my $fh, '>', $path or die "cannot write $path: $!\n";
    chmod $mode, $path if defined $mode;
    print $fh $text;
    close $fh or die "cannot write $path: $!\n";
}


# The lock of the running system, or undef while somebody else has it.  The
# owner's pid stands in the file, by own_lock().
sub try_lock {
    make_path($set{RUN_DIR}, { error => \my $err });
    fail("cannot make $set{RUN_DIR}: " . (values %{ $err->[0] })[0]) if @$err;

    open my $fh, '>>', "$set{RUN_DIR}/lock"
        or fail("cannot open $set{RUN_DIR}/lock: $!");
    return flock($fh, LOCK_EX | LOCK_NB) ? $fh : undef;
}

sub own_lock {
    my ($fh) = @_;

    truncate $fh, 0;
    syswrite $fh, "$$\n";
}

sub lock_owner {
    my ($pid) = (slurp("$set{RUN_DIR}/lock") // '') =~ /^(\d+)$/;
    return $pid;
}


# Everything but the logs, and the lock, which the caller holds.
# What is deployed stays, and what its node knows of itself (the lease and the
# numbers of VMs), unless all is to go.
sub clear_run_dir {
    my ($all) = @_;
    my $dir = $set{RUN_DIR};

    remove_tree(map { "$dir/$_" } qw(address conf fcfaas fcfaas.conf pid
        store.token store.users token),
        $all ? qw(data functions store) : ());
    remove_tree(grep { !m{/(?:etcd|agent)$} } glob "$dir/data/*");
}

1;
