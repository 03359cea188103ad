package FcfSetup::Agent;

# The agent of this machine, its proxy, and what boots its guests.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Conf qw(agent_conf);
use FcfSetup::Files qw($etc $lib slurp put put_anew edit);
use FcfSetup::Join qw(own_name);
use FcfSetup::Ports qw(free_port must_be_free);
use FcfSetup::Run qw(on_path run must start restart runs);
use FcfSetup::Say qw(say_line fail did);

our @EXPORT_OK = qw(agent check_vmm advertise);


# agent(etcd => its URL, vmm => an option); of a machine that has joined,
# besides: redis, address and joined, as for agent_conf, and before: what is
# done before it starts
sub agent {
    my (%of) = @_;

    unlink "$etc/trial.conf";
    if (!-e "$etc/agent.conf") {
        must('systemd-sysusers') unless defined getpwnam 'fcfaas-proxy';
        put("$etc/agent.conf", agent_settings(%of, vmm(%of)));
    }

    my ($admin) = slurp("$etc/agent.conf") =~ /^admin *= *([\d.]+:\d+)/m;
    must_be_free($admin, "$etc/agent.conf")
        if defined $admin && !runs('fcfaas-agent.service');

    $of{before}->() if $of{before};
    start('fcfaas-proxy.service', 30);
    start('fcfaas-agent.service', 60);
}


# Others are to reach its VMs, at that address; what is before their ports
# listens there.
sub advertise {
    my ($address) = @_;

    my $unit = 'fcfaas-agent.service';

    edit("$etc/agent.conf", sub {
        my ($text) = @_;
        $text =~ s/^advertise *= *127\.0\.0\.1$/advertise = $address
listen = 127.0.0.1/m;
        return $text;
    });

    # changed now, or by a run that ended before it was read
    my ($since) = must('systemctl', 'show', '--timestamp=unix', '-P',
        'ExecMainStartTimestamp', $unit) =~ /\@(\d+)/;
    return unless runs($unit) && (stat "$etc/agent.conf")[9] > ($since // 0);
    restart($unit, 60);
}


# What can be told before anything is written, where it is to be chosen.
sub check_vmm {
    my ($want) = @_;
    return if -e "$etc/agent.conf" || $want eq 'instant';

    my $why = lacks_firecracker();
    fail("--vmm=firecracker: $why") if $want eq 'firecracker' && $why;
    fail('packages are missing: apt install qemu-system-x86')
        if ($want eq 'qemu' || $why) && !on_path('qemu-system-x86_64');
}


# '' if it may be there
sub lacks_firecracker {
    return !on_path('firecracker') ? 'firecracker is not on PATH'
        : !-e '/dev/kvm' ? '/dev/kvm is missing' : '';
}


# the settings: Firecracker where a trial guest boots, else the stand-in
sub vmm {
    my (%of) = @_;
    my $ours = "$lib/fcfaas-vmm";
    my $want = $of{vmm};

    if ($want !~ /^(?:qemu|instant)$/) {
        my $why = lacks_firecracker() || trial(%of);

        if ($why eq '') {
            say_line('guests run on Firecracker');
            return (vmm => 'firecracker', vmm_args => '');
        }

        fail("--vmm=firecracker: $why") if $want eq 'firecracker';
        say_line("guests run on QEMU without KVM: $why");
        $want = 'qemu';
    }

    fail('packages are missing: apt install qemu-system-x86')
        if $want eq 'qemu' && !on_path('qemu-system-x86_64');
    return (vmm => $ours, vmm_args => "--backend $want");
}


# '' if a guest boots in Firecracker
sub trial {
    my (%of) = @_;
    my $file = "$etc/trial.conf";

    put_anew($file, agent_settings(%of, vmm => 'firecracker',
        vmm_args => ''), 0600);
    my ($ok, $said) = run('fcfaas-agent', '--trial', "--conf=$file");
    unlink $file;
    chomp $said;
    return $ok ? '' : "no guest boots in it: $said";
}


sub agent_settings {
    my (%of) = @_;
    my $on = ['127.0.0.1', $of{address} // ()];

    return agent_conf(%of, node_id => own_name(),
        bridge_address => bridge_address(),
        admin_port => free_port('agent', $on, 9180 .. 9199));
}


# the first of these networks that no route of this machine leads to
sub bridge_address {
    my @taken = must('ip', '-4', 'route') =~ /^(\d[\d.]+(?:\/\d+)?) /mg;

    for my $net (map { "172.16.$_" } 0 .. 255) {
        return "$net.1/24" unless grep { overlaps("$net.0/24", $_) } @taken;
    }

    fail('172.16.0.0/16 is in use here: write ' . "$etc/agent.conf first, "
        . 'with another bridge_address');
}


sub overlaps {
    my @net = map {
        my ($ip, $bits) = m{^([\d.]+)(?:/(\d+))?$};
        [unpack('N', pack 'C4', split(/\./, $ip), 0, 0, 0), $bits // 32];
    } @_;
    my $bits = $net[0][1] < $net[1][1] ? $net[0][1] : $net[1][1];
    my $mask = $bits ? (0xffffffff << (32 - $bits)) & 0xffffffff : 0;

    return ($net[0][0] & $mask) == ($net[1][0] & $mask);
}

1;
