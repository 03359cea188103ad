# nginx -s reload and kill -9 of a worker while clients come from all sides:
# nothing fails but what the killed worker had in its hands.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use POSIX qw(_exit);
use Test::More;

my $clients = 4;

my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '30s');
$g->spec('warm');
$g->instance('warm');
$g->ready('warm');

# Each client asks, with a connection of its own, until its standard input is
# closed, and then prints "good cut other".
sub client {
    my ($port) = @_;
    my %n = (good => 0, cut => 0, other => 0);

    while (!IO::Select->new(\*STDIN)->can_read(0)) {
        my $r = eval { http_get($port, '/run/warm', timeout => 5) };
        my $status = $r ? $r->{status} : -1;

        # 0: the connection was closed; an answer cut short has no status
        $n{$status == 200 ? 'good' : $status == 0 ? 'cut' : 'other'}++;
    }

    print "$n{good} $n{cut} $n{other}\n";
}

# runs $code while the clients ask; (good, cut, other) of all of them
sub under_load {
    my ($code) = @_;
    my (@pids, @results);

    pipe my $stop, my $running or die "pipe: $!";

    for (1 .. $clients) {
        my $pid = open my $out, '-|';
        die "fork: $!" unless defined $pid;

        if ($pid == 0) {
            close $running;
            open STDIN, '<&', $stop or _exit(1);
            $| = 1;
            eval { client($g->port); 1 } or print "0 0 1\n";
            _exit(0);
        }

        push @results, $out;
    }

    close $stop;
    my $more = sub {
        my $n = $g->status->{outcomes}{passed} + $_[0];
        wait_for(sub { $g->status->{outcomes}{passed} >= $n }, 30, 'requests');
    };

    $more->(50);
    $code->($more);
    $more->(50);
    close $running;

    my @sum = (0, 0, 0);

    for my $out (@results) {
        my @n = split ' ', scalar(<$out>) // '0 0 1';
        $sum[$_] += $n[$_] for 0 .. 2;
        close $out;
    }

    return @sum;
}

my ($good, $cut, $other) = under_load(sub {
    my ($more) = @_;

    for (1 .. 3) {
        $g->nginx->reload;
        $more->(50);
    }
});

note("reload: $good good");
is($cut, 0, 'three reloads under load: none cut');
is($other, 0, 'and none failed');
cmp_ok($good, '>=', 200, 'of hundreds');

$g->nginx->expect_complaint(qr/exited on signal 9/);

($good, $cut, $other) = under_load(sub {
    my ($more) = @_;

    for (1 .. 2) {
        my ($victim) = $g->nginx->workers;
        kill 'KILL', $victim;
        wait_for(sub { my @w = $g->nginx->workers;
            @w == 2 && !grep { $_ == $victim } @w }, 10, 'a new worker');
        $more->(50);
    }
});

note("kill: $good good, $cut cut");
cmp_ok($cut, '<=', 2 * $clients, 'two workers killed: only theirs are cut');
is($other, 0, 'and none failed');
cmp_ok($good, '>=', 150, 'of hundreds');

$g->stop;
done_testing;
