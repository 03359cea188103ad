# A warm request asks nobody, and opens no connection.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start;
$g->spec('hello');
$g->instance('hello');
$g->ready('hello');

my $redis_calls = $g->redis->calls;
my $written = $g->etcd->metric('etcd_server_proposals_committed_total');
my $ranges = $g->etcd->metric('etcd_debugging_mvcc_range_total');
my $began = now();

# over one connection of the client's: the worker, and its pool, are the same
my $q = $g->send('/run/hello/0', keepalive => 1);
my $first = $q->response(5);
my %connections;

for my $n (1 .. 500) {
    $q = $g->send("/run/hello/$n", keepalive => 1, sock => $q->sock);
    my $r = $q->response(5);
    $r->{status} == 200 or die "request $n: $r->{status}";
    $connections{ (split /\|/, $r->{body})[-1] }++;
}

my $seconds = now() - $began;

is(scalar keys %connections, 1, '500 requests: one connection to the agent');
is($g->redis->calls - $redis_calls, 0, 'nothing asked of Redis');
is($g->etcd->metric('etcd_server_proposals_committed_total') - $written, 0,
    'nothing written to etcd');

# the probe, once in two seconds, is all that reads
cmp_ok($g->etcd->metric('etcd_debugging_mvcc_range_total') - $ranges, '<=',
    2 + $seconds, 'nothing read from etcd but by the probe');

# 20 clients at once, each over its own connection, several times
%connections = ();

for my $round (1 .. 10) {
    my @q = map { $g->send("/run/hello/$_") } 1 .. 20;
    $connections{ (split /\|/, $_->response(5)->{body})[-1] }++ for @q;
}

cmp_ok(scalar keys %connections, '<=', 21,
    '200 requests by 20 at once: at most 21 connections to the agent');

$g->stop;
done_testing;
