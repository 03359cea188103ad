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

my ($status, $log) = $h->quit;
is($status, 0, 'ends well with routes open');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer report');

done_testing();
