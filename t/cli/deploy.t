# fcfaas deploy and rollback on the whole system (instant backend): a version
# serves once it is ready, never before, and no request is lost meanwhile.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $s = FcfTest::System->start(vmm => 'instant')->up(120);
my $etcd = $s->etcd;
my $cli = $s->cli;

my $dir = tmpdir() . '/mine';

sub source { FcfTest::Cli::function($dir, "# $_[0]") }

sub versions {
    return join ' ', sort map { my $i = $etcd->get_json($_);
        $i && ($i->{state} // 'ready') eq 'ready' ? $i->{version} : () }
        $etcd->keys('/functions/mine/instances/');
}

sub spec { $etcd->get_json('/specs/mine') }


# what is wrong on the line is told before anything is made
my $wrong = $cli->run('deploy', source('one'), '--timeout', 'soon');
is($wrong->{status}, 2, 'a timeout that is none');
like($wrong->{err}, qr/^fcfaas: --timeout\b.*"?soon"?/m, 'is told');
is_deeply([$etcd->keys('/specs/mine')], [], 'nothing is in etcd');

# the first one
my $r = $cli->ok('deploy', source('one'));
like($r->{err}, qr/^fcfaas: version 1 starts as \S+-\d+$/m, 'deploy says what happens');
is($r->{out}, 'mine: version 1 is current: ' . $s->url('/run/mine') . "\n",
    'and how it ended');
is(versions(), '1', 'an instance is ready');
is($s->get('/run/mine')->{status}, 200, 'and serves');
my $code = spec()->{code};
ok(-s $s->run_dir . "/store/$code->{sha256}.img", 'its image is in the store');
ok(-s $s->run_dir . "/data/agent/images/$code->{sha256}.img",
    'the agent has fetched it');
is_deeply([values %{ $cli->json('describe', 'mine')->{stores} }], ['has it'],
    'describe has looked');
is($cli->ok('deploy', $dir)->{out}, "mine: unchanged, still version 1\n",
    'again: unchanged');

# the next one, under load, with all instances there may be
$cli->ok('scale', 'mine', '--max', 1);
my $load = FcfTest::Load->start(port => $s->port, path => '/run/mine',
    interval_ms => 5);
is($cli->json('deploy', source('two'))->{version}, 2, 'the next version');
wait_for(sub { versions() eq '2' }, 20, 'the old one to go');
is($cli->json('rollback', 'mine')->{version}, 1, 'rollback');
wait_for(sub { versions() eq '1' }, 20, 'the new one to go');
is(spec()->{previous}, 2, 'it can be gone forward again');
is($cli->json('rollback', 'mine', 2)->{version}, 2, 'to a version by number');
my $n = $load->end;
is_deeply($n->{status}, { 200 => $n->{sent} }, "no request of $n->{sent} lost")
    or diag(FcfTest::json_encode($n));

$cli->ok('scale', 'mine', '--max', 10);

# a version that does not come up
my $before = $etcd->get('/specs/mine');
$r = $cli->run('deploy', source('three'), '--memory', 4_000_000);
is($r->{status}, 1, 'one that does not come up');
like($r->{err}, qr/^fcfaas: mine: version 3 did not come up and is not current: no_capacity on \S+: /m,
    'the reason is told');
is($etcd->get('/specs/mine'), $before, 'what serves serves on');
is($s->get('/run/mine')->{status}, 200, 'it does');
like($cli->ok('describe', 'mine')->{out}, qr/^version 3 /m,
    'describe shows the version that failed');

# its reason gone, the same again is the same version
$r = $cli->json('deploy', $dir, '--memory', 128);
is($r->{version}, 4, 'another spec is another version');

# shares
is($cli->json('deploy', source('five'), '--percent', 10)->{state}, 'shared',
    'a share of the requests');
is_deeply(spec()->{traffic}, [{ version => 4, percent => 90 },
    { version => 5, percent => 10 }], 'is what the spec says');
is($cli->json('deploy', $dir, '--percent', 50)->{version}, 5,
    'more of it: the same version');
is(spec()->{traffic}[1]{percent}, 50, 'with that share');
is($cli->json('deploy', $dir)->{version}, 5, 'all of it');
is(spec()->{version}, 5, 'makes it current');
ok(!exists spec()->{traffic}, 'without shares');
is($cli->run('rollback', 'mine', 77)->{status}, 1, 'no such version');
like($cli->run('rollback', 'hello')->{err}, qr/there was no version before 1/,
    'nothing to go back to');

# two at once: the agent stands still, so that the first waits
my $agent = $s->pid('agent');
kill 'STOP', $agent;
my $first = $cli->start('deploy', source('six'));
wait_for(sub { $etcd->get('/specs/mine/versions/6') }, 30, 'version 6');
$cli->ok('deploy', source('seven'), '--no-wait');
is(spec()->{version}, 7, 'somebody else is faster');
kill 'CONT', $agent;
$r = $cli->end($first);
is($r->{status}, 1, 'the first one ends');
like($r->{err}, qr/somebody else deployed it.*this lost.*version 6 is not cur/,
    'and says that it lost');
is(spec()->{version}, 7, 'what the other one did stays');

# nobody takes it
kill 'STOP', $agent;
$r = $cli->run('deploy', source('eight'), '--timeout', 1);
is($r->{status}, 1, 'no node takes it');
like($r->{err}, qr/was not ready within 1 s.*no node has taken it/, 'is told');

# Ctrl-C
$first = $cli->start({ env => { TMPDIR => tmpdir() } }, 'deploy',
    source('nine'));
wait_for(sub { $etcd->get('/specs/mine/versions/9') }, 30, 'version 9');
kill 'INT', $first->{pid};
$r = $cli->end($first);
is($r->{status}, 1, 'Ctrl-C ends it');
like($r->{err}, qr/interrupted$/, 'and says so');
kill 'CONT', $agent;
is(spec()->{version}, 7, 'nothing has changed');
is_deeply([grep { -d } glob tmpdir() . "/fcfaas-*"], [],
    'nor is anything left');

# Redis is away
$r = $cli->run('deploy', source('ten'), '--redis', '127.0.0.1:1');
is($r->{status}, 3, 'Redis that is not there');
like($r->{err}, qr/Redis: redis 127\.0\.0\.1:1: Connection refused/, 'is told');

$cli->ok('rm', 'mine');
wait_for(sub { versions() eq '' }, 30, 'the instances to stop');
is($s->get('/run/mine')->{status}, 404, 'rm: it is gone');
wait_for(sub { !-e $s->run_dir . "/data/agent/images/$code->{sha256}.img" }, 30,
    'its images to go');
ok(!-e $s->run_dir . "/store/$code->{sha256}.img", 'as in the store');

is($s->make('stop'), 0, 'make stop');
is_deeply([$s->leftovers], [], 'nothing is left');

done_testing;
