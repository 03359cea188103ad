#!/usr/bin/perl

# The agent's reverse proxy between misbehaving clients and guests.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use ProxyHost;
use Test::More;
use Time::HiRes qw(time);

my $OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
my $END = qr/\r\n\r\n/;

my $h = ProxyHost->new('-T', 'secret', '-q', 2, '-Q', 300, '-h', 400,
                       '-c', 500);
my ($r, $c, $g, $got, $t);


sub idle_stat {
    my ($name) = @_;

    return until_true { $h->stat($name)->{inflight} == 0 };
}


subtest 'a request and its answer, as they are' => sub {
    $r = $h->route('plain');
    $c = client($r);
    wr($c, req('POST /a%20b/%3f?x=1&y', fields => "A:  b \r\nB: c\r\n"
               . "Connection: keep-alive, Foo\r\nFoo: 1\r\nTE: trailers\r\n",
               body => 'body'));
    $g = guest_accept($r);
    is(rd($g, qr/body\z/), "POST /a%20b/%3f?x=1&y HTTP/1.1\r\nHost: h\r\n"
       . "A:  b \r\nB: c\r\nContent-Length: 4\r\n\r\nbody",
       'what the guest gets');
    is($h->stat('plain')->{inflight}, 1, 'in flight');
    wr($g, "HTTP/1.1 201 Made\r\nZ: y\r\nX-Accel-Redirect: /etc\r\n"
       . "X-Fcfaas-Unsent: gone\r\nConnection: keep-alive\r\n"
       . "Content-Length: 3\r\n\r\nabc");
    is(rd($c, qr/abc\z/), "HTTP/1.1 201 Made\r\nZ: y\r\n"
       . "Content-Length: 3\r\n\r\nabc", 'what the client gets');
    ok(idle_stat('plain'), 'no longer in flight');
    is($h->stat('plain')->{requests}, 1, 'counted');

    wr($c, req('GET /2'));
    like(rd($g, $END), qr{^GET /2 }, 'kept alive on both sides');
    wr($g, $OK);
    like(rd($c, qr/ok\z/), qr/^HTTP\/1.1 200/, 'answered');
};

subtest 'heads and bodies in every split' => sub {
    my $wire = req('POST /s', fields => "Transfer-Encoding: chunked\r\n",
                   raw => 1, body => "3;e=1\r\nabc\r\n0\r\nT: v\r\n\r\n");
    my $resp = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        . "4\r\n0123\r\n0\r\nU: w\r\n\r\n";
    my $bad = 0;

    $r = $h->route('split');
    $c = client($r);
    undef $g;

    for my $at (1 .. length($wire) - 1) {
        wr($c, substr $wire, 0, $at);
        # the proxy has read the first part once it has answered stat
        $h->stat('split');
        wr($c, substr $wire, $at);
        $g = guest_accept($r) unless $g;
        my $up = rd($g, qr/T: v\r\n\r\n\z/, 2);
        my $cut = 1 + $at % (length($resp) - 1);
        wr($g, substr $resp, 0, $cut);
        $h->stat('split');
        wr($g, substr $resp, $cut);
        my $down = rd($c, qr/U: w\r\n\r\n\z/, 2);

        # a guest connection idle for 100 ms is not used for a POST
        if ($up =~ /!END/) {
            undef $g;
        }

        $bad++ if $up !~ /\r\n\r\n3;e=1\r\nabc\r\n0\r\nT: v\r\n\r\n\z/
            || $down ne $resp;
    }

    is($bad, 0, 'chunks and trailers pass as they came');
};

subtest 'kept connections to a guest' => sub {
    $r = $h->route('pool');
    my @c = map { client($r) } 1 .. 70;
    my @g = map { wr($_, req('GET /')); guest_accept($r) } @c;
    rd($_, $END) for @g;
    wr($_, $OK) for @g;
    rd($_, qr/ok\z/) for @c;
    ok(idle_stat('pool'), '70 answered');
    my $gone = IO::Select->new(@g);
    is(scalar(() = $gone->can_read(0)), 6, '64 of them are kept');
};

