# Many functions are declared (FCF_MANY says how many): a reload, while new
# workers list them all, turns no warm function cold with the state file.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $count = $ENV{FCF_MANY} // 20_000;
my $dir = tmpdir() . '/state';
mkdir $dir;
chmod 0777, $dir;
my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '20s',
    http => "fcfaas_state_file $dir/registry interval=1s;");

$g->etcd->put_many(map { [sprintf('/specs/f%06d', $_), '{}'] }
    0 .. $count - 1);

$g->instance('f000007');
$g->wait_known('specs', $count, 120);
$g->ready('f000007');
wait_for(sub { FcfTest::Gateway::saved("$dir/registry") eq "$count 1" }, 60,
    'the file');
note(sprintf 'the file: %d bytes', -s "$dir/registry");

for my $round (1 .. 3) {
    my %old = map { $_ => 1 } $g->nginx->workers;
    my ($sent, $list, @bad) = (0, 0);
    $g->nginx->proc->kill('HUP');

    # until all of the workers are new and have their list
    wait_for(sub {
        my $r = $g->get('/run/f000007', timeout => 30);
        $sent++;
        push @bad, "$r->{status} $r->{body}" if $r->{status} != 200;
        my @w = @{ $g->status->{workers} };
        my @new = grep { !$old{$_->{pid}} } @w;
        $list++ if grep { $_->{etcd}{state} eq 'starting' } @new;
        @new == 2 && !grep { $_->{etcd}{state} ne 'live' } @new;
    }, 120, 'new workers to be live');
    is(scalar @bad, 0, "reload $round: all of $sent are answered, "
        . "$list while a new worker lists") or diag(@bad[0 .. ($#bad > 2 ? 2 : $#bad)]);
}

$g->stop;
done_testing();
