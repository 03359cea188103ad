# WebSockets through a function's location, as docs write it: warm, cold,
# refused, left; each holds its slot until it ends.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Digest::SHA qw(sha1_base64);
use Test::More;

my $guest = FcfTest::Guest->new;

my $g = FcfTest::Gateway->start(park_timeout => '30s', http => <<'EOH',
    map $http_upgrade $fcfaas_connection { default upgrade; "" ""; }
EOH
    server => <<'EOC');
    location ~ ^/ws/(?<f_ws>[^/]+) {
        fcfaas $f_ws;
        fcfaas_park_timeout 30s;
        proxy_pass http://functions$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Host $host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $fcfaas_connection;
    }
EOC

my $key = 'dGhlIHNhbXBsZSBub25jZQ==';
my $accept = sha1_base64("${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11") . '=';

# a masked text frame, as clients send it, and a plain one
sub masked {
    my ($text) = @_;
    my $mask = pack 'N', int rand 2 ** 32;
    return pack('CCa4', 0x81, 0x80 | length $text, $mask)
        . ($text ^ substr($mask x 99, 0, length $text));
}

sub plain { pack('CC', 0x81, length $_[0]) . $_[0] }

sub unmasked {
    my ($frame) = @_;
    my ($op, $len, $mask, $text) = unpack 'CCa4a*', $frame;
    return $text ^ substr($mask x 99, 0, length $text);
}

sub upgrade {
    my ($path, $more) = @_;

    return $g->send('', raw => join("\r\n", "GET $path HTTP/1.1",
        'Host: example.org:8080', 'Connection: Upgrade', 'Upgrade: websocket',
        'Sec-WebSocket-Version: 13', "Sec-WebSocket-Key: $key", '', '')
        . ($more // ''));
}

# the function's side of the handshake
sub accepted {
    my ($c) = @_;

    like($c->head, qr/^Upgrade: websocket\r$/mi, 'the function is asked');
    like($c->head, qr/^Connection: upgrade\r$/mi, 'by both headers');
    $c->print("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        . "Connection: Upgrade\r\nSec-WebSocket-Accept: $accept\r\n\r\n");
}

sub client_reads {
    my ($q, $n) = @_;

    $q->until(sub { length $_[0] >= $n });
    return substr $q->{buf}, 0, $n, '';
}

sub talk {
    my ($q, $c, $name) = @_;

    for my $text ('hello', 'again') {
        $q->sock->print(masked($text));
        is(unmasked($c->read(6 + length $text)), $text, "$name: to it");
        $c->print(plain("$text, you"));
        is(client_reads($q, 2 + length "$text, you"), plain("$text, you"),
            "$name: from it");
    }
}

# warm
$g->spec('warm', concurrency => 1);
$g->warm('warm', port => $guest->port);

my $q = upgrade('/ws/warm/chat?room=1');
my $c = $guest->take;
like($c->head, qr{^GET /chat\?room=1 HTTP/1\.1\r\n}, 'warm: its path');
accepted($c);
my $r = $q->response;
is("$r->{status} $r->{headers}{'sec-websocket-accept'}", "101 $accept",
    'warm: upgraded');
talk($q, $c, 'warm');

# it holds the one slot: the next one waits, and is served when it ends
my $next = upgrade('/ws/warm/next');
$g->wait_parked(1);
$q->close;
ok($c->closed, 'the client leaves: the function is told');
$c = $guest->take;
like($c->head, qr{^GET /next }, 'and the next one has its slot');
accepted($c);
is($next->response->{status}, 101, 'upgraded');
talk($next, $c, 'the next');
$c->print(plain('bye'));
$c->close;
is(client_reads($next, 5), plain('bye'), 'the function ends it: to the last');
is(client_reads($next, 1), '', 'and the client is told');
ok($next->{eof}, 'by the end of its connection');

# cold; the client does not wait for the answer to its upgrade
$g->spec('cold');
$q = upgrade('/ws/cold/x', masked('early'));
$g->wait_parked(1);
ok(!$q->answered, 'cold: it waits');
$g->warm('cold', port => $guest->port);
$c = $guest->take;
accepted($c);
is($q->response->{status}, 101, 'cold: upgraded');
is(unmasked($c->read(6 + 5)), 'early', 'cold: what it said before');
talk($q, $c, 'cold');
$q->close;
ok($c->closed, 'cold: it leaves');

# left while it is parked
$g->spec('left');
$q = upgrade('/ws/left');
$g->wait_parked(1);
$q->close;
$g->wait_parked(0);
pass('left while parked');

# never: a plain answer
$g->spec('never');
$q = upgrade('/ws/never');
my $job = $g->redis->take_job(5);
$g->redis->cli('ZREM', '{queue:vm_provision}:pending:never',
    $job->{request_id});
$g->etcd->failure('never', $job->{request_id}, error => 'no_image',
    message => 'not there');
$r = $q->response;
is("$r->{status} $r->{headers}{'x-fcfaas-error'}", '502 no_image',
    'no instance: told as to everybody');

# an instance that did not take it: elsewhere
$g->etcd->instance('cold', port => $guest->port, worker => 'n1-2');
$g->wait_known('instances', 3);
$q = upgrade('/ws/cold/hop');
$c = $guest->take;
$c->print("HTTP/1.1 503 Busy\r\nX-Fcfaas-Unsent: busy\r\n"
    . "Content-Length: 0\r\n\r\n");
my $other = $guest->take;
accepted($other);
is($q->response->{status}, 101, 'busy: upgraded by another instance');
talk($q, $other, 'hopped');
$q->close;
$other->closed;

# a function that will not: its answer
$q = upgrade('/ws/warm/no');
$guest->take->print("HTTP/1.1 426 No\r\nContent-Length: 3\r\n\r\nno\n");
is($q->response->{status}, 426, 'refused by the function');

$g->stop;
done_testing;
