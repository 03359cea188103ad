package AgentHost;

# What tests of the agent stand on: a network namespace of the test's own with
# etcd and Redis, and agents on the instant backend in it, each with its own
# name, state directory, bridge and TAPs; their VMs' cgroups, which a network
# namespace does not keep apart, below one that is this test's.
#
#   AgentHost::begin('stop');           # the test is in the namespace then
#   image('hello', boot_ms => 100);     # a function's image, and how it behaves
#   my $agent = started('a', settings('a', max_vms => 3));
#   job('hello', 'req-1');              # as a foreign producer does
#   our_job('hello', 'req-2', 1);       # as a gateway does
#   my ($key, $i) = instance('hello');  # waits for it
#   call('hello', $i->{proxy_port});    # as a gateway does
#   metric('starts_total', 'kind="boot"');  # of one with_admin() as settings
#   nothing_left_of('hello', 'a');      # a test by itself
#   AgentHost::private_mounts();        # what is mounted from here on is seen
#                                       # by the test and what it starts
#   AgentHost::small_run_dir('a', 'size=512k');     # run_dir of agent a
#   AgentHost::fill('a');               # every byte of it

use strict;
use warnings;

use Exporter qw(import);
use FcfTest;
use Test::More ();

use constant QUEUE => 'queue:vm_provision';
use constant PROXY_USER => 61234;       # nobody's
use constant ADMIN_PORT => 9181;
use constant { SYS_unshare => 272, CLONE_NEWNS => 0x20000 };

our @EXPORT = qw(QUEUE $ns $dir $etcd $redis image agent settings started job
    our_job instances instance call failure vmms vm_dirs taps proxies
    bridged groups pending taken nothing_left_of with_admin metric);

our ($ns, $dir, $etcd, $redis);
our $life = 0;
my $owner = $$;

