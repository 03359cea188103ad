# Instances that say nothing of their version or concurrency (of a foreign
# agent, say): they have those of the spec, also after it has changed.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $many = 600;         # more than are looked at in a turn
my $g = FcfTest::Gateway->start(park_timeout => '20s',
    location => 'add_header X-Version $fcfaas_version always;');
my $etcd = $g->etcd;

# concurrency
my $guest = FcfTest::Guest->new;
$g->spec('narrow', concurrency => 1, max_instances => 1);
$etcd->instance('narrow', worker => 'n-1', port => $guest->port);
$g->wait_known('instances', 1);

my @q = map { $g->send("/run/narrow/$_") } 1 .. 3;
my $first = $guest->take;
$g->wait_parked(2);
$etcd->spec('narrow', concurrency => 2, max_instances => 1);
my $second = $guest->take;
$g->wait_parked(1);
pass('more room, since the spec says so');
$etcd->spec('narrow', concurrency => 1, max_instances => 1);
$_->print("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    . "Connection: close\r\n\r\n")
    for $first, $second;
my $third = $guest->take;
$third->print("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    . "Connection: close\r\n\r\n");
is(join(' ', map { $_->response(10)->{status} } @q), '200 200 200',
    'all are served');

# version
$g->spec('many', version => 1, max_instances => 10 * $many);
$etcd->instance('many', worker => "m-$_", port => $g->agent_port)
    for 1 .. $many;
$g->wait_known('instances', $many + 1);
is($g->get('/run/many')->{headers}{'x-version'}, 1, 'version 1');
$g->redis->cli('FLUSHALL');

for my $version (2, 7, 3) {
    $etcd->spec('many', version => $version, max_instances => 10 * $many);
    wait_for(sub {
        my $r = $g->get('/run/many');
        $r->{status} == 200 or die "status $r->{status}\n";
        $r->{headers}{'x-version'} == $version;
    }, 10, "version $version");
    is($g->get("/run/many\@$version")->{status}, 200, "\@$version");
}

# they change in turns
wait_for(sub { $g->get('/run/many@2')->{status} == 404 }, 10,
    'none to be left behind');

# what is asked for comes in order: nothing was, before this one
$g->spec('cold');
my $q = $g->send('/run/cold');
my $job = $g->redis->take_job(10);
is($job && $job->{function_id}, 'cold', 'no instance is asked for instead');
$etcd->instance('cold', worker => 'c-1', port => $g->agent_port);
is($q->response(10)->{status}, 200, 'served');

# a list that does not name them any more: they go, in turns
$etcd->stop('KILL');
$etcd->start_again;
$etcd->del_prefix('/functions/many/');
$g->wait_known('instances', 2, 20);
is($g->get('/run/cold')->{status}, 200, 'others stay');

$g->stop;
done_testing;
