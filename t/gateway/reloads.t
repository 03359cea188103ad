# Many reloads under load, FCF_RELOADS of them (50): no request fails, old
# workers leave once the last one parked in them is served, and nothing grows.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $reloads = $ENV{FCF_RELOADS} // 50;
my $asan = FcfTest::Nginx::asan();

my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '60s',
    http => 'keepalive_requests 1000000;',
    env => { ASAN_OPTIONS => 'quarantine_size_mb=1:detect_odr_violation=0' });

$g->spec($_) for qw(warm cold);
$g->instance('warm');
$g->ready('warm');

my $master = $g->nginx->proc->pid;

sub children {
    return split ' ', slurp("/proc/$master/task/$master/children");
}

sub master_is {
    my ($kb) = slurp("/proc/$master/status") =~ /^RssAnon:\s+(\d+)/m;
    my @fds = glob "/proc/$master/fd/*";
    return { kb => $kb, fds => scalar @fds };
}

my $load = FcfTest::Load->start(port => $g->port, path => '/run/warm',
    interval_ms => 4, again => 1);

my ($bad, $slowest, @was) = (0, 0);

for my $n (1 .. $reloads) {
    # some wait over each fifth of them, and are served by the old workers
    my @parked;

    if ($n % 5 == 0) {
        $g->wait_parked(0, 10);
        @parked = map { $g->send('/run/cold') } 1 .. 3;
        $g->wait_parked(3, 10);
    }

    my %old = map { $_ => 1 } children();
    $g->nginx->reload;
    $bad++ if $g->get('/run/warm')->{status} != 200;

    if (@parked) {
        $g->instance('cold');
        $bad++ for grep { $_->response(20)->{status} != 200 } @parked;
        $_->close for @parked;
        $g->etcd->no_instance('cold', 'n1-1');
    }

    my $since = now();
    wait_for(sub { !grep { $old{$_} } children() }, 30, 'old workers to leave');
    $slowest = now() - $since if now() - $since > $slowest;

    push @was, master_is() if $n % 10 == 0 || $n == $reloads;
}

my $n = $load->end;
note("$n->{sent} requests, $n->{again} sent again over a new connection, ",
    sprintf('slowest leaving %.2f s', $slowest));
is($bad, 0, "$reloads reloads: none of the others failed");
is($n->{lost}, 0, 'no request is lost') or diag(explain($n->{why}));
is(join(' ', keys %{ $n->{status} }), '200', 'every one is served')
    or diag(explain($n->{status}));
is($n->{answered}, $n->{sent}, 'all of them');
cmp_ok($n->{sent}, '>=', $reloads, 'and there were some');
cmp_ok($slowest, '<', $asan ? 10 : 2, 'old workers leave at once');

is($was[-1]{fds}, $was[0]{fds}, 'as many descriptors as before');
my $grown = $was[-1]{kb} - $was[int(@was / 2)]{kb};
cmp_ok($grown, '<', $asan ? 4000 : 300, 'the master does not grow: '
    . join(' ', map { $_->{kb} } @was) . ' kB');

my @workers = $g->nginx->workers;
is(scalar(children()), scalar @workers, 'no old worker is left');
wait_for(sub { $g->parked == 0 }, 5, 'nobody counts as parked');
pass('nobody counts as parked');

$g->stop;
done_testing;
