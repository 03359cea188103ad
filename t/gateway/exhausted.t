# No descriptors, or no connections, left while requests wait in the balancer.
# 128 descriptors are the bells of the zone.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

for my $lack ([main => 'worker_rlimit_nofile 188;'],
    [events => 'worker_connections 60;'])
{
    my ($where, $what) = @$lack;
    my $g = FcfTest::Gateway->start(park_timeout => '30s');

    $g->spec('dead');
    $g->etcd->instance('dead', port => free_port());    # refuses
    $g->wait_known('instances', 1);
    $g->nginx->expect_complaint(
        qr{worker_connections are not enough|(?:socket|accept4?)\(\) failed \(24});
    $g->nginx->config(
        $where eq 'main' ? (main => $what)
                         : (conf => $g->nginx->_conf
                               =~ s/worker_connections \d+;/$what/r)
    )->reload;
    $g->wait_known('instances', 1);

    # on their way while the instance is not known to be dead; then each
    # holds three descriptors and two connections
    my @q = map { $g->send('/run/dead', raw => "POST /run/dead HTTP/1.1\r\n"
        . "Host: a\r\nContent-Length: 2\r\n\r\nx") } 1 .. 35;
    wait_for(sub { $g->status->{requests}{warm} == 35 }, 5, 'all of them');
    $_->sock->print('y') for @q;

    wait_for(sub { $g->nginx->logged(
        qr/Too many open files|worker_connections are not enough/) }, 10,
        'the lack to be felt');

    # those that leave give back what they had
    $_->close for @q;
    wait_for(sub { my $r = eval { $g->get('/status', timeout => 2) };
        $r && $r->{status} == 200 && $g->parked == 0 }, 20,
        'nobody to wait');
    is(scalar $g->nginx->logged(qr/exited on signal/), 0, "$what: no crash");

    # whether a worker is alive cannot be looked up then: so it is not dead
    if ($where eq 'main') {
        my $kept = $g->send('/status', keepalive => 1);
        $kept->response(5);
        my @idle = map { IO::Socket::INET->new(PeerPort => $g->port,
            PeerAddr => '127.0.0.1') } 1 .. 100;
        wait_for(sub { $g->nginx->logged(qr/accept4?\(\) failed \(24/) }, 10,
            'the last descriptor to be taken');
        my $r = FcfTest::Http->send(sock => $kept->sock, path => '/status')
            ->response(5);
        is(scalar @{ json_decode($r->{body})->{workers} }, 1,
            "$what: the worker is told of");
    }

    my $q = $g->send('/run/dead');
    wait_for(sub { $g->parked == 1 }, 10, 'one to wait again');
    $g->instance('dead', worker => 'n1-2');
    is($q->response(10)->{status}, 200, "$what: served again");
    $g->stop;
    $g->agent->stop;
    FcfTest::Proc->end_all;
    system 'rm', '-rf', map { tmpdir() . "/$_" } qw(gateway agent redis.data
        etcd.data);
}

done_testing;
