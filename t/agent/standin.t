#!/usr/bin/perl

# The VMM stand-in as the agent meets it: its API by curl, the instant machine
# and a real guest behind a TAP.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $bin = build_dir() . '/vm/vmm/fcfaas-vmm';
my $images = root() . '/build/vm';
my $guest = '172.16.0.2';
my $count = 0;

plan skip_all => "$bin is not built" unless -x $bin;

my $ns = FcfTest::Netns->new('vmm');
$ns->run(qw(ip link add br0 type bridge));
$ns->run(qw(ip addr add 172.16.0.1/24 dev br0));
$ns->run(qw(ip addr add 172.16.0.9/24 dev br0));
$ns->run(qw(ip link set br0 up));
$ns->run(qw(ip tuntap add dev tap0 mode tap));
$ns->run(qw(ip link set tap0 master br0));
$ns->run(qw(ip link set tap0 up));

arguments();
protocol();
files();
instant_serves();
instant_many();
instant_control();
instant_fails();
instant_slow_readers();
instant_without_tap();
qemu_fails();
qemu_serves();
qemu_dies_with_us();

done_testing();


# a stand-in that answers: { proc, sock, console }
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


# all PUTs; returns the faults of those that failed
sub configure {
    my ($vm, %opt) = @_;

    my $kernel = $opt{kernel} // "$images/vmlinux";
    my $runtime = $opt{runtime} // "$images/runtimes/base.img";
    my $config = $opt{config} // config_drive();

    my @r = (
        put($vm, '/machine-config', vcpu_count => $opt{vcpus} // 1,
            mem_size_mib => $opt{memory} // 128),
        put($vm, '/boot-source', kernel_image_path => $kernel,
            $opt{initrd} ? (initrd_path => $opt{initrd}) : (),
            boot_args => $opt{args}
                // 'console=ttyS0 quiet reboot=k panic=-1 pci=off'),
        (map { put($vm, "/drives/$_->[0]", drive_id => $_->[0],
            path_on_host => $_->[1], is_read_only => \1,
            is_root_device => \0) } [runtime => $runtime],
            [function => $opt{function}], [config => $config]),
        put($vm, '/network-interfaces/eth0', iface_id => 'eth0',
            host_dev_name => 'tap0', guest_mac => '06:00:ac:10:00:02'),
        put($vm, '/serial', serial_out_path => $vm->{console}));

    return join '', map { fault($_) } grep { $_->{status} != 204 } @r;
}


sub start { put($_[0], '/actions', action_type => 'InstanceStart') }


# an instant machine with these settings, started
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


# frames of the control port
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


# ends it from outside, so that its TAP is free
sub quit { $_[0]{proc}->kill('TERM')->wait(5) // die 'SIGTERM is ignored' }


sub exits {
    my ($vm, $code, $what) = @_;
    my $status = $vm->{proc}->wait(20);
    is($status, defined $status ? $code << 8 : 'in time', $what);
}


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

    is(call($vm, 'PUT', '/serial', '{' . ' ' x 51200 . '}')->{status}, 413,
        'a body above 51200 bytes');
    is(call($vm, 'PUT', '/serial', '{}', '-H', 'Expect: 100-continue')
        ->{status}, 204, 'Expect: 100-continue');
    is(call($vm, 'PUT', '/serial', '{}', '-H', 'Transfer-Encoding: chunked')
        ->{status}, 204, 'chunked');

    my $bad = IO::Socket::UNIX->new(Peer => $vm->{sock}) or die $!;
    $bad->syswrite("this is not HTTP\r\n\r\n");
    $got = '';
    1 while $bad->sysread($got, 4096, length $got);
    like($got, qr/\AHTTP\/1.1 400 .*"fault_message"/s, 'not HTTP');

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


sub instant_serves {
    my $vm = instant();
    my $config = json_decode(call($vm, 'GET', '/vm/config')->{body});

    is(json_decode(call($vm, 'GET', '/')->{body})->{state}, 'Running', 'state');
    is(join(' ', map { $_->{drive_id} } @{ $config->{drives} }),
        'runtime function config', 'the drives in order');
    is($config->{'network-interfaces'}[0]{host_dev_name}, 'tap0', 'the NIC');
    like(fault(start($vm)), qr/not supported after starting the microVM/,
        'it starts once');

    my $r = guest_get('/a%20b?x=1', headers => { 'X-One' => 'two' });
    is($r->{status}, 200, 'it answers');
    like($r->{body}, qr{\AGET /a%20b\?x=1\n}, 'method and target');
    like($r->{body}, qr{^X-One: two$}m, 'and headers');
    is($r->{headers}{'x-echo-target'}, '/a%20b?x=1', 'as the echo function');

    my $body = join '', map { pack 'N', $_ * 2654435761 } 1 .. 1024 * 1024;
    $r = guest_get('/', method => 'POST', body => $body, timeout => 60);
    ok($r->{body} eq $body, 'a body of 4 MiB comes back');

    my $q = http_send(80, '/1', host => $guest, netns => $ns, keepalive => 1);
    is($q->response(5)->{status}, 200, 'one request');
    my $again = FcfTest::Http->send(sock => $q->sock, keepalive => 1,
        path => '/2', host => $guest);
    like($again->response(5)->{body}, qr{\AGET /2\n}, 'another, kept alive');

    my $sock = tcp(80);
    $sock->syswrite("GET /p1 HTTP/1.1\r\n\r\nHEAD /p2 HTTP/1.1\r\n\r\n"
        . "GET /p3 HTTP/1.1\r\nConnection: close\r\n\r\n");
    my $got = '';
    1 while $sock->sysread($got, 4096, length $got);
    is(join(' ', $got =~ m{^GET (/p\d)}mg), '/p1 /p3', 'pipelined, with HEAD');

    $sock = tcp(80);
    $sock->syswrite("nonsense\r\n\r\n");
    $got = '';
    1 while $sock->sysread($got, 4096, length $got);
    like($got, qr/\AHTTP\/1.1 400 /, 'not HTTP');

    like(slurp($vm->{console}), qr/function hello listens on port 80\r\n/,
        'the console');
    is(put($vm, '/actions', action_type => 'SendCtrlAltDel')->{status}, 204,
        'ctrl-alt-del');
    exits($vm, 0, 'reboots it: exit 0');
}


sub instant_many {
    my $vm = instant('answer_ms=300', 'body=late');

    my $t = now();
    my @q = map { http_send(80, "/$_", host => $guest, netns => $ns) }
        1 .. 128;
    my @r = map { $_->response(20) } @q;
    my $took = now() - $t;

    is(scalar(grep { $_->{status} == 200 && $_->{body} eq 'late' } @r), 128,
        '128 at once are answered');
    ok($took >= 0.3, 'each after answer_ms');
    ok($took < 10, 'and not one after the other');

    my $gone = http_send(80, '/', host => $guest, netns => $ns);
    $gone->reset;
    is(guest_get('/')->{status}, 200, 'one that leaves does no harm');
    stop($vm);
}


sub stop {
    my ($vm) = @_;
    is_deeply(op(tcp(1024), { op => 'stop' }), { ok => JSON::PP::true },
        'told to stop');
    exits($vm, 0, 'it stops with 0');
}


sub instant_control {
    my $vm = instant();
    my $c = tcp(1024);
    my $true = { ok => JSON::PP::true };

    is_deeply(op($c, { op => 'time', ms => 1790000000000 }), $true, 'time');
    is_deeply(op($c, { op => 'seed', data => 'AAAA', x => 1 }), $true, 'seed');

    for ([{ op => 'dance' }, 'unknown op "dance"'],
         [{ ip => 'x' }, 'op is not a string'],
         [{ op => 'time', ms => 'x' }, 'ms is not a time'],
         [{ op => 'seed', data => '!' }, 'data is not base64 of 1-4096 bytes'],
         [{ op => 'stop', timeout_ms => -1 },
             'timeout_ms is not an integer within 0-3600000'])
    {
        is_deeply(op($c, $_->[0]), { ok => JSON::PP::false,
            error => $_->[1] }, "refused: $_->[1]");
    }

    like(op($c, '{')->{error}, qr/\AJSON, byte /, 'not JSON');

    guest_get('/before');
    send_op($c, { op => 'logs' });
    is_deeply(read_frame($c), $true, 'logs');
    is_deeply(read_frame($c), { stream => 'stdout', dropped => 0,
        data => 'R0VUIC9iZWZvcmUK' }, 'what was kept');
    guest_get('/after');
    is(read_frame($c)->{data}, 'R0VUIC9hZnRlcgo=', 'and what comes');

    my $other = tcp(1024, LocalAddr => '172.16.0.9');
    ok(!$other || !$other->sysread(my $buf, 1),
        'nobody but the gateway address');

    my $long = tcp(1024);
    $long->syswrite(pack 'N', 65537);
    like(read_frame($long)->{error}, qr/65537 is not within/, 'a long frame');
    is(read_frame($long, 2), undef, 'ends the connection');

    stop($vm);

    $vm = instant('ignore_stop=1');
    $c = tcp(1024);
    send_op($c, { op => 'stop' });
    is(read_frame($c, 0.5), undef, 'ignore_stop=1');
    is(guest_get('/')->{status}, 200, 'goes on');
    quit($vm);
}


sub instant_fails {
    my $vm = vmm();
    my $file = spew(tmpdir() . '/kernel', '');
    my @same = (kernel => $file, runtime => $file);

    is(configure($vm, @same, function => instant_image('fail=start')), '',
        'fail=start');
    is(fault(start($vm)),
        'Start microvm error: the function image says fail=start', 'refused');
    put($vm, '/drives/function', drive_id => 'function', is_root_device => \0,
        path_on_host => instant_image('fail=sometimes'));
    is(fault(start($vm)), 'Start microvm error: function image: '
        . 'fail=sometimes: must be start, panic, silent, hang or cut',
        'a bad setting');

    my $bad = config_drive(address => 'here');
    put($vm, '/drives/function', drive_id => 'function', is_root_device => \0,
        path_on_host => instant_image());
    put($vm, '/drives/config', drive_id => 'config', is_root_device => \0,
        path_on_host => $bad);
    like(fault(start($vm)), qr/config drive: .*address.*here/, 'a bad drive');
    put($vm, '/drives/config', drive_id => 'config', is_root_device => \0,
        path_on_host => config_drive());
    is(start($vm)->{status}, 204, 'and then it starts');
    is(guest_get('/')->{status}, 200, 'and answers');
    stop($vm);

    $vm = instant('fail=panic');
    exits($vm, 0, 'fail=panic: as with reboot=k, exit 0');
    like(slurp($vm->{console}), qr/Kernel panic - not syncing/, 'its console');

    $vm = instant('fail=silent');
    ok(!tcp(80, Timeout => 1), 'fail=silent: refused');
    ok(tcp(1024), 'though the guest is up');
    stop($vm);

    $vm = instant('fail=hang');
    my $q = http_send(80, '/', host => $guest, netns => $ns);
    ok(!IO::Select->new($q->sock)->can_read(0.5), 'fail=hang: no answer');
    stop($vm);

    $vm = instant('fail=cut', 'body=0123456789');
    my $sock = tcp(80);
    $sock->syswrite("GET / HTTP/1.1\r\n\r\n");
    my $got = '';
    1 while $sock->sysread($got, 4096, length $got);
    like($got, qr/Content-Length: 10\r\n.*\r\n\r\n01234\z/s,
        'fail=cut: half the answer');
    stop($vm);

    $vm = instant('exit_after=2', 'status=503', 'body=x');
    is(guest_get('/')->{status}, 503, 'exit_after=2: one');
    is(guest_get('/')->{body}, 'x', 'two');
    exits($vm, 0, 'the end');

    my $t = now();
    $vm = instant('boot_ms=400');
    my $early = tcp(80, Timeout => 0.1) && now() - $t < 0.4;
    ok(!$early, 'boot_ms=400: not yet');
    wait_for(sub { tcp(80, Timeout => 0.2) }, 5, 'the port');
    ok(now() - $t >= 0.4, 'then it accepts');
    stop($vm);
}


# kB of memory
sub memory {
    my ($vm) = @_;
    my ($kb) = slurp('/proc/' . $vm->{proc}->pid . '/status')
        =~ /^VmRSS:\s+(\d+) kB/m;

    return $kb;
}


# writes without reading, as far as the peer takes it; the bytes written
sub stuff {
    my ($sock, $data) = @_;
    my $sent = 0;

    $sock->blocking(0);

    while ($sent < length $data && IO::Select->new($sock)->can_write(1)) {
        $sent += $sock->syswrite($data, length($data) - $sent, $sent) // last;
    }

    $sock->blocking(1);
    return $sent;
}


# so many bytes, or what came until the end
sub drink {
    my ($sock, $n) = @_;
    my $got = '';

    while (length $got < $n && IO::Select->new($sock)->can_read(10)) {
        $sock->sysread($got, $n - length $got, length $got) or last;
    }

    return $got;
}


sub instant_slow_readers {
    my $vm = instant('body=' . 'x' x 4000);
    my $before = memory($vm);
    my $sock = tcp(80);

    stuff($sock, "GET / HTTP/1.1\r\n\r\n" x 18000);
    is(guest_get('/')->{status}, 200, 'beside 70 MiB of answers nobody reads');
    cmp_ok(memory($vm) - $before, '<', 16384, 'they are not heaped up');

    my $got = drink($sock, 4 * 1024 * 1024);
    cmp_ok(scalar(() = $got =~ m{^HTTP/1.1 200 }mg)
        + scalar(() = $got =~ m{xHTTP/1.1 200 }g), '>', 1000,
        'and come when they are read');
    close $sock;

    $sock = tcp(1024);
    my $frames = int(stuff($sock, pack('N/a*', '{}') x 40000) / 6);
    my $one = pack 'N/a*', '{"ok":false,"error":"op is not a string"}';
    $got = drink($sock, $frames * length $one);
    ok($got eq $one x $frames, "$frames frames are answered as well");
    stop($vm);
}


# its TAP deleted under it
sub instant_without_tap {
    $ns->run(qw(ip tuntap add dev tap1 mode tap));
    $ns->run(qw(ip link set tap1 up));

    my $vm = vmm();
    my $file = spew(tmpdir() . '/kernel', '');

    configure($vm, kernel => $file, runtime => $file,
        function => instant_image());
    is(put($vm, '/network-interfaces/eth0', iface_id => 'eth0',
        host_dev_name => 'tap1')->{status}, 204, 'another TAP');
    is(start($vm)->{status}, 204, 'started');
    $ns->run(qw(ip link del tap1));

    my $ticks = sub {
        my @stat = split ' ', slurp('/proc/' . $vm->{proc}->pid . '/stat');
        return $stat[13] + $stat[14];
    };
    my $before = $ticks->();

    select undef, undef, undef, 0.5;
    cmp_ok($ticks->() - $before, '<', 5, 'it does not turn round and round');
    is(call($vm, 'GET', '/')->{status}, 200, 'its API answers');
    quit($vm);
}


sub qemu_fails {
    my %have = (function => instant_image(), runtime => instant_image());
    my $vm = vmm(backend => 'qemu', env => { PATH => '/sbin' });

    is(configure($vm, %have, kernel => instant_image()), '', 'configured');
    like(fault(start($vm)), qr/kernel .*: neither ELF nor bzImage/,
        'a kernel that is none');

    put($vm, '/boot-source', kernel_image_path => "$^X");
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
        skip 'no QEMU', 3 unless have_qemu();

        $vm = vmm(backend => 'qemu');
        is(configure($vm, %have, kernel => $^X), '', 'configured');
        like(fault(start($vm)), qr/QEMU ended with status 1: .*kernel/,
            'another kind of ELF, in QEMU\'s words');
        is(json_decode(call($vm, 'GET', '/')->{body})->{state}, 'Not started',
            'not started');
        quit($vm);
    }
}


sub have_qemu {
    return scalar grep { -x "$_/qemu-system-x86_64" } split /:/, $ENV{PATH};
}


sub qemu_children {
    my @found;

    for my $dir (glob '/proc/[0-9]*') {
        my $line = eval { slurp("$dir/cmdline") } // '';
        push @found, $dir if $line =~ /\Aqemu-system-x86_64\0-name\0\Q$_[0]\E\0/;
    }

    return @found;
}


# a real guest, up; undef if this host cannot
sub real_guest {
    my (%opt) = @_;

    unless (have_qemu() && -e "$images/functions/hello.img") {
        return undef;
    }

    my $vm = vmm(backend => 'qemu', %opt);

    POSIX::mkfifo($vm->{console}, 0600) or die if $opt{fifo};

    is(configure($vm, initrd => "$images/initramfs.img",
        function => "$images/functions/hello.img", vcpus => $opt{vcpus}), '',
        'configured');
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
        my $vm = real_guest(fifo => 1) or skip 'no QEMU or no images', 1;
        is(guest_get('/')->{status}, 200, 'a real guest answers');

        my $old = op(tcp(1024), { op => 'time', ms => time * 1000 });
        ok($old->{ok}, 'its control port too');
        stop($vm);
        is(scalar(qemu_children($vm->{id})), 0, 'no QEMU is left');

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
        my ($dir) = qemu_children($vm->{id});
        ok($dir, 'QEMU is there');
        kill 'KILL', $dir =~ /(\d+)/;
        exits($vm, 1, 'QEMU killed: exit 1');
    }
}


sub qemu_dies_with_us {
  SKIP: {
        my $vm = real_guest(pidns => 1) or skip 'no QEMU or no images', 1;
        my ($dir) = qemu_children($vm->{id});

        ok($dir, 'QEMU in a PID namespace');
        my ($first) = grep { slurp("$_/status") =~ /^NSpid:\s+\d+\s+1$/m
            && slurp("$_/cmdline") =~ /\Q$vm->{sock}\E/ }
            grep { -r "$_/cmdline" } glob '/proc/[0-9]*';
        kill 'KILL', $first =~ /(\d+)/;
        wait_for(sub { !grep { slurp("$_/stat") !~ /\) Z / }
            qemu_children($vm->{id}) }, 10, 'QEMU\'s end');
        pass('is gone with its first process');
        $vm->{proc}->wait(10);
    }
}
