#!/usr/bin/perl

# The agent's reverse proxy: requests and answers, well formed and not.

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
my ($r, $c, $g, $got);


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
    ok($h->idle('plain'), 'no longer in flight');
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

    # more than the proxy takes in one go, before others have their turn
    wr($c, req('GET /', token => 'x') x 300 . req('GET /last'));
    is(() = rd($c, qr/\A(?:[^}]*\}\n){300}/) =~ / 403 /g, 300,
       'and as many refusals as there are requests');
    like(rd($g, $END), qr{^GET /last }, 'then the one that may');
    wr($g, $OK);
    rd($c, qr/ok\z/);
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

subtest 'any method' => sub {
    $r = $h->route('method');
    $c = client($r);
    undef $g;

    for my $method (qw(QUERY PROPFIND M-SEARCH x BREW! LINK PRI)) {
        wr($c, req("$method /x", body => 'q'));
        $g = guest_accept($r) if !$g || $method eq 'PRI';
        like(rd($g, qr/q\z/), qr{^\Q$method\E /x HTTP/1.1\r\n}, $method);
        wr($g, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
           . ($method eq 'LINK' ? "Connection: close\r\n" : '') . "\r\nok");
        is(rd($c, qr/ok\z/), $OK, 'answered');
    }
};

subtest 'the request id in answers of our own' => sub {
    $r = $h->route('id');
    $c = client($r);
    my $id = 'X-Request-Id: req-1.a_B';

    wr($c, req('GET /', token => 'x', fields => "$id\r\n"));
    $got = rd($c, qr/\}\n/);
    like($got, qr/\r\n\Q$id\E\r\n/, 'in a header');
    like($got, qr/,"request_id":"req-1.a_B"\}\n\z/, 'and in the body');

    for my $case (['none', ''], ['a bad one', "X-Request-Id: a\"b\r\n"],
                  ['a long one', 'X-Request-Id: ' . 'a' x 65 . "\r\n"],
                  ['two', "$id\r\nX-Request-Id: b\r\n"])
    {
        my ($name, $fields) = @$case;
        wr($c, req('GET /', token => 'x', fields => $fields));
        $got = rd($c, qr/\}\n/);
        unlike($got, qr/X-Request-Id/, "$name: no header");
        like($got, qr/,"request_id":""\}\n\z/, 'and nothing in the body');
    }

    wr($c, req('POST /', body => 'x', fields => "$id\r\n"));
    $g = guest_accept($r);
    like(rd($g, qr/x\z/), qr/\r\n\Q$id\E\r\n/, 'the guest has it');
    close $g;
    like(rd($c, qr/\}\n/), qr/ 502 .*\r\n\Q$id\E\r\n.*"req-1.a_B"/s,
         'in a 502 too');
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
        'two Hosts' => "GET / HTTP/1.1\r\n${ours}Host: a\r\nHost: b\r\n\r\n",
        'two equal CL' => "POST / HTTP/1.1\r\n${ours}Content-Length: 3\r\n"
            . "Content-Length: 3\r\n\r\nabc",
        'a list as CL' => "POST / HTTP/1.1\r\n${ours}"
            . "Content-Length: 3, 3\r\n\r\nabc",
        'a folded TE' => "POST / HTTP/1.1\r\n${ours}Transfer-Encoding:\r\n"
            . " chunked\r\n\r\n0\r\n\r\n",
        'TE twice' => "POST / HTTP/1.1\r\n${ours}Transfer-Encoding: chunked"
            . "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        'TE: gzip, chunked' => "POST / HTTP/1.1\r\n$ours"
            . "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        'TE of 1.0' => "POST / HTTP/1.0\r\n$ours"
            . "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        'a bare CR' => "GET / HTTP/1.1\r\n${ours}A: b\rContent-Length: 3"
            . "\r\n\r\n",
        'a NUL in the target' => "GET /\0 HTTP/1.1\r\n$ours\r\n",
        'an LF before it' => "\nGET / HTTP/1.1\r\n$ours\r\n",
        'a method that is no token' => "G{T / HTTP/1.1\r\n$ours\r\n",
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
    ok($h->idle('bad'), 'nothing in flight');
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

