# The copy of etcd prefixes stays true whatever happens to etcd.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use FcfTest;
use Probe;
use Test::More;

my @prefixes = ('--prefix', '/functions/', '--prefix', '/specs/');


# What etcd holds below the two prefixes.
sub held {
    my ($etcd) = @_;
    return { map { ($_ => $etcd->get($_)) }
        $etcd->keys('/functions/'), $etcd->keys('/specs/') };
}


subtest 'etcd is not there at the start' => sub {
    my $port = free_port();
    my $p = Probe->new('--etcd', "http://127.0.0.1:$port", @prefixes);

    like($p->ask('get /x'), qr/^unavailable: /, 'calls fail with the reason');
    is($p->stat->{state}, 0, 'no list yet');

    my $etcd = FcfTest::Etcd->start(name => 'late', port => $port);
    $p->state_becomes('live', 10, 'live once it is there');
    $p->becomes({}, 5, 'an empty list');
    $p->quit;
    $etcd->stop;
};


subtest 'one etcd, through everything' => sub {
    my $etcd = FcfTest::Etcd->start;
    $etcd->put('/functions/a/slots/0', 'one');
    $etcd->put('/other', 'not ours');

    my $p = Probe->new('--etcd', $etcd->endpoint, @prefixes);
    $p->state_becomes('live', 5);

    $etcd->put('/functions/b/slots/0', 'two');
    $etcd->put('/specs/a', '{}');
    $etcd->put('/functions/a/slots/0', '');
    $etcd->del('/functions/b/slots/0');
    $p->becomes({ '/functions/a/slots/0' => '', '/specs/a' => '{}' }, 5,
        'put, change to the empty value, delete');

    # killed and started: the watch goes on where it was
    $etcd->stop('KILL');
    $p->state_becomes('stale', 5, 'killed: stale');
    $etcd->start_again;
    $etcd->put('/specs/after-kill', '1');
    $p->state_becomes('live', 10, 'started: live');
    $p->becomes(held($etcd), 5, 'what came meanwhile is there');
    is($p->stat->{lists}, 1, 'without listing again');

    # stopped in its tracks: connections stay, and nothing is said
    $etcd->pause;
    my $from = now();
    $p->state_becomes('stale', 8, 'SIGSTOP: stale');
    cmp_ok(now() - $from, '<', 5, 'within two probes');
    like($p->ask('get /specs/a', 8), qr/^timeout: /, 'calls end in time');
    $etcd->resume;
    $p->state_becomes('live', 10, 'SIGCONT: live');
    $etcd->put('/specs/after-stop', '1');
    $p->becomes(held($etcd), 5, 'and current');
    is($p->stat->{lists}, 1, 'without listing again');

    # compacted while it is cut off: stopped only then, so that no socket's
    # buffer holds for it what it should not see
    $etcd->stop('KILL');
    $p->state_becomes('stale', 5);
    $p->proc->pause;
    $etcd->start_again;
    $etcd->del('/specs/after-stop');
    $etcd->put('/specs/unseen', $_) for 1 .. 5;
    my $revision = $etcd->put('/specs/unseen', 'last');
    $etcd->compact($revision);
    $p->proc->resume;
    $p->becomes(held($etcd), 10,
        'compacted: what was deleted unseen is gone, what was put is there');
    is($p->stat->{lists}, 2, 'by a new list');
    $p->state_becomes('live', 5, 'and live');

    # an older copy of its data
    my $copy = tmpdir() . '/older';
    $etcd->stop;
    $etcd->copy_data($copy);
    $etcd->start_again;
    $p->state_becomes('live', 10);
    $etcd->put('/specs/from-the-future', $_) for 1 .. 10;
    my $future = held($etcd);
    $p->becomes($future, 5, 'ten revisions more');
    $etcd->stop;
    $etcd->put_data_back($copy);
    $etcd->start_again;
    $p->state_becomes('live', 10);
    ok(!$etcd->get('/specs/from-the-future'), 'etcd has forgotten');
    $p->becomes(held($etcd), 10, 'older data: so have we');
    $etcd->put('/specs/after-older', '1');
    $p->becomes(held($etcd), 5, 'and the watch is not one of the future');

    # a snapshot restored as another cluster
    my $snapshot = tmpdir() . '/snapshot.db';
    $etcd->ctl('snapshot', 'save', $snapshot);
    $etcd->put('/specs/after-snapshot', '1');
    $p->becomes(held($etcd), 5);
    $etcd->stop;
    system('rm', '-rf', $etcd->data_dir);
    my $peer = "http://127.0.0.1:$etcd->{peer}";
    {
        local $ENV{ETCDCTL_API} = 3;
        is(system("etcdctl snapshot restore $snapshot --name test"
            . " --data-dir $etcd->{dir} --initial-cluster test=$peer"
            . " --initial-advertise-peer-urls $peer"
            . " --initial-cluster-token another >/dev/null 2>&1"), 0,
            'snapshot restored');
    }
    $etcd->start_again;
    $p->state_becomes('live', 10);
    ok(!$etcd->get('/specs/after-snapshot'), 'etcd is that of the snapshot');
    $p->becomes(held($etcd), 10, 'restored snapshot: so is the copy');
    $etcd->put('/specs/after-restore', '1');
    my $before = held($etcd);
    $p->becomes($before, 5, 'and watched');

    # an empty etcd in its place: not believed for 15 s
    $etcd->stop;
    system('rm', '-rf', $etcd->data_dir);
    $etcd->{args} = ['--initial-cluster-token', 'third'];
    $from = now();
    $etcd->start_again;
    $p->proc->line_matching(qr/^state stale: /, 10);
    $p->becomes({}, 25, 'a new empty cluster is believed in the end');
    cmp_ok(now() - $from, '>', 14, 'but not at once');
    $p->state_becomes('live', 5);

    $p->quit;
    $etcd->stop;
};


