# What is asked for is counted once: over the workers, with the boots that etcd
# knows of, and without the instances that have come of it.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(workers => 4, park_timeout => '60s');
my ($etcd, $redis) = ($g->etcd, $g->redis);

sub pending { "{queue:vm_provision}:pending:$_[0]" }

sub take {
    my ($id, $n) = @_;
    return map {
        my $job;
        wait_for(sub { ($job = $redis->take_job(1))
            && $job->{function_id} eq $id }, 10, "a job for $id");
        $job;
    } 1 .. $n;
}

# as an agent claims a slot for it
sub boots {
    my ($id, $k, $job, $version) = @_;
    $etcd->put("/functions/$id/slots/$k", { worker_id => "$id-$k",
        version => $version // $job->{version},
        request_id => $job->{request_id} });
}

# as it says that the instance is there, for ever
sub settles {
    my ($id, $k, $job, %instance) = @_;
    my $revision = $g->instance($id, worker => "$id-$k", %instance);
    $redis->cli('ZREM', pending($id), $job->{request_id});
    $redis->cli('ZADD', pending($id), 1e3 * (time + 100),
        "$job->{request_id}\@$revision");
}

# told often enough that all workers have looked again
sub denied_again {
    my $from = $g->status->{jobs}{not_needed};
    wait_for(sub { $g->status->{jobs}{not_needed} >= $from + 3 }, 20,
        'being told that no more are needed');
}

# all that Redis knew is lost while six boot: none is booted twice
$g->spec('lost', concurrency => 1, max_instances => 20);
my @q = map { $g->send("/run/lost/$_") } 1 .. 6;
my @jobs = take('lost', 6);
boots('lost', $_, $jobs[$_]) for 0 .. 5;
wait_for(sub { $redis->cli('ZCARD', pending('lost')) == 6 }, 5, 'six pending');
denied_again();
$redis->cli('FLUSHALL');
denied_again();
is(scalar $redis->jobs, 0, 'Redis empty, six boot for six: no job');
push @q, $g->send('/run/lost/more');
push @jobs, take('lost', 1);
denied_again();
is(scalar $redis->jobs, 0, 'one more waits: one job');
boots('lost', 6, $jobs[6]);
settles('lost', $_, $jobs[$_], concurrency => 1) for 0 .. 6;
is(scalar(grep { $_->response(20)->{status} == 200 } @q), 7, 'all are served');

# one that has come counts as what it is, not as one to come besides
$g->spec('come', concurrency => 1, max_instances => 2);
my $hang = FcfTest::Counter->start(n => 1, min_ms => 3000, max_ms => 3000);
my $first = $g->send('/run/come/1');
my ($job) = take('come', 1);
boots('come', 0, $job);
settles('come', 0, $job, concurrency => 1, port => $hang->port(0));
wait_for(sub { ($hang->read)[0]{now} == 1 }, 5, 'one inside');
my $second = $g->send('/run/come/2');
($job) = take('come', 1);
pass('the second of two is asked for while the first is being settled');
settles('come', 1, $job, concurrency => 1);
is($_->response(20)->{status}, 200, 'served') for $first, $second;

# a version that is declared while an older one boots does not wait for that
$g->spec('rolled', version => 1, max_instances => 4);
my $q = $g->send('/run/rolled/x');
my ($old) = take('rolled', 1);
boots('rolled', 0, $old);
denied_again();
$etcd->spec('rolled', version => 2, max_instances => 4);
($job) = take('rolled', 1);
is($job->{version}, 2, 'a job for version 2 while version 1 boots');
boots('rolled', 1, $job);
denied_again();
is(scalar $redis->jobs, 0, 'one');
settles('rolled', 1, $job, version => 2);
is($q->response(20)->{status}, 200, 'served');
$etcd->del_prefix('/functions/rolled/');

# workers that die while they ask keep nobody from it
$g->nginx->expect_complaint(qr/exited on signal 9/);
$g->spec('killed', concurrency => 1, max_instances => 40);
$redis->pause;
@q = map { $g->send("/run/killed/$_") } 1 .. 12;
$g->wait_parked(12);
my %before = map { $_ => 1 } $g->nginx->workers;
kill 'KILL', keys %before;
wait_for(sub { 4 == grep { !$before{$_} } $g->nginx->workers }, 20,
    'four new workers');
$g->wait_known('specs', 4, 20);
@q = map { $g->send("/run/killed/$_") } 1 .. 6;
$g->wait_parked(6);
$redis->resume;
@jobs = take('killed', 6);
$g->instance('killed', worker => "killed-$_", concurrency => 1) for 0 .. 5;
is(scalar(grep { $_->response(20)->{status} == 200 } @q), 6,
    'all who wait in new workers are served');

$g->stop;
done_testing;
