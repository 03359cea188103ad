#!/usr/bin/perl

# Two gateways of three workers each on one etcd and one Redis: what waits in
# both is asked for once, and nobody starves.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use List::Util qw(max sum);
use Test::More;

my $clients = $ENV{GATEWAYS_CLIENTS} // 1000;

plan skip_all => 'prlimit is missing'
    if system("prlimit --pid $$ --nofile=8192:8192") != 0;

my $g = FcfTest::Gateway->start(workers => 3, park_timeout => '60s',
    location => 'fcfaas_park_limit 2000;');
my $second = FcfTest::Nginx->start(name => 'second', workers => 3,
    http => $g->_http, server => $g->_server);
my @port = ($g->port, $second->port);

sub status { json_decode(http_get($_[0], '/status')->{body}) }

sub waiting { sum(map { status($_)->{parked} } @port) }

sub known {
    my ($what, $n) = @_;

    # of all six: one that is late has no list yet, and says so
    wait_for(sub {
        my @workers = map { @{ status($_)->{workers} } } @port;
        6 == grep { $_->{$what} == $n } @workers;
    }, 20, "$n $what in each worker");
}

# demand: concurrency 1, one job for each that waits, wherever
$g->etcd->spec('each', concurrency => 1, max_instances => 40);
$g->etcd->spec('hot', concurrency => 8, max_instances => 4);
known('specs', 2);

my @q = map { http_send($port[$_ % 2], "/run/each/$_") } 1 .. 40;
wait_for(sub { waiting() == 40 }, 20, '40 that wait');
wait_for(sub { $g->redis->jobs == 40 }, 20, '40 jobs');
my $told = sum(map { status($_)->{jobs}{not_needed} } @port);
wait_for(sub { sum(map { status($_)->{jobs}{not_needed} } @port)
    >= $told + 12 }, 20, 'all of them to ask again');
is(scalar $g->redis->jobs, 40, '40 wait in two gateways: 40 jobs, no more');
$_->close for @q;
wait_for(sub { waiting() == 0 }, 20, 'nobody to wait');
$g->redis->cli('FLUSHALL');

# one cold function: four instances of eight for all
my $c = FcfTest::Counter->start(n => 4, min_ms => 5, max_ms => 50,
    limit => 8);
my $start = now();

@q = map { http_send($port[$_ % 2], "/run/hot/$_") } 1 .. $clients;
wait_for(sub { $g->redis->jobs >= 4 }, 60, 'jobs');
wait_for(sub { waiting() == $clients }, 60, 'all of them to wait');

my @jobs = map { $g->redis->take_job(5) } 1 .. 4;
is(scalar(grep { $_ && $_->{function_id} eq 'hot' } @jobs), 4, 'four jobs');
$g->instance('hot', worker => "n1-$_", port => $c->port($_),
    concurrency => 8) for 0 .. 3;

my @r = map { $_->response(120) } @q;
my @n = $c->read;

is(scalar(grep { $_->{status} == 200 } @r), $clients, 'all are served');
is(scalar $g->redis->jobs, 0, 'and there was no fifth job');
cmp_ok(max(map { $_->{max} } @n), '<=', 8, 'eight in an instance at most');
is(sum(map { $_->{served} } @n), $clients, 'each once');
cmp_ok(sum(map { $_->{busy} } @n), '<', 10 * $clients,
    'told to be busy not too often');
note(sprintf 'the last one was answered after %.1f s, %d times busy',
    now() - $start, sum(map { $_->{busy} } @n));

$second->stop;
$g->stop;
done_testing;
