#!/usr/bin/perl

# fcfaas-agent and fcfaas-proxy when one of them is stopped, mad, of another
# version or user, or out of descriptors.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Socket::UNIX;
use POSIX ();
use RouteHost;
use Socket qw(AF_UNIX SOCK_SEQPACKET SOL_SOCKET pack_sockaddr_un);
use Test::More;

my $dir = tmpdir();
chmod 0711, $dir;
my $guest = RouteHost::guest();
my $n = 0;

sub socket_path { "$dir/faults-" . ++$n . '.sock' }

# all its threads stand still: until then one may still accept
sub stand_still {
    my ($pid) = @_;

    kill 'STOP', $pid;
    wait_for(sub { !grep { slurp($_) !~ /\) [Tt] / } glob
        "/proc/$pid/task/*/stat" }, 20, "process $pid to stand still");
}

sub seqpacket {
    socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die "socket: $!";
    return $s;
}

sub connected {
    my ($path) = @_;
    my $s = seqpacket();
    connect $s, pack_sockaddr_un($path) or die "connect $path: $!";
    return $s;
}

# the head and body of a message; see agent/wire/wire.h
my %TYPE = (HELLO => 1, ACCESS => 2, LIST => 3, OPEN => 4, DRAIN => 5,
    CLOSE => 6, PING => 7, BYE => 8, WELCOME => 9, ROUTE => 10, LISTED => 11,
    DONE => 12, CLOSED => 13, PONG => 14);

