#!/usr/bin/perl

# The agent's reverse proxy: places, drain and close, limits and timeouts.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use POSIX ();
use ProxyHost;
use Test::More;
use Time::HiRes qw(time);

my $OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
my $END = qr/\r\n\r\n/;

my $h = ProxyHost->new('-T', 'secret', '-q', 2, '-Q', 300, '-h', 400,
                       '-c', 500);
my ($r, $c, $g, $got, $t);


subtest 'full, queued, busy' => sub {
    $r = $h->route('conc', concurrency => 1);
    my @c = map { client($r) } 1 .. 4;
    wr($c[0], req('GET /0'));
    $g = guest_accept($r);
    rd($g, $END);

    for (1, 2) {
        wr($c[$_], req("GET /$_"));
        $h->stat('conc');
    }

    # these two are in the queue once a third is refused
    my $busy;
    until_true {
        my $s = client($r);
        wr($s, req('GET /3'));
        $busy = rd($s, qr/\}\n/, 0.1);
        $busy =~ /503/;
    };
    like($busy, qr/Unsent: busy\r\n/, '503 busy at once: the queue is full');
    is($h->stat('conc')->{inflight}, 1, 'one in flight');
    ok(guest_idle($r, $g), 'nothing else reached the guest');

    wr($g, $OK);
    rd($c[0], qr/ok\z/);
    like(rd($g, $END), qr{^GET /1 }, 'the first in the queue is next');
    close $c[2];
    wr($g, $OK);
    like(rd($c[1], qr/ok\z/), qr/200/, 'answered');
    ok($h->idle('conc'), 'one that left the queue is forgotten');

    wr($c[0], req('GET /4'));
    rd($g, $END);
    wr($c[1], req('GET /5'));
    $t = time;
    like(rd($c[1], qr/\}\n/), qr/Unsent: busy\r\n/, '503 busy: queued');
    cmp_ok(time - $t, '>', 0.25, 'for queue_ms');
    cmp_ok(time - $t, '<', 3, 'and not longer');
    wr($g, $OK);
    rd($c[0], qr/ok\z/);
};

subtest 'drain' => sub {
    $r = $h->route('drain');
    $c = client($r);
    my $c2 = client($r);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    $h->cmd('drain drain 1');
    wr($c2, req('POST /', body => 'x' x 100));
    $got = rd($c2, qr/\}\n/);
    like($got, qr{^HTTP/1.1 503 .*Unsent: draining\r\n}s, '503 draining');
    unlike($got, qr/Connection: close/, 'the connection is kept');
    ok(guest_idle($r, $g), 'nothing reached the guest');
    is($h->stat('drain')->{drained}, 1, 'counted');
    is($h->stat('drain')->{inflight}, 1, 'the one before goes on');
    wr($g, $OK);
    like(rd($c, qr/ok\z/), qr/200/, 'and is answered');
    $h->cmd('drain drain 0');
    wr($c2, req('GET /'));
    rd($g, $END);
    wr($g, $OK);
    like(rd($c2, qr/ok\z/), qr/200/, 'revived');
};

