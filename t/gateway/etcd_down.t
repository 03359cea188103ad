# etcd away: a warm function serves on; at the start a request waits 2 s for
# the first list; when etcd is back, what changed meanwhile is known.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '20s');
$g->spec($_) for qw(warm other);
$g->instance('warm');
$g->ready('warm');

# requests over $seconds; how many were not 200
sub load {
    my ($seconds) = @_;
    my ($n, $bad, $end) = (0, 0, now() + $seconds);

    while (now() < $end) {
        $n++;
        $bad++ if $g->get('/run/warm')->{status} != 200;
    }

    return ($n, $bad);
}

for my $how ('stopped for 6 s', 'killed for 4 s') {
    my $seconds = $how =~ /(\d+) s/ ? $1 : 0;

    $how =~ /stopped/ ? $g->etcd->pause : $g->etcd->stop('KILL');
    my ($n, $bad) = load($seconds);
    is($bad, 0, "$how: $n requests, none failed");

    $how =~ /stopped/ ? $g->etcd->resume : $g->etcd->start_again;
    ($n, $bad) = load(1);
    is($bad, 0, "and none of $n when it is back");

    my $q = $g->send('/run/other');
    $g->redis->take_job(10);
    $g->instance('other');
    is($q->response(10)->{status}, 200, "$how: the watch goes on");
    $g->etcd->no_instance('other', 'n1-1');
    $g->redis->cli('FLUSHALL');
    $g->wait_known('instances', 1, 15);
}

# a change while a worker could not see it
$g->etcd->pause;
my $q = $g->send('/run/other');
$g->etcd->resume;
$g->etcd->instance('other', port => $g->agent_port);
is($q->response(15)->{status}, 200, 'one that waited is served');

# nginx starts while etcd is away
$g->etcd->stop('KILL');
$g->nginx->stop;
$g->nginx->{name} = 'gateway2';
$g->nginx->{dir} = tmpdir() . '/gateway2';
mkdir $g->nginx->dir, 0755;
mkdir $g->nginx->dir . "/$_" for qw(logs html);
$g->nginx->config->_run;
my $r = $g->get('/run/warm');
is($r->{status}, 503, 'before the first list: 503');
is($r->{headers}{'x-fcfaas-error'}, 'etcd_unavailable', 'and why');
cmp_ok($r->{time}, '<', 4, "within $r->{time} s");
$g->etcd->start_again;
wait_for(sub { $g->get('/run/warm')->{status} == 200 }, 15,
    'warm to be served');
pass('served once etcd is there');

$g->stop;
done_testing;