subtest 'pipelined' => sub {
    $r = $h->route('pipe');
    $c = client($r);
    wr($c, req('GET /1') . req('POST /2', body => 'xy') . "\r\n"
       . req('GET /3'));
    $g = guest_accept($r);
    like(rd($g, $END), qr{^GET /1 (?!.*GET /3)}s, 'one at a time');
    wr($g, $OK);
    like(rd($g, qr/xy\z/), qr{^POST /2 }, 'the second');
    wr($g, $OK);
    like(rd($g, $END), qr{^GET /3 }, 'the third');
    wr($g, $OK);
    is(() = rd($c, qr/(?:ok.*){3}/s) =~ /200 OK/g, 3, 'three answers');
};

subtest 'who may ask' => sub {
    $r = $h->route('auth');

    for my $case (['no token', token => undef], ['a wrong one',
                  token => 'secreT'], ['a longer one', token => 'secret1'])
    {
        my ($name, @o) = @$case;
        $c = client($r);
        wr($c, req('POST /', @o, body => 'x' x 1000) . req('GET /'));
        $got = rd($c, qr/\}\n/);
        like($got, qr{^HTTP/1.1 403 .*"error":"forbidden"}s, "403: $name");
        unlike($got, qr/Connection: close/, 'the connection is kept');
        $g = guest_accept($r);
        like(rd($g, $END), qr{^GET / }, 'the next one passes');
        close $g;
        close $c;
    }

    $c = client($r);
    wr($c, req('GET /', function => 'other') . req('HEAD /',
                                                   function => 'ff'));
    $got = rd($c, qr/Unsent.*Unsent.*$END\z/s);
    like($got, qr{^HTTP/1.1 503 .*X-Fcfaas-Unsent: wrong-function\r\n}s,
         '503: the port has another function');
    like($got, qr{\}\nHTTP/1.1 503 [^\{]*\z}, 'no body to a HEAD');
    ok(guest_idle($r), 'nothing reached the guest');
};

subtest 'malformed and smuggled' => sub {
    my $ours = "X-Fcfaas-Function: f\r\nX-Fcfaas-Token: secret\r\n";
    my %bad = (
        'CL and TE' => "POST / HTTP/1.1\r\n${ours}Content-Length: 3\r\n"
            . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        'two CL' => "POST / HTTP/1.1\r\n${ours}Content-Length: 3\r\n"
            . "Content-Length: 5\r\n\r\nabcde",
        'obs-fold' => "GET / HTTP/1.1\r\n${ours}A: b\r\n c\r\n\r\n",
        'NUL' => "GET / HTTP/1.1\r\n${ours}A: b\0c\r\n\r\n",
        'bare LF' => "GET / HTTP/1.1\n$ours\n",
        'a space before the colon' => "POST / HTTP/1.1\r\n$ours"
            . "Content-Length : 3\r\n\r\nabc",
        'TE: xchunked' => "POST / HTTP/1.1\r\n$ours"
            . "Transfer-Encoding: xchunked\r\n\r\n",
        'TLS' => "\x16\x03\x01\x02\x00\x01\x00",
        'garbage' => "hello\r\n\r\n",
    );

    $r = $h->route('bad');

    for my $name (sort keys %bad) {
        $c = client($r);
        wr($c, $bad{$name});
        like(slurp($c), qr{^HTTP/1.1 400 .*Connection: close.*\}\n\z}s,
             "400 and the end: $name");
    }

    $c = client($r);
    wr($c, "GET / HTTP/1.1\r\nA: " . 'x' x 40000);
    like(slurp($c), qr{^HTTP/1.1 431 }, '431: a head without end');
    $c = client($r);
    wr($c, "CONNECT h:1 HTTP/1.1\r\n$ours\r\n");
    like(slurp($c), qr{^HTTP/1.1 405 }, '405: CONNECT');
    ok(guest_idle($r), 'none of it reached the guest');

    $c = client($r);
    wr($c, req('POST /', fields => "Transfer-Encoding: chunked\r\n"));
    $g = guest_accept($r);
    rd($g, $END);
    wr($c, "3\r\nabcX");
    like(slurp($c), qr{^HTTP/1.1 400 }, '400: a bad chunk');
    ok(rd($g, qr/(?!)/) =~ /!END\z/, 'and the guest sees an end');
    ok(idle_stat('bad'), 'nothing in flight');
};

