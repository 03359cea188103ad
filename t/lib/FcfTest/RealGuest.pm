package FcfTest::RealGuest;

# Real guests, booted through the VMM stand-in in a network namespace with one
# TAP, and their control port.

use strict;
use warnings;

use Exporter 'import';
use FcfTest;
use File::Basename qw(dirname);
use File::Path qw(make_path);
use IO::Select;
use IO::Socket::INET;
use MIME::Base64;
use Test::More;

our @EXPORT = qw($bin $images $guest $ns $true no_guest lay_guest_network image shell
    config_drive boot tcp reach request send_op read_frame op follow ends
    stop);

our $bin = build_dir() . '/vm/vmm/fcfaas-vmm';
our $images = root() . '/build/vm';
our $guest = '172.16.0.2';
our $true = { ok => JSON::PP::true };
our $ns;

my $count = 0;


# why there can be no guest here; '' if there can
sub no_guest {
    return 'needs root' if $> != 0;
    return "$bin is not built" unless -x $bin;
    return 'no QEMU'
        unless grep { -x "$_/qemu-system-x86_64" } split /:/, $ENV{PATH};
    return '';
}


sub lay_guest_network {
    my ($name) = @_;

    $ns = FcfTest::Netns->new($name);
    $ns->run(qw(ip tuntap add dev tap0 mode tap));
    $ns->run(qw(ip addr add 172.16.0.1/24 dev tap0));
    $ns->run(qw(ip addr add 172.16.0.9/24 dev tap0));
    $ns->run(qw(ip link set tap0 up));
}


# a directory with these files, executable; its image if mkfunction likes it,
# else mkfunction's words
sub image {
    my (%files) = @_;
    my $runtime = delete $files{runtime} // '';
    my $dir = tmpdir() . '/function' . ++$count;

    mkdir $dir or die "$dir: $!";
    for (keys %files) {
        make_path(dirname("$dir/$_"));
        spew("$dir/$_", $files{$_});
        chmod 0755, "$dir/$_";
    }

    my $out = qx{@{[root()]}/vm/mkfunction $dir $dir.img $runtime 2>&1};
    return $? == 0 ? "$dir.img" : $out;
}


# a shell function
sub shell { image(bootstrap => "#!/bin/sh\n$_[0]") }


sub config_drive {
    my (%with) = @_;

    my $json = json_encode({ function_id => 'hello', version => 3,
        instance_id => 'node-1', port => 80, address => $guest,
        prefix_len => 24, gateway => '172.16.0.1',
        mac => '06:00:ac:10:00:02', hostname => 'box',
        time_ms => 1700000000000, memory_mb => 128, seed => 'c2VlZA==',
        dns => ['10.0.0.53', '10.0.1.53'], env => { GREETING => 'hi' },
        secrets => { KEY => 's3cret' }, %with });
    my $data = 'FCVCONF1' . pack('N', length $json) . $json;

    return spew(tmpdir() . '/config' . ++$count,
        $data . "\0" x (-length($data) % 512));
}


sub put {
    my ($vm, $path, %body) = @_;
    my $r = curl('--unix-socket', $vm->{sock}, '-X', 'PUT', '-m', 60, '-d',
        json_encode(\%body), "http://localhost$path");

    die "PUT $path: $r->{status} $r->{body}\n" unless $r->{status} == 204;
}


# a guest that has been started: { proc, sock, console }
sub boot {
    my ($function, %opt) = @_;
    my $name = 'guest' . ++$count;
    my $vm = { sock => tmpdir() . "/$name.sock",
        console => tmpdir() . "/$name.console" };

    $vm->{proc} = FcfTest::Proc->spawn(name => $name, netns => $ns,
        argv => [$bin, '--api-sock', $vm->{sock}, '--id', $name,
            '--backend', 'qemu']);
    wait_for(sub {
        curl('--unix-socket', $vm->{sock}, 'http://x/')->{status};
    }, 10, 'the API');

    put($vm, '/machine-config', vcpu_count => 1, mem_size_mib => $opt{memory} // 128);
    put($vm, '/boot-source', kernel_image_path => "$images/vmlinux",
        initrd_path => "$images/initramfs.img", boot_args =>
        'console=ttyS0 quiet reboot=k panic=-1 ' . ($opt{args} // ''));

    for ([runtime => "$images/runtimes/" . ($opt{runtime} // 'base') . '.img'], [function => $function],
         [config => $opt{config} // config_drive()])
    {
        put($vm, "/drives/$_->[0]", drive_id => $_->[0], path_on_host =>
            $_->[1], is_read_only => \1, is_root_device => \0);
    }

    put($vm, '/network-interfaces/eth0', iface_id => 'eth0',
        host_dev_name => 'tap0', guest_mac => '06:00:ac:10:00:02');
    put($vm, '/serial', serial_out_path => $vm->{console});
    put($vm, '/actions', action_type => 'InstanceStart');
    return $vm;
}


sub tcp {
    my ($port, %opt) = @_;

    return $ns->in(sub {
        IO::Socket::INET->new(PeerAddr => $guest, PeerPort => $port,
            Proto => 'tcp', Timeout => 5, %opt);
    });
}


# a connection to a guest that is coming up
sub reach {
    my ($vm, $port) = @_;

    return wait_for(sub {
        die "the guest ended: " . slurp($vm->{console})
            unless $vm->{proc}->alive;
        tcp($port, Timeout => 0.2);
    }, 60, "port $port");
}


sub request {
    my ($path, %opt) = @_;
    return http_get(80, $path, host => $guest, netns => $ns, timeout => 60,
        %opt);
}


sub send_op {
    my ($sock, $op) = @_;
    my $json = ref $op ? json_encode($op) : $op;
    $sock->syswrite(pack('N', length $json) . $json);
}


sub read_bytes {
    my ($sock, $n, $end) = @_;
    my $buf = '';

    while (length $buf < $n) {
        my $left = $end - now();
        return undef if $left <= 0;
        next unless IO::Select->new($sock)->can_read($left);
        $sock->sysread($buf, $n - length $buf, length $buf) or return undef;
    }

    return $buf;
}


# undef at the connection's end
sub read_frame {
    my ($sock, $timeout) = @_;
    my $end = now() + ($timeout // 10);
    my $head = read_bytes($sock, 4, $end) // return undef;
    return json_decode(read_bytes($sock, unpack('N', $head), $end) // '{}');
}


sub op {
    my ($sock, $op) = @_;
    send_op($sock, $op);
    return read_frame($sock);
}


# the function's output up to a match or the connection's end, by stream
sub follow {
    my ($sock, $until) = @_;
    my %out = (stdout => '', stderr => '', dropped => 0);

    while (my $f = read_frame($sock, 20)) {
        next unless $f->{stream};
        $out{ $f->{stream} } .= decode_base64($f->{data});
        $out{dropped} += $f->{dropped};
        last if $until && "$out{stdout}$out{stderr}" =~ $until;
    }

    return \%out;
}


# the machine ends by itself, and says this on the console
sub ends {
    my ($vm, $words, $what) = @_;
    my $status = $vm->{proc}->wait(60);

    is($status, 0, "$what: the machine ends");
    like(slurp($vm->{console}) =~ tr/\r//dr, $words, 'its words');
    unlike(slurp($vm->{console}), qr/panic/, 'no panic');
}


sub stop {
    my ($vm) = @_;
    is_deeply(op(tcp(1024), { op => 'stop' }), $true, 'told to stop');
    ends($vm, qr/^fcfaas: stopped$/m, 'stop');
}


1;
