# A new worker hears of instances that come and go while it is still listing
# the functions, however many those are.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $specs = 1100;               # more than a page
my $port = free_port();
my $forward = FcfTest::Forward->start(to => $port);
my $g = FcfTest::Gateway->start(park_timeout => '60s',
    etcd => [port => $port], etcd_url => $forward->url);
my $etcd = $g->etcd;

sub worker { $g->status->{workers}[0] }

# a new one, alone, in the middle of its list
sub renew {
    my ($old) = $g->nginx->workers;
    $forward->hold_list('/specs/');
    $g->nginx->reload;
    $forward->held(30);
    wait_for(sub { is_gone($old) }, 30, 'the old worker to leave');
}

$etcd->put_many(map { ["/specs/f-$_", '{}'] } 1 .. $specs);
$g->wait_known('specs', $specs, 30);
$g->warm('f-1');
is($g->get('/run/f-1')->{status}, 200, 'warm');

renew();
my $w = worker();
is($w->{etcd}{state}, 'starting', 'the new worker is listing');
cmp_ok($w->{specs}, '<', $specs, 'and does not know all functions');
is($g->get('/run/f-1')->{status}, 200, 'what was there is served');

my $q = $g->send('/run/f-2');
$g->wait_parked(1, 10);
$etcd->instance('f-2', port => $g->agent_port);
my $r = eval { $q->response(10) };
is($r && $r->{status}, 200, 'so is what comes now') or diag($@);
$g->wait_known('instances', 2, 10);
pass('it is counted');

$etcd->no_instance('f-2', 'n1-1');
$g->wait_known('instances', 1, 10);
pass('and what goes is not');
$w = worker();
is($w->{etcd}{state}, 'starting', 'all of that within the list');

# one that is cut goes on as well: the instances are not listed anew
$forward->cut;
$etcd->instance('f-2', port => $g->agent_port);
$g->wait_known('instances', 2, 20);
is($g->get('/run/f-2')->{status}, 200, 'connections end: heard again');
$forward->go;
$g->wait_known('specs', $specs, 30);
wait_for(sub { worker()->{etcd}{state} eq 'live' }, 30, 'the watch of all');
pass('the list ends');
is(worker()->{etcd}{lists}, 1, 'one list');

$etcd->spec('f-new');
$g->wait_known('specs', $specs + 1, 10);
$etcd->instance('f-new', port => $g->agent_port);
is($g->get('/run/f-new')->{status}, 200, 'and all is heard');

$g->stop;
$forward->stop;
done_testing();
