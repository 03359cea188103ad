#!/usr/bin/perl

# The VMM stand-in as the agent meets it: its API by curl, and a real guest
# behind a TAP.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Standin;
use IO::Select;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;

lay_network('vmm');

arguments();
protocol();
files();
qemu_fails();
qemu_serves();
qemu_dies_with_us();

done_testing();


# a stand-in that answers: { proc, sock, console }


# all PUTs; returns the faults of those that failed


# an instant machine with these settings, started


# frames of the control port


# ends it from outside, so that its TAP is free


sub arguments {
    my $run = sub {
        my $out = `$bin @_ 2>&1`;
        return ($? >> 8) . " $out";
    };

    like($run->('--version'), qr/\A0 Firecracker v\d+\.\d+\.\d+\n.*stand-in/,
        '--version');
    like($run->('--id a.b'), qr/\A153 .*--id a\.b: invalid character '\.' at /,
        'an id that Firecracker refuses');
    like($run->('--id', 'a' x 65), qr/\A153 .*invalid length 65/, 'too long');
    like($run->('--backend kvm'), qr/\A153 .*--backend kvm: must be qemu or/,
        'an unknown backend');
    like($run->('--no-api'), qr/\A153 .*no-api/, 'an unknown option');
    like($run->('more'), qr/\A153 .*unexpected argument more/, 'a word');

    my $path = spew(tmpdir() . '/taken', '');
    like($run->("--api-sock $path"), qr/\A1 .*--api-sock: \Q$path\E: Address /,
        'the socket exists');
    like($run->('--api-sock', '/tmp/' . 'a' x 120), qr/\A1 .*at most 107 /,
        'its path is too long');
}


