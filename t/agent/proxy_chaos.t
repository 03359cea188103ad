#!/usr/bin/perl

# Many clients and a guest that break off at random: no answer may reach
# another's request, nothing may stay in flight, nothing may leak.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";

use IO::Select;
use ProxyHost;
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{FCF_SEED} // time * 1000 % 1_000_000;
my $clients = $ENV{FCF_CHAOS_CLIENTS} // 8;
my $each = $ENV{FCF_CHAOS_REQUESTS} // 150;

diag("FCF_SEED=$seed") if $ENV{FCF_SEED};

$SIG{PIPE} = 'IGNORE';


# what the guest answers to a target: the target, repeated
sub body_of {
    my ($target) = @_;
    my ($size) = $target =~ /size=(\d+)/;

    return substr $target x (1 + $size / length $target), 0, $size;
}


sub chunked {
    my ($body) = @_;
    my $out = '';

    while (length $body) {
        my $part = substr $body, 0, 1 + int rand 9000, '';
        $out .= sprintf "%x\r\n%s\r\n", length $part, $part;
    }

    return "${out}0\r\n\r\n";
}


# one request on a guest's connection; 0: it is closed now
sub serve {
    my ($s) = @_;
    my $head = rd($s, qr/\r\n\r\n/, 5);
    my ($target) = $head =~ m{^\w+ (\S+) HTTP/1.1\r\n} or return 0;
    my ($length) = $head =~ /Content-Length: (\d+)/;
    my $have = length($head) - index($head, "\r\n\r\n") - 4;
    my $dice = rand;

    return 0 if $dice < 0.03;

    if ($dice < 0.06) {
        reset_close($s);
        return 0;
    }

    # an answer before the body was read
    my $early = $dice < 0.12;

    while (!$early && $length && $have < $length) {
        my $got = rd($s, qr/./s, 5);
        return 0 if $got =~ /!(?:END|TIMEOUT)\z/;
        $have += length $got;
    }

    my $body = body_of($target);
    my $kind = rand;
    my $answer = $kind < 0.4
        ? "HTTP/1.1 200 OK\r\nContent-Length: " . length($body)
          . "\r\n\r\n$body"
        : $kind < 0.8
        ? "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
          . chunked($body)
        : "HTTP/1.0 200 OK\r\n\r\n$body";

    if (rand() < 0.05) {
        wr($s, substr $answer, 0, int rand length $answer);
        reset_close($s) if $kind >= 0.8 || rand() < 0.5;
        return 0;
    }

    wr($s, $answer) or return 0;

    return $kind < 0.8 && !$early && rand() < 0.9;
}


sub run_guest {
    my ($listener) = @_;
    my $select = IO::Select->new($listener);

    while (1) {
        for my $s ($select->can_read) {
            if ($s == $listener) {
                my $new = $listener->accept or next;
                $select->add($new);

            } elsif (!serve($s)) {
                $select->remove($s);
                close $s;
            }
        }
    }
}


# the body of a complete response, or undef
sub read_response {
    my ($c) = @_;
    my $got = rd($c, qr/\r\n\r\n/, 20);

    my ($head, $body) = split /\r\n\r\n/, $got, 2;
    return ('none') unless defined $body;

    my ($status) = $head =~ m{^HTTP/1.1 (\d+)} or return ('none');
    my $more = sub {
        my $part = rd($c, qr/./s, 20);
        return 0 if $part =~ /!(?:END|TIMEOUT)\z/;
        $body .= $part;
        return 1;
    };

    my ($length) = $head =~ /Content-Length: (\d+)/;

    if (defined $length) {
        while (length $body < $length) {
            $more->() or return ('cut');
        }

        return ($status, $body, $head);
    }

    my $data = '';

    while (1) {
        while ($body !~ /^[0-9a-f]+\r\n/) {
            $more->() or return ('cut');
        }

        my ($hex) = $body =~ /^([0-9a-f]+)/;
        my ($size, $line) = (hex $hex, length($hex) + 2);

        while (length $body < $line + $size + 2) {
            $more->() or return ('cut');
        }

        return ($status, $data, $head) if $size == 0;
        $data .= substr $body, $line, $size;
        substr $body, 0, $line + $size + 2, '';
    }
}


# exits with 1 if an answer was wrong
sub run_client {
    my ($route, $n) = @_;
    my ($c, %seen);

    srand($seed + $n);

    for my $i (1 .. $each) {
        $c //= client($route);

        my $target = sprintf '/%d/%d?size=%d&', $n, $i,
            rand() < 0.2 ? rand 200_000 : rand 2000;
        my $size = int(rand() < 0.2 ? rand 200_000 : rand 2000);
        my $post = rand() < 0.5;
        my $wire = $post ? req("POST $target", body => 'b' x $size)
                         : req("GET $target");

        if (rand() < 0.1) {
            wr($c, substr $wire, 0, int rand length $wire);
            rand() < 0.5 ? reset_close($c) : close $c;
            undef $c;
            next;
        }

        # the answer may come before all was sent
        wr($c, $wire);

        if (rand() < 0.1) {
            reset_close($c);
            undef $c;
            next;
        }

        my ($status, $body, $head) = read_response($c);
        $seen{$status}++;

        if ($status eq '200' && $body ne body_of($target)) {
            print STDERR "# wrong answer to $target: ",
                substr($body, 0, 80), "\n";
            exit 1;
        }

        if ($status !~ /^\d/ || $head =~ /Connection: close/
            || $status ne '200')
        {
            close $c;
            undef $c;
        }
    }

    exit(($seen{200} // 0) > $each / 4 ? 0 : 2);
}


my $h = ProxyHost->new('-T', 'secret', '-t', 2, '-q', 4, '-Q', 2000);
my (@routes, @guests, %children);

for my $i (0 .. 2) {
    push @routes, $h->route("r$i", concurrency => $i == 0 ? 2 : 0);
    my $pid = fork // die "fork: $!";

    if (!$pid) {
        srand($seed + 1000 + $i);
        run_guest($routes[$i]{guest});
    }

    push @guests, $pid;
    close delete $routes[$i]{guest};
}

for my $n (1 .. $clients) {
    my $pid = fork // die "fork: $!";
    run_client($routes[$n % @routes], $n) if !$pid;
    $children{$pid} = $n;
}

for my $pid (sort { $a <=> $b } keys %children) {
    waitpid $pid, 0;
    is($?, 0, "client $children{$pid}: answers are its own (seed $seed)");
}

for my $route (@routes) {
    ok(until_true { $h->stat($route->{name})->{inflight} == 0 },
       "$route->{name}: nothing in flight");
    $h->cmd("close $route->{name} 0 0 0");
    is($h->line, "closed $route->{name}", 'closed');
}

kill 'KILL', @guests;
waitpid $_, 0 for @guests;

my ($status, $log) = $h->quit;
is($status, 0, 'the proxy ends well');
unlike($log, qr/Sanitizer|runtime error/, 'no sanitizer report');

done_testing();
