# A function as the target of "mirror": it gets the path of the subrequest, not
# the client's, with the client's method, arguments and body; cold, it is
# started, and the client does not wait for it.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $guest = FcfTest::Guest->new;
my $g = FcfTest::Gateway->start(park_timeout => '2s', server => <<'EOC');
    location /shop/ {
        mirror "/run/shadow/a b%/admin";
        proxy_pass http://functions;
        fcfaas hello;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
EOC
my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

$g->spec($_) for qw(hello shadow);
$g->warm('hello');

sub mirrored {
    my ($what, $method, $body) = @_;
    my $c = $guest->take(10);
    my $head = $c->head;

    # a space and a per cent sign of a URI are written like this
    like($head, qr{\A$method /a%20b%25/admin\?x=%2f&y HTTP/1\.1\r\n},
        "$what: its path and the client's arguments");
    like($head, qr/^X-Fcfaas-Function: shadow\r$/mi, "$what: the function");
    is($c->read(length $body), $body, "$what: the client's body")
        if defined $body;
    $c->print($ok);
    $c->close;
}

sub client {
    my ($what, @request) = @_;
    my $r = $g->get('/shop/%61?x=%2f&y', timeout => 10, @request);
    is($r->{status}, 200, "$what: the client is served");
    like($r->{body}, qr{^\w+ /shop/%61\?x=%2f&y HTTP/1\.1\|hello\|},
        "$what: by the other one, with its own path");
}

# cold
client('cold');
my $job = $g->redis->take_job(10);
is($job && $job->{function_id}, 'shadow', 'cold: it is asked for');
$g->etcd->instance('shadow', worker => 'n1-2', port => $guest->port);
mirrored('cold', 'GET');
$g->wait_known('instances', 2);

# warm
client('warm');
mirrored('warm', 'GET');
client('a body', method => 'POST', body => 'x' x 20000);
mirrored('a body', 'POST', 'x' x 20000);

# nothing comes of it
$g->etcd->no_instance('shadow', 'n1-2');
$g->wait_known('instances', 1);
client('in vain');
$g->wait_parked(1);
ok(eval { $g->wait_parked(0, 10); 1 }, 'in vain: its wait ends');
is($g->status->{outcomes}{504} + $g->status->{outcomes}{503}, 1,
    'with an answer that nobody sees');
ok(eval { $g->wait_quiet; 1 }, 'nothing is left') or diag($@);

$g->stop;
done_testing;
