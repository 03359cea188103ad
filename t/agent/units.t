#!/usr/bin/perl

# The systemd units: what they leave open is little, and each of it is
# explained in the unit.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my %most = ('fcfaas-agent' => 4.3, 'fcfaas-proxy' => 2.0);

for my $name (sort keys %most) {
    my $unit = root() . "/packaging/$name.service";
    my $text = slurp($unit);
    my @said = split /\n/, qx(systemd-analyze security --offline=true \\
        --no-pager \Q$unit\E 2>&1);
    my ($exposure) = join("\n", @said) =~ /Overall exposure level.*: ([\d.]+)/
        or die "systemd-analyze said:\n" . join "\n", @said;

    cmp_ok($exposure, '<=', $most{$name}, "$name: exposure $exposure");

    my $why = join "\n", $text =~ /^#(.*)$/mg;
    my %open = map { $_ => 1 } map { /^\S*\x{2717}\s*(\w+)/ ? $1 : () }
        map { my $l = $_; utf8::decode($l); $l } @said;
    cmp_ok(scalar keys %open, '>', 3, "$name: something is always open");
    ok($why =~ /\b$_\b/, "$name: $_ is explained") for sort keys %open;

    like($text, qr/^ExecStart=\/usr\/sbin\/$name /m, "$name: its program");
    is(scalar(grep { !/^[\w]+=/ && !/^[\[#]/ && /\S/ } split /\n/, $text), 0,
        "$name: nothing but settings and comments");
}

my ($agent, $proxy) = map { slurp(root() . "/packaging/$_.service") }
    qw(fcfaas-agent fcfaas-proxy);
my ($at) = $proxy =~ /--socket=(\S+)/;
like($agent, qr/--proxy-socket=\Q$at\E(?: |$)/m, 'both name the same socket');
like($agent, qr/--proxy= /, 'the agent starts none beside the unit');
like($agent, qr/^Wants=.*\bfcfaas-proxy\.service/m, 'but wants it');
unlike($agent, qr/^(?:Requires|BindsTo|PartOf)=/m,
    'and does not end with it');
unlike($proxy, qr/^(?:Requires|BindsTo|PartOf)=/m, 'nor the other way round');
my ($user) = slurp(root() . '/packaging/fcfaas-proxy.sysusers')
    =~ /^u (\S+)/m;
like($proxy, qr/^User=\Q$user\E$/m, 'its user is made by the package');

# what the unit's filter of system calls leaves to the proxy: what its own one
# does, and what it needs until then
my (%group, $name);

for (split /\n/, qx(systemd-analyze syscall-filter --no-pager 2>/dev/null)) {
    $name = $1 if /^(\@[\w-]+)/;
    push @{ $group{$name} }, $1 if $name && /^\s+(\@?[\w-]+)\s*$/;
}

sub calls { map { /^\@/ ? calls($_) : $_ } @{ $group{$_[0]} } }

my %left = map { $_ => 1 } calls('@default');

for ($proxy =~ /^SystemCallFilter=(.*)$/mg) {
    my $not = s/^~//;
    for (map { /^\@/ ? calls($_) : $_ } split) {
        $left{$_} = !$not;
    }
}

my ($own) = slurp(root() . '/agent/proxy/sandbox.c')
    =~ /fca_sandbox_calls\[\] = \{(.*?)\n\};/s or die 'no list of calls';
my @need = ($own =~ /SCMP_SYS\((\w+)\)/g, qw(socket mmap mprotect ioctl tgkill
    execve openat newfstatat pread64 clone3 set_tid_address bind listen unlink
    memfd_create ftruncate fstat epoll_create1 eventfd2 pipe2 prctl prlimit64
    seccomp getuid capget));

cmp_ok(scalar @need, '>', 60, 'the calls are found');
is(join(' ', grep { !$left{$_} } @need), '', 'the unit refuses none of them');
ok(!$left{$_}, "but it does $_") for qw(setuid mount ptrace bpf reboot);

my $vms = slurp(root() . '/packaging/fcfaas-vms.service');
like($vms, qr/^Delegate=yes$/m, 'the group of VMs is theirs to divide');
like($vms, qr/^ExecStart=.*; exec sleep infinity'$/m,
    'and stays, since a process is in it');
my ($root) = $vms =~ /cgroup_root = ([^"]+)"/;
like(slurp(root() . '/agent.conf.example'), qr/^#?cgroup_root = \Q$root\E$/m,
    'the settings name the same group');
like($agent, qr/ --cgroup-root=\Q$root\E /, 'and the agent\'s unit too');
like($agent, qr/^Wants=.*\bfcfaas-vms\.service/m, 'which wants it');
is(scalar(grep { !/^[\w]+=/ && !/^[\[#]/ && /\S/ } split /\n/, $vms), 0,
    'nothing but settings and comments');

done_testing();
