# Which instance takes a request: the one that was idle last, whose connection
# is kept.  And many who wait, refused at once, in turns.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $n = 40;
my $g = FcfTest::Gateway->start(agents => $n, park_timeout => '20s',
    location => 'fcfaas_park_limit 5000;', http => 'keepalive_requests 10000;',
    server => 'location = /plain { return 200 "plain\n"; }');

# more instances than connections are kept
$g->nginx->config(http => $g->_http =~ s/keepalive=64;/keepalive=8;/r)->reload;
$g->spec('many', max_instances => $n);
$g->etcd->instance('many', worker => "m-$_", port => $g->agent_port($_))
    for 0 .. $n - 1;
$g->wait_known('instances', $n);

my %seen;
$seen{ (split /\|/, $g->get('/run/many/x')->{body})[3] }++ for 1 .. 200;
cmp_ok(scalar keys %seen, '<=', 3, '200 requests, one after the other: '
    . keys(%seen) . ' connections');

# all of them are used when there is need
$g->spec('spread', concurrency => 1, max_instances => $n);
$g->etcd->instance('spread', worker => "s-$_", port => $g->agent_port($_),
    concurrency => 1) for 0 .. $n - 1;
$g->wait_known('instances', 2 * $n);

for my $round (1 .. 3) {
    my @q = map { $g->send('/run/spread/x') } 1 .. $n;
    my @r = map { $_->response(10) } @q;
    is(scalar(grep { $_->{status} == 200 } @r), $n, "$n at once, round $round");
}

is($g->parked, 0, 'nobody is left behind');

# by name: instances come and go, in any order
for my $worker (map { "m-$_" } reverse 0 .. $n - 1) {
    $g->etcd->no_instance('many', $worker);
}

$g->wait_known('instances', $n);
$g->etcd->instance('many', worker => 'm-7', port => $g->agent_port(7));
$g->wait_known('instances', $n + 1);
is($g->get('/run/many/x')->{status}, 200, 'one of them is back');

# a thousand are refused: all of them, and only those
$g->spec('none', concurrency => 0, max_instances => 1);
my @q = map { $g->send("/run/none/$_") } 1 .. 1000;
$g->wait_parked(1000, 20);
my $job;
wait_for(sub { $job = $g->redis->take_job(1);
    $job && $job->{function_id} eq 'none' }, 5, 'a job');
$g->etcd->failure('none', $job->{request_id}, error => 'no_image',
    message => 'not here');
my %status;
$status{$_->response(10)->{status}}++ for @q;
is_deeply(\%status, { 502 => 1000 }, 'a thousand are refused');
is($g->get('/plain')->{status}, 200, 'and nginx goes on');
$g->wait_parked(0);

$g->stop;
done_testing;