subtest 'close' => sub {
    $r = $h->route('end');
    my ($busy, $idle, $new) = map { client($r) } 1 .. 3;
    wr($busy, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    $h->cmd('close end 300 5000 0');
    wr($new, req('GET /'));
    like(rd($new, qr/\}\n/), qr{Unsent: draining\r\n.*Connection: close}s,
         'draining, and the connection ends');
    is($h->line(0.6), undef, 'not over before those in flight');
    wr($g, $OK);
    like(slurp($busy), qr/Connection: close\r\n.*ok\z/s, 'answered');
    is($h->line, 'closed end', 'then it is over');
    ok(ended($idle), 'idle connections end with it');
    ok(!IO::Socket::INET->new("127.0.0.1:$r->{port}"), 'the port is free');

    $r = $h->route('grace');
    $busy = client($r);
    my $mid = client($r);
    wr($busy, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($mid, req('GET /'));
    my $g2 = guest_accept($r);
    rd($g2, $END);
    wr($g2, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    rd($mid, qr/abc\z/);
    $h->cmd('close grace 0 200 0');
    like(slurp($busy), qr/^HTTP\/1.1 502 .*"gone"/s,
         'after the grace: 502 where no answer had begun');
    ok(ended($mid), 'the end where one had');
    ok(ended($g) && ended($g2), 'the guest connections too');
    is($h->line, 'closed grace', 'over');

    $r = $h->route('dead');
    $c = client($r);
    $h->cmd('close dead 300 0 1');
    wr($c, req('POST /', body => 'x'));
    like(rd($c, qr/\}\n/), qr/Unsent: gone\r\n/, 'a dead guest is "gone"');
    is($h->line, 'closed dead', 'over');
};

# The guest ends while its last requests are awaited: nobody waits out the grace
# for it.
subtest 'a guest that dies while its route closes' => sub {
    $r = $h->route('dying');
    my ($busy, $mid, $idle) = map { client($r) } 1 .. 3;
    wr($idle, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, $OK);
    rd($idle, qr/ok\z/);
    wr($busy, req('GET /'));
    rd($g, $END);
    wr($mid, req('GET /'));
    my $g2 = guest_accept($r);
    rd($g2, $END);
    wr($g2, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    rd($mid, qr/abc\z/);
    $h->cmd('close dying 600 60000 0');
    $h->cmd('dead dying');
    like(rd($busy, qr/\}\n/), qr/^HTTP\/1.1 502 .*"gone"/s,
         'what it had is told at once');
    ok(ended($mid), 'an answer that had begun ends');
    ok(ended($g) && ended($g2), 'as do its connections');
    wr($idle, req('POST /', body => 'x'));
    like(rd($idle, qr/\}\n/), qr/ 503 .*Unsent: gone\r\n/s,
         'what comes now is "gone", not "draining"');
    is($h->line, 'closed dying', 'over, long before the grace');

    # a listener whose queue is full takes no connection
    my $crowded = IO::Socket::INET->new(Listen => 1,
                                        LocalAddr => '127.0.0.1');
    my $port = $crowded->sockport;
    my @fill = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $port, Blocking => 0) } 1 .. 4;
    $r = $h->route('unmet', port => $port);
    $c = client($r);
    wr($c, req('POST /', body => 'x'));
    until_true { $h->stat('unmet')->{inflight} == 1 };
    $h->cmd('close unmet 0 60000 0');
    $h->cmd('dead unmet');
    like(rd($c, qr/\}\n/), qr/ 503 .*Unsent: gone\r\n.*the instance is gone/s,
         'what waits for a connection was not sent');
    is($h->line, 'closed unmet', 'and it is over');
};

# A request that a gateway is just sending on an idle connection was not sent to
# a guest, and is told so, whenever it comes.
subtest 'idle connections of a dead guest' => sub {
    $r = $h->route('idle');
    my @c = map { client($r) } 1 .. 4;

    for (@c) {
        wr($_, req('GET /'));
        $g = guest_accept($r) if $_ == $c[0];
        rd($g, $END);
        wr($g, $OK);
        rd($_, qr/ok\z/);
    }

    my $busy = client($r);
    wr($busy, req('POST /', body => 'x'));
    my $g2 = guest_accept($r, 0.5) // $g;
    rd($g2, qr/x\z/);
    $h->cmd('close idle 500 0 1');
    like(rd($busy, qr/\}\n/), qr/ 502 .*"gone"/s, 'what the guest had: 502');
    ok(ended($g2), 'the guest connection ends');

    wr($c[0], req('POST /', body => 'x'));
    like(rd($c[0], qr/\}\n/),
         qr/ 503 .*Unsent: gone\r\n.*Connection: close.*"f"/s,
         'an idle connection: unsent');
    $c = client($r);
    wr($c, req('POST /', body => 'x'));
    like(rd($c, qr/\}\n/), qr/ 503 .*Unsent: gone\r\n/s, 'a new one as well');

    # with the end of the route under way, and after it
    $h->stopped(sub {
        my $since = time;
        until_true { time - $since > 0.6 };
        wr($c[1], req('POST /', body => 'x'));
    });
    like(rd($c[1], qr/\}\n/), qr/ 503 .*Unsent: gone\r\n/s, 'at its end');
    is($h->line, 'closed idle', 'the route is over');
    ok(!IO::Socket::INET->new("127.0.0.1:$r->{port}"), 'so is its port');
    wr($c[2], req('POST /', function => 'other-f', body => 'x'));
    like(rd($c[2], qr/\}\n/),
         qr/ 503 .*Unsent: gone\r\n.*Connection: close.*"other-f"/s,
         'and still: unsent');
    ok(ended($c[2]), 'then it ends');
    wr($c[3], req('POST /', token => 'x'));
    like(rd($c[3], qr/\}\n/), qr/ 403 /s, 'to those who may ask');
};