sub begin {
    my ($name, %opt) = @_;

    FcfTest::at_end(sub {
        rmdir for map { (glob("$_/*/"), $_) } glob '/sys/fs/cgroup/{,*/}'
            . "fct-$owner";
    });

    $ns = FcfTest::Netns->new($name);
    $ns->enter;
    $dir = tmpdir();
    $etcd = FcfTest::Etcd->start(@{ $opt{etcd} // [] });
    $redis = FcfTest::Redis->start(@{ $opt{redis} // [] });

    mkdir "$dir/$_" for qw(functions runtimes);
    spew("$dir/$_", 'x') for qw(vmlinux initrd);
    spew("$dir/token", "sesame\n");
    chmod 0600, "$dir/token";
    spew("$dir/runtimes/base.img", "\0" x 4096);
}

sub private_mounts {
    syscall(SYS_unshare, CLONE_NEWNS) == 0 or die "unshare: $!";
    system('mount', '--make-rprivate', '/') == 0 or die 'mount';
}

sub small_run_dir {
    my ($name, $options) = @_;
    my $path = "$dir/run-$name";
    mkdir $path or die $!;
    system('mount', '-t', 'tmpfs', '-o', $options, 'tmpfs', $path)
        == 0 or die 'mount';
    FcfTest::at_end(sub { system('umount', '-l', $path) });
}

sub fill {
    my ($name) = @_;
    open my $f, '>', "$dir/run-$name/ballast" or die $!;
    1 while syswrite $f, 'x' x 4096;
    1 while syswrite $f, 'x';
}

sub image {
    my ($name, %set) = @_;
    my $text = join '', "fcfaas-instant\n", map { "$_=$set{$_}\n" } keys %set;
    spew("$dir/functions/$name.img", $text . "\n" . "\0" x 4096);
}

# what the agent is started by: as_in_unit() gives it the rights, and the mask,
# of its unit and no other, and what it may not do with memory, as far as the
# kernel has that (PR_SET_MDWE, of 6.3)
my @under;

sub as_in_unit {
    my $unit = slurp(root() . '/packaging/fcfaas-agent.service');
    my ($mask) = $unit =~ /^UMask=(\d+)$/m or die 'no UMask=';
    my ($rights) = $unit =~ /^CapabilityBoundingSet=(CAP_.*)$/m
        or die 'no CapabilityBoundingSet=';
    my $set = join ',', '-all', map { '+' . lc s/^CAP_//r } split ' ', $rights;

    die 'no MemoryDenyWriteExecute=yes'
        unless $unit =~ /^MemoryDenyWriteExecute=yes$/m;
    @under = ('sh', '-c', "umask $mask; exec setpriv --bounding-set $set "
        . q(perl -e 'syscall 157, 65, 1, 0, 0, 0; exec { $ARGV[0] } @ARGV' )
        . '"$@"', 'sh');
}

# an agent of its own name, state directory and network, or of the one given
sub agent {
    my ($name, %set) = @_;
    my $agent = FcfTest::Proc->spawn(
        name => "agent-$name-" . ++$life, grace => 40,
        argv => [@under, build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null',
            map { "--$_=$set{$_}" } keys %set],
    );
    return $agent;
}

sub settings {
    my ($name, %more) = @_;
    return (node_id => $name, etcd => $etcd->endpoint, redis => $redis->addr,
        token_file => "$dir/token", state_dir => "$dir/state-$name",
        run_dir => "$dir/run-$name",
        functions => "$dir/functions", runtimes => "$dir/runtimes",
        kernel => "$dir/vmlinux", initrd => "$dir/initrd",
        vmm => build_dir() . '/vm/vmm/fcfaas-vmm',
        vmm_args => '--backend instant', bridge => "br-$name",
        cgroup_root => "fct-$owner", tap_prefix => "t$name",
        proxy_user => PROXY_USER, log_level => 'debug', %more);
}

sub with_admin {
    return (admin => '127.0.0.1:' . ADMIN_PORT,
        admin_token_file => "$dir/token");
}

sub metric {
    my ($name, $label) = @_;
    my $text = http_get(ADMIN_PORT, '/metrics', headers => {
        Authorization => 'Bearer sesame' })->{body};
    my $of = defined $label ? "{$label}" : '';
    my ($n) = $text =~ /^fcfaas_agent_$name\Q$of\E (\S+)$/m;
    return $n // die "no metric $name\n$text";
}

sub started {
    my $agent = agent(@_);
    $agent->line_matching(qr/"msg":"ready: /, 20);
    return $agent;
}

sub job {
    my ($function, $request, %more) = @_;
    $redis->cli('LPUSH', QUEUE, json_encode({ request_id => $request,
        function_id => $function, cpu => 1, memory_mb => 128, %more }));
}

# as a gateway asks: the agent waits for the version that it names
sub our_job {
    my ($function, $request, $version) = @_;
    my $key = "{queue:vm_provision}:pending:$function";

    $redis->cli('ZADD', $key, 1000 * (time + 60), $request);
    $redis->cli('PERSIST', $key);       # it ends with the last id before
    job($function, $request, version => $version, attempt => 1);
}

sub instances {
    my ($function) = @_;
    return $etcd->keys("/functions/$function/instances/");
}

sub instance {
    my ($function, $timeout) = @_;
    my ($key) = wait_for(sub { (instances($function))[0] }, $timeout // 10,
        "an instance of $function");
    return ($key, $etcd->get_json($key));
}

sub call {
    my ($function, $port, %more) = @_;
    return http_get($port, '/x?y=1', headers => {
        'X-Fcfaas-Function' => $function, 'X-Fcfaas-Token' => 'sesame',
        %more });
}

sub failure {
    my ($function, $request, $timeout) = @_;
    my $key = "/functions/$function/failures/$request";
    wait_for(sub { $etcd->get($key) }, $timeout // 10, $key);
    return $etcd->get_json($key);
}

# pids of the VMMs that stand in this agent's VM directories
sub vmms {
    my ($name) = @_;
    return grep {
        (readlink("/proc/$_/cwd") // '') =~ m{^\Q$dir\E/run-$name/}
    } map { m{/proc/(\d+)$} } glob '/proc/[0-9]*';
}

# by a worker's name each; a state directory beside them has its own
sub vm_dirs { grep { -d && !-l && /-\d+$/ } glob "$dir/run-$_[0]/*" }
sub taps { my ($n) = @_; () = $ns->run('ip', '-o', 'link') =~ /: t\Q$n\E\d+/g }

# all its TAPs are in its bridge, but for so many, of VMs loaded ahead: one that
# is made ahead is there in a moment
sub bridged {
    my ($n, $what, $but) = @_;
    wait_for(sub { taps($n) == ($but // 0) + (() = $ns->run(qw(bridge link))
        =~ /master br-\Q$n\E /g) }, 20, 'all TAPs to be in the bridge');
    Test::More::pass($what);
}

# pids of the proxies of all agents of this test
sub proxies {
    return grep { (readlink("/proc/$_/exe") // '') =~ m{/fcfaas-proxy$}
        && (readlink("/proc/$_/ns/net") // '') eq readlink '/proc/self/ns/net' }
        map { m{/proc/(\d+)$} } glob '/proc/[0-9]*';
}

# directories of the cgroups of VMs, wherever they are, of an agent whose
# node_id is its name and this test's pid
sub groups {
    my ($name) = @_;
    return split /\n/, qx(find /sys/fs/cgroup -type d -name 'vm-$name$$-*');
}

sub pending { $redis->cli('ZCARD', "{queue:vm_provision}:pending:$_[0]") }
sub taken { $redis->cli('LLEN', "{queue:vm_provision}:taken:$_[0]") }

# others: VMs of other functions that go on
sub nothing_left_of {
    my ($function, $name, $others) = @_;
    $others //= 0;
    wait_for(sub { vmms($name) == $others && vm_dirs($name) == $others
            && !$etcd->keys("/functions/$function/instances/")
            && !$etcd->keys("/functions/$function/slots/") }, 10,
        "nothing to be left of $function");
    wait_for(sub { taken($name) == 0 }, 5, "$function: its job settled");
    Test::More::pass("$function: nothing is left");
}

# VMs and proxy outlive an agent that adopts; none outlives the test
END {
    if (defined $dir && $$ == $owner) {
        local $?;
        FcfTest::Proc->end_all;
        kill 'KILL', grep { (readlink("/proc/$_/cwd") // '') =~ m{^\Q$dir\E/}
            || peek("/proc/$_/cmdline")
            =~ m{^[^\0]*fcfaas-proxy\0.*=\Q$dir\E/}s }
            map { m{/proc/(\d+)$} } glob '/proc/[0-9]*';
    }
}

1;
