# Instances that are put and take no connections: each counts as a failed
# start, so that one request does not start them without end, and is told why.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(workers => 4, park_timeout => '10s',
    location => 'fcfaas_error_details on;');
my ($etcd, $redis) = ($g->etcd, $g->redis);

$g->spec('deaf', concurrency => 1, max_instances => 100);
my @q = map { $g->send("/run/deaf/$_") } 1 .. 4;
my ($n, @at) = (0);

wait_for(sub {
    my $job = $redis->take_job(0.2);

    if ($job) {
        push @at, now();
        $g->etcd->instance('deaf', worker => 'deaf-' . ++$n,
            port => free_port());
        $redis->cli('ZREM', '{queue:vm_provision}:pending:deaf',
            $job->{request_id});
    }

    return !grep { !$_->answered } @q;
}, 60, 'all to be answered');

# four wait, so four start; after the third failure 1, 2 and 4 s lie between,
# after each of which as many may begin as wait still: 4, and three times 4
cmp_ok($n, '<=', 16, "$n were started for four requests in 10 s");
cmp_ok($n, '>=', 4, 'at least one for each');

for my $r (map { $_->response(5) } @q) {
    like($r->{status}, qr/^50[24]$/, "$r->{status}");
    like($r->{body}, qr/its instance at 127\.0\.0\.1:\d+ takes no connections/,
        'with the reason');
}

# one that does ends the row
$g->instance('deaf', worker => 'deaf-good');
$g->wait_known('instances', $n + 1);
is($g->get('/run/deaf/more')->{status}, 200, 'one that does serves');

$g->nginx->expect_complaint(qr/takes no connections|connect\(\) failed/);
$g->stop;
done_testing;
