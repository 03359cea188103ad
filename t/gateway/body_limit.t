# The limits of who may wait hold for requests that found an instance with
# room when they came, and none when their body was there.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Socket::INET;
use Test::More;

my $mute = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1');
my $g = FcfTest::Gateway->start(park_timeout => '20s',
    location => 'fcfaas_park_limit 2;');

$g->spec('one', concurrency => 1, max_instances => 1);
$g->etcd->instance('one', port => $mute->sockport, concurrency => 1);
$g->wait_known('instances', 1);

# heads first: all see room
my $n = 12;
my @q = map {
    $g->send('/run/one', raw => "POST /run/one HTTP/1.1\r\nHost: a\r\n"
        . "Content-Length: 5\r\nConnection: close\r\n\r\n")
} 1 .. $n;

$_->sock->print('hello') for @q;
$mute->timeout(5);
my $inside = $mute->accept;
ok($inside, 'one is inside');

wait_for(sub { $g->status->{outcomes}{429} == $n - 3 }, 10, 'the rest of them');
is($g->parked, 2, 'two wait');
my @answered = grep { $_->answered } @q;
is(scalar @answered, $n - 3, 'all others are answered');
my %status;
$status{$_->response(5)->{status}}++ for @answered;
is_deeply(\%status, { 429 => $n - 3 }, 'with 429');

$_->close for @q;
wait_for(sub { $g->parked == 0 }, 5, 'nobody');
$g->stop;
done_testing;
