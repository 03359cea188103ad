# Answers that come in pieces, and of any size.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Digest::SHA qw(sha1_hex);
use IO::Select;
use Test::More;

my $guest = FcfTest::Guest->new;
my ($version) = `@{[ FcfTest::Nginx::binary() ]} -v 2>&1`
    =~ m{/(\d+\.\d+\.\d+)};
my $trailers = sprintf('%d%03d%03d', split /\./, $version) >= 1027002
    ? 'proxy_pass_trailers on; proxy_set_header TE trailers;' : '';

my $settings = <<'EOC';
    proxy_pass http://functions$fcfaas_uri;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
EOC

my $g = FcfTest::Gateway->start(server => <<"EOC");
    location ~ ^/stream/(?<f_stream>[^/]+) {
        fcfaas \$f_stream;
        proxy_buffering off;
        $settings
    }
    location ~ ^/trailers/(?<f_trailers>[^/]+) {
        fcfaas \$f_trailers;
        $settings
        $trailers
        proxy_set_header Connection "TE";
    }
EOC

$g->spec('hello', concurrency => 1);
$g->etcd->instance('hello', port => $guest->port);
$g->wait_known('instances', 1);

# what a client has got so far matches
sub got {
    my ($q, $re, $name) = @_;

    $q->until(sub { $_[0] =~ $re });
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    like($q->{buf}, $re, $name);
}

sub chunk { sprintf "%x\r\n%s\r\n", length $_[0], $_[0] }

my $chunked = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
    . "Transfer-Encoding: chunked\r\n";

# each event is seen by the client before the function says the next one; the
# connection to the function is kept over all of them
my $c;

for my $case (
    [ 'proxy_buffering off', '/stream/hello', '' ],
    [ 'X-Accel-Buffering: no', '/run/hello', "X-Accel-Buffering: no\r\n" ],
    [ 'X-Accel-Buffering: yes has no say', '/stream/hello',
        "X-Accel-Buffering: yes\r\n" ],
) {
    my ($name, $path, $header) = @$case;
    my $q = $g->send($path);

    $c = $c ? $c->next : $guest->take;
    $c->print("$chunked$header\r\n");
    got($q, qr/\r\n\r\n/, "$name: the head");

    for my $n (1 .. 3) {
        $c->print(chunk("data: $n\n\n"));
        got($q, qr/data: $n\n\n/, "$name: event $n");
    }

    $c->print(chunk(''));
    my $r = $q->response;
    is($r->{body}, join('', map { "data: $_\n\n" } 1 .. 3), "$name: all");
    ok(!exists $r->{headers}{'x-accel-buffering'}, "$name: not passed on");
}

# a body without an end but the connection's
my $q = $g->send('/stream/hello');
$c->next->print("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfirst");
got($q, qr/first/, 'until it is closed: a part');
$c->print('last');
$c->close;
like($q->response->{body}, qr/last/, 'until it is closed: the rest');

# HEAD
$q = $g->send('/run/hello/x', method => 'HEAD');
$c = $guest->take;
like($c->head, qr{^HEAD /x }, 'HEAD');
$c->print("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
my $r = $q->response;
is("$r->{status} $r->{headers}{'content-length'} $r->{body}", '200 1000 ',
    'HEAD: length, no body');

# its connection is good for one more
$q = $g->send('/trailers/hello');
$c->next->print($chunked . "Trailer: X-Sum\r\n\r\n" . chunk('text')
    . "0\r\nX-Sum: 42\r\n\r\n");
$r = $q->response;
is($r->{body}, 'text', 'trailers: the body');

SKIP: {
    skip "nginx $version passes no trailers", 1 unless $trailers;
    like($r->{raw}, qr/\r\n0\r\nX-Sum: 42\r\n\r\n\z/, 'trailers: passed');
}

# a large one, in both ways
my $large = join '', map { pack 'N*', map { int rand 2 ** 32 } 1 .. 1000 }
    1 .. 2000;

for my $path ('/run/hello', '/stream/hello') {
    my $client = fork // die "fork: $!";

    if ($client == 0) {
        my $r = $g->get($path);
        POSIX::_exit($r->{body} eq $large ? 0 : 1);
    }

    $c->next->print('HTTP/1.1 200 OK', "\r\nContent-Length: ",
        length $large, "\r\n\r\n", $large);
    waitpid $client, 0;
    is($?, 0, "$path: 8 MB arrive whole");
}

# cut in its middle, it is cut for the client too; of chunks, the last one is
# missing
for my $path ('/run/hello', '/stream/hello') {
    $q = $g->send($path);
    $c->next->print($chunked, "\r\n", chunk('a part'));
    $c->close;
    $r = $q->response;
    like($r->{raw}, qr/a part\r\n\z/, "$path: cut, and the client knows");
    $q = $g->send('/run/hello');
    $c = $guest->take;
    $c->print("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    is($q->response->{body}, 'ok', "$path: its slot is free again");
}

$g->stop;
done_testing;
