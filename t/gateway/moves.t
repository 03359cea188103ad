# Those who wait, while versions come and go.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(park_timeout => '60s',
    location => 'add_header X-Version $fcfaas_version always;');
my $etcd = $g->etcd;
my $guest = FcfTest::Guest->new;
my $answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    . "Connection: close\r\n\r\n";

sub said { my ($q) = @_; my $r = $q->response(10);
    return join ' ', $r->{status}, $r->{headers}{'x-fcfaas-error'}
        // $r->{headers}{'x-version'} // '' }

sub job {
    my ($job) = @_;
    wait_for(sub { $job = $g->redis->take_job(1) }, 10, 'a job');
    return "$job->{function_id} $job->{version}";
}

# An old version serves, and has no room; the new one has no instance yet.
$g->spec('move', version => 1, concurrency => 1);
$etcd->instance('move', worker => 'v-1', port => $guest->port, version => 1,
    concurrency => 1);
$g->wait_known('instances', 1);
my $inside = $g->send('/run/move/inside');
my $c = $guest->take;
$etcd->spec('move', version => 2, concurrency => 1);
is(job(), 'move 2', 'the new version is asked for');

my @loose = map { $g->send("/run/move/$_") } 1 .. 3;
$g->wait_parked(3);
my $pinned = $g->send('/run/move@1/pinned');
$g->wait_parked(4);
$etcd->instance('move', worker => 'v-2', port => $g->agent_port,
    version => 2, concurrency => 1);
is(join(', ', map { said($_) } @loose), '200 2, 200 2, 200 2',
    'who waited for the old one goes to the new one');
ok(!$pinned->answered, 'but not who asked for the old one');
$g->wait_parked(1);

$c->print($answer);
is(said($inside), '200 1', 'the one inside ends there');
$guest->take->print($answer);
is(said($pinned), '200 1', 'then it is his turn');

# the new one goes as well: they wait for it, and get the old one's slot
$etcd->no_instance('move', 'v-2');
$g->wait_known('instances', 1);
$inside = $g->send('/run/move/again');
$c = $guest->take;
my $next = $g->send('/run/move/next');
$g->wait_parked(1);
$etcd->no_instance('move', 'v-1');
$g->wait_known('instances', 0);
$g->wait_parked(1);
$etcd->instance('move', worker => 'v-3', port => $g->agent_port,
    version => 1);
is(said($next), '200 1', 'whatever comes serves');
$c->print($answer);
is(said($inside), '200 1', 'what was inside ends');

# waiting for a version that is taken back, and for a function that is
$g->redis->cli('FLUSHALL');
$etcd->put('/specs/move/versions/5', '{}');
my $five;
wait_for(sub {
    $five = $g->send('/run/move@5/x');
    wait_for(sub { $five->answered || $g->parked }, 5, 'it to end or wait');
    !$five->answered;
}, 10, 'version 5 to be known');
is(job(), 'move 5', 'a version by name is asked for');
$etcd->del('/specs/move/versions/5');
is(said($five), '404 unknown_version', 'taken back: 404');

$etcd->put('/specs/move/versions/6', '{}');
wait_for(sub {
    $five = $g->send('/run/move@6/x');
    wait_for(sub { $five->answered || $g->parked }, 5, 'it to end or wait');
    !$five->answered;
}, 10, 'version 6 to be known');
$etcd->del('/specs/move');
is(said($five), '404 unknown_function', 'the function is removed: 404');
$etcd->del('/specs/move/versions/6');

# a failure is that of its version
$g->redis->cli('FLUSHALL');
$g->spec('bad', version => 1);
$etcd->instance('bad', worker => 'b-1', port => $g->agent_port, version => 1);
$g->wait_known('instances', 2);
$etcd->spec('bad', version => 2);
my $job;
wait_for(sub { $job = $g->redis->take_job(1) }, 10, 'a job for version 2');
$etcd->failure('bad', $job->{request_id}, error => 'no_image', version => 2,
    message => 'not here');
wait_for(sub { $g->nginx->logged(qr/"bad" did not start/) }, 5, 'the failure');
is(join(' ', map { said($g->send('/run/bad')) } 1 .. 3), '200 1 200 1 200 1',
    'what serves serves on');
is(said($g->send('/run/bad@2')), '502 no_image', 'who asks for it is told');

$g->stop;
done_testing;
