# fcfaas_park_limit, fcfaas_park_limit_total, fcfaas_park_timeout.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(park_timeout => '10s',
    location => 'fcfaas_park_limit 5;', http => 'fcfaas_park_limit_total 8;');
$g->spec($_) for qw(one two);

my @one = map { $g->send('/run/one') } 1 .. 5;
$g->wait_parked(5);

my $r = $g->get('/run/one');
is($r->{status}, 429, 'the sixth of a function is refused');
is($r->{headers}{'x-fcfaas-error'}, 'park_limit', 'as park_limit');

my @two = map { $g->send('/run/two') } 1 .. 3;
$g->wait_parked(8);
is($g->get('/run/two')->{status}, 429, 'the ninth of all is refused');

$one[0]->close;
$g->wait_parked(7);
push @two, $g->send('/run/two');
$g->wait_parked(8);
pass('one that leaves makes room');

$g->instance($_) for qw(one two);
is($_->response(5)->{status}, 200, 'served') for @one[1 .. 4], @two;
$g->wait_parked(0);

# in order of arrival
$g->etcd->no_instance('one', 'n1-1');
$g->wait_known('instances', 1, 5);
@one = ();

for my $n (1 .. 5) {
    push @one, $g->send("/run/one/$n");
    $g->wait_parked($n);
}

$g->instance('one', concurrency => 1);
$_->response(5) for @one;
my @order = map { m{GET /(\d+)} } $g->agent->served(qr{GET /\d+ HTTP}, 5);
is_deeply(\@order, [1 .. 5], 'first come, first served');
$g->stop;

done_testing;
