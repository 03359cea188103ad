# fcfaas_nodes where the gateway's user may not read /workers/: functions are
# served, and who looks is told.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $password = spew(tmpdir() . '/gw', "pw\n");
my $etcd = FcfTest::Etcd->start(name => 'auth');
$etcd->ctl('role', 'add', 'gw');
$etcd->ctl('role', 'grant-permission', 'gw', '--prefix=true', 'read', $_)
    for '/specs/', '/functions/';
$etcd->ctl('user', 'add', 'gw:pw');
$etcd->ctl('user', 'grant-role', 'gw', 'gw');
$etcd->put('/workers/a', json_encode({ address => '10.0.0.5' }));
$etcd->auth('s3cret');

my $g = FcfTest::Gateway->start(workers => 1, etcd_url => $etcd->endpoint
    . " user=gw password_file=$password",
    server => 'location = /nodes { fcfaas_nodes; }'
        . ' location = /node { fcfaas_node a;'
        . ' proxy_pass http://$fcfaas_node_admin; }');

sub nodes { json_decode($g->get('/nodes', timeout => 10)->{body}) }

wait_for(sub { $g->status->{workers}[0]{etcd}{state} eq 'live' }, 10,
    'the registry');
my $all = nodes();
is($all->{error}, 'etcd does not let this gateway read the nodes', 'why');
is($all->{age_ms}, -1, 'none is known');
is($g->get('/node', timeout => 10)->{status}, 503, 'nor can be asked');
is($g->status->{workers}[0]{etcd}{state}, 'live', 'the registry is as it was');

wait_for(sub { my $end = nodes(); $end->{error} }, 5, 'again') for 1 .. 3;
is(scalar(() = $g->nginx->logged(qr/list of nodes/)), 1, 'it is said once');

$etcd->ctl('--user=root:s3cret', 'role', 'grant-permission', 'gw',
    '--prefix=true', 'read', '/workers/');
wait_for(sub { @{ nodes()->{nodes} } == 1 }, 20, 'the node, once it may');
is(nodes()->{error}, '', 'all is well');

$g->stop;
done_testing;
