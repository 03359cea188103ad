#!/usr/bin/perl

# The agent's reverse proxy and its guests: those that refuse, break off, or
# close kept connections.

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


subtest 'kept connections to a guest' => sub {
    $r = $h->route('pool');
    my @c = map { client($r) } 1 .. 70;
    my @g = map { wr($_, req('GET /')); guest_accept($r) } @c;
    rd($_, $END) for @g;
    wr($_, $OK) for @g;
    rd($_, qr/ok\z/) for @c;
    ok($h->idle('pool'), '70 answered');
    my $gone = IO::Select->new(@g);
    is(scalar(() = $gone->can_read(0)), 6, '64 of them are kept');
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

subtest 'a device to reach the guest by' => sub {
    $r = $h->route('dev', device => 'lo');
    $c = client($r);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, $OK);
    like(rd($c, qr/ok\z/), qr/200/, 'served over it');

    $r = $h->route('nodev', device => 'fcnone0');
    $c = client($r);
    wr($c, req('POST /', body => 'x'));
    like(rd($c, qr/\}\n/), qr{^HTTP/1.1 503 .*Unsent: gone\r\n}s,
         'not there: 503 gone');
    ok(guest_idle($r), 'and nothing goes another way');
    is($h->stat('nodev')->{refused}, 1, 'counted as refused');
    like($h->cmd('open long f 80 0 a-name-that-is-long'), qr/^error .*device/,
         'a name that cannot be one is refused');
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
    like($got, qr/before it answered; what it printed, .* \(fcfaas logs\)/,
        'and where to look');
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

    ok($h->idle('cut'), 'nothing in flight');
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
    ok($h->idle('trunc2'), '1.1: over');
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
    ok($h->idle('sendreset'), 'nothing in flight');
};

my ($status, $log) = $h->quit;
is($status, 0, 'ends well with routes open');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer report');

done_testing();
