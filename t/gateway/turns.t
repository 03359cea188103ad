# Nothing that is done to thousands at once holds a worker: so many of a kind
# are done in a turn of its loop, which the debug log tells apart.  How long
# such turns are, bench/turns shows.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

use constant {
    WAITING  => 400,        # of one function, refused together
    REFUSED  => 2 * 32,     # in a turn: as the reason comes, and as it goes on
    MINIMA   => 1000,       # functions with min_instances
    ASKED    => 256,        # answers of Redis in a turn: so many are awaited
};

my $g = FcfTest::Gateway->start(park_timeout => '60s', log_level => 'debug',
    connections => 2048);

plan skip_all => 'needs an nginx with --with-debug'
    if !$g->nginx->logged(qr/\[debug\]/);

refuses();
keeps_minima();
$g->stop;
done_testing;


# how many lines like that each turn has, the largest number first
sub turns {
    my ($line, $from) = @_;
    my @n = (0);

    open my $log, '<', $g->nginx->error_log or die $!;
    seek $log, $from, 0;

    while (<$log>) {
        push @n, 0 if /\] \d+#\d+: worker cycle$/;
        $n[-1]++ if $_ =~ $line;
    }

    return sort { $b <=> $a } grep { $_ } @n;
}


sub refuses {
    $g->spec('never', concurrency => 1, max_instances => 1);
    my @q = map { $g->send("/run/never/$_") } 1 .. WAITING;
    $g->wait_parked(WAITING);

    my $from = -s $g->nginx->error_log;
    $g->nginx->expect_complaint(qr/did not start|boot_failed/);

    # each start fails, until those who wait are told
    wait_for(sub {
        my $job = $g->redis->take_job(0.1);
        fails('never', $job) if $job;
        return $q[-1]->answered;
    }, 60, 'the last one to be told');

    is(scalar(grep { $_->response(30)->{status} == 502 } @q), WAITING,
        'all are refused');
    my @n = turns(qr/ HTTP\/1\.1 502 /, $from);
    my $all = 0;
    $all += $_ for @n;
    is($all, WAITING, 'each in a turn');
    cmp_ok($n[0], '<=', REFUSED, 'of which none has too many');
}


sub fails {
    my ($name, $job) = @_;
    $g->redis->cli('ZREM', "{queue:vm_provision}:pending:$name",
        $job->{request_id});
    $g->etcd->failure($name, $job->{request_id}, error => 'boot_failed');
}


sub keeps_minima {
    my $from = -s $g->nginx->error_log;

    $g->etcd->put("/specs/m$_", { cpu => 1, memory_mb => 128,
        min_instances => 1, version => 1 }) for 1 .. MINIMA;
    wait_for(sub { my @n = turns(qr/asked for an instance of "m\d+"/, $from);
        my $all = 0; $all += $_ for @n; $all >= MINIMA }, 60,
        'all to be asked for');

    my ($most) = turns(qr/asked for an instance of "m\d+"/, $from);
    cmp_ok($most, '<=', ASKED, 'what shall always run is asked for in turns');
}
