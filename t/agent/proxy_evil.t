#!/usr/bin/perl

# The agent's reverse proxy and guests that mean harm, or do not know better:
# nothing of what they do reaches another request.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use ProxyHost;
use Test::More;
use Time::HiRes qw(time);

my $OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
my $END = qr/\r\n\r\n/;

my $h = ProxyHost->new('-T', 'secret');
my ($r, $c, $g, $got);


subtest 'a flood of interim answers, then the route is cut' => sub {
    $r = $h->route('flood');
    my @c = map { client($r, rcvbuf => 2304) } 1 .. 24;
    my @g = map { wr($_, req('GET /')); guest_accept($r) } @c;

    for my $guest (@g) {
        # such that little of the proxy's buffer is free when the last of
        # them is stuck
        my $hint = "HTTP/1.1 103 Hints\r\nA: " . 'x' x (32000 + rand 600)
            . "\r\n\r\n";
        rd($guest, $END);
        $guest->blocking(0);
        local $SIG{PIPE} = 'IGNORE';

        my $left = $hint x 300;

        while (length $left && IO::Select->new($guest)->can_write(0.1)) {
            my $n = syswrite $guest, $left, 65536;
            substr $left, 0, $n // last, '';
        }
    }

    is($h->cmd('close flood 0 0 1'), 'ok', 'cut');
    is($h->line, 'closed flood', 'over');
    $r = $h->route('after');
    $c = client($r);
    wr($c, req('GET /'));
    ok($g = guest_accept($r), 'the proxy lives on');
    rd($g, $END);
    wr($g, $OK);
    like(rd($c, qr/ok\z/), qr/200 OK/, 'and serves');
};

# A body where none may be, after its head has been passed on: what comes next
# on that connection is no answer to the next request.
subtest 'bodies that must not be' => sub {
    $r = $h->route('stray');
    $c = client($r);
    my $bad = 0;

    for my $case (['HEAD', "200 OK\r\nContent-Length: 5\r\n"],
                  ['HEAD', "200 OK\r\nTransfer-Encoding: chunked\r\n"],
                  ['HEAD', "200 OK\r\n"],
                  ['GET', "204 No Content\r\n"],
                  ['POST', "204 No Content\r\nContent-Length: 5\r\n"],
                  ['GET', "304 Not Modified\r\nContent-Length: 5\r\n"])
    {
        for my $late (0, 1) {
            wr($c, req("$case->[0] /"));
            $g = guest_accept($r) or die 'no guest connection';
            rd($g, $END);
            wr($g, "HTTP/1.1 $case->[1]\r\n");
            $got = rd($c, $END);
            my ($status) = split /\r/, $case->[1];
            $bad++, diag($got) if $got !~ /^HTTP\S+ \Q$status\E\r/
                || $got !~ /\r\n\r\n\z/;
            # seen before the next request is, or after
            wr($g, 'stray') if !$late;
            $h->stat('stray');
            wr($c, req('POST /next', body => 'x'));
            my $next = guest_accept($r) or die 'no fresh connection';
            wr($g, 'stray') if $late;
            $got = rd($next, qr/x\z/);
            $bad++, diag($got) if $got !~ m{^POST /next };
            wr($next, $OK);
            $got = rd($c, qr/ok\z/);
            $bad++, diag($got) if $got ne $OK;
            close $_ for $g, $next;
            $h->stat('stray');
        }
    }

    is($bad, 0, 'spoil no other answer');

    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, $OK . "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad");
    is(rd($c, qr/ok\z/), $OK, 'an answer that nobody asked for');
    wr($c, req('GET /'));
    ok(ended($g), 'ends the connection');
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, $OK);
    is(rd($c, qr/ok\z/), $OK, 'and is not the next one');

    # It waits in the kernel, with the next request, and was not seen.  The
    # order of the two is the kernel's to say.
    for (1 .. 10) {
        $h->stopped(sub {
            wr($g, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nbad");
            wr($c, req('POST /', body => 'x'));
        });
        my $next = guest_accept($r) or last;
        rd($next, qr/x\z/);
        wr($next, $OK);
        $got = rd($c, qr/(?:ok|bad|\}\n)\z/);
        last if $got ne $OK;
        $g = $next;
    }

    is($got, $OK, 'nor is one that came with the next request');
};

