package FcfTest::Standin;

# The VMM stand-in as the agent meets it: its API by curl, in a network
# namespace with one TAP, tap0, on a bridge.

use strict;
use warnings;

use Exporter 'import';
use FcfTest;
use IO::Select;
use IO::Socket::INET;
use Test::More;

our @EXPORT = qw($bin $images $guest $ns $kernel $initrd lay_network
    vmm call fault put config_drive instant_image configure start instant
    guest_get tcp send_op read_frame op quit exits stop
    qemus no_qemu waits_ahead);

our $bin = build_dir() . '/vm/vmm/fcfaas-vmm';
our $images = root() . '/build/vm';
our $guest = '172.16.0.2';

# Debian's kernel, or with FCF_KERNEL=small ours (make -C vm kernel)
our ($kernel, $initrd) = map { "$images/$_" }
    ($ENV{FCF_KERNEL} // '') eq 'small' ? qw(vmlinux-small initramfs-small.img)
    : qw(vmlinux initramfs.img);
our $ns;

my $count = 0;


# once a file, before anything else; skips the file where it cannot be
sub lay_network {
    my ($name) = @_;

    plan skip_all => 'needs root' if $> != 0;
    plan skip_all => "$bin is not built" unless -x $bin;

    $ns = FcfTest::Netns->new($name);
    $ns->run(qw(ip link add br0 type bridge));
    $ns->run(qw(ip addr add 172.16.0.1/24 dev br0));
    $ns->run(qw(ip addr add 172.16.0.9/24 dev br0));
    $ns->run(qw(ip link set br0 up));
    $ns->run(qw(ip tuntap add dev tap0 mode tap));
    $ns->run(qw(ip link set tap0 master br0));
    $ns->run(qw(ip link set tap0 up));
}


sub vmm {
    my (%opt) = @_;
    my $name = 'vmm' . ++$count;
    my $sock = tmpdir() . "/$name.sock";

    my @argv = ($bin, '--api-sock', $sock, '--id', $name,
        '--backend', $opt{backend} // 'instant');
    unshift @argv, qw(unshare --pid --fork --kill-child) if $opt{pidns};

    my $proc = FcfTest::Proc->spawn(argv => \@argv, name => $name,
        netns => $ns, env => $opt{env} // {});

    my $vm = { proc => $proc, sock => $sock, id => $name,
        console => tmpdir() . "/$name.console" };

    wait_for(sub { curl('--unix-socket', $sock, 'http://x/')->{status} }, 10,
        'the API');
    return $vm;
}


sub call {
    my ($vm, $method, $path, $body, @args) = @_;

    push @args, '-d', $body if defined $body;
    return curl('--unix-socket', $vm->{sock}, '-X', $method, '-m', 60, @args,
        "http://localhost$path");
}


sub fault {
    my ($r) = @_;
    return "$r->{status} $r->{body}" unless $r->{status} == 400;
    return json_decode($r->{body})->{fault_message};
}


sub put {
    my ($vm, $path, %body) = @_;
    return call($vm, 'PUT', $path, json_encode(\%body));
}


sub config_drive {
    my (%with) = @_;

    my $json = json_encode({ function_id => 'hello', version => 1,
        instance_id => 'node-1', port => 80, address => $guest,
        prefix_len => 24, gateway => '172.16.0.1',
        mac => '06:00:ac:10:00:02', hostname => 'hello',
        time_ms => time * 1000, env => {}, secrets => {}, %with });
    my $data = 'FCVCONF1' . pack('N', length $json) . $json;

    return spew(tmpdir() . '/config.' . ++$count,
        $data . "\0" x (-length($data) % 512));
}


sub instant_image {
    my (@lines) = @_;
    my $text = join "\n", 'fcfaas-instant', @lines, '', '';

    return spew(tmpdir() . '/function.' . ++$count,
        $text . "\0" x (4096 - length $text));
}


sub configure {
    my ($vm, %opt) = @_;

    my $runtime = $opt{runtime} // "$images/runtimes/base.img";
    my $config = $opt{config} // config_drive();

    my @r = (
        put($vm, '/machine-config', vcpu_count => $opt{vcpus} // 1,
            mem_size_mib => $opt{memory} // 128),
        put($vm, '/boot-source', kernel_image_path => $opt{kernel} // $kernel,
            $opt{initrd} ? (initrd_path => $opt{initrd}) : (),
            boot_args => $opt{args}
                // 'console=ttyS0 quiet reboot=k panic=-1 pci=off'),
        (map { put($vm, "/drives/$_->[0]", drive_id => $_->[0],
            path_on_host => $_->[1], is_read_only => \1,
            is_root_device => \0, $opt{limit}
                ? (rate_limiter => $opt{limit}) : ()) } [runtime => $runtime],
            [function => $opt{function}], [config => $config]),
        put($vm, '/network-interfaces/eth0', iface_id => 'eth0',
            host_dev_name => 'tap0', guest_mac => '06:00:ac:10:00:02'),
        put($vm, '/serial', serial_out_path => $vm->{console}));

    return join '', map { fault($_) } grep { $_->{status} != 204 } @r;
}


sub start { put($_[0], '/actions', action_type => 'InstanceStart') }


sub instant {
    my (@lines) = @_;
    my $vm = vmm();
    my $file = spew(tmpdir() . '/kernel', 'not looked into');

    is(configure($vm, kernel => $file, runtime => $file,
        function => instant_image(@lines)), '', "configured: @lines");
    is(start($vm)->{status}, 204, 'started');
    return $vm;
}


sub guest_get {
    my ($path, %opt) = @_;
    return http_get(80, $path, host => $guest, netns => $ns, %opt);
}


sub tcp {
    my ($port, %opt) = @_;

    return $ns->in(sub {
        IO::Socket::INET->new(PeerAddr => $guest, PeerPort => $port,
            Proto => 'tcp', Timeout => 5, %opt);
    });
}


sub send_op {
    my ($sock, $op) = @_;
    my $json = ref $op ? json_encode($op) : $op;
    $sock->syswrite(pack('N', length $json) . $json);
}


sub read_frame {
    my ($sock, $timeout) = @_;
    my $buf = '';
    my $end = now() + ($timeout // 5);

    while (1) {
        if (length $buf >= 4) {
            my $n = unpack 'N', $buf;
            return json_decode(substr $buf, 4) if length($buf) == 4 + $n;
        }

        my $left = $end - now();
        return undef if $left <= 0;
        next unless IO::Select->new($sock)->can_read($left);

        my $want = length $buf < 4 ? 4 - length $buf
            : 4 + unpack('N', $buf) - length $buf;
        $sock->sysread($buf, $want, length $buf) or return undef;
    }
}


sub op {
    my ($sock, $op) = @_;
    send_op($sock, $op);
    return read_frame($sock);
}


sub quit { $_[0]{proc}->kill('TERM')->wait(5) // die 'SIGTERM is ignored' }


# pids of its QEMUs that live
sub qemus {
    my ($vm) = @_;

    return grep { peek("/proc/$_/cmdline")
                  =~ /\Aqemu-system-x86_64\0-name\0\Q$vm->{id}\E\0/ }
        map { m{/(\d+)\z} } glob '/proc/[0-9]*';
}


# One that ends takes its memory apart, beyond its VMM's end.
sub no_qemu {
    my ($vm, $what) = @_;
    wait_for(sub { !qemus($vm) }, 20, $what);
    pass($what);
}


# a QEMU started ahead has come to where it waits for its machine
sub waits_ahead {
    my ($pid) = @_;
    return peek("/proc/$pid/wchan") =~ /wait_for_partner|fifo_open/;
}


sub exits {
    my ($vm, $code, $what) = @_;
    my $status = $vm->{proc}->wait(20);
    is($status, defined $status ? $code << 8 : 'in time', $what);
}


sub stop {
    my ($vm) = @_;
    is_deeply(op(tcp(1024), { op => 'stop' }), { ok => JSON::PP::true },
        'told to stop');
    exits($vm, 0, 'it stops with 0');
}


1;
