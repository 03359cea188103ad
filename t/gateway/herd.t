# Many at once on a cold function: one job, in one worker or in several, in one
# gateway or in two; all are served by the one instance.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

for my $workers (1, 3) {
    my $g = FcfTest::Gateway->start(workers => $workers, park_timeout => '20s');
    $g->spec('hello', concurrency => 100);

    my @q = map { $g->send("/run/hello/$_") } 1 .. 100;
    $g->wait_parked(100);

    my $job = $g->redis->take_job(5);
    is($job->{function_id}, 'hello', "$workers workers: a job came");
    is(scalar $g->redis->jobs, 0, 'and no other');

    # the timers that ask again have fired by then
    wait_for(sub { $g->status->{jobs}{not_needed} >= $workers }, 10,
        'being told that it was not needed');
    is(scalar $g->redis->jobs, 0, 'nor when asked again');
    is($g->status->{jobs}{asked}, 1, 'the status knows of one');

    $g->instance('hello');
    my @r = map { $_->response(10) } @q;

    is(scalar(grep { $_->{status} == 200 } @r), 100, 'all are served');
    my %seen = map { (split ' ', $_->{body})[1] => 1 } @r;
    is(scalar keys %seen, 100, 'each with its own request');
    $g->wait_parked(0);
    is($g->status->{requests}{cold}, 100, 'and counted as cold');

    $g->stop;
    $g->agent->stop;
    FcfTest::Proc->end_all;
    system 'rm', '-rf', map { tmpdir() . "/$_" } qw(gateway agent redis.data
        etcd.data);
}

# concurrency 1: as many jobs as may be
my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '20s',
    agents => 4);
$g->spec('slow', concurrency => 1, max_instances => 4);

my @q = map { $g->send("/run/slow/$_") } 1 .. 10;
$g->wait_parked(10);

my @jobs = map { $g->redis->take_job(3) } 1 .. 4;
is(scalar(grep { defined } @jobs), 4, 'four jobs for four instances');
is($g->redis->take_job(1.2), undef, 'and no fifth');

$g->instance('slow', worker => "n1-$_", port => $g->agent_port($_),
    concurrency => 1) for 0 .. 3;

is(scalar(grep { $_->response(10)->{status} == 200 } @q), 10,
    'ten served by four, one at a time each');
$g->stop;

done_testing;
