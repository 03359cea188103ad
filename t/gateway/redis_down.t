# Redis away: warm requests do not notice; cold ones get 503 with Retry-After;
# when it is back the gateway asks again.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(park_timeout => '20s');
$g->spec($_) for qw(warm cold later);
$g->instance('warm');
$g->ready('warm');

for my $how ('killed', 'stopped') {
    $how eq 'killed' ? $g->redis->stop('KILL') : $g->redis->pause;

    my $r = $g->get('/run/cold');
    is($r->{status}, 503, "$how: cold is 503");
    is($r->{headers}{'x-fcfaas-error'}, 'redis_unavailable', "$how: why");
    cmp_ok($r->{headers}{'retry-after'} // 0, '>', 0, "$how: Retry-After");
    cmp_ok($r->{time}, '<', 4, "$how: in $r->{time} s");
    is($g->get('/run/warm')->{status}, 200, "$how: warm is served");

    $how eq 'killed' ? $g->redis->start_again : $g->redis->resume;

    # what a stopped one was sent may be there still; so may what was asked
    my $q = $g->send('/run/cold');
    my $job = wait_for(sub { $g->redis->take_job(1) }, 15, 'a job');
    is($job->{function_id}, 'cold', "$how: it is asked again");
    $g->instance('cold');
    is($q->response(5)->{status}, 200, "$how: and served");
    $g->etcd->no_instance('cold', 'n1-1');
    $g->redis->cli('FLUSHALL');
    $g->wait_known('instances', 1, 5);
}

# one that waits when Redis forgets everything is asked for anew
my $q = $g->send('/run/later');
my $first = $g->redis->take_job(5);
$g->redis->stop('KILL');
$g->redis->start_again;
my $second = wait_for(sub { $g->redis->take_job(1) }, 10, 'another job');
isnt($second->{request_id}, $first->{request_id}, 'lost jobs are asked anew');
$g->instance('later');
is($q->response(5)->{status}, 200, 'and served');

$g->stop;
done_testing;
