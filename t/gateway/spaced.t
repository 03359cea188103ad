# A function that never starts, over four workers: each failure counts once,
# starts are spaced 1, 2, 4 s, and whoever calls meanwhile is told at once.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(workers => 4, park_timeout => '60s',
    location => 'fcfaas_error_details on;');
my ($etcd, $redis) = ($g->etcd, $g->redis);
my (@q, $failed);

# all that wait, in whatever worker, lead to one job, but not before its time
sub attempt {
    my ($n, $spaced) = @_;
    my $job;

    wait_for(sub {
        push @q, $g->send("/run/never/$n");
        $job = $redis->take_job(0.1);
    }, 60, "start $n");

    is($job->{attempt}, $n, "start $n");
    cmp_ok(now() - $failed, '>=', $spaced - 0.1, "$spaced s after the last")
        if $spaced;
    is(scalar $redis->jobs, 0, 'one');
    return $job;
}

# and all workers have heard of it before another may be asked for
sub fails {
    my ($n, $job) = @_;
    my $id = $job->{request_id};

    $failed = now();
    $etcd->failure('never', $id, error => 'boot_failed',
        message => "no luck $n");
    wait_for(sub { $g->nginx->logged(qr/did not start \(\Q$id\E,/) >= 4 },
        10, 'all workers to hear of it');
    $redis->cli('ZREM', '{queue:vm_provision}:pending:never', $id);
}

# all that waited, and whoever calls while the next start is far away yet
sub told_at_once {
    my ($n, $spaced) = @_;
    my @r = map { $_->response(20) } @q;
    is(scalar(grep { $_->{status} != 502 } @r), 0,
        'who waited is told') or diag explain $r[0];
    @q = ();

    my (@late, $sent);

    for (1 .. 20) {
        $sent = now();
        last if $sent - $failed > $spaced / 2;
        my $r = $g->get('/run/never');
        push @late, $r if now() - $failed < $spaced;
    }

    is(scalar(grep { $_->{status} != 502
        || $_->{body} !~ /"error":"boot_failed".*no luck $n\b/ } @late), 0,
        'so is who calls meanwhile') or diag explain \@late;
}

sub lists {
    my $n = 0;
    $n += $_->{etcd}{lists} for @{ $g->status->{workers} };
    return $n;
}

$g->spec('never');
my $older = tmpdir() . '/older';
$etcd->stop;
$etcd->copy_data($older);
$etcd->start_again;
fails(1, attempt(1));
fails(2, attempt(2));
fails(3, attempt(3));
told_at_once(3, 1);

my $job = attempt(4, 1);
fails(4, $job);
told_at_once(4, 2);

# workers that are new know that it is not to be started, and why
$job = attempt(5, 2);
fails(5, $job);
told_at_once(5, 4);
$g->nginx->reload;
$g->wait_known('specs', 1, 20);
$job = attempt(6, 4);
is(scalar(grep { $_->answered } @q) > 0, 1,
    'whoever called after a reload was told');
pass('started when it may be');

# etcd is restored: what is listed anew is not declared anew
fails(6, $job);
my $lists = lists();
$etcd->stop;
$etcd->put_data_back($older);
$etcd->start_again;
wait_for(sub { lists() >= $lists + 4 }, 20, 'another list in each worker');
$job = attempt(7, 8);

# once it has started and answered, nothing is spaced any more
$g->instance('never');
is($g->get('/run/never')->{status}, 200, 'it has started');
$etcd->no_instance('never', 'n1-1');
$g->wait_known('instances', 0);
$redis->cli('FLUSHALL');
@q = ();
$job = attempt(1);
$g->instance('never');
is($_->response(20)->{status}, 200, 'and starts again') for $q[0];

$g->stop;
done_testing;
