# A client that leaves while it waits, in the phase or in the balancer, frees
# its place at once.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(park_timeout => '60s',
    location => 'fcfaas_park_limit 20000;',
    http => 'proxy_cache_path cache keys_zone=c:1m;', server => <<"EOC",
    @{[ FcfTest::Gateway::balancer() ]}

    # so does a subrequest
    location /guarded/ {
        auth_request /run/hello;
        try_files /none =204;
    }
EOC
    env => { ASAN_OPTIONS => 'quarantine_size_mb=4' });
$g->spec($_) for qw(hello warm);
$g->warm('warm');

my %leave = (
    'close'      => sub { $_[0]->close },
    'reset'      => sub { $_[0]->reset },
    'half close' => sub { $_[0]->half_close },
);

my %request = (
    'headers only'       => [],
    'with a body'        => [method => 'POST', body => 'x' x 1000],
    # beyond the socket's buffers
    'with a large body'  => [method => 'POST', body => 'x' x 1000000],
    'keepalive'          => [keepalive => 1],
    'pipelined'          => [raw => 1],
);

for my $case (map { my $how = $_; map { my $what = $_; map {
    [$how, $what, $_] } qw(/run /balancer /guarded) } sort keys %request }
    sort keys %leave)
{
    my ($how, $what, $where) = @$case;
    my %opt = @{ $request{$what} };
    $opt{raw} = "GET $where/hello HTTP/1.1\r\nHost: a\r\n\r\n" x 2
        if $opt{raw};

    # the body of one that is asked about is not read before
    next if $where eq '/guarded' && $what eq 'with a large body';

    my @q = map { $g->send("$where/hello", %opt) } 1 .. 5;

    $g->wait_parked(5);
    $leave{$how}->($_) for @q;

    my $name = "$where, $what, $how";
    my $gone = eval { $g->wait_parked(0, 3); 1 };
    ok($gone, "$name: nobody is parked any more") or diag($@);

    eval { $_->close } for @q;
    ok(eval { $g->wait_quiet; 1 }, "$name: nothing is left of them")
        or diag($@);
    is($g->get('/run/warm')->{status}, 200, "$name: others are served");
}

# one that stays among those that leave is served
my @q = map { $g->send("/run/hello/$_") } 1 .. 10;
$g->wait_parked(10);
$q[$_]->close for 0 .. 4, 6 .. 9;
$g->wait_parked(1);
$g->instance('hello');
is($q[5]->response(5)->{status}, 200, 'the one that stayed is served');

# an aborted one while the balancer holds it
$g->etcd->no_instance('hello', 'n1-1');
$g->spec('gone');
$g->etcd->instance('gone', port => free_port());    # refuses

my $held = $g->send('/run/gone', method => 'POST', body => 'x' x 1000);
wait_for(sub { $g->status->{balancer}{waited} > 0 }, 5,
    'it to wait in the balancer');
$held->close;
$g->wait_parked(0);
pass('one held in the balancer leaves');

# many: no growth
sub rss {
    my ($pid) = $g->nginx->workers;
    my ($kb) = slurp("/proc/$pid/status") =~ /^VmRSS:\s+(\d+)/m;
    return $kb;
}

sub fds {
    my ($pid) = $g->nginx->workers;
    my @fds = glob "/proc/$pid/fd/*";
    return scalar @fds;
}

sub thousand {
    my @q = map { $g->send('/run/hello') } 1 .. 500;
    $g->wait_parked(500, 20);
    $_->close for @q;
    $g->wait_parked(0, 20);
}

# the allocator keeps what it once had: growth is what goes on over rounds
thousand() for 1 .. 4;
my $open = fds();
my @rss = map { thousand() for 1 .. 4; rss() } 1 .. 5;
my @grown = sort { $a <=> $b } map { $rss[$_] - $rss[$_ - 1] } 1 .. 4;

cmp_ok($grown[1], '<', FcfTest::Nginx::asan() ? 4000 : 250,
    "2000 that left in each of five rounds: @rss kB");

# its own status request's connection comes and goes
wait_for(sub { fds() <= $open + 1 }, 5, 'its descriptors to be closed');
pass('as many descriptors as before');

my ($active) = $g->status->{parked};
is($active, 0, 'nobody is parked in the end');
my @logged = grep { /" 499 / }
    split /\n/, slurp($g->nginx->dir . '/logs/access.log');
cmp_ok(scalar @logged, '>=', 10000, 'they are logged with 499');

$g->stop;
done_testing;
