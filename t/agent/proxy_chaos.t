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


# the rest of a request's body has come; 0: it never will
sub read_body {
    my ($s, $head) = @_;
    my $have = substr $head, index($head, "\r\n\r\n") + 4;
    my ($length) = $head =~ /Content-Length: (\d+)/;
    my $chunked = $head =~ /Transfer-Encoding: chunked/;

    while ($chunked ? $have !~ /(?:^|\n)0\r\n\r\n\z/
                    : length $have < ($length // 0))
    {
        my $got = rd($s, qr/./s, 5);
        return 0 if $got =~ /!(?:END|TIMEOUT)\z/;
        $have .= $got;
    }

    return 1;
}


# one request on a guest's connection; 0: it is closed now
sub serve {
    my ($s) = @_;
    my $head = rd($s, qr/\r\n\r\n/, 5);
    my ($method, $target) = $head =~ m{^(\S+) (\S+) HTTP/1.1\r\n} or return 0;
    my $dice = rand;

    return 0 if $dice < 0.03;

    if ($dice < 0.06) {
        reset_close($s);
        return 0;
    }

    # an answer before the body was read
    my $early = $dice < 0.12;

    $early || read_body($s, $head) or return 0;

    my $none = $target =~ /none/ || $method eq 'HEAD';
    my $body = $none ? '' : body_of($target);
    my $kind = rand;
    my $status = $target =~ /none/ ? '204 None' : '200 OK';
    my $fields = "X-Target: $target\r\n";
    my $answer = $none
        ? "HTTP/1.1 $status\r\n$fields"
          . ($status =~ /200/ ? "Content-Length: 5\r\n" : '') . "\r\n"
        : $kind < 0.4
        ? "HTTP/1.1 200 OK\r\n${fields}Content-Length: " . length($body)
          . "\r\n\r\n$body"
        : $kind < 0.8
        ? "HTTP/1.1 200 OK\r\n${fields}Transfer-Encoding: chunked\r\n\r\n"
          . chunked($body)
        : "HTTP/1.0 200 OK\r\n$fields\r\n$body";

    if (rand() < 0.2) {
        wr($s, "HTTP/1.1 103 Hints\r\nLink: $_\r\n\r\n") or return 0
            for 1 .. 1 + rand 20;
    }

    if (rand() < 0.05) {
        wr($s, substr $answer, 0, int rand length $answer);
        reset_close($s) if $kind >= 0.8 || rand() < 0.5;
        return 0;
    }

    # an answer too many, another's if the proxy believed it; one that came
    # later nobody could tell from that
    if (!$none && $kind < 0.8 && rand() < 0.03) {
        $answer .= "HTTP/1.1 200 OK\r\nX-Target: stray\r\n"
            . "Content-Length: 0\r\n\r\n";
    }

    wr($s, $answer) or return 0;

    # a body that must not be, whenever it comes
    if ($none && rand() < 0.3) {
        wr($s, "HTTP/1.1 200 OK\r\nX-Target: stray\r\n"
           . "Content-Length: 0\r\n\r\n") or return 0;
    }

    return ($none || $kind < 0.8) && !$early && rand() < 0.9;
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


# more of what came on a client's connection: { s, buf }
sub more {
    my ($c) = @_;
    my $part = rd($c->{s}, qr/./s, 20);

    return 0 if $part =~ /!(?:END|TIMEOUT)\z/;
    $c->{buf} .= $part;

    return 1;
}


# status, head and body of the next response, or why there is none
sub read_response {
    my ($c, $method) = @_;
    my ($head, $status);

    until ($c->{buf} =~ s/\A(.*?\r\n)\r\n//s and $head = $1) {
        more($c) or return ('none');
    }

    ($status) = $head =~ m{^HTTP/1.1 (\d+)} or return ('none');

    return ($status, $head, '') if $method eq 'HEAD' || $status eq '204';

    my $need = sub {
        while (length $c->{buf} < $_[0]) {
            more($c) or return 0;
        }

        return 1;
    };

    if ($head =~ /Content-Length: (\d+)/) {
        $need->($1) or return ('cut');
        return ($status, $head, substr $c->{buf}, 0, $1, '');
    }

    my $data = '';

    while (1) {
        while ($c->{buf} !~ /^[0-9a-f]+\r\n/) {
            more($c) or return ('cut');
        }

        my ($hex) = $c->{buf} =~ /^([0-9a-f]+)/;
        my ($size, $line) = (hex $hex, length($hex) + 2);

        $need->($line + $size + 2) or return ('cut');
        $data .= substr $c->{buf}, $line, $size;
        substr $c->{buf}, 0, $line + $size + 2, '';
        return ($status, $head, $data) if $size == 0;
    }
}


# a request, and what its answer must tell: [method, target, wire]
sub make_request {
    my ($n, $i) = @_;
    my @methods = qw(GET HEAD POST PUT QUERY DELETE);
    my $method = $methods[rand @methods];
    my $target = sprintf '/%d/%s/%s?size=%d&', $n, $i,
        rand() < 0.1 ? 'none' : 'some',
        rand() < 0.2 ? rand 200_000 : rand 2000;
    my $data = 'b' x (rand() < 0.2 ? rand 200_000 : rand 2000);
    my $line = "$method $target";

    return [$method, $target,
            $method =~ /GET|HEAD|DELETE/ ? req($line)
            : rand() < 0.5 ? req($line, body => $data)
            : req($line, raw => 1,
                  fields => "Transfer-Encoding: chunked\r\n")
              . chunked($data)];
}


# exits with 1 if an answer was wrong
sub run_client {
    my ($route, $n) = @_;
    my ($c, %seen);

    srand($seed + $n);

    for my $i (1 .. $each) {
        $c //= { s => client($route), buf => '' };

        # one that has never asked stays for a while
        client($route) if rand() < 0.05;

        my @asked = map { make_request($n, "$i-$_") }
            1 .. (rand() < 0.2 ? 3 : 1);
        my $wire = join '', map { $_->[2] } @asked;

        if (rand() < 0.1) {
            wr($c->{s}, substr $wire, 0, int rand length $wire);
            rand() < 0.3 ? reset_close($c->{s})
                : rand() < 0.5 ? close $c->{s} : shutdown $c->{s}, 1;
            undef $c;
            next;
        }

        # the answer may come before all was sent
        wr($c->{s}, $wire);

        if (rand() < 0.1) {
            reset_close($c->{s});
            undef $c;
            next;
        }

        for my $ask (@asked) {
            my ($method, $target) = @$ask;
            my ($status, $head, $body) = read_response($c, $method);
            my $right = $method eq 'HEAD' || $target =~ /none/
                        ? '' : body_of($target);
            $seen{$status}++;

            if ($status =~ /^20/
                && ($head !~ /\r\nX-Target: \Q$target\E\r\n/
                    || $body ne $right))
            {
                print STDERR "# wrong answer to $method $target: $head",
                    substr($body, 0, 80), "\n";
                exit 1;
            }

            if ($status !~ /^20/ || $head =~ /Connection: close/) {
                close $c->{s};
                undef $c;
                last;
            }
        }
    }

    my $good = ($seen{200} // 0) + ($seen{204} // 0);
    print STDERR '# ', join(' ', map { "$_: $seen{$_}" } sort keys %seen), "\n"
        if $good <= $each / 4;
    exit($good > $each / 4 ? 0 : 2);
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