subtest 'slow heads' => sub {
    $r = $h->route('slow', concurrency => 1);
    my @slow = map { my $s = client($r); wr($s, "GET / HT"); $s } 1 .. 3;
    $c = client($r);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, $OK);
    like(rd($c, qr/ok\z/), qr/200 OK/, 'they hold no place');
    like(slurp($_), qr{^HTTP/1.1 408 }, "too slow: 408") for @slow;
};

subtest 'a guest that is not there' => sub {
    $r = $h->route('gone');
    close delete $r->{guest};

    for my $n (1 .. 3) {
        $c = client($r);
        wr($c, req('POST /', body => 'x'));
        like(rd($c, qr/\}\n/), qr{^HTTP/1.1 503 .*Unsent: gone\r\n}s,
             '503 gone: refused');
        is($h->stat('gone')->{refused}, $n, "refused in a row: $n");
    }

    # a listener whose queue is full takes no connection
    $r = $h->route('full');
    $r->{guest} = IO::Socket::INET->new(Listen => 1,
                                        LocalAddr => '127.0.0.1');
    my @fill = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $r->{guest}->sockport, Blocking => 0) } 1 .. 4;
    my $full = $h->route('full2', port => $r->{guest}->sockport);
    $c = client($full);
    $t = time;
    wr($c, req('GET /'));
    like(rd($c, qr/\}\n/), qr{^HTTP/1.1 503 .*Unsent: gone\r\n.*in time}s,
         '503 gone: timed out');
    cmp_ok(time - $t, '<', 3, 'after the connect timeout');
    is($h->stat('full2')->{refused}, 1, 'counted');
};

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
    ok(idle_stat('conc'), 'one that left the queue is forgotten');

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

subtest 'guests that break off' => sub {
    $r = $h->route('cut');
    $c = client($r);
    wr($c, req('POST /', body => 'x'));
    $g = guest_accept($r);
    rd($g, qr/x\z/);
    close $g;
    $got = rd($c, qr/\}\n/);
    like($got, qr{^HTTP/1.1 502 .*X-Fcfaas-Error: guest_closed}s,
         '502: before any byte');
    unlike($got, qr/Unsent/, 'it was sent');

    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, "HTTP/1.1 200 OK\r\nConte");
    close $g;
    like(rd($c, qr/\}\n/), qr{^HTTP/1.1 502 }, '502: in the head');

    for my $bad ("garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
                 "HTTP/1.1 101 No\r\nConnection: upgrade\r\n"
                 . "Upgrade: x\r\n\r\n")
    {
        wr($c, req('GET /'));
        $g = guest_accept($r);
        rd($g, $END);
        wr($g, $bad);
        like(rd($c, qr/\}\n/), qr{^HTTP/1.1 502 .*bad_response}s,
             '502: malformed');
    }

    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, "HTTP/1.1 200 OK\r\nA: " . 'x' x 40000);
    like(rd($c, qr/\}\n/), qr{^HTTP/1.1 502 .*too_large}s,
         '502: a head without end');

    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    close $g;
    like(slurp($c), qr/\r\n\r\nabc\z/, 'cut in the body: so is the client');

    for my $bad ('', "zz\r\n") {
        $c = client($r);
        wr($c, req('GET /'));
        $g = guest_accept($r);
        rd($g, $END);
        wr($g, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           . "3\r\nabc\r\n$bad");
        close $g unless $bad;
        unlike(slurp($c), qr/^0|zz/m, 'no ending is made up');
    }

    ok(idle_stat('cut'), 'nothing in flight');
};

