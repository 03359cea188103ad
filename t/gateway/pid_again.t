# A worker is killed, and the one that takes its place gets its pid, as happens
# where pids are few: what the dead one held is given back, and what it counted
# is counted once.  In a PID namespace, where the next pid can be chosen.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $last = '/proc/sys/kernel/ns_last_pid';

plan skip_all => 'needs root' if $> != 0;
plan skip_all => "needs $last" unless -w $last;

if (!$ENV{FCF_PID_NAMESPACE}) {
    $ENV{FCF_PID_NAMESPACE} = 1;
    exec 'unshare', '-p', '-f', '--mount-proc', '--kill-child', $^X, '-w', $0
        or die "unshare: $!";
}

my $guest = FcfTest::Guest->new;
my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '60s');
$g->nginx->expect_complaint(qr/exited on signal 9/);
$g->spec($_) for qw(hello held);
$g->warm('hello');
$g->warm('held', worker => 'n1-2', port => $guest->port, concurrency => 2);

sub passed { $g->status->{outcomes}{passed} }

# the one where the request is; true if the next one has its pid
sub kill_holder {
    my ($pid) = map { $_->{pid} } grep { $_->{busy} }
        @{ $g->status->{workers} };
    my ($stay) = grep { $_ != $pid } $g->nginx->workers;

    # nothing else is started meanwhile, or there is another try
    kill 'STOP', $g->nginx->proc->pid;
    kill 'KILL', $pid;
    wait_for(sub { slurp("/proc/$pid/stat") =~ /\) Z/ }, 10, 'it to be dead');
    spew($last, $pid - 1);
    kill 'CONT', $g->nginx->proc->pid;
    my ($new) = wait_for(sub { my @new = grep { $_ != $stay }
        $g->nginx->workers; @new == 1 && $new[0] }, 10, 'a new worker');
    return $new == $pid;
}

my $again;

for my $try (1 .. 20) {
    is(scalar(grep { $g->get('/run/hello')->{status} == 200 } 1 .. 20), 20,
        'twenty are served');
    my $before = passed();
    my $q = $g->send('/run/held');
    my $inside = $guest->take;
    wait_for(sub { grep { $_->{busy} } @{ $g->status->{workers} } }, 10,
        'one inside');
    $again = kill_holder();
    $g->wait_known('instances', 2, 20);
    ok(eval { $g->wait_quiet(20); 1 }, 'what it held is given back')
        or diag($@);
    is(passed(), $before + 1, 'what it counted is counted once');
    is(scalar @{ $g->status->{workers} }, 2, 'two workers');
    $_->close for $q, $inside;
    last if $again;
}

ok($again, 'the new one had the pid of the dead one');
$g->stop;
done_testing;
