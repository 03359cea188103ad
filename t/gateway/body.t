# Bodies of requests: streamed and buffered, warm and cold, with
# Expect: 100-continue, and with a hop that sends none of it.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $guest = FcfTest::Guest->new;
my $busy = FcfTest::Guest->new;

my $g = FcfTest::Gateway->start(http => 'client_max_body_size 20m;',
    park_timeout => '30s', server => <<'EOC');
    location ~ ^/stream/(?<f_stream>[^/]+) {
        fcfaas $f_stream;
        fcfaas_park_timeout 30s;
        proxy_request_buffering off;
        proxy_pass http://functions$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
EOC

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
my $large = join '', map { pack 'N*', map { int rand 2 ** 32 } 1 .. 1000 }
    1 .. 1000;
my $length = length $large;

sub head {
    my ($path, @more) = @_;
    return join "\r\n", "POST $path HTTP/1.1", 'Host: a', 'Connection: close',
        @more, '', '';
}

# the text comes on this connection, before anything else
sub says {
    my ($q, $re, $name) = @_;

    $q->until(sub { $_[0] =~ $re });
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($q->{buf} =~ s/\A$re//, $name) or diag(substr $q->{buf}, 0, 300);
}

my $continue = qr{HTTP/1\.1 100 Continue\r\n\r\n};

$g->spec('warm');
$g->warm('warm', port => $guest->port);

# streamed: a part is there before the client sends the next
my $q = $g->send('', raw => head('/stream/warm/x', 'Content-Length: 10')
    . 'first');
my $c = $guest->take;
is($c->read(5), 'first', 'streamed: a part of it');
$q->sock->print('again');
is($c->read(5), 'again', 'and the rest');
$c->print($ok);
is($q->response->{status}, 200, 'and an answer');
$q->close;

# chunked too
$q = $g->send('', raw => head('/stream/warm', 'Transfer-Encoding: chunked')
    . "5\r\nfirst\r\n");
$c->next;
like($c->head, qr/^Transfer-Encoding: chunked\r$/mi, 'streamed in chunks');
is($c->read(10), "5\r\nfirst\r\n", 'a part of it');
$q->sock->print("0\r\n\r\n");
is($c->read(5), "0\r\n\r\n", 'and the end');
$c->print($ok);
is($q->response->{status}, 200, 'and an answer');
$q->close;

# a function that answers before it has read the body
$q = $g->send('', raw => head('/stream/warm', "Content-Length: $length")
    . 'some');
$c->next->print("HTTP/1.1 413 Too Much\r\nContent-Length: 0\r\n"
    . "Connection: close\r\n\r\n");
is($q->response->{status}, 413, 'an answer in the middle of a body');
$q->close;
$c->close;

# Expect: 100-continue
for my $path ('/run', '/stream') {
    $q = $g->send('', raw => head("$path/warm", 'Content-Length: 4',
        'Expect: 100-continue'));
    says($q, $continue, "$path: continue");
    $q->sock->print('body');
    $c = $guest->take;
    unlike($c->head, qr/^expect:/mi, "$path: Expect is not passed on");
    is($c->read(4), 'body', "$path: the body");
    $c->print($ok);
    is($q->response->{status}, 200, "$path: an answer");
    $q->close;
    $c->close;
}

# cold: parked, with all or a part of the body, or none of it yet
$g->spec($_) for qw(c1 c2 c3 c4 c5);

my %cold = (
    c1 => ['/run', 'Content-Length: 4', 'Expect: 100-continue'],
    c2 => ['/stream', 'Content-Length: 4', 'Expect: 100-continue'],
    c3 => ['/run', "Content-Length: $length", 'Expect: 100-continue'],
    c4 => ['/stream', "Content-Length: $length"],
    c5 => ['/run', "Content-Length: $length"],
);

for my $name (sort keys %cold) {
    my ($path, @headers) = @{ $cold{$name} };
    my $body = $headers[0] =~ /: 4$/ ? 'body' : $large;
    my $asks = $headers[1] ? 1 : 0;
    my $what = "cold, $path, " . length($body) . ' bytes';

    $q = $g->send('', raw => head("$path/$name/x", @headers));
    $g->wait_parked(1);

    # a large one is read meanwhile, so that a client that leaves is seen
    says($q, $continue, "$what: continue") if $name eq 'c3';
    $q->sock->print(substr $body, 0, 3) unless $asks && $name ne 'c3';
    $g->warm($name, port => $guest->port);

    if ($asks && $name ne 'c3') {
        says($q, $continue, "$what: continue");
        $q->sock->print(substr $body, 0, 3);
    }

    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        $q->sock->print(substr $body, 3);
        POSIX::_exit(0);
    }

    $c = $guest->take;
    ok($c->read(length $body) eq $body, "$what: the whole body");
    $c->print($ok);
    is($q->response->{status}, 200, "$what: an answer");
    waitpid $pid, 0;
    $q->close;
    $c->close;
}

# an instance that takes nothing: a body that is all there goes elsewhere (a
# short one is, it came with the head), one that was streamed cannot
my $unsent = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 2\r\n"
    . "X-Fcfaas-Unsent: draining\r\nConnection: close\r\n\r\n{}";

for my $case (['/run', 'short'], ['/run', $large], ['/stream', 'short'],
    ['/stream', $large], ['/stream', ''], ['/stream', undef],
    ['/stream', $large, 'early'])
{
    my ($path, $body, $early) = @$case;
    my $what = "unsent, $path, "
        . (defined $body ? length($body) . ' bytes' : 'none');
    my $name = 'u' . ++$main::n;

    $g->spec($name);
    $g->warm($name, port => $busy->port);

    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        my $c = $busy->take;
        $c->read(length $body) if defined $body && !$early;
        $c->print($unsent);
        $c->closed;
        POSIX::_exit(0);
    }

    $q = $g->send("$path/$name", defined $body ? (method => 'POST',
        body => $body) : ());

    if ($path eq '/stream' && length($body // '') > 10000) {
        my $r = $q->response;
        is($r->{status}, 503, "$what: 503");
        is($r->{headers}{'x-fcfaas-error'}, 'body_gone', "$what: why");
        is($r->{headers}{'retry-after'}, '1', "$what: with Retry-After");
        ok(!exists $r->{headers}{'x-fcfaas-unsent'}, "$what: only that");

    } else {
        wait_for(sub { $g->status->{balancer}{unsent} >= $main::n }, 5,
            'the hop');
        $g->etcd->instance($name, port => $guest->port, worker => 'n1-2');
        $c = $guest->take;
        ok($c->read(length $body) eq $body, "$what: the body goes elsewhere")
            if defined $body;
        $c->print($ok);
        is($q->response->{status}, 200, "$what: served elsewhere");
        $c->close;
    }

    $q->close;
    waitpid $pid, 0;
}

# the answer "unsent" and more of a streamed body in one turn of the worker's
$g->spec('turn');
$g->warm('turn', port => $busy->port);
my ($worker) = $g->nginx->workers;

$q = $g->send('', raw => head('/stream/turn', "Content-Length: $length")
    . 'some');
$c = $busy->take;
is($c->read(4), 'some', 'in one turn: a part is there');
freeze($worker);
$c->print($unsent);
$q->sock->print('more');
kill 'CONT', $worker;
is($q->response->{status}, 503, 'in one turn: 503');
$q->close;
$c->close;

$g->stop;
done_testing;
