package FcfTest::RealGuest;

# Real guests, booted through the VMM stand-in (FcfTest::Standin) in a network
# namespace with one TAP, and their control port.

use strict;
use warnings;

use Exporter 'import';
use FcfTest;
use FcfTest::Standin qw($bin $images $guest $ns $initrd tcp send_op);
use File::Basename qw(dirname);
use File::Path qw(make_path);
use MIME::Base64;
use Test::More;

our @EXPORT = qw($bin $images $guest $ns $true no_guest lay_guest_network
    image shell config_drive boot tcp reach request send_op read_frame op
    follow ends stop);

our $true = { ok => JSON::PP::true };

my $count = 0;


# why there can be no guest here; '' if there can
sub no_guest {
    return 'needs root' if $> != 0;
    return "$bin is not built" unless -x $bin;
    return 'no QEMU' unless on_path('qemu-system-x86_64');
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

    return FcfTest::Standin::config_drive(version => 3, hostname => 'box',
        time_ms => 1700000000000, memory_mb => 128, seed => 'c2VlZA==',
        dns => ['10.0.0.53', '10.0.1.53'], env => { GREETING => 'hi' },
        secrets => { KEY => 's3cret' }, %with);
}


# a guest that has been started: { proc, sock, console }
sub boot {
    my ($function, %opt) = @_;
    my $vm = FcfTest::Standin::vmm(backend => 'qemu');

    my $fault = FcfTest::Standin::configure($vm, function => $function,
        initrd => $opt{initrd} // $initrd, kernel => $opt{kernel},
        vcpus => $opt{vcpus},
        runtime => "$images/runtimes/" . ($opt{runtime} // 'base') . '.img',
        args => 'console=ttyS0 quiet reboot=k panic=-1 ' . ($opt{args} // ''),
        config => $opt{config} // config_drive(), memory => $opt{memory});
    die "not configured: $fault\n" if $fault ne '';

    my $r = FcfTest::Standin::start($vm);
    die "not started: $r->{status} $r->{body}\n" unless $r->{status} == 204;
    return $vm;
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


# undef at the connection's end
sub read_frame {
    my ($sock, $timeout) = @_;
    return FcfTest::Standin::read_frame($sock, $timeout // 10);
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
    my $status = $vm->{proc}->wait(180);

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
