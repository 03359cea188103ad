# worker_shutdown_timeout cuts what waits: parked, or held in the balancer.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(park_timeout => '60s',
    main => 'worker_shutdown_timeout 1s;');
$g->spec($_) for qw(cold dead);
$g->etcd->instance('dead', port => free_port());    # refuses
$g->wait_known('instances', 1);

my $parked = $g->send('/run/cold');
$g->wait_parked(1);

# nginx cuts in the order of its connections, and gives out the one that was
# freed last: the balancer's shall come before its client's
my ($first, $held) = map { $g->send('/status', keepalive => 1) } 1, 2;
$_->response(5) for $first, $held;
$first->close;

$held = FcfTest::Http->send(sock => $held->sock, path => '/status',
    keepalive => 1);
$held->response(5);
$held = FcfTest::Http->send(sock => $held->sock, path => '/run/dead',
    keepalive => 1);
wait_for(sub { $g->status->{balancer}{waited} > 0 }, 5,
    'one to wait in the balancer');

my ($old) = $g->nginx->workers;
$g->nginx->reload;

wait_for(sub { $g->nginx->logged(qr/worker process $old exited/) }, 10,
    'the old worker to leave');
is($_->response(5)->{status}, 0, 'cut') for $parked, $held;
is(scalar $g->nginx->logged(qr/worker process $old exited with code 0/), 1,
    'the old worker left in order');

$g->stop;
done_testing;
