# A worker that begins while another one stands still with the zone's places in
# its hands has none: it serves, and gets one once that goes on.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;
use Time::HiRes qw(sleep);

my $g = FcfTest::Gateway->start(workers => 2);
$g->nginx->expect_complaint(qr/exited on signal 9/);
$g->spec('warm');
$g->warm('warm');

# the page has them in its hands for a good part of its time
my @asking = map {
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        while (1) {
            eval { $g->get('/status', timeout => 5) };
        }
    }

    $pid;
} 1 .. 3;

END { kill 'KILL', @asking if @asking }

sub pids { sort map { $_->{pid} } @{ $g->status->{workers} } }

# it does where it reads whether another one is dead
sub stopped_inside {
    my ($pid) = @_;

    freeze($pid, 10);
    return 1 if grep { (readlink // '') =~ m{^/proc/\d+/stat$} }
        glob "/proc/$pid/fd/*";

    kill 'CONT', $pid;
    return 0;
}

my $none = qr/has no place for one more worker/;
my $tries = 0;

until ($g->nginx->logged($none) || $tries == 20) {
    my ($still, $killed) = $g->nginx->workers;
    my $end = now() + 20;

    sleep rand 0.005 until stopped_inside($still) || now() > $end;
    kill 'KILL', $killed;
    wait_for(sub { my @now = $g->nginx->workers;
        @now == 2 && !grep { $_ == $killed } @now }, 20, 'another worker');
    # longer than it waits for them
    sleep 0.3;
    kill 'CONT', $still;
    wait_for(sub { my @now = eval { pids() }; @now }, 20, 'it to go on');
    $tries++;
}

kill 'KILL', @asking;
waitpid $_, 0 for splice @asking;

ok($g->nginx->logged($none), "one began without a place, after $tries tries");
is($g->get('/run/warm')->{status}, 200, 'it is served');
ok(eval { wait_for(sub { "@{[ pids() ]}" eq "@{[ sort $g->nginx->workers ]}" },
    10, 'both on the page') }, 'and is on the page before long')
    or diag($@);
ok(eval { wait_for(sub { $g->nginx->logged(qr/has a place for this worker/) },
    10, 'a line') }, 'which is told');

$g->stop;
done_testing;
