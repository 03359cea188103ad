#!/usr/bin/perl

# A steady load, for FcfTest::Load: one GET every so many milliseconds, however
# long the answers take, over kept connections of which there are as many as
# it needs.
#
#   load.pl PORT PATH INTERVAL_MS PATIENCE_S [AGAIN [HEADER [BODY]]]
#
# With AGAIN a request over a kept connection that turns out to have been
# closed is sent once more over a new one, as HTTP's clients do ("again"); with
# n so it is over new ones, n times, as where workers are killed.
#
# With HEADER each answer's of that name is in "said": [when the request was
# sent, of the monotonic clock; when it was answered; what it says].
#
# With BODY they are POSTs of that, which no client sends twice: each over a
# connection of its own.
#
# When its standard input ends it sends no more, waits for what is under way,
# and prints one JSON object: sent, answered, status => { 200 => n }, lost
# (closed without an answer, or none in PATIENCE_S), lost_ports (of each, its
# connection's own port), late_ms (how far it was behind its schedule at most),
# slowest_ms, connections, refused (what the first 20 answers that were not 2xx
# said: each with its time, its status and what has X-Fcfaas-Error, X-Worker and
# the body's first line).

use strict;
use warnings;

use JSON::PP;
use Socket;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);

my ($port, $path, $interval, $patience, $again, $header, $body) = @ARGV;
my $request = defined $body
    ? "POST $path HTTP/1.1\r\nHost: load\r\nConnection: close\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body"
    : "GET $path HTTP/1.1\r\nHost: load\r\n\r\n";
my $to = pack_sockaddr_in($port, inet_aton('127.0.0.1'));
my (%busy, @idle);
my %n = (sent => 0, answered => 0, lost => 0, status => {}, late_ms => 0,
    slowest_ms => 0, connections => 0, again => 0, why => [], lost_ports => [],
    refused => []);

$SIG{PIPE} = 'IGNORE';

sub now { clock_gettime(CLOCK_MONOTONIC) }

sub lost {
    my ($c, $why) = @_;
    $n{lost}++;
    push @{ $n{lost_ports} }, $c->{port} // 0;
    push @{ $n{why} }, sprintf '%s, request %d after %.0f ms', $why, $c->{no},
        (now() - $c->{since}) * 1000 if @{ $n{why} } < 20;
}

sub conn {
    my ($fresh) = @_;
    my $c = $fresh ? undef : pop @idle;
    return $c if $c;

    socket my $fh, AF_INET, SOCK_STREAM, 0 or die "socket: $!";
    setsockopt $fh, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1;
    if (!connect $fh, $to) { return { fh => undef } }
    $fh->blocking(0);
    $n{connections}++;
    return { fh => $fh, fd => fileno $fh,
        port => (unpack_sockaddr_in(getsockname $fh))[0] };
}

sub ask {
    my ($fresh) = @_;
    my $c = conn($fresh);
    $n{sent}++ unless $fresh;
    $c->{again} = $fresh // 0;
    @$c{qw(buf since no)} = ('', now(), $n{sent});
    return lost($c, 'cannot connect') unless $c->{fh};

    if ((syswrite($c->{fh}, $request) // -1) != length $request) {
        return once_more($c) if $again && $c->{used};
        return lost($c, "cannot write: $!");
    }

    $busy{$c->{fd}} = $c;
}

sub once_more {
    my ($c) = @_;
    $n{again}++;
    ask(1 + $c->{again});
}

# the length of the whole answer, once its head is here
sub whole {
    my ($c) = @_;
    my $head = index $c->{buf}, "\r\n\r\n";
    return if $head < 0;
    my $top = substr $c->{buf}, 0, $head + 4;
    return $head + 4 + $1 if $top =~ /^content-length: *(\d+)/mi;
    return length $c->{buf} if $c->{buf} =~ /\r\n0\r\n\r\n\z/;
    return;
}

sub refused {
    my ($c, $ms) = @_;
    my @said = $c->{buf} =~ /^(X-(?:Fcfaas-Error|Worker): [^\r\n]*)/mig;
    my ($body) = $c->{buf} =~ /\r\n\r\n([^\r\n]*)/;
    my ($s, $m, $h) = localtime;

    push @{ $n{refused} }, sprintf '%02d:%02d:%02d request %d after %.0f ms: %s',
        $h, $m, $s, $c->{no}, $ms,
        join ', ', $c->{buf} =~ /^([^\r\n]*)/, @said, $body // '';
}

sub answered {
    my ($c) = @_;
    my ($status) = $c->{buf} =~ m{^HTTP/1\.\d (\d+)};
    my $ms = (now() - $c->{since}) * 1000;

    $n{answered}++;
    $n{status}{$status}++;
    push @{ $n{said} }, [$c->{since}, now(), $c->{buf} =~ /^\Q$header\E: *(\S*)/mi]
        if $header;
    $n{slowest_ms} = $ms if $ms > $n{slowest_ms};
    refused($c, $ms) if $status !~ /^2/ && @{ $n{refused} } < 20;
    delete $busy{$c->{fd}};
    $c->{used} = 1;
    push @idle, $c unless $c->{buf} =~ /^connection: close/mi;
}

sub readable {
    my ($c) = @_;
    my $got = sysread $c->{fh}, $c->{buf}, 65536, length $c->{buf};

    return if !defined $got && $!{EAGAIN};

    if ($got) {
        my $len = whole($c);
        answered($c) if defined $len && length $c->{buf} >= $len;
        return;
    }

    delete $busy{$c->{fd}};
    return once_more($c) if $again && $c->{buf} eq ''
        && ($c->{used} || $c->{again} < $again - 1);
    lost($c, length $c->{buf} ? 'cut short' : 'closed');
}

my $next = now();
my $ending;
my $swept = now();

while (!$ending || %busy) {
    my $now = now();

    if (!$ending && $now >= $next) {
        my $late = ($now - $next) * 1000;
        $n{late_ms} = $late if $late > $n{late_ms};
        ask();
        $next += $interval / 1000;
        # after a stall of this program's own it goes on from where it is
        $next = $now if $now - $next > 0.5;
    }

    my $set = '';
    vec($set, $_, 1) = 1 for CORE::keys %busy;
    vec($set, fileno STDIN, 1) = 1 unless $ending;
    my $wait = $ending ? 0.1 : $next - now();

    if (select($set, undef, undef, $wait > 0 ? $wait : 0) > 0) {
        readable($_) for grep { vec $set, $_->{fd}, 1 } values %busy;
        $ending = 1 if !$ending && vec($set, fileno STDIN, 1)
            && !sysread STDIN, my $nothing, 4096;
    }

    if ($now - $swept > 1) {
        $swept = $now;
        for my $c (grep { $now - $_->{since} > $patience } values %busy) {
            delete $busy{$c->{fd}};
            lost($c, 'no answer');
        }
    }
}

print JSON::PP->new->canonical->encode(\%n), "\n";