sub message {
    my ($type, $body, %o) = @_;
    $body //= '';
    return pack('LSSLL', 0x70636166, $o{version} // 2,
        $TYPE{$type} // $type, $o{len} // 16 + length $body, $o{seq} // 1)
        . $body;
}

# 1: the peer closed it; 0: it did not
sub closed {
    my ($s, $wait) = @_;
    my $until = now() + ($wait // 20);

    while (now() < $until) {
        vec(my $r = '', fileno $s, 1) = 1;
        select $r, undef, undef, $until - now() or last;
        my $got = sysread $s, my $buf, 4096;
        return 1 if !$got;
    }

    return 0;
}

subtest 'garbage to the proxy' => sub {
    my $socket = socket_path();
    my $h = RouteHost->new(socket => $socket, program => 1, keep => 1);
    $h->up;
    my $port = $h->open('a', $guest);
    is(RouteHost::call($port)->{status}, 200, 'it serves');

    my $other = connected($socket);
    syswrite $other, message('HELLO');
    ok(closed($other), 'a second agent is refused');
    like($h->log, qr/agent \d+ refused: agent \d+ is here/, 'and told so');

    my $user = fork // die "fork: $!";
    if ($user == 0) {
        # as far as the file's mode lets it come
        chmod 0777, $socket;
        POSIX::setgid(61235);
        POSIX::setuid(61235);
        my $s = eval { connected($socket) } or POSIX::_exit(3);
        syswrite $s, message('HELLO');
        POSIX::_exit(closed($s) ? 0 : 1);
    }
    waitpid $user, 0;
    is($? >> 8, 0, 'another user is refused');
    like($h->log, qr/a process of user 61235 is no agent/, 'and told so');

    $h->kill('KILL');
    my @garbage = (
        'x', "\0" x 16, 'y' x 4000, message('OPEN'), message('LIST'),
        message('HELLO', 'x'), message('HELLO', '', len => 17),
        message('HELLO', '', version => 7), message(99), message('PONG'),
    );
    my $seen = 0;

    for my $text (@garbage) {
        my $s = connected($socket);
        syswrite $s, $text;
        $seen++ if closed($s);
    }

    is($seen, scalar @garbage, 'what is no message of an agent is cut off');
    my @after = (
        message('HELLO'), message('OPEN', "\0" x 304), message('ACCESS',
            "\xff" x 528), message('DRAIN', pack 'LL', 80, 2),
        message('DRAIN', pack 'LL', 80, 1), message('CLOSE', pack 'L4', 0),
        message('LIST') . message('LIST'), message('CLOSE', pack 'L4', 80, 0,
            0, 0), message('WELCOME', pack 'L', 1),
    );
    $seen = 0;

    for my $text (@after) {
        my $s = connected($socket);
        syswrite $s, message('HELLO');
        sysread $s, my $welcome, 4096;
        syswrite $s, $text;
        $seen++ if closed($s);
    }

    is($seen, scalar @after, 'nor what an agent may not say then');
    is(RouteHost::call($port)->{status}, 200, 'it serves on');
    $h = RouteHost->new(socket => $socket, program => 1);
    ok($h->up, 'and takes an agent');
    is($h->cmd("take a $port"), 'ok', 'with its route');
    is($h->quit, 0, 'end');
};

# a proxy gone mad: listens, and says what it likes
sub mad_proxy {
    my ($socket, $code) = @_;
    my $pid = fork // die "fork: $!";

    return $pid if $pid;

    $SIG{TERM} = 'DEFAULT';
    POSIX::setgid(RouteHost::USER);
    my $s = seqpacket();
    unlink $socket;
    bind $s, pack_sockaddr_un($socket) or POSIX::_exit(9);
    POSIX::setuid(RouteHost::USER);
    listen $s, 4;
    accept(my $agent, $s);
    eval { $code->($agent) };
    select undef, undef, undef, 60;
    POSIX::_exit(8);
}

sub send_fd {
    my ($s, $text, $fd) = @_;
    my $iov = pack('PQ', $text, length $text);
    my $control = pack('QllLx4', 20, SOL_SOCKET, 1, fileno $fd);
    my $hdr = pack('QLx4PQPQLx4', 0, 0, $iov, 1, $control, 20, 0);

    syscall(46, fileno $s, $hdr, 0) >= 0 or die "sendmsg: $!";
}

# memory as a page of counters has to be, or not
sub page {
    my ($size, $seals) = @_;
    my $name = "page\0";
    my $fd = syscall 319, $name, 3;
    open my $fh, '+<&=', $fd or die "memfd: $!";
    truncate $fh, $size;
    fcntl $fh, 1033, $seals if $seals;
    return $fh;
}

my $PAGE = 65536 * 128;

sub welcome {
    my ($s, $page) = @_;
    sysread $s, my $hello, 4096;
    my (undef, undef, undef, undef, $seq) = unpack 'LSSLL', $hello;
    send_fd($s, message('WELCOME', pack('L', 1), seq => $seq),
        $page // page($PAGE, 7));
}

# seq of the next message of this type
sub await {
    my ($s, $type) = @_;
    while (sysread $s, my $text, 4096) {
        my (undef, undef, $got, undef, $seq) = unpack 'LSSLL', $text;
        return $seq if $got == $TYPE{$type};
    }
}

sub route_body {
    my ($port) = @_;
    return pack('LLLLLLLLQQQx56a16a68a100', $port, 0, 80, 0, 0, 0, 0, 0, 0, 0,
        0, '', 'f', 'a-1');
}

my %mad = (
    'garbage' => [qr/no message/, sub { syswrite $_[0], 'x' x 100 }],
    'a flood' => [qr/PONG, unasked/, sub {
        1 while syswrite $_[0], message('PONG') }],
    'PONG, unasked' => [qr/PONG, unasked/, sub {
        welcome($_[0]);
        syswrite $_[0], message('PONG');
    }],
    'a page that may shrink' => [qr/page of counters/, sub {
        welcome($_[0], page($PAGE, 0)) }],
    'a page too small' => [qr/page of counters/, sub {
        welcome($_[0], page(4096, 7)) }],
    'a page that is none' => [qr/page of counters/, sub {
        welcome($_[0], \*STDERR) }],
    'WELCOME without a page' => [qr/malformed WELCOME/, sub {
        syswrite $_[0], message('WELCOME', pack 'L', 1) }],
    'LISTED with a wrong count' => [qr/wrong count/, sub {
        welcome($_[0]);
        syswrite $_[0], message('LISTED', pack('L', 3),
            seq => await($_[0], 'LIST'));
    }],
    'DONE, unasked' => [qr/DONE, unasked/, sub {
        welcome($_[0]);
        syswrite $_[0], message('DONE', pack('LLx160', 80, 0), seq => 99);
    }],
    'DONE for every port' => [qr/DONE, unasked/, sub {
        welcome($_[0]);
        syswrite $_[0], message('DONE', pack('LLx160', $_, 0), seq => $_)
            for 1 .. 65535;
    }],
    'CLOSED, unasked' => [qr/CLOSED, unasked/, sub {
        welcome($_[0]);
        syswrite $_[0], message('CLOSED', pack 'L', 80);
    }],
    'a port beyond all' => [qr/malformed CLOSED/, sub {
        welcome($_[0]);
        syswrite $_[0], message('CLOSED', pack 'L', 0x10050);
    }],
    'text without an end' => [qr/malformed DONE/, sub {
        welcome($_[0]);
        syswrite $_[0], message('DONE', pack('LL', 80, 1) . 'x' x 160);
    }],
    'ROUTE with a socket that is not its own' => [qr/not its socket/, sub {
        welcome($_[0]);
        my $seq = await($_[0], 'LIST');
        my $listen = IO::Socket::INET->new(Listen => 1,
            LocalAddr => '127.0.0.1');
        send_fd($_[0], message('ROUTE',
            route_body($listen->sockport % 65535 + 1), seq => $seq), $listen);
    }],
    'ROUTE with a file' => [qr/not its socket/, sub {
        welcome($_[0]);
        my $seq = await($_[0], 'LIST');
        send_fd($_[0], message('ROUTE', route_body(8080), seq => $seq),
            page(1, 0));
    }],
    'ROUTE twice' => [qr/contradicts/, sub {
        welcome($_[0]);
        my $seq = await($_[0], 'LIST');
        my $listen = IO::Socket::INET->new(Listen => 1,
            LocalAddr => '127.0.0.1');
        send_fd($_[0], message('ROUTE', route_body($listen->sockport),
            seq => $seq), $listen) for 1, 2;
    }],
);

for my $how (sort keys %mad) {
    subtest "a mad proxy: $how" => sub {
        my $socket = socket_path();
        my $pid = mad_proxy($socket, $mad{$how}[1]);
        wait_for(sub { -S $socket }, 20, 'it to listen');
        my $h = RouteHost->new(socket => $socket, program => 1);
        ok($h->up, 'a sane one is there');
        like($h->log, qr/process $pid: .*$mad{$how}[0].*; killed/,
            'the mad one was killed, and why is told');
        is(waitpid($pid, 0), $pid, 'it ended');
        is($? & 127, 9, 'by SIGKILL');
        my $port = $h->open('a', $guest);
        is(RouteHost::call($port)->{status}, 200, 'and it serves');
        is($h->quit, 0, 'end');
    };
}

subtest 'wild counters' => sub {
    my $socket = socket_path();
    my $pid = mad_proxy($socket, sub {
        my ($s) = @_;
        my $page = page($PAGE, 7);
        syswrite $page, "\xff" x $PAGE;
        welcome($s, $page);
        syswrite $s, message('DONE', pack('LLx160', 0, 0),
            seq => await($s, 'ACCESS'));
        syswrite $s, message('LISTED', pack('L', 0),
            seq => await($s, 'LIST'));
        sysread $s, my $open, 4096;
        my (undef, undef, undef, undef, $seq) = unpack 'LSSLL', $open;
        my $port = unpack 'x16L', $open;
        syswrite $s, message('DONE', pack('LLx160', $port, 0), seq => $seq);
    });
    wait_for(sub { -S $socket }, 20, 'it to listen');
    my $h = RouteHost->new(socket => $socket);
    ok($h->up, 'met');
    $h->open('a', $guest);
    wait_for(sub { $h->stat('a')->{requests} }, 20, 'the route to be open');
    is($h->stat('a')->{inflight}, 0xffffffff, 'read as they are');
    kill 'KILL', $pid;
    waitpid $pid, 0;
    wait_for(sub { $h->stat('a')->{inflight} == 0 }, 20,
        'its end to be noticed');
    is($h->quit, 0, 'nothing came of it');
};

subtest 'one that stands still when its agent ends' => sub {
    my $h = RouteHost->new(socket => socket_path(), program => 1);
    $h->up;
    $h->open('a', $guest);
    my $pid = $h->proxy_pid;
    kill 'STOP', $pid;
    $h->cmd('loop');
    is($h->cmd('free'), 'freed 1', 'it has its time');
    ok($h->event('ended'), 'and is killed');
    ok(is_gone($pid), 'it is');
    my ($longest) = $h->cmd('loop') =~ /^loop (\d+)/;
    cmp_ok($longest, '<', 1000, 'while the loop went on');
    is($h->quit, 0, 'end');
};

subtest 'a proxy of another version' => sub {
    my $socket = socket_path();
    my $pid = mad_proxy($socket, sub {
        sysread $_[0], my $hello, 4096;
        send_fd($_[0], message('WELCOME', pack('L', 1), version => 3),
            page($PAGE, 7));
    });
    wait_for(sub { -S $socket }, 20, 'it to listen');
    my $h = RouteHost->new(socket => $socket, program => 1);
    ok($h->up, 'gives way to one of ours');
    like($h->log, qr/process $pid: it speaks version 3, not 2/, 'told');
    waitpid $pid, 0;
    is($? & 127, 15, 'asked to end');
    is($h->quit, 0, 'end');
};

subtest 'a proxy of another user' => sub {
    my $socket = socket_path();
    my $proxy = RouteHost::proxy(socket => $socket, user => 61235);
    wait_for(sub { -S $socket }, 20, 'it to listen');
    my $h = RouteHost->new(socket => $socket);
    wait_for(sub { $h->log =~ /it is of user 61235, not 61234/ }, 20,
        'it to be refused');
    is($h->cmd('live'), 'live 0', 'it is not used');
    ok($proxy->alive, 'nor killed');
    is($h->quit, 0, 'end');
};

subtest 'a proxy that cannot start' => sub {
    my $h = RouteHost->new(socket => "$dir/no/such/dir.sock", program => 1);
    wait_for(sub { $h->log =~ /has ended 3 times in a row/ }, 30,
        'it to be told');
    is($h->cmd('live'), 'live 0', 'the agent goes on');
    my $starts = () = $h->log =~ /cannot start/g;
    cmp_ok($starts, '<', 10, 'and does not try all the time');
    is($h->quit, 0, 'end');
};

subtest 'a proxy that stands still' => sub {
    my $h = RouteHost->new(socket => socket_path(), program => 1,
        patience => 5);
    $h->up;
    my $pid = $h->proxy_pid;
    my $port = $h->open('a', $guest);
    RouteHost::call($port);
    $h->cmd('loop');
    stand_still($pid);
    my $waits = RouteHost::request($port);
    $h->open("x$_", $guest) for 1 .. 40;
    $h->cmd('drain x1 1');
    $h->cmd('close x2 0 0 0');
    wait_for(sub { $h->log =~ /process $pid, does not answer/ }, 30,
        'it to be told');
    ok(!is_gone($pid), 'it is given time');
    wait_for(sub { $h->log =~ /it has said nothing for 5 s; killed/ }, 30,
        'that to be over');
    $h->met(2);
    ok($h->event('drained x1') && $h->event('closed x2'),
        'what was asked meanwhile is done');
    is(RouteHost::call($port)->{status}, 200, 'the next one serves');
    is($waits->response(20)->{status}, 200, 'who waited is served');
    my ($ms) = $h->cmd('loop') =~ /(\d+)/;
    cmp_ok($ms, '<', 1500, "the loop never stood still: $ms ms");

    kill 'STOP', $h->proxy_pid;
    my $stopped = $h->proxy_pid;
    wait_for(sub { $h->log =~ /process $stopped, does not answer/ }, 30,
        'the same again');
    kill 'CONT', $stopped;
    wait_for(sub { $h->log =~ /answers again/ }, 30, 'it answers');
    is(RouteHost::call($port)->{status}, 200, 'and serves');
    kill 'STOP', $stopped;
    my $t = now();
    is($h->quit, 0, 'the agent ends');
    cmp_ok(now() - $t, '<', 10, 'in time');
    ok(is_gone($stopped), 'the proxy, too');
};

subtest 'an agent that stood still kills nobody' => sub {
    my $h = RouteHost->new(socket => socket_path(), program => 1,
        patience => 2);
    $h->up;
    my $pid = $h->proxy_pid;
    my $port = $h->open('a', $guest);
    RouteHost::call($port);
    $h->kill('STOP');
    my ($until, $bad) = (now() + 4, 0);
    while (now() < $until) {
        $bad++ if RouteHost::call($port)->{status} != 200;
    }
    is($bad, 0, 'the proxy serves meanwhile');
    $h->kill('CONT');
    is($h->cmd('live'), 'live 1', 'it is still there');
    $h->cmd('drain a 1');
    ok($h->event('drained a'), 'and does what it is told');
    is($h->proxy_pid, $pid, 'the same one');
    is($h->quit, 0, 'end');
};

subtest 'the proxy has no descriptors' => sub {
    my $socket = socket_path();
    my $proxy = FcfTest::Proc->spawn(name => 'few', argv => ['sh', '-c',
        'ulimit -n 64; exec "$@"', 'sh', build_dir() . '/agent/fcfaas-proxy',
        "--socket=$socket", '--user=' . RouteHost::USER, '--threads=1']);
    my $h = RouteHost->new(socket => $socket);
    $h->up;
    my @ports = map { $h->open("r$_", $guest) } 1 .. 60;
    wait_for(sub { $h->log =~ /cannot open port \d+: no descriptor is free/ },
        20, 'it to be told');
    is($h->cmd('live'), 'live 1', 'they are still in touch');
    $h->cmd("close r$_ 0 0 0") for 1 .. 50;
    $h->event("closed r$_") for 1 .. 50;
    is(RouteHost::call($ports[-1])->{status}, 200,
        'what could not be opened is, when there is room');
    is($h->quit, 0, 'end');
};

subtest 'the agent has no descriptors' => sub {
    my $socket = socket_path();
    my $h = RouteHost->new(socket => $socket, program => 1, keep => 1);
    $h->up;
    my $pid = $h->proxy_pid;
    my @ports = map { $h->open("r$_", $guest) } 1 .. 30;
    RouteHost::call($ports[-1]);
    $h->kill('KILL');
    $h = RouteHost->new(socket => $socket, keep => 1, files => 24);
    wait_for(sub { $h->log =~ /no descriptor is free for that of a ROUTE/ },
        20, 'it to be told');
    is(RouteHost::call($ports[-1])->{status}, 200, 'they are served on');
    ok(!is_gone($pid), 'the proxy is not to blame');
    $h->kill('KILL');
    $h = RouteHost->new(socket => $socket, program => 1);
    ok($h->up, 'the next one');
    is($h->cmd("take r30 $ports[-1]"), 'ok', 'has room');
    is($h->quit, 0, 'end');
};

done_testing();
