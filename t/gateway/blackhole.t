# A dead instance, a slow etcd: nothing else is held up.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Socket qw(SOL_SOCKET SO_REUSEADDR);
use Test::More;

my $g = FcfTest::Gateway->start(park_timeout => '20s',
    server => 'location / { return 200 "plain\n"; }');
$g->spec('hello');
$g->instance('hello');
$g->ready('hello');

# an etcd that does not answer does not hold up the worker
$g->etcd->pause;
my $slowest = 0;
my $end = now() + 3;

while (now() < $end) {
    my $r = $g->get('/plain');
    $slowest = $r->{time} if $r->{time} > $slowest;
}

# one that did would be held up for the two seconds that a probe is given
cmp_ok($slowest, '<', 1, "etcd stopped: slowest plain answer $slowest s");
$g->etcd->resume;
$g->ready('hello');

# an instance that is gone without a word, among good ones
$g->etcd->instance('hello', worker => 'n2-1', port => free_port());
my $bad = grep { $g->get('/run/hello')->{status} != 200 } 1 .. 50;
is($bad, 0, 'a refusing instance beside a good one: 50 of 50 served');
$g->etcd->lose_instance('hello', 'n2-1');

# the only one refuses for a moment: its agent restarts
my $port = free_port();
$g->spec('moment');
$g->etcd->instance('moment', port => $port);
$g->wait_known('instances', 2, 5);
my $q = $g->send('/run/moment', method => 'POST', body => 'x' x 5000);
wait_for(sub { $g->status->{balancer}{refused} > 0 }, 5, 'a refusal');
my $agent = FcfTest::Nginx->start(name => 'moment', module => 0,
    port => $port, server => 'location / { return 200 "back\n"; }');
is($q->response(5)->{body}, "back\n", 'waited for, and served');
$agent->stop;

$g->redis->cli('FLUSHALL');            # jobs of the beginning

# the only instance vanishes while requests are on their way: asked anew
$q = $g->send('/run/moment', method => 'POST', body => 'x' x 5000);
my $job = $g->redis->take_job(5);
is($job && $job->{function_id}, 'moment', 'a dead one counts as missing');
$g->instance('moment', worker => 'n1-2');
is($q->response(5)->{status}, 200, 'served by the new one');

$g->stop;
done_testing;
