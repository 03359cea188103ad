# Timers of connections that are kept: that of an answer stays set when it has
# come, and must do nothing to the connection, nor to the next request on it.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $ok = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n";
my @times = (600, 1000, 1200);

my $g = FcfTest::Gateway->start(server => join '', map { <<"    EOC" }
        location /$_/ {
            fcfaas;
            proxy_pass http://functions\$fcfaas_uri;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_read_timeout ${_}ms;
            client_max_body_size 32m;
        }
    EOC
    @times);

my %guest;

for my $name (qw(a clock)) {
    $guest{$name} = FcfTest::Guest->new;
    $g->etcd->spec($name);
    $g->etcd->instance($name, port => $guest{$name}->port,
        worker => "n1-" . keys %guest);
}
$g->seen;

# when nginx has given up on one that takes so long
sub spend {
    my ($ms) = @_;
    my $q = $g->send("/$ms/clock");
    my $c = $guest{clock}->take;

    is($q->response->{status}, 504, "$ms ms pass");
    $c->close;
}

sub answered {
    my ($q, $c, $what) = @_;

    $c->print($ok);
    is($q->response->{status}, 200, $what);
}

my $q = $g->send('/1000/a');
my $c = $guest{a}->take;
answered($q, $c, 'one within its time');

spend(1200);
$q = $g->send('/1000/a');
$c->next;
answered($q, $c, 'the time of the answer before does not end the connection');

spend(600);
$q = $g->send('/1000/a');
$c->next;
spend(600);
answered($q, $c, '... nor the request after it');

$q = $g->send('/1000/a');
$c->next;
answered($q, $c, 'at once again');
$q = $g->send('/1000/a');
$c->next;
is($q->response->{status}, 504, '... has its own time');
$c->close;

$q = $g->send('/1000/a');
$c = $guest{a}->take;
answered($q, $c, 'a new connection');

# more than what lies between nginx and the guest
my $size = 24 << 20;
$q = $g->send('/1000/a', method => 'POST', body => 'x' x $size);
$c->next;
spend(1200);
$c->read($size, 30);
answered($q, $c, '... nor a body that takes longer');

$g->stop;
done_testing;
