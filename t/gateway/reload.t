# nginx -s reload and kill -9 of a worker.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '30s');
$g->spec($_) for qw(warm cold);
$g->instance('warm');
$g->ready('warm');

# parked requests end in the old workers
my @q = map { $g->send('/run/cold') } 1 .. 20;
$g->wait_parked(20);

my $master = $g->nginx->proc->pid;
my %old = map { $_ => 1 } $g->nginx->workers;
$g->nginx->reload;
is($g->get('/run/warm')->{status}, 200, 'new workers serve warm at once');
ok(!$_->answered, 'parked: still') for $q[0], $q[19];

$g->instance('cold');
is(scalar(grep { $_->response(10)->{status} == 200 } @q), 20,
    'those parked over a reload are served');

wait_for(sub { !grep { $old{$_} } split ' ',
    slurp("/proc/$master/task/$master/children") }, 10,
    'the old workers to be gone');
pass('old workers leave');

# reloads under load
my $bad = 0;

for my $round (1 .. 3) {
    $g->nginx->proc->kill('HUP');
    for (1 .. 100) {
        my $r = $g->get('/run/warm');
        $bad++ if $r->{status} != 200;
    }
}

is($bad, 0, '300 requests over three reloads: none failed');
wait_for(sub { scalar(split ' ',
    slurp("/proc/$master/task/$master/children")) == 2 }, 15,
    'two workers only');

# old workers leave though etcd is away, and idle ones at once
$g->etcd->pause;
%old = map { $_ => 1 } $g->nginx->workers;
$g->nginx->proc->kill('HUP');
wait_for(sub { !grep { $old{$_} } split ' ',
    slurp("/proc/$master/task/$master/children") }, 5,
    'old workers to leave while etcd is stopped');
pass('old workers leave while etcd is stopped');
$g->etcd->resume;
$g->ready('warm');

# kill -9 of a worker: the master starts another, which serves
$g->nginx->expect_complaint(qr/exited on signal 9/);
my ($victim) = $g->nginx->workers;
kill 'KILL', $victim;
wait_for(sub { my @w = $g->nginx->workers;
    @w == 2 && !grep { $_ == $victim } @w }, 10, 'a new worker');
$g->ready('warm');
pass('served after a worker was killed');

# one that asked and died: its job is there, its waiters are gone
$g->etcd->no_instance('cold', 'n1-1');
$g->wait_known('instances', 1, 5);
@q = map { $g->send('/run/cold') } 1 .. 20;
$g->wait_parked(20);
($victim) = $g->nginx->workers;
kill 'KILL', $victim;
wait_for(sub { my @w = $g->nginx->workers;
    @w == 2 && !grep { $_ == $victim } @w }, 10, 'a new worker');
wait_for(sub { $g->parked < 20 || !grep { $_->answered } @q }, 5, 'the count');
$g->instance('cold');
my @r = map { $_->response(10) } @q;
ok(!(grep { $_->{status} != 200 && $_->{status} != 0 } @r),
    'the others are served, the dead worker\'s are cut');
$g->wait_parked(0);

# another size of the zone, then another name, while some are parked
$g->spec('later');

for my $zone ('fcfaas 2m', 'other 1m') {
    my $q = $g->send('/run/later');
    $g->wait_parked(1);

    my $http = $g->nginx->{http} =~ s/fcfaas_zone \w+ \w+;/fcfaas_zone $zone;/r;
    $g->nginx->config(http => $http)->reload;
    $g->ready('warm');
    is($g->parked, 0, "zone $zone: a new count");

    $g->instance('later', worker => 'n1-5');
    is($q->response(5)->{status}, 200, "zone $zone: one parked is served");
    $g->etcd->no_instance('later', 'n1-5');
    $g->wait_known('instances', 2);
}

$g->stop;
done_testing;
