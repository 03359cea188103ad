# What several workers of a gateway count together: the slots of an instance,
# and who may wait; first come, first served over all of them.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use List::Util qw(max sum);
use Test::More;

my $c = FcfTest::Counter->start(n => 3, min_ms => 5, max_ms => 20);
my $g = FcfTest::Gateway->start(workers => 4, park_timeout => '60s',
    server => <<'EOC');
    location ~ ^/few/(?<function_id>[^/]+) {
        fcfaas $function_id;
        fcfaas_park_limit 5;
        proxy_pass http://functions$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
    }
EOC

sub served {
    my ($path, $n) = @_;
    my @q = map { $g->send($path) } 1 .. $n;
    return scalar grep { $_->response(60)->{status} == 200 } @q;
}

sub inside { max(map { $_->{max} } @_) }

my $answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n"
    . "Connection: close\r\n\r\n";

# slots
$g->spec('one', concurrency => 1, max_instances => 1);
$g->instance('one', port => $c->port, concurrency => 1);
$g->wait_known('instances', 1);
is(served('/run/one', 60), 60, 'one slot, 60 requests: all are served');
is(inside($c->reset), 1, 'one at a time, over four workers');

$g->spec('few', concurrency => 4);
$g->instance('few', port => $c->port($_), concurrency => 4,
    worker => "n1-1$_") for 0 .. 2;
$g->wait_known('instances', 4);
is(served('/run/few', 200), 200, 'three instances, 200 requests: all served');
my @n = $c->reset;
is(inside(@n), 4, 'four inside each, never more');
is(scalar(grep { $_->{max} == 4 } @n), 3, 'and all of them are used');

# a killed worker gives back what it held
$g->nginx->expect_complaint(qr/exited on signal 9/);
my $guest = FcfTest::Guest->new;
$g->spec('held', concurrency => 12);
$g->instance('held', port => $guest->port, worker => 'n1-9',
    concurrency => 12);
$g->wait_known('instances', 5);

my @held = map { $g->send('/run/held') } 1 .. 12;
my @inside = map { $guest->take } 1 .. 12;
my $q = $g->send('/run/held');
$g->wait_parked(1);
my ($mine) = map { $_->{pid} } grep { $_->{parked} }
    @{ $g->status->{workers} };
my %killed = map { $_ => 1 } grep { $_ != $mine } $g->nginx->workers;
kill 'KILL', keys %killed;

# who was in one of the killed is known to be gone once others are there
wait_for(sub {
    my @workers = @{ $g->status->{workers} };
    @workers == 4 && !grep { $killed{$_->{pid}} } @workers
}, 10, 'new workers');

# should all of them have been in the worker where the fifth waits
$inside[0]->print($answer) unless grep { $_->answered } @held;

my $next = $guest->take(20);
ok($next, 'killed: another takes the place of who was inside');
$next->print($answer);
is($q->response(5)->{status}, 200, 'and is served');

$g->wait_known('instances', 5, 10);

# whoever is inside still, in the worker that lives, keeps its slot
my $left = grep { !$_->answered } @held;
my @again = map { $g->send('/run/held') } 1 .. 13 - $left;
my @more = map { $guest->take } 1 .. 12 - $left;
$g->wait_parked(1);
pass("$left inside still, " . @more . ' more enter, and one waits');
eval { $_->print($answer) } for @more, @inside;
push @more, my $last = $guest->take;
$last->print($answer);
is(scalar(grep { $_->response(10)->{status} == 200 } @again), scalar @again,
    'all of them are served');
$g->wait_known('instances', 5, 10);

# who may wait
$g->spec('cold');
my @wait = map { $g->send('/few/cold') } 1 .. 30;
wait_for(sub { 25 == grep { $_->answered } @wait }, 20, '25 answers');
is(scalar(grep { $_->answered && $_->response->{status} == 429 } @wait), 25,
    '30 at once, a limit of 5: 25 are refused');
is($g->parked, 5, 'and five wait');
$g->instance('cold', port => $c->port, worker => 'n1-20');
is(scalar(grep { $_->response(20)->{status} == 200 }
    grep { !$_->answered } @wait), 5, 'these are served');

# in order of arrival, whichever worker each is in; one that does not come in
# 5 ms, on a busy machine, is passed over with all that wait in it, so there are
# a few tries
my $order = FcfTest::Guest->new;
$g->spec('order', concurrency => 1);
$g->instance('order', port => $order->port, worker => 'n1-30',
    concurrency => 1);
$g->wait_known('instances', 7);

# the numbers of 20 as they are served, having come as 1 to 20
sub turns {
    my $first = $g->send('/run/order/0');
    my $busy = $order->take;
    my @came;

    for my $n (1 .. 20) {
        push @came, $g->send("/run/order/$n");
        $g->wait_parked($n);
    }

    note('waiting: ', join ' ',
        map { $_->{parked} } @{ $g->status->{workers} });
    $busy->print($answer);
    $busy->close;

    my @order;

    for (1 .. 20) {
        my $h = $order->take(10);
        push @order, $h->head =~ m{^GET /(\d+)};
        $h->print($answer);
        $h->close;
    }

    note("order: @order");
    is(scalar(grep { $_->response(10)->{status} == 200 } @came, $first), 21,
        'one slot: all are served');
    return @order;
}

my $in_order = 0;

for (1 .. 5) {
    my @order = turns();
    $in_order = grep { abs($order[$_] - $_ - 1) <= 3 } 0 .. 19;
    last if $in_order >= 15;
}

cmp_ok($in_order, '>=', 15, 'first come, first served');

$g->stop;
done_testing;