subtest 'answers without a body' => sub {
    $r = $h->route('nobody');
    $c = client($r);

    for my $case (
        ['HEAD', "200 OK\r\nContent-Length: 5\r\n", 'HEAD'],
        ['GET', "204 No Content\r\n", 'a 204'],
        ['GET', "304 Not Modified\r\nContent-Length: 5\r\n", 'a 304'])
    {
        my $answer = "HTTP/1.1 $case->[1]\r\n";
        wr($c, req("$case->[0] /"));
        $g = guest_accept($r);
        rd($g, $END);
        wr($g, $answer);
        is(rd($c, qr/\Q$answer\E\z/), $answer, $case->[2]);
    }

    # nothing came after the last of them: it may be used once more
    my $since = time;
    until_true { time - $since > 1.1 };
    wr($c, req('GET /'));
    like(rd($g, $END), qr{^GET / }, 'a connection that stays quiet is reused');
    wr($g, $OK);
    rd($c, qr/ok\z/);
};

subtest 'interim answers' => sub {
    $r = $h->route('interim');

    for my $version ('1.1', '1.0') {
        $c = client($r);
        wr($c, req('GET /', version => $version));
        $g = guest_accept($r) if $version eq '1.1';
        rd($g, $END);
        wr($g, "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\n"
           . "HTTP/1.1 100 Continue\r\n\r\n" x 100
           . "HTTP/1.1 102 Processing\r\n\r\n$OK");
        like(rd($c, qr/ok\z/), qr{^HTTP/1.1 200 OK\r\n(?!.*HTTP/)}s,
             "$version: all thrown away, but the answer");
    }

    $c = client($r);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, "HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 102 P");
    close $g;
    like(rd($c, qr/\}\n/), qr{^HTTP/1.1 502 .*guest_closed}s,
         'and none after them: 502');

    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    my $hint = "HTTP/1.1 103 Hints\r\nLink: " . 'x' x 1000 . "\r\n\r\n";
    wr($g, $hint) or last for 1 .. 5000;
    like(rd($c, qr/\}\n/), qr{^HTTP/1.1 502 .*bad_response}s,
         'without end: 502');
    ok($h->idle('interim'), 'nothing in flight');
};

subtest 'Expect' => sub {
    my @post = ('POST /', raw => 1,
                fields => "Expect: 100-continue\r\nContent-Length: 3\r\n");

    $r = $h->route('expect');
    $c = client($r);
    wr($c, req(@post));
    $g = guest_accept($r);
    unlike(rd($g, $END), qr/Expect/, 'the guest is not asked');
    is(rd($c, $END), "HTTP/1.1 100 Continue\r\n\r\n", 'the proxy says it');
    wr($g, "HTTP/1.1 100 Continue\r\n\r\n");
    wr($c, 'abc');
    is(rd($g, qr/abc/), 'abc', 'then the body');
    wr($g, $OK);
    is(rd($c, qr/ok\z/), $OK, 'and its answer, without a second 100');

    wr($c, req(@post) . 'abc');
    like(rd($g, qr/abc/), qr/abc\z/, 'a body that did not wait');
    wr($g, $OK);
    is(rd($c, qr/ok\z/), $OK, 'gets no 100');

    wr($c, req('GET /', fields => "Expect: 100-continue\r\n"));
    rd($g, $END);
    wr($g, $OK);
    is(rd($c, qr/ok\z/), $OK, 'nor does a request without one');

    # the rest of a body that was asked for comes, and is thrown away
    wr($c, req(@post));
    rd($g, $END);
    rd($c, $END);
    wr($g, "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    is(rd($c, $END), "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
       'refused after the 100');
    wr($c, 'abc' . req('GET /'));
    $g = guest_accept($r);
    like(rd($g, $END), qr{^GET / }, 'the next request is served');
    wr($g, $OK);
    is(rd($c, qr/ok\z/), $OK, 'and answered');
    close $c;

    # A client that gets its answer instead of a 100 sends no body, or does:
    # what comes next cannot be told apart.
    $c = client($r);
    wr($c, req(@post, token => 'x'));
    like(rd($c, qr/\}\n\z/), qr/^HTTP\S+ 403 .*\r\nConnection: close\r\n/s,
         'an answer without 100 ends the connection');
    ok(ended($c), 'it does');

    $c = client($r);
    wr($c, req('GET /', fields => "Expect: miracles\r\n"));
    like(slurp($c), qr{^HTTP/1.1 417 .*"expectation_failed"}s,
         'nothing else can be expected');
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
    ok($h->idle('early'), 'nothing in flight');
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
    ok($h->idle('tunnel'), 'no longer in flight');
};