subtest 'guests that close kept connections' => sub {
    $r = $h->route('stale');
    $c = client($r);

    my $warm = sub {
        wr($c, req('GET /warm'));
        $g = guest_accept($r);
        rd($g, $END);
        wr($g, $OK);
        rd($c, qr/ok\z/);
    };

    $warm->();
    wr($c, req('GET /again'));
    like(rd($g, $END), qr{^GET /again}, 'reused');
    close $g;
    $g = guest_accept($r);
    like(rd($g, $END), qr{^GET /again}, 'a GET is sent once more, afresh');
    close $g;
    like(rd($c, qr/\}\n/), qr/^HTTP\/1.1 502/, 'but not twice');

    # a request that is kept for a retry is so for a second only, whatever
    # the client has sent after it
    for my $more ('', req('GET /more')) {
        $warm->();
        wr($c, req('GET /long') . $more);
        rd($g, $END);
        my $since = time;
        until_true { time - $since > 1.2 };
        close $g;
        like(rd($c, qr/\}\n/), qr/^HTTP\/1.1 502 .*guest_closed/s,
             'a request the guest had for long is not repeated');
        next if !$more;
        $g = guest_accept($r);
        like(rd($g, $END), qr{^GET /more}, 'the one after it is served');
        wr($g, $OK);
        rd($c, qr/ok\z/);
        close $g;
    }

    $warm->();
    wr($c, req('POST /', body => 'x'));
    is(rd($g, qr/x\z/) =~ /^POST/, 1, 'a POST takes one just used');
    close $g;
    like(rd($c, qr/\}\n/), qr/^HTTP\/1.1 502/, 'and is never repeated');
    ok(guest_idle($r), 'no other connection was made');

    $warm->();
    my $used = time;
    until_true { time - $used > 0.15 };
    wr($c, req('POST /', body => 'x'));
    my $g2 = guest_accept($r);
    like(rd($g2, qr/x\z/), qr/^POST/, 'a POST takes no connection idle long');
    ok(ended($g), 'which ends: the guest may be waiting on it alone');
    wr($g2, $OK);
    rd($c, qr/ok\z/);
    close $g;
    close $g2;
    $warm->();
    pass('connections that closed while idle are not used');

    # the first try had reached the guest
    wr($c, req('GET /'));
    rd($g, $END);
    close delete $r->{guest};
    close $g;
    $got = rd($c, qr/\}\n/);
    like($got, qr/^HTTP\/1.1 502 .*guest_closed/s, 'no second try: 502');
    unlike($got, qr/Unsent/, 'which was sent once');
};

subtest 'framing by the end of the connection' => sub {
    $r = $h->route('close');
    $c = client($r);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, "HTTP/1.0 200 OK\r\nA: b\r\n\r\nfirst");
    rd($c, qr/first\r\n/);
    wr($g, 'second');
    close $g;
    is(rd($c, qr/0\r\n\r\n\z/), "6\r\nsecond\r\n0\r\n\r\n",
       'becomes chunks for a 1.1 client');
    wr($c, req('GET /'));
    ok($g = guest_accept($r), 'whose connection is kept');
    rd($g, $END);
    wr($g, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
    rd($c, qr/ab\z/);
    reset_close($g);
    is(slurp($c), '', 'a reset is no end');

    $c = client($r);
    wr($c, req('GET /', version => '1.0'));
    $g = guest_accept($r);
    like(rd($g, $END), qr{^GET / HTTP/1.0\r\n}, '1.0 stays 1.0');
    wr($g, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
       . "3\r\nabc\r\n2\r\nde\r\n0\r\nT: v\r\n\r\n");
    is(slurp($c), "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde",
       'chunks are taken off for a 1.0 client');

    $c = client($r);
    wr($c, req('GET /', version => '1.0',
               fields => "Connection: keep-alive\r\n"));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, $OK);
    like(rd($c, qr/ok\z/), qr/\r\nConnection: keep-alive\r\n/,
         '1.0 with keep-alive');
};