# What the gateway gives up on is counted; it alone ends a request.
subtest 'requests that take too long' => sub {
    $r = $h->route('late', timeout => 1000);
    my $timeouts = sub { $h->stat('late')->{timeouts} };
    my $ask = sub {
        $c = client($r);
        wr($c, req('POST /', body => 'x', @_));
        $g = guest_accept($r);
        rd($g, qr/x\z/);
    };

    $ask->();
    ok(until_true { $timeouts->() == 1 }, 'counted while they take it');
    wr($g, $OK);
    like(rd($c, qr/ok\z/), qr/200/, 'not ended by the proxy');
    is($timeouts->(), 1, 'too late an answer is none');
    close $g;

    # the gateway's clock begins before ours
    $ask->();
    my $since = time;
    until_true { time - $since > 0.85 };
    close $c;
    ok(until_true { $timeouts->() == 2 }, 'a gateway that gives up then');
    ok(ended($g), 'the guest is told');

    $ask->();
    close $c;
    ok(ended($g), 'a client that leaves earlier');
    is($timeouts->(), 2, 'is none of them');

    # the guest answers bit by bit
    $ask->();
    wr($g, "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n");
    $since = time;
    for my $n (1 .. 12) {
        until_true { time - $since > $n * 0.1 };
        wr($g, 'x');
    }
    is($timeouts->(), 2, 'nor is one that streams');
    wr($g, 'x' x 8);
    rd($c, qr/x{20}\z/);
    ok(until_true { $timeouts->() == 0 }, 'an answer begins anew');
    close $g;

    # it is the client that is waited for
    $c = client($r);
    wr($c, req('POST /', raw => 1, fields => "Content-Length: 9\r\n"));
    $g = guest_accept($r);
    rd($g, $END);
    $since = time;
    until_true { time - $since > 1.2 };
    is($timeouts->(), 0, 'a body that does not come is not the guest\'s');
    close $c;
    ok(ended($g), 'it leaves');

    $c = client($r);
    wr($c, req('GET /', fields => "Connection: Upgrade\r\nUpgrade: x\r\n"));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n");
    rd($c, $END);
    $since = time;
    until_true { time - $since > 1.2 };
    is($timeouts->(), 0, 'a tunnel has no such time');
    close $c;

    # many at once, of which the first is the last to be late
    my @c = map { client($r) } 1 .. 3;
    my @g = map { wr($_, req('POST /', body => 'x')); guest_accept($r) } @c;
    rd($_, qr/x\z/) for @g;
    close $c[0];
    ok(until_true { $timeouts->() == 2 }, 'several at once');
    close $_ for @c[1, 2];
    ok($h->idle('late'), 'all are gone');
    is($timeouts->(), 2, 'and counted once');
};

# A child keeps the sockets open for a moment, so that closing one here does
# not take it off epoll.
subtest 'while a VMM is being started' => sub {
    $r = $h->route('forked');
    $c = client($r);
    my $idle = client($r);
    wr($c, req('GET /', fields => "Connection: close\r\n"));
    $g = guest_accept($r);
    rd($g, $END);
    is($h->cmd('hold'), 'ok', 'a child has copies of all sockets');
    wr($g, "HTTP/1.1 200 OK\r\nConnection: close\r\n"
       . "Content-Length: 2\r\n\r\nok");
    rd($c, qr/ok\z/);
    ok($h->idle('forked'), 'both connections are closed');
    wr($c, 'x');
    wr($g, 'x');
    wr($idle, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, $OK);
    like(rd($idle, qr/ok\z/), qr/200/, 'what comes on them is ignored');
    is($h->cmd('release'), 'ok', 'the child is gone');
    ok(ended($c), 'the client sees the end');
};

my ($status, $log) = $h->quit;
is($status, 0, 'ends well with routes open');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer report');

# how many of these have been closed
sub closed_of {
    my $closed = 0;

    for my $s (@_) {
        $closed++ if IO::Select->new($s)->can_read(0) && ended($s, 0.1);
    }

    return $closed;
}