subtest '5000 keys' => sub {
    my $etcd = FcfTest::Etcd->start(name => 'many');
    my %want = map { (sprintf('/functions/f%04d/slots/0', $_) => 'v' x 100) }
        0 .. 4999;
    $etcd->put_many(map { [$_, $want{$_}] } sort keys %want);

    my $ranges = $etcd->metric('etcd_debugging_mvcc_range_total');
    my $p = Probe->new('--etcd', $etcd->endpoint, @prefixes);
    $p->state_becomes('live', 15);
    $p->becomes(\%want, 5, 'all are listed');
    my $pages = $etcd->metric('etcd_debugging_mvcc_range_total') - $ranges;
    cmp_ok($pages, '>=', 6, 'in pages of 1000');
    cmp_ok($pages, '<=', 10, 'and not of less');
    like($p->ask('list /functions/f0'), qr/count=1000 .*f0999/s,
        'a call for a list pages too');

    # one transaction a line, many events each
    $etcd->del_prefix('/functions/f4');
    delete $want{$_} for grep { m{/f4} } keys %want;
    $p->becomes(\%want, 10, '1000 deletes in one line');
    $p->quit;
    $etcd->stop;
};


subtest 'two endpoints' => sub {
    my $etcd = FcfTest::Etcd->start(name => 'two');
    my $port = free_port();
    my $forward = FcfTest::Forward->start(port => $port, to => $etcd->port);
    my $p = Probe->new('--etcd', "http://127.0.0.1:$port", '--etcd',
        $etcd->endpoint, @prefixes);

    $p->state_becomes('live', 5);
    is($p->stat->{endpoint}, "http://127.0.0.1:$port", 'the first is used');
    $forward->stop;
    $p->state_becomes('live', 5, 'the first is killed: live on the second');
    is($p->stat->{endpoint}, $etcd->endpoint, 'as said');
    like($p->ask('put /specs/a 1'), qr/^ok/, 'calls too');
    $p->becomes({ '/specs/a' => '1' }, 5, 'and events');
    is($p->stat->{lists}, 1, 'without listing again');
    $p->quit;

    $forward = FcfTest::Forward->start(port => $port, to => $etcd->port);
    $p = Probe->new('--etcd', "http://127.0.0.1:$port", '--etcd',
        $etcd->endpoint, @prefixes);
    $p->state_becomes('live', 5);
    $forward->proc->pause;
    $p->state_becomes('live', 10, 'the first is silent: live on the second');
    cmp_ok($p->stat->{failovers}, '>=', 1, 'a failover is counted');
    $p->quit;
    $forward->stop;
    $etcd->stop;
};

done_testing();
