# A new worker lists instances first, then the specs that they follow, and
# looks at them again in turns, as it does when a spec has changed: whom it has
# not come to yet has the spec's concurrency all the same, and counts.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

use constant { BEFORE => 3000, WAITING => 20, SOON => 1.4 };

my $c = FcfTest::Counter->start(min_ms => 100, max_ms => 200);
my $g = FcfTest::Gateway->start(park_timeout => '30s');
my $etcd = $g->etcd;

# "a", with many instances, comes to be looked at before "b"
$etcd->put_many(map { [sprintf('/functions/a/instances/a-%d', $_),
    { worker_ip => '127.0.0.1', proxy_port => $g->agent_port }]
} 0 .. BEFORE - 1);
$etcd->instance('b', worker => 'b-1', port => $c->port);
$etcd->put_many(map { ["/specs/$_", { concurrency => 1,
    max_instances => 2 * BEFORE }] } qw(a b));
$g->wait_known('instances', BEFORE + 1, 30);
$g->wait_known('specs', 2);

# after a while without a list the worker serves what it knows, as it knows it
my $max;

for my $try (1 .. 10) {
    $c->reset;
    $etcd->pause;
    $g->nginx->reload;
    my $began = now();
    my @q = map { $g->send('/run/b') } 1 .. WAITING;
    $g->wait_parked(WAITING);
    $etcd->resume;
    $g->wait_known('instances', BEFORE + 1, 30);
    my $took = now() - $began;

    is(scalar(grep { $_->response(30)->{status} == 200 } @q), WAITING,
        'all that waited for the list are served');
    next if $took > SOON;

    $max = ($c->reset)[0]{max};
    last;
}

is($max, 1, 'one at a time');

# another version is declared: none is asked for while they become its own
$g->redis->cli('FLUSHALL');

for my $version (2 .. 6) {
    $etcd->put_many(map { ["/specs/$_", { version => $version,
        max_instances => 2 * BEFORE }] } qw(a b));
    wait_for(sub { $g->get("/run/b\@$version")->{status} != 404 }, 10,
        "version $version");
}

is($g->redis->cli('LLEN', 'queue:vm_provision'), 0, 'nothing is asked for');

$g->stop;
done_testing;