subtest 'upgrades that are none' => sub {
    $r = $h->route('h2c');

    for my $to ('h2c', 'websocket, h2c', 'HTTP/2.0', 'TLS/1.2') {
        $c = client($r);
        wr($c, req('GET /', fields => "Connection: Upgrade, HTTP2-Settings\r\n"
                   . "Upgrade: $to\r\nHTTP2-Settings: AAMAAABk\r\n"));
        $g = guest_accept($r);
        unlike(rd($g, $END), qr/upgrade|http2|h2c|tls/i,
               "$to: the guest sees a plain request");
        wr($g, "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: $to\r\n"
           . "\r\nPRI");
        $got = rd($c, qr/\}\n/);
        like($got, qr{^HTTP/1.1 502 .*bad_response}s, 'no 101 to it');
        unlike($got, qr/PRI/, 'no tunnel');
        ok(ended($g), 'the guest connection ends');
        close $c;
    }

    # asked for one, granted another; or without a name
    for my $field ("Upgrade: h2c\r\n", '') {
        $c = client($r);
        wr($c, req('GET /', fields => "Connection: Upgrade\r\n"
                   . "Upgrade: websocket\r\n"));
        $g = guest_accept($r);
        rd($g, $END);
        wr($g, "HTTP/1.1 101 Go\r\nConnection: Upgrade\r\n$field\r\n");
        like(rd($c, qr/\}\n/), qr{^HTTP/1.1 502 .*bad_response}s,
             'a 101 to ' . ($field ? 'h2c' : 'nothing'));
        close $c;
    }

    $c = client($r);
    wr($c, req('GET /', fields => "Connection: Upgrade\r\n"
               . "Upgrade: websocket\r\n"));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    is(rd($c, qr/ok\z/), $OK, 'not granted: an answer like any other');
    wr($c, req('GET /next'));
    like(rd($g, $END), qr{^GET /next }, 'both connections go on');
    wr($g, $OK);
    rd($c, qr/ok\z/);
    close $g;
    close $c;

    $c = client($r);
    wr($c, req('POST /', raw => 1, fields => "Connection: Upgrade\r\n"
               . "Upgrade: websocket\r\nContent-Length: 9\r\n"));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, "HTTP/1.1 101 Go\r\nUpgrade: websocket\r\n\r\n");
    like(rd($c, qr/\}\n/), qr{^HTTP/1.1 502 }, 'no 101 within the request');
    close $c;
    ok($h->idle('h2c'), 'nothing in flight');
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
        ok($h->idle('abort'), 'no longer in flight');
    }

    $c = client($r);
    wr($c, req('POST /', raw => 1, fields => "Content-Length: 9\r\n") . 'x');
    $g = guest_accept($r);
    rd($g, qr/x\z/);
    close $c;
    ok(ended($g), 'in the middle of a body');
    ok($h->idle('abort'), 'no longer in flight');

    # The guest takes nothing more and the proxy is full, but the client has
    # sent all of what it will.
    $r = $h->route('stuck');
    $c = client($r, sndbuf => 4096);
    wr($c, req('POST /', raw => 1, fields => "Content-Length: 100000000\r\n"));
    $g = guest_accept($r);
    rd($g, $END);
    fill($c);

    ok(until_true {
        sysread $g, my $part, 65536 if IO::Select->new($g)->can_read(0);
        !unread($c);
    }, 'all of it is with the proxy');

    close $c;
    ok($h->idle('stuck'), 'while the guest reads nothing: noticed, too');
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
        ok($h->idle("big$chunked"), 'over');
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

my ($status, $log) = $h->quit;
is($status, 0, 'ends well with routes open');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer report');

done_testing();