# each takes a connection of its own, and a port that stays taken if it is not
# reset
subtest 'many answers without a body' => sub {
    $r = $h->route('many204');
    $c = client($r);
    my ($good, $reset) = (0, 0);

    for my $n (1 .. 150) {
        wr($c, req('POST /', body => 'x'));
        my $new = guest_accept($r) or last;
        $reset++ if $g && was_reset($g);
        $g = $new;
        rd($g, qr/x\z/);
        wr($g, "HTTP/1.1 204 No Content\r\n\r\n");
        $good++ if rd($c, $END) eq "HTTP/1.1 204 No Content\r\n\r\n";
    }

    is($good, 150, 'all arrive');
    # a busy machine takes longer than a second for a hundred of them
    ok($reset < 50, "few are cut: $reset");
};

subtest 'guests that speak first' => sub {
    $r = $h->route('first');

    # whether it is before the request that they do is the kernel's to say
    for my $said ("SSH-2.0-OpenSSH\r\n", $OK) {
        my $pid = fork // die "fork: $!";

        if (!$pid) {
            while (my $s = $r->{guest}->accept) {
                wr($s, $said);
                sysread $s, my $in, 65536;
                close $s;
            }
            exit 0;
        }

        my $mine = 0;

        for (1 .. 50) {
            $c = client($r);
            wr($c, req('GET /'));
            $got = rd($c, qr/(?:\}\n|ok)\z/);
            $mine++ if $got =~ m{^HTTP/1.1 (?:502|200|503) };
            close $c;
        }

        is($mine, 50, "$mine answered: what came first is no request's");
        kill 'KILL', $pid;
        waitpid $pid, 0;
    }

    ok($h->idle('first'), 'nothing in flight');
};

subtest 'guests that close connections unused' => sub {
    $r = $h->route('unused');
    $c = client($r);

    # kept, closed, and not seen: a POST goes over a fresh one
    wr($c, req('GET /warm'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, $OK);
    rd($c, qr/ok\z/);
    $h->stopped(sub { wr($c, req('POST /', body => 'x')); close $g; });
    $g = guest_accept($r);
    ok($g, 'the next request takes another') or return;
    like(rd($g, qr/x\z/), qr{^POST / }, 'though it may not be repeated');
    wr($g, $OK);
    is(rd($c, qr/ok\z/), $OK, 'and is answered');

    $h->stopped(sub { wr($c, req('POST /', body => 'x')); reset_close($g); });
    $g = guest_accept($r);
    ok($g, 'after a reset as well') or return;
    rd($g, qr/x\z/);
    wr($g, $OK);
    is(rd($c, qr/ok\z/), $OK, 'answered');
};

subtest 'what gateways obey' => sub {
    $r = $h->route('accel');
    $c = client($r);
    wr($c, req('GET /'));
    $g = guest_accept($r);
    rd($g, $END);
    wr($g, "HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\n"
       . "X-Accel-Redirect: /etc/passwd\r\nX-Accel-Limit-Rate: 1\r\n"
       . "x-accel-expires: 9\r\nX-Accel-Charset: x\r\n"
       . "X-Fcfaas-Unsent: gone\r\nx-fcfaas-error: x\r\n"
       . "Content-Length: 2\r\n\r\nok");
    is(rd($c, qr/ok\z/), "HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\n"
       . "Content-Length: 2\r\n\r\nok", 'passes only if it asks to stream');
};

my ($status, $log) = $h->quit;
is($status, 0, 'ends well with routes open');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer report');

done_testing();