subtest 'few descriptors' => sub {
    $h = ProxyHost->new('-n', 64, '-T', 'secret');
    my $cpu = sub { open my $f, '<', "/proc/$h->{pid}/stat" or die $!;
                    my @f = split ' ', <$f>; $f[13] + $f[14] };
    my $other = $h->route('other');
    $r = $h->route('fds');

    # a gateway's, idle, and older than all that comes
    my $known = client($r);
    wr($known, req('GET /'));
    my $kept = guest_accept($r);
    rd($kept, $END);
    wr($kept, $OK);
    rd($known, qr/ok\z/);

    my @c = map { client($r) } 1 .. 100;
    ok(until_true { closed_of(@c) > 60 }, 'strangers make room for strangers');
    my $before = $cpu->();
    is($h->line(1), undef, 'a second passes');
    cmp_ok($cpu->() - $before, '<', 20, 'without spinning');
    ok(!closed_of($c[-1]), 'the oldest goes first');
    wr($c[-1], req('GET /a'));
    like(rd($kept, $END), qr{^GET /a }, 'what they send is served');
    wr($kept, $OK);
    rd($c[-1], qr/ok\z/);
    $c = client($other);
    wr($c, req('GET /b'));
    ok($g = guest_accept($other), 'and they stop nobody else');
    rd($g, $END);
    wr($g, $OK);
    like(rd($c, qr/ok\z/), qr/200/, 'from being served');
    wr($known, req('GET /c'));
    like(rd($kept, $END), qr{^GET /c }, 'nor close what a gateway keeps');
    wr($kept, $OK);
    rd($known, qr/ok\z/);
    close $_ for @c, $c, $g, $known, $kept;

    # gateways' own, when there are no others
    @c = ();
    undef $kept;

    for (1 .. 60) {
        push @c, $c = client($r);
        wr($c, req('GET /'));
        $kept //= guest_accept($r);
        rd($kept, $END);
        wr($kept, $OK);
        rd($c, qr/ok\z/);
    }

    cmp_ok(closed_of(@c), '>', 20, 'of gateways\' own the oldest goes');
    ok(ended($c[0], 0.1), 'the first is closed');
    ok(!closed_of($c[-1]), 'the last is not');
    close $_ for @c, $kept;

    # all in flight: one is told so, and the next one too
    my ($busy, @g);
    @c = ();

    do {
        push @c, $c = client($r);
        wr($c, req('POST /', body => 'x'));
        push @g, $g = guest_accept($r, 0.5);
        $busy = $g ? '' : rd($c, qr/\}\n/);
        die 'never busy' if @c > 64;
    } until $busy;

    like($busy, qr/Unsent: busy\r\n/, 'none left for a guest: 503 busy');
    $c = client($r);
    wr($c, req('POST /', body => 'x'));
    like(rd($c, qr/\}\n/), qr/Unsent: busy\r\n/, 'nobody is left waiting');
    close $c[0];
    close $c[-1];
    wr($c, req('POST /', body => 'x'));
    ok($g = guest_accept($r), 'served when there is room again');
    close $_ for @c, $c, grep { $_ } @g, $g;

    # the kernel's own limit
    system('prlimit', '--nofile=10:64', '--pid', $h->{pid});
    $c = client($r);
    $before = $cpu->();
    is($h->line(1), undef, 'none at all, for a second');
    cmp_ok($cpu->() - $before, '<', 20, 'without spinning');
    system('prlimit', '--nofile=64:64', '--pid', $h->{pid});
    wr($c, req('GET /'));
    ok($g = guest_accept($r), 'then that client is served');
    ($status, $log) = $h->quit;
    is($status, 0, 'ends well');
    my $told = () = $log =~ /"proxy: [^"]*: Too many open files/g;
    ok($told >= 1 && $told <= 3, 'a line now and then tells of it');
};

subtest 'many idle connections' => sub {
    $h = ProxyHost->new('-T', 'secret');
    $r = $h->route('many');
    my ($kids, $each) = (4, 300);
    my (@pids, @told, @asked);

    # so that none of us needs more descriptors than there may be
    for (1 .. $kids) {
        pipe my $told, my $tell or die "pipe: $!";
        pipe my $ask, my $asked or die "pipe: $!";
        my $pid = fork // die "fork: $!";

        if (!$pid) {
            my @c = map { client($r) } 1 .. $each;
            syswrite $tell, "ready\n";
            sysread $ask, my $go, 1;
            syswrite $tell, closed_of(@c) . "\n";
            POSIX::_exit(0);
        }

        push @pids, $pid;
        push @told, $told;
        push @asked, $asked;
    }

    is(scalar <$_>, "ready\n", 'connected') for @told;
    # accepted, too: one that came after all of them is served
    $c = client($r);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    my $closed = 0;
    syswrite $_, '.' for @asked;
    $closed += <$_> for @told;
    # that one was idle, too, before it asked
    is($closed, $kids * $each + 1 - 1024, '1024 of a route may be idle');
    waitpid $_, 0 for @pids;
    wr($g, $OK);
    like(rd($c, qr/ok\z/), qr/200/, 'and one that asks is none of them');
    ($status) = $h->quit;
    is($status, 0, 'ends well');
};

