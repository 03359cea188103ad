#!/usr/bin/perl

# Instances that count, for FcfTest::Counter: one on each port, which answers
# every GET after a random time, or that of its "ms=", and knows how many were
# inside at once.
#
#   counter.pl MIN_MS MAX_MS LIMIT PORT ...
#
# Where so many (not 0) are inside, it says "busy", as an agent does.  GET
# /.counter on any of them, which is not counted, answers with a JSON
# array, an object for each port: max (inside at once since the start, or since
# the last "/.counter?reset"), now, served, busy.  Ends with its standard
# input.

use strict;
use warnings;

use IO::Socket::INET;
use JSON::PP;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my ($min, $max, $limit, @ports) = @ARGV;
my (%listen, %conn, @inside);
my @count = map { { max => 0, now => 0, served => 0, busy => 0 } }
    @ports;

$SIG{PIPE} = 'IGNORE';

for my $i (0 .. $#ports) {
    my $fh = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 511,
        LocalPort => $ports[$i], ReuseAddr => 1) or die "listen: $!";
    $fh->blocking(0);
    $listen{fileno $fh} = { fh => $fh, i => $i };
}

$| = 1;
print "ready\n";

sub now { clock_gettime(CLOCK_MONOTONIC) }

sub leave {
    my ($c) = @_;
    $count[$c->{i}]{now}-- if delete $c->{due};
}

sub answer {
    my ($c, $body) = @_;
    syswrite $c->{fh}, "HTTP/1.1 200 OK\r\nContent-Length: "
        . length($body) . "\r\n\r\n$body";
}

sub request {
    my ($c, $path) = @_;
    my $n = $count[$c->{i}];

    if ($path =~ m{^/\.counter}) {
        answer($c, encode_json(\@count));
        if ($path =~ /reset/) { $_->{max} = $_->{now} for @count }
        return;
    }

    if ($limit && $n->{now} >= $limit) {
        $n->{busy}++;
        syswrite $c->{fh}, "HTTP/1.1 503 Busy\r\nX-Fcfaas-Unsent: busy\r\n"
            . "Content-Length: 0\r\n\r\n";
        return;
    }

    $n->{now}++;
    $n->{max} = $n->{now} if $n->{now} > $n->{max};
    my $ms = $path =~ /[?&]ms=(\d+)/ ? $1 : $min + rand($max - $min);
    $c->{due} = now() + $ms / 1000;
}

sub requests {
    my ($c) = @_;
    while (!$c->{due} && $c->{buf} =~ s{\A\w+ (\S+).*?\r\n\r\n}{}s) {
        request($c, $1);
    }
}

while (1) {
    my ($set, $next) = ('', now() + 10);

    vec($set, $_, 1) = 1 for 0, keys %listen, keys %conn;
    for (values %conn) { $next = $_->{due} if $_->{due} && $_->{due} < $next }

    my $wait = $next - now();
    select($set, undef, undef, $wait > 0 ? $wait : 0);
    last if vec($set, 0, 1) && !sysread STDIN, my $nothing, 4096;

    # those that have left first: their place was free before another came
    my @read;

    for my $fd (grep { vec $set, $_, 1 } keys %conn) {
        my $c = $conn{$fd};
        my $n = sysread $c->{fh}, $c->{buf}, 65536, length $c->{buf};

        if ($n) { push @read, $c; next }
        next if !defined $n && $!{EAGAIN};
        leave($c);
        delete $conn{$fd};
    }

    my $now = now();

    for my $c (grep { $_->{due} && $_->{due} <= $now } values %conn) {
        leave($c);
        $count[$c->{i}]{served}++;
        answer($c, "ok\n");
        push @read, $c;
    }

    requests($_) for @read;

    for my $l (grep { vec $set, fileno $_->{fh}, 1 } values %listen) {
        while (my $fh = $l->{fh}->accept) {
            $fh->blocking(0);
            $conn{fileno $fh} = { fh => $fh, i => $l->{i}, buf => '' };
        }
    }
}