sub protocol {
    my $vm = vmm();
    my $sock = IO::Socket::UNIX->new(Peer => $vm->{sock}) or die $!;
    my $q = FcfTest::Http->send(sock => $sock, raw =>
        "GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
        . "PUT /nope HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}"
        . "GET / HTTP/1.1\r\nConnection: close\r\n\r\n");
    my $got = '';

    1 while $sock->sysread($got, 4096, length $got);
    is(join(' ', $got =~ m{HTTP/1.1 (\d+)}g), '200 400 200',
        'three requests in one go, answered in order, then closed');
    like($got, qr/Server: Firecracker API\r\n/, 'as Firecracker');

    my $big = call($vm, 'PUT', '/serial', '{' . ' ' x 51200 . '}');
    is($big->{status}, 400, 'a body above 51200 bytes');
    like($big->{body}, qr/\A\{"error":"The request body exceeds/,
        'and what is no request: "error"');
    is(call($vm, 'PUT', '/serial', '{}', '-H', 'Expect: 100-continue')
        ->{status}, 204, 'Expect: 100-continue');
    is(call($vm, 'PUT', '/serial', '{}', '-H', 'Transfer-Encoding: chunked')
        ->{status}, 400, 'chunked');
    is(call($vm, 'GET', '/', undef, '-H', 'X: ' . 'y' x 3000)->{status}, 400,
        'a header of 3 kB');
    is(call($vm, 'GET', '/version?x')->{status}, 400, 'a query');

    my $slow = IO::Socket::UNIX->new(Peer => $vm->{sock}) or die $!;
    $slow->syswrite("PUT /serial HTTP/1.1\r\nExp");
    is(call($vm, 'GET', '/')->{status}, 200, 'another connection meanwhile');
    $slow->syswrite("ect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    $got = '';
    ok(IO::Select->new($slow)->can_read(5) && $slow->sysread($got, 4096),
        'a name in two pieces');
    like($got, qr{\AHTTP/1.1 100 Continue\r\n}, 'is understood');
    close $slow;

    my $long = IO::Socket::UNIX->new(Peer => $vm->{sock}) or die $!;
    $long->syswrite("GET / HTTP/1.1\r\n" . ('X: ' . 'y' x 997 . "\r\n") x 17);
    $got = '';
    $long->sysread($got, 4096) if IO::Select->new($long)->can_read(5);
    like($got, qr{\AHTTP/1.1 400 .*head is too long}s, 'a head above 16 KiB');

    my $bad = IO::Socket::UNIX->new(Peer => $vm->{sock}) or die $!;
    $bad->syswrite("this is not HTTP\r\n\r\n");
    $got = '';
    1 while $bad->sysread($got, 4096, length $got);
    like($got, qr/\AHTTP\/1.1 400 .*"error"/s, 'not HTTP');

    my @idle = map { IO::Socket::UNIX->new(Peer => $vm->{sock}) } 1 .. 16;
    $got = '';
    my $more = IO::Socket::UNIX->new(Peer => $vm->{sock}) or die $!;
    1 while $more->sysread($got, 4096, length $got);
    like($got, qr/ 503 .*Too many open connections/s, 'a 17th connection');
    close $_ for @idle;
    wait_for(sub { call($vm, 'GET', '/')->{status} == 200 }, 5,
        'room again');

    is(json_decode(call($vm, 'GET', '/')->{body})->{id}, $vm->{id}, 'its id');
    $vm->{proc}->kill('TERM');
    is($vm->{proc}->wait(5), 143 << 8, 'SIGTERM');
}


sub files {
    my $vm = vmm();

    like(fault(put($vm, '/drives/a', drive_id => 'a', is_root_device => \0,
        path_on_host => '/no/such')), qr{a: .*/no/such: No such file}, 'drive');
    like(fault(put($vm, '/boot-source', kernel_image_path => '/no/kernel')),
        qr{/no/kernel: No such file}, 'kernel');

    my %nic = (iface_id => 'n', host_dev_name => 'tap7');
    like(fault(put($vm, '/network-interfaces/n', %nic)),
        qr{n: .*host_dev_name "tap7": No such device}, 'a missing TAP');
    ok($ns->run(qw(ip -o link)) !~ /tap7/, 'is not made');

    $nic{host_dev_name} = 'br0';
    like(fault(put($vm, '/network-interfaces/n', %nic)),
        qr{"br0": TUNSETIFF: Invalid}, 'not a TAP');

    $nic{host_dev_name} = 'tap0';
    is(put($vm, '/network-interfaces/n', %nic)->{status}, 204, 'a TAP');
    is(put($vm, '/network-interfaces/n', %nic)->{status}, 204, 'once more');

    $nic{iface_id} = 'm';
    like(fault(put($vm, '/network-interfaces/m', %nic)),
        qr{m: .*"tap0": TUNSETIFF: Device or resource busy}, 'taken');

    my $file = spew(tmpdir() . '/kernel', '');
    put($vm, '/boot-source', kernel_image_path => $file);
    like(fault(start($vm)), qr/Start microvm error: 0 drives: the instant /,
        'an instant machine without drives');
    quit($vm);
}


# kB of memory


# writes without reading, as far as the peer takes it; the bytes written


# so many bytes, or what came until the end


# its TAP deleted under it


sub qemu_fails {
    my %have = (function => instant_image(), runtime => instant_image());
    my $vm = vmm(backend => 'qemu', env => { PATH => '/sbin' });

    is(configure($vm, %have, kernel => instant_image()), '', 'configured');
    like(fault(start($vm)), qr/kernel .*: neither ELF nor bzImage/,
        'a kernel that is none');

    put($vm, '/boot-source', kernel_image_path => "$^X");
    put($vm, '/machine-config', vcpu_count => 1, mem_size_mib => 1);
    like(fault(start($vm)), qr/kernel \Q$^X\E does not fit into 1 MiB/,
        'one that does not fit');

    put($vm, '/machine-config', vcpu_count => 1, mem_size_mib => 128);
    like(fault(start($vm)), qr/QEMU cannot be run: qemu-system-x86_64: No such/,
        'QEMU is missing');
    like(fault(start($vm)), qr/QEMU cannot be run/, 'also the second time');
    quit($vm);

    # one that agrees to everything but to run

    mkdir tmpdir() . '/fake' or die $!;
    my $fake = spew(tmpdir() . '/fake/qemu-system-x86_64', <<"END");
#!$^X
my (\$fd) = "\@ARGV" =~ /id=qmp,fd=(\\d+)/;
open my \$qmp, '+<&=', \$fd or die;
syswrite \$qmp, qq({"QMP":{}}\n);
1 while sysread(\$qmp, \$got, 1000, length \$got) && \$got !~ /"start"/;
syswrite \$qmp, qq({"return":{}}\n{"id":"start","error":{"desc":"not now"}}\n);
sleep 1000;
END
    chmod 0755, $fake;
    $vm = vmm(backend => 'qemu', env => {
        PATH => tmpdir() . "/fake:$ENV{PATH}" });
    is(configure($vm, %have, kernel => $^X), '', 'configured');
    my $t = now();
    is(fault(start($vm)), 'Start microvm error: QEMU was ended by signal 9: '
        . 'not now', 'QEMU refuses to run the guest');
    cmp_ok(now() - $t, '<', 10, 'at once');
    quit($vm);

  SKIP: {
        skip 'no QEMU', 3 unless on_path('qemu-system-x86_64');

        $vm = vmm(backend => 'qemu');
        is(configure($vm, %have, kernel => $^X), '', 'configured');
        like(fault(start($vm)), qr/QEMU ended with status 1: .*kernel/,
            'another kind of ELF, in QEMU\'s words');
        is(json_decode(call($vm, 'GET', '/')->{body})->{state}, 'Not started',
            'not started');
        quit($vm);
    }
}


# a real guest, up; undef if this host cannot
sub real_guest {
    my (%opt) = @_;

    unless (on_path('qemu-system-x86_64') && -e "$images/functions/hello.img") {
        return undef;
    }

    my $vm = vmm(backend => 'qemu', %opt);

    POSIX::mkfifo($vm->{console}, 0600) or die if $opt{fifo};

    is(configure($vm, initrd => $initrd,
        function => "$images/functions/hello.img", vcpus => $opt{vcpus},
        limit => $opt{limit}), '', 'configured');
    is(fault(put($vm, '/balloon', amount_mib => 0, deflate_on_oom => \1)),
        '204 ', 'a balloon, of nothing');
    is(start($vm)->{status}, 204, 'started');
    is(json_decode(call($vm, 'GET', '/')->{body})->{state}, 'Running',
        'running');

    wait_for(sub {
        die "the guest ended\n" . slurp($vm->{console}) if !$vm->{proc}->alive
            && !$opt{fifo};
        tcp(80, Timeout => 0.3);
    }, 60, 'the guest\'s port');
    return $vm;
}


sub qemu_serves {
  SKIP: {
        my $vm = real_guest(fifo => 1, limit => { bandwidth =>
            { size => 10 << 20, refill_time => 100 }, ops =>
            { size => 1000, refill_time => 100 } }) or skip 'no QEMU or no images', 1;
        is(guest_get('/')->{status}, 200, 'a real guest answers');

        my $old = op(tcp(1024), { op => 'time', ms => time * 1000 });
        ok($old->{ok}, 'its control port too');
        stop($vm);
        no_qemu($vm, 'no QEMU is left');

        for ([k => 0, 'by i8042: exit 0'], [t => 1, 'by triple fault: 1']) {
            $vm = vmm(backend => 'qemu');
            my $args = "console=ttyS0 quiet reboot=$_->[0] panic=-1 pci=off";
            is(configure($vm, function => instant_image(), args => $args), '',
                "no initrd, so it panics; reboot=$_->[0]");
            is(start($vm)->{status}, 204, 'started');
            exits($vm, $_->[1], $_->[2]);
            like(slurp($vm->{console}), qr/Kernel panic/, 'its console');
        }

        $vm = real_guest(vcpus => 2) or die;
        is(guest_get('/')->{status}, 200, 'with two vCPUs');
        my ($pid) = qemus($vm);
        ok($pid, 'QEMU is there');
        kill 'KILL', $pid;
        exits($vm, 1, 'QEMU killed: exit 1');
    }
}


sub qemu_dies_with_us {
  SKIP: {
        my $vm = real_guest(pidns => 1) or skip 'no QEMU or no images', 1;

        ok(scalar(qemus($vm)), 'QEMU in a PID namespace');
        my ($first) = grep { peek("$_/status") =~ /^NSpid:\s+\d+\s+1$/m
            && peek("$_/cmdline") =~ /\Q$vm->{sock}\E/ }
            glob '/proc/[0-9]*';
        kill 'KILL', $first =~ /(\d+)/;
        wait_for(sub { !qemus($vm) }, 30, 'QEMU\'s end');
        pass('is gone with its first process');
        $vm->{proc}->wait(10);
    }
}