subtest 'answers that are cut' => sub {
    $r = $h->route('trunc');
    my $v10 = sub {
        my ($answer) = @_;
        $c = client($r);
        wr($c, req('GET /', version => '1.0'));
        $g = guest_accept($r);
        rd($g, $END);
        wr($g, $answer);
        rd($c, qr/abc\z/);
    };

    # the end of the connection would be the end of a 1.0 answer
    for my $case (
        ['until close', "HTTP/1.1 200 OK\r\n\r\nabc"],
        ['chunked', "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    . "3\r\nabc\r\n"])
    {
        $v10->($case->[1]);
        reset_close($g);
        ok(was_reset($c), "1.0, the guest resets: so is the client: "
           . $case->[0]);
    }

    $v10->("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
           . "3\r\nabc\r\n");
    close $g;
    ok(was_reset($c), '1.0, the guest closes within a chunked answer');

    $v10->("HTTP/1.1 200 OK\r\n\r\nabc");
    my $len = $c;
    $c = client($r);
    wr($c, req('GET /', version => '1.0'));
    my $g2 = guest_accept($r);
    rd($g2, $END);
    wr($g2, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    rd($c, qr/abc\z/);
    $h->cmd('close trunc 0 0 0');
    ok(was_reset($len), '1.0, the route is closed');
    ok(ended($c), 'an answer with a length just ends');
    is($h->line, 'closed trunc', 'over');

    # a 1.1 client knows from the last chunk, and loses nothing of the others
    $r = $h->route('trunc2');
    $c = client($r, rcvbuf => 4096);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, "HTTP/1.0 200 OK\r\n\r\n" . 'x' x 20000);
    until_true { unread($g) == 0 };
    $h->stat('trunc2');
    reset_close($g);
    ok(idle_stat('trunc2'), '1.1: over');
    $got = slurp($c);
    is($got =~ tr/x//, 20000, 'what came before the reset is delivered');
    unlike($got, qr/^0\r\n/m, 'and no end is made up');
};

subtest 'a reset that a send tells of' => sub {
    $r = $h->route('sendreset');
    $c = client($r);
    wr($c, req('POST /', raw => 1, fields => "Content-Length: 1000\r\n")
       . 'x');
    $g = guest_accept($r);
    rd($g, qr/x\z/);
    wr($g, "HTTP/1.0 200 OK\r\n\r\nabc");
    rd($c, qr/abc\r\n\z/);
    # both wait for the proxy, the client's bytes first: it sends them on, and
    # the send takes the error that a read would have seen
    $h->stopped(sub { wr($c, 'x'); reset_close($g) });
    is(slurp($c), '', 'is no end of an answer');
    ok(idle_stat('sendreset'), 'nothing in flight');
};

subtest 'answers without a body, and interim ones' => sub {
    $r = $h->route('nobody');
    $c = client($r);
    wr($c, req('HEAD /'));
    $g = guest_accept($r);
    rd($g, $END);

    for my $case (
        ["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 'HEAD'],
        ["HTTP/1.1 204 No Content\r\n\r\n", "a 204"],
        ["HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", "a 304"],
        ["HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n$OK", '103 and 200'])
    {
        wr($g, $case->[0]);
        is(rd($c, qr/\Q$case->[0]\E\z/), $case->[0], $case->[1]);
        wr($c, req('GET /'));
        rd($g, $END);
    }

    wr($g, $OK);
    rd($c, qr/ok\z/);
    wr($c, req('POST /', raw => 1,
               fields => "Expect: 100-continue\r\nContent-Length: 3\r\n"));
    like(rd($g, $END), qr/Expect: 100-continue/, 'Expect passes');
    wr($g, "HTTP/1.1 100 Continue\r\n\r\n");
    is(rd($c, $END), "HTTP/1.1 100 Continue\r\n\r\n", '100 passes');
    wr($c, 'abc');
    is(rd($g, qr/abc/), 'abc', 'then the body');
    wr($g, $OK);
    is(rd($c, qr/ok\z/), $OK, 'and its answer');

    # A client that gets its answer instead of a 100 sends no body, or does:
    # what comes next cannot be told apart.
    $r = $h->route('expect');

    for my $case (['ours', token => 'x'], ["the guest's", token => 'secret']) {
        $c = client($r);
        my ($name, @o) = @$case;
        wr($c, req('POST /', raw => 1, @o,
                   fields => "Expect: 100-continue\r\nContent-Length: 3\r\n"));

        if ($name ne 'ours') {
            $g = guest_accept($r);
            rd($g, $END);
            wr($g, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
        }

        $got = rd($c, $name eq 'ours' ? qr/\}\n\z/ : $END);
        like($got, qr/ 403 .*\r\nConnection: close\r\n/s,
             "an answer without 100 ends the connection: $name");
        ok(ended($c), 'it does');
    }
};

subtest 'answers before the request is complete' => sub {
    $r = $h->route('early');
    $c = client($r);
    wr($c, req('POST /', raw => 1,
               fields => "Content-Length: 1000\r\n") . 'x' x 10);
    $g = guest_accept($r);
    rd($g, qr/x{10}\z/);
    wr($g, $OK);
    is(rd($c, qr/ok\z/), $OK, 'passed on at once');
    ok(rd($g, qr/(?!)/) eq '!END', 'the guest connection is not used again');
    wr($c, 'x' x 990 . req('GET /next'));
    $g = guest_accept($r);
    like(rd($g, $END), qr{^GET /next }, 'the rest is thrown away');
    wr($g, $OK);
    rd($c, qr/ok\z/);

    wr($c, req('POST /', raw => 1,
               fields => "Content-Length: 10000000\r\n"));
    rd($g, $END);
    wr($g, "HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n");
    close $g;
    like(rd($c, $END), qr/ 413 /, 'an answer to a large one arrives');
    wr($c, 'x' x 200_000);
    ok(ended($c), 'and its connection ends');
    ok(idle_stat('early'), 'nothing in flight');
};

subtest 'tunnel' => sub {
    $r = $h->route('tunnel', concurrency => 1);
    $c = client($r);
    wr($c, req('GET /ws', fields => "Connection: Upgrade\r\n"
               . "Upgrade: websocket\r\n") . 'early');
    $g = guest_accept($r);
    like(rd($g, $END), qr{\r\nConnection: upgrade\r\n.*Upgrade: websocket}s,
         'asked for');
    wr($g, "HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\n"
       . "Upgrade: websocket\r\n\r\nhello");
    like(rd($c, qr/hello\z/), qr{^HTTP/1.1 101 .*Connection: upgrade}s,
         'granted, first bytes included');
    is(rd($g, qr/early/), 'early', 'what the client sent too early');
    is($h->stat('tunnel')->{inflight}, 1, 'in flight');
    my $blob = join '', map { chr($_ % 256) } 1 .. 10000;
    wr($c, $blob);
    is(rd($g, qr/\Q$blob\E/s), $blob, 'any bytes up');
    wr($g, $blob);
    is(rd($c, qr/\Q$blob\E/s), $blob, 'any bytes down');
    wr($g, 'bye');
    close $g;
    is(slurp($c), 'bye', 'the end comes after the last bytes');
    ok(idle_stat('tunnel'), 'no longer in flight');
};

subtest 'clients that leave' => sub {
    $r = $h->route('abort');

    for my $how ('close', 'reset', 'half-close') {
        $c = client($r);
        wr($c, req('POST /', body => 'x'));
        $g = guest_accept($r);
        rd($g, qr/x\z/);
        $how eq 'close' ? close $c
            : $how eq 'reset' ? reset_close($c) : shutdown $c, 1;
        ok(ended($g), "$how: the guest sees it");
        ok(idle_stat('abort'), 'no longer in flight');
    }

    $c = client($r);
    wr($c, req('POST /', raw => 1, fields => "Content-Length: 9\r\n") . 'x');
    $g = guest_accept($r);
    rd($g, qr/x\z/);
    close $c;
    ok(ended($g), 'in the middle of a body');
    ok(idle_stat('abort'), 'no longer in flight');

    # The guest takes nothing more and the proxy is full, but the client has
    # sent all of what it will.
    $r = $h->route('stuck');
    $c = client($r, sndbuf => 4096);
    wr($c, req('POST /', raw => 1, fields => "Content-Length: 100000000\r\n"));
    $g = guest_accept($r);
    rd($g, $END);
    fill($c);

    until_true {
        sysread $g, my $part, 65536 if IO::Select->new($g)->can_read(0);
        !unread($c);
    };

    close $c;
    ok(idle_stat('stuck'), 'while the guest reads nothing: noticed, too');
    close $g;
};

subtest '4 MiB each way at once' => sub {
    for my $chunked (0, 1) {
        $r = $h->route("big$chunked");
        $c = client($r);
        my $size = 4 << 20;
        my $data = join '', map { pack 'N', $_ * 2654435761 % 2**32 }
                   1 .. $size / 4;
        my $wire = $chunked
            ? join('', map { sprintf("%x\r\n%s\r\n", 65536,
                             substr $data, $_ * 65536, 65536) } 0 .. 63)
              . "0\r\n\r\n"
            : $data;
        my $frame = $chunked ? "Transfer-Encoding: chunked\r\n"
                             : "Content-Length: $size\r\n";

        wr($c, req('POST /', raw => 1, fields => $frame));
        $g = guest_accept($r);
        rd($g, $END);
        wr($g, "HTTP/1.1 200 OK\r\n$frame\r\n");
        rd($c, $END);

        my ($sent, $echo, $back) = (0, '', '');
        my $until = time + 60;
        $_->blocking(0) for $c, $g;
        local $SIG{PIPE} = 'IGNORE';

        while (length $back < length $wire && time < $until) {
            my ($can_r, $can_w) = IO::Select->select(
                IO::Select->new($c, $g),
                IO::Select->new($sent < length $wire ? $c : (),
                                length $echo ? $g : ()), undef, 5) or last;

            for my $s (@$can_w) {
                my $n = $s == $c ? syswrite($c, $wire, 65536, $sent)
                                 : syswrite($g, $echo, 65536);
                next unless $n;
                $s == $c ? ($sent += $n) : substr $echo, 0, $n, '';
            }

            for my $s (@$can_r) {
                $s == $c ? sysread($c, $back, 65536, length $back)
                         : sysread($g, $echo, 65536, length $echo);
            }
        }

        ok($back eq $wire, $chunked ? 'chunked' : 'with a length');
        ok(idle_stat("big$chunked"), 'over');
    }
};

subtest 'back-pressure' => sub {
    $r = $h->route('slowread');
    $c = client($r, rcvbuf => 4096);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    my ($before) = $h->cmd('rss') =~ /(\d+)/;
    wr($g, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
    $g->blocking(0);
    my $sent = 0;
    local $SIG{PIPE} = 'IGNORE';

    while (IO::Select->new($g)->can_write(0.5)) {
        $sent += syswrite($g, 'x' x 65536) // 0;
    }

    cmp_ok($sent, '<', 50_000_000, 'the guest has to wait');
    my ($after) = $h->cmd('rss') =~ /(\d+)/;
    cmp_ok($after - $before, '<', 4096, 'nothing piles up');
    close $c;
    like(rd($g, qr/(?!)/), qr/!END\z/, 'the abort gets through');
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
    ok(idle_stat('forked'), 'both connections are closed');
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

subtest 'limits of its own' => sub {
    $h = ProxyHost->new('-n', 24, '-T', 'secret');
    $r = $h->route('fds');
    my @c = map { client($r) } 1 .. 40;
    wr($c[0], req('GET /'));
    like(rd($c[0], qr/\}\n/), qr/Unsent: busy\r\n/,
         '503 busy: no descriptor for the guest');
    my $cpu = sub { open my $f, '<', "/proc/$h->{pid}/stat" or die $!;
                    my @f = split ' ', <$f>; $f[13] + $f[14] };
    my $before = $cpu->();
    is($h->line(1), undef, 'a second passes');
    cmp_ok($cpu->() - $before, '<', 20, 'without spinning');
    close $_ for @c[1 .. 39];
    $c = client($r);
    wr($c, req('GET /'));
    ok($g = guest_accept($r), 'served when there is room again');
    ($status, $log) = $h->quit;
    is($status, 0, 'ends well');
    is(() = $log =~ /"proxy: /g, 1, 'one line tells of it');

    # with the one limit or the other, the last client has no guest
    my ($refused, $told) = (0, 0);

    for my $files (24, 25) {
        $h = ProxyHost->new('-n', $files, '-T', 'secret');
        $r = $h->route('few');
        @c = ();

        do {
            push @c, $c = client($r);
            wr($c, req('GET /'));
            push @c, $g = guest_accept($r, 0.5);
            $got = $g ? '' : rd($c, qr/\}\n/, 0.5);
        } until $got;

        ($status, $log) = $h->quit;
        next if $got !~ /Unsent: busy\r\n/;
        $refused++;
        $told += () = $log =~ /: Too many open files/g;
    }

    is($refused, 1, 'none left for a guest: 503 busy');
    is($told, 1, 'one line tells of it');

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
    my ($slow, $steady, $tunnel, $expect, $deaf) = map { client($r) } 1 .. 5;
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
    $ask->('expect', $expect, 'POST /', raw => 1,
           fields => "Expect: 100-continue\r\nContent-Length: 1\r\n");
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
    wr($g{$_}, $OK) for qw(steady slow expect);
    like(rd($steady, qr/ok\z/), qr/200/, 'a slow but steady body goes on');
    like(rd($slow, qr/ok\z/), qr/200/, 'a slow guest is waited for');
    like(rd($expect, qr/ok\z/), qr/200/, 'so is its 100');
    wr($tunnel, 'up');
    is(rd($g{tunnel}, qr/up/), 'up', 'tunnels may be silent');
    ($status) = $h->quit;
    is($status, 0, 'ends well');
};

done_testing();
