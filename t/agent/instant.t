#!/usr/bin/perl

# The VMM stand-in's instant machine: everything around a guest, and none.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Standin;
use IO::Select;
use Test::More;

lay_network('instant');

instant_serves();
instant_many();
instant_control();
instant_fails();
instant_sizes();
instant_steps();
instant_slow_readers();
instant_without_tap();

done_testing();


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
        . 'fail=sometimes: must be start, pause, save, load, panic, silent, '
        . 'hang or cut',
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


# as long an answer as is wanted, also longer than anything else here
sub instant_sizes {
    for my $size (1, 4096, 65537, 8 * 1024 * 1024) {
        my $vm = instant("body_bytes=$size", 'body=0123456789');
        my $body = guest_get('/', timeout => 60)->{body};
        is(length $body, $size, "body_bytes=$size");
        is(substr($body, -1), substr('0123456789', ($size - 1) % 10, 1),
            'to its end');
        stop($vm);
    }
}


# Each call of a machine's life: refused, never answered, or the end.
sub instant_steps {
    my %files = (snapshot_path => tmpdir() . '/state',
        mem_file_path => tmpdir() . '/memory');
    my %call = (
        start => sub { start($_[0]) },
        pause => sub { call($_[0], 'PATCH', '/vm', '{"state":"Paused"}') },
        save => sub { put($_[0], '/snapshot/create', %files) },
        load => sub { put($_[0], '/snapshot/load', %files) });
    my @steps = qw(start pause save);
    my $image = tmpdir() . '/steps.img';

    # the file stays the same, so that a snapshot finds it
    my $set = sub { spew($image, slurp(instant_image(@_))) };
    my $up = sub {
        $set->(@_);
        my $vm = vmm();
        my $file = spew(tmpdir() . '/kernel', '');
        is(configure($vm, kernel => $file, runtime => $file,
            function => $image), '', "@_");
        return $vm;
    };
    my $to = sub {
        my ($vm, $step) = @_;
        for (@steps) {
            return if $_ eq $step;
            is($call{$_}->($vm)->{status}, 204, "$_ is answered");
        }
    };

    for my $step (@steps, 'load') {
        my $new = sub {
            my ($want) = @_;
            my $vm = $up->($step eq 'load' ? () : $want);
            $to->($vm, $step);
            return $vm if $step ne 'load';
            quit($vm);
            $set->($want);
            return vmm();
        };

        my $refused = "fail=$step";
        my $vm = $new->($refused);
        like(fault($call{$step}->($vm)),
            qr/the function image says $refused/, 'is refused');
        $step eq 'load' ? exits($vm, 1, 'and ends it') : quit($vm);

        $vm = $new->("hang=$step");
        is(curl('--unix-socket', $vm->{sock}, '-m', 0.5, '-X',
            $step eq 'pause' ? 'PATCH' : 'PUT', '-d', json_encode(
                $step eq 'start' ? { action_type => 'InstanceStart' }
                : $step eq 'pause' ? { state => 'Paused' } : \%files),
            'http://localhost/' . { start => 'actions', pause => 'vm',
                save => 'snapshot/create', load => 'snapshot/load' }->{$step}
            )->{status}, 0, 'no answer');
        is(call($vm, 'GET', '/')->{status}, 200, 'though its API answers');
        quit($vm);

        $vm = $new->("exit=$step");
        isnt($call{$step}->($vm)->{status}, 204, 'no answer');
        exits($vm, 1, 'it has ended');
    }

    my $vm = $up->('exit=boot');
    is(start($vm)->{status}, 204, 'started');
    exits($vm, 1, 'and ended');

    $vm = $up->('exit=answer');
    start($vm);
    isnt(eval { guest_get('/', timeout => 10)->{status} } // 0, 200,
        'no answer');
    exits($vm, 1, 'but the end');
}


sub memory {
    my ($vm) = @_;
    my ($kb) = slurp('/proc/' . $vm->{proc}->pid . '/status')
        =~ /^VmRSS:\s+(\d+) kB/m;

    return $kb;
}


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