subtest 'limits of its own' => sub {
    $h = ProxyHost->new('-a', '127.0.0.9', '-i', 200);
    $r = $h->route('deny');
    ok(ended(client($r)), 'a client that is not allowed is closed');
    ($status) = $h->quit;
    is($status, 0, 'ends well');

    $h = ProxyHost->new('-q', 1, '-Q', 60000);
    $r = $h->route('early', concurrency => 1);
    $c = client($r);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    my $queued = client($r);
    my $third;
    wr($queued, req('POST /', body => 'x'));
    until_true {
        $third = client($r);
        wr($third, req('GET /'));
        rd($third, qr/\}\n/, 0.1) =~ /503/;
    };
    $h->cmd('quit');
    like(slurp($c), qr/^HTTP\/1.1 502 .*"gone"/s,
         'ending it all cuts what is in flight');
    like(slurp($queued), qr/^HTTP\/1.1 503 .*Unsent: /s,
         'and tells those in the queue that they were not sent');
    ($status) = $h->quit;
    is($status, 0, 'ends well');

    $h = ProxyHost->new;
    $r = $h->route('early');
    $c = client($r);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    $h->cmd('close early 60000 60000 0');
    $h->cmd('quit');
    like(slurp($c), qr/^HTTP\/1.1 502 .*"gone"/s,
         'with a close under way as well');
    is($h->line, 'closed early', 'and runs the callback');
    ($status) = $h->quit;
    is($status, 0, 'ends well');

    $h = ProxyHost->new;
    $r = $h->route('last');
    $c = client($r);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    $h->cmd('end last');
    like(slurp($c), qr/^HTTP\/1.1 502 .*"gone"/s, 'a route is closed');
    is($h->line, 'closed last', 'its callback ends the proxy');
    waitpid $h->{pid}, 0;
    is($?, 0, 'ends well');

    $h = ProxyHost->new('-i', 200);
    $r = $h->route('idle');
    $c = client($r);
    ok(ended($c), 'idle connections end');
    ($status) = $h->quit;
    is($status, 0, 'ends well');
};

subtest 'clients that stand still' => sub {
    $h = ProxyHost->new('-b', 1000);
    $r = $h->route('still');
    my ($slow, $steady, $tunnel, $early, $deaf) = map { client($r) } 1 .. 5;
    my %g;
    my $ask = sub {
        my ($name, $s, @req) = @_;
        wr($s, req(@req));
        $g{$name} = guest_accept($r);
        rd($g{$name}, $END);
    };

    $ask->('slow', $slow, 'GET /');
    $ask->('tunnel', $tunnel, 'GET /', fields => "Connection: Upgrade\r\n"
           . "Upgrade: x\r\n");
    wr($g{tunnel}, "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\n"
       . "Upgrade: x\r\n\r\n");
    rd($tunnel, $END);
    $ask->('early', $early, 'POST /', raw => 1,
           fields => "Content-Length: 10\r\n");
    wr($g{early}, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
    rd($early, $END);
    $ask->('deaf', $deaf, 'GET /');
    wr($g{deaf}, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    fill($g{deaf});
    $ask->('steady', $steady, 'POST /', raw => 1,
           fields => "Content-Length: 10\r\n");
    $c = client($r);
    $ask->('half', $c, 'POST /', raw => 1, fields => "Content-Length: 10\r\n");
    $t = time;
    wr($c, 'abc');

    for my $n (1 .. 9) {
        my $until = $t + $n * 0.15;
        until_true { time > $until };
        wr($steady, 'x');
    }

    $got = slurp($c);
    like($got, qr/^HTTP\/1.1 408 .*Connection: close.*"body_timeout"/s,
         'no more of a body: 408');
    is(rd($g{half}, qr/(?!)/), 'abc!END', 'the guest sees the end of it');
    like(rd($g{deaf}, qr/(?!)/), qr/!END\z/, 'a client that reads no more');
    is($h->stat('still')->{inflight}, 4, 'both have left their places');

    wr($steady, 'x');
    rd($g{steady}, qr/x\z/);
    wr($g{$_}, $OK) for qw(steady slow);
    like(rd($steady, qr/ok\z/), qr/200/, 'a slow but steady body goes on');
    like(rd($slow, qr/ok\z/), qr/200/, 'a slow guest is waited for');
    # nginx stops sending the body once it has an answer's head
    wr($g{early}, 'late');
    is(rd($early, qr/late/), 'late', 'and the rest of an early answer');
    wr($tunnel, 'up');
    is(rd($g{tunnel}, qr/up/), 'up', 'tunnels may be silent');
    ($status) = $h->quit;
    is($status, 0, 'ends well');
};

done_testing();
