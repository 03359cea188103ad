# Kept connections that the other side closes just as a request is sent: the
# request goes elsewhere, whatever its method, for nobody has seen it.  One
# that was read is another matter.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Test::More;

my $guest = FcfTest::Guest->new;

my $g = FcfTest::Gateway->start(http => 'keepalive_requests 1000000;',
    server => <<'EOC');
    location ~ ^/strict/(?<f_strict>[^/]+) {
        fcfaas $f_strict;
        proxy_pass http://functions$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_next_upstream off;
    }
    location ~ ^/stream/(?<f_stream>[^/]+) {
        fcfaas $f_stream;
        proxy_request_buffering off;
        proxy_pass http://functions$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
EOC
$g->spec('hello');
$g->etcd->instance('hello', port => $guest->port);
$g->wait_known('instances', 1);

my ($worker) = $g->nginx->workers;
my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";

# a connection to the guest that the gateway keeps
sub kept {
    my $q = $g->send_on('/run/hello/before');
    my $c = $guest->take;

    # a request of several writes is there as a whole
    setsockopt($q->sock, IPPROTO_TCP, TCP_NODELAY, 1);

    $c->print($ok);
    is($q->response->{status}, 200, 'one to be kept');
    return $c;
}

# The worker finds both at once, the client's request first: it sends it over
# the connection that is closed already.
sub closed_as_it_is_sent {
    my ($c, $path, %opt) = @_;

    freeze($worker);
    my $q = $g->send_on($path, %opt);
    $c->print($opt{word}) if $opt{word};
    $c->close;
    kill 'CONT', $worker;
    return $q;
}

# the large ones are sent in pieces, of which the first meets a reset
my %body = ('short' => 'x', 'a page' => 'x' x 4000, 'large' => 'x' x 60000,
    'larger' => 'x' x 600000);

for my $path ('/run', '/strict', '/stream') {
    for my $method ('GET', 'POST', 'PUT', 'PATCH') {
        for my $size ($method eq 'GET' ? '' : sort keys %body) {
            my @body = $size ? (body => $body{$size}) : ();
            my $name = "$path, $method" . ($size && ", $size");

            # a large one that is streamed is gone
            next if $path eq '/stream' && $size =~ /^large/;

            my $q = closed_as_it_is_sent(kept(), "$path/hello/x",
                method => $method, @body);
            my $c = eval { $guest->take(5) };
            ok($c && $c->head =~ m{^$method /x }, "$name: sent again");
            next unless $c;
            ok($c->read(length $body[1]) eq $body[1], "$name: the body")
                if @body;
            $c->print($ok);
            is($q->response->{status}, 200, "$name: and answered");
            $c->close;
        }
    }
}

# nor does it matter that the server has said why
my $q = closed_as_it_is_sent(kept(), '/run/hello/why', method => 'POST',
    body => $body{large}, word => "HTTP/1.1 408 Request Timeout\r\n\r\n");
my $c = $guest->take;
ok($c->read(length $body{large}) eq $body{large}, 'closed with a word: again');
$c->print($ok);
is($q->response->{status}, 200, 'and answered');
$c->close;

# many are stale at once: each is found out, and no limit on tries is met
my @q = map { $g->send('/run/hello/many', keepalive => 1) } 1 .. 20;
my @c = map { $guest->take } @q;
$_->print($ok) for @c;
$_->response for @q;
freeze($worker);
$q = $g->send_on('/run/hello/last', method => 'POST', body => 'x');
$_->close for @c;
kill 'CONT', $worker;
$c = $guest->take;
like($c->head, qr{^POST /last }, '20 stale ones: sent again at last');
$c->print($ok);
is($q->response->{status}, 200, 'and answered');

# read, and then closed without a word: not again
for my $method ('POST', 'PATCH') {
    $q = $g->send_on('/run/hello/read', method => $method, body => 'once');
    $c->next->read(4);
    $c->close;
    is($q->response->{status}, 502, "$method that was read: 502");
    $c = kept();
    like($c->head, qr{^GET /before }, "$method that was read: not sent again");
}

$c->close;

# no instance that listens: nobody has seen that either
my $closed = free_port();
$g->spec('refused');
$g->etcd->instance('refused', port => $closed);
$g->wait_known('instances', 2);
$q = $g->send('/strict/refused', method => 'POST', body => 'x');
wait_for(sub { $g->status->{balancer}{refused} > 0 }, 5, 'a refusal');
$g->etcd->instance('refused', port => $guest->port, worker => 'n1-2');
$c = $guest->take;
is($c->read(1), 'x', 'refused: it goes to another, proxy_next_upstream off');
$c->print($ok);
is($q->response->{status}, 200, 'and is answered');
$q->close;
$c->close;

# read, and then aborted by a reset: not again either
for my $method ('POST', 'PATCH') {
    for my $size (4, 900_000) {
        $c = kept();
        $q = $g->send_on('/run/hello/reset', method => $method,
            body => 'x' x $size);
        $c->next->read(4);
        $c->reset;
        is($q->response->{status}, 502, "$method of $size, read, reset: 502");
        $c = kept();
        like($c->head, qr{^GET /before }, "$method of $size: not sent again");
        $c->close;
    }
}

# again and again, as a gateway under load meets it
my $rounds = $ENV{FCF_STALE_ROUNDS} // 200;
my %status;
my $seen = 0;

for my $n (1 .. $rounds) {
    $q = $g->send_on("/run/hello/$n", method => 'POST', body => "a$n");
    $c = $guest->take;
    $seen++ if $c->read(length "a$n") eq "a$n";
    $c->print($ok);
    $status{$q->response->{status}}++;

    $q = closed_as_it_is_sent($c, "/run/hello/$n", method => 'POST',
        body => "b$n");
    $c = $guest->take;
    $seen++ if $c->read(length "b$n") eq "b$n";
    # the last one on it: the next is not stale
    $c->print($ok =~ s/\r\n/\r\nConnection: close\r\n/r);
    $status{$q->response->{status}}++;
    $c->close;
}

is(join(' ', %status), '200 ' . 2 * $rounds, "$rounds times: all served");
is($seen, 2 * $rounds, 'each once');

$g->stop;
done_testing;
