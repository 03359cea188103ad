# Kept connections behind TLS of a node's that the front closes, since what is
# behind it has ended.  Where that lies there unread as a request is to be sent,
# the request goes over another one, whatever its method; where the request has
# left already nobody can tell what became of it, and it is not sent again.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Front;
use FcfTest::Tls;
use Test::More;

FcfTest::Front::skip_without();
FcfTest::Tls::certificates(server => '/O=fcfaas/OU=node',
    gateway => '/O=fcfaas/OU=gateway');

my ($at, $first, $last) = ('127.0.0.4', 28100, 28103);
my $ns = FcfTest::Netns->new('stale-tls')->enter;
my $front = FcfTest::Front->start(node => { address => $at, first => $first,
    last => $last, roles => ['gateway'] });
my $tls = $front->gateway;
my $guest = FcfTest::Guest->new(port => $first);
my $g = FcfTest::Gateway->start(http => 'keepalive_requests 1000000;',
    server => <<"EOC");
    location ~ ^/tls/(?<f_tls>[^/]+) {
        fcfaas \$f_tls;
        proxy_pass https://functions\$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_next_upstream off;
        $tls
    }
EOC
$g->spec('hello');
$g->etcd->instance('hello', worker_ip => $at, port => $first);
$g->wait_known('instances', 1);

my ($worker) = $g->nginx->workers;
my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
# one that the gateway does not keep
my $bye = $ok =~ s/\r\n/\r\nConnection: close\r\n/r;

# $n connections that the gateway keeps
sub kept {
    my ($n) = @_;
    my @q = map { $g->send('/tls/hello/before') } 1 .. $n;
    my @c = map { $guest->take } @q;

    $_->print($ok) for @c;
    is($_->response->{status}, 200, 'one to be kept') for @q;
    return @c;
}

# bytes of the front's that the worker has not read yet, a number for each
# connection
sub unread {
    return grep { $_ } map { /^\S+\s+(\d+)/ ? $1 : () }
        qx(ss -Htn state all dst $at);
}

# The worker finds all of it at once, the client's request first.
sub closed_as_it_is_sent {
    my ($path, $kept, %opt) = @_;

    freeze($worker);
    my $q = $g->send_on($path, %opt);
    $_->close for @$kept;
    wait_for(sub { unread() == @$kept }, 10, 'the front to close them');
    kill 'CONT', $worker;
    return $q;
}

# the client's own connection is there before the worker is stopped
my $q = $g->send_on('/tls/hello/first');
my $c = $guest->take;
$c->print($bye);
is($q->response->{status}, 200, 'the first');
$c->close;

for my $method ('GET', 'POST', 'PATCH') {
    for my $n (1, 9) {
        my @body = $method eq 'GET' ? () : (body => 'x' x 4000);
        my $name = "$method, $n kept";

        $q = closed_as_it_is_sent("/tls/hello/x", [kept($n)],
            method => $method, @body);
        $c = eval { $guest->take(10) };
        ok($c && $c->head =~ m{^$method /x }, "$name: over another one");
        $c->print($bye) if $c;
        is($q->response->{status}, 200, "$name: and answered");
        $c->close if $c;
    }
}

# read, and then closed without a word: not again
for my $method ('POST', 'PATCH') {
    ($c) = kept(1);
    $q = $g->send_on('/tls/hello/read', method => $method, body => 'once');
    $c->next->read(4);
    $c->close;
    is($q->response->{status}, 502, "$method that was read: 502");
    $q = $g->send_on('/tls/hello/next');
    $c = $guest->take;
    like($c->head, qr{^GET /next }, "$method that was read: not sent again");
    $c->print($bye);
    is($q->response->{status}, 200, 'the next');
    $c->close;
}

$g->stop;
$front->stop;
done_testing;
