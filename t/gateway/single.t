# nginx in single-process mode (master_process off), which is for developers:
# it serves.  A reload leaves nginx itself without connections for new clients;
# kept ones go on with the worker that they had, and it ends in order.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(main => 'master_process off;');

$g->spec($_) for qw(hello cold);
$g->warm('hello');
my @kept = map { $g->send('/run/hello', keepalive => 1) } 1 .. 3;
is($_->response(5)->{status}, 200, 'served') for @kept;

sub again {
    my ($kept, $path) = @_;
    return FcfTest::Http->send(sock => $kept->sock, path => $path,
        keepalive => 1);
}

my $parked = $g->send('/run/cold');
$g->wait_parked(1);
$g->nginx->proc->kill('HUP');
wait_for(sub { $g->nginx->logged(qr/using the "epoll" event method/) == 2 },
    10, 'the reload');

my $r = again($kept[0], '/run/hello')->response(5);
is($r->{status}, 200, 'after a reload, over a kept connection: served');
$r = again($kept[1], '/status')->response(5);
is($r->{status}, 200, 'so is the status page');
is(json_decode($r->{body})->{parked}, 1, 'which knows who waits');
my $q = again($kept[2], '/run/cold');
$g->instance('cold');
$_->close for $parked, @kept;

$g->stop;
$g->nginx->start_again;
$g->wait_known('instances', 2);
is($g->get('/run/hello')->{status}, 200, 'started anew: served');
$g->stop;
done_testing;
