# A rollout in the middle of reloads and killed workers, with and without a
# state file: nothing is lost, the shares hold, and once 100 percent has been
# seen no old version answers.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $requests = $ENV{FCF_REQUESTS} // 600;
my $log = tmpdir() . '/versions';
my $dir = tmpdir() . '/state';
mkdir $dir;

my $http = 'keepalive_requests 1000000; '
    . 'log_format versions "$msec $request_time $status $fcfaas_version";';
my $g = FcfTest::Gateway->start(workers => 2, agents => 2, http => $http,
    park_timeout => '20s', location => "access_log $log versions;");
$g->nginx->expect_complaint(qr/worker process \d+ exited on signal 9/);

my $etcd = $g->etcd;

sub counted {
    my ($since) = @_;
    my %n = (1 => 0, 2 => 0, sum => 0);

    for (split /\n/, slurp($log)) {
        my ($at, $took, $status, $version) = split / /;
        # nginx's clock may be some ms behind
        next if $at - $took <= $since + 0.05;
        $n{$status == 200 ? $version : "status $status"}++;
        $n{sum}++;
    }

    return \%n;
}

sub kill_one {
    my ($worker) = $g->nginx->workers;
    kill 'KILL', $worker;
    wait_for(sub { my @w = $g->nginx->workers;
        @w == 2 && !grep { $_ == $worker } @w }, 20, 'another worker');
}

sub rollout {
    my ($name, @shares) = @_;

    for my $share (@shares) {
        $etcd->spec('roll', version => 1,
            $etcd->traffic(1 => 100 - $share, 2 => $share));
        my $since = $g->seen;

        $g->nginx->reload;
        kill_one();
        $g->nginx->reload;

        my $n;
        wait_for(sub { $n = counted($since); $n->{sum} >= $requests }, 60,
            'requests');

        # five times the deviation that chance has; none at 0 and 100 percent
        my $percent = 100 * $n->{2} / $n->{sum};
        my $bound = 5 * sqrt($share * (100 - $share) / $n->{sum});

        cmp_ok(abs($percent - $share), '<=', $bound, sprintf
            "$name: %d percent: %.1f of %d requests", $share, $percent,
            $n->{sum});
        is($n->{1} + $n->{2}, $n->{sum}, 'and all of them served')
            or diag(explain($n));
    }
}

$g->spec('roll', version => 1);
for my $version (1, 2) {
    $etcd->instance('roll', worker => "n$version-$_", version => $version,
        port => $g->agent_port($version - 1)) for 1, 2;
}
$g->wait_known('instances', 4);

# a request may meet two reloads and a killed worker
my $load = FcfTest::Load->start(port => $g->port, path => '/run/roll/x',
    interval_ms => 3, again => 5);

rollout('no state file', 0, 10, 50, 100, 50, 10, 0, 100);

$g->{http} = "$http fcfaas_state_file $dir/registry;";
$g->nginx->config(http => $g->_http)->reload;
rollout('state file', 10, 50, 100, 50, 0);

my $n = $load->end;
is($n->{lost}, 0, "nothing lost of $n->{sent}") or diag(explain($n));
is_deeply([keys %{ $n->{status} }], [200], 'and nothing but 200');
note("$n->{again} sent again");
ok(eval { $g->wait_quiet; 1 }, 'nothing is left') or diag($@);

$g->stop;
done_testing;
