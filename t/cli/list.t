# ls, describe, ps, nodes, scale and rm, on what a real etcd holds.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $cli = FcfTest::Cli->new(conf => { etcd => $etcd->endpoint }, cwd => '/',
    user => 65534);

# the cells of a table, by rows
sub rows { [map { [split / {2,}/] } split /\n/, $_[0]] }

is_deeply($cli->json('ls'), [], 'nothing there');
is($cli->ok('ls')->{out}, "NAME  VERSION  RUNTIME  MEMORY  READY  STARTING  "
    . "MIN  MAX\n", 'a table without rows');

$etcd->spec('hello', version => 3, previous => 2, memory_mb => 64,
    concurrnecy => 2, $etcd->traffic(2 => 10, 3 => 90));
$etcd->spec('a-b', runtime => 'python3', min_instances => 1);
$etcd->put('/specs/odd', '{"cpu":"many"}');
$etcd->put("/specs/hello/versions/$_", { version => $_, deployed => {
    at_ms => int((time - 3.5 * 3600) * 1000), by => 'ada@here', source => "/src/\e[1m$_" } })
    for 2, 3, 10;
$etcd->put('/elsewhere', 'x');
$etcd->instance('hello', worker => 'n1-1', port => 30001, version => 3,
    started_ms => int((time - 3.5 * 86400) * 1000));
$etcd->instance('hello', worker => 'n2-4', port => 30002, version => 2,
    state => 'draining');
$etcd->put('/functions/hello/slots/0', { worker_id => 'n1-1',
    request_id => 'req-1', version => 3 });
$etcd->put('/functions/hello/slots/1', { worker_id => 'n2-4',
    request_id => 'req-2', version => 2 });
$etcd->put('/functions/hello/slots/4', { worker_id => 'n2-5',
    request_id => 'req-3', version => 3 });
$etcd->failure('hello', 'req-9', error => 'boot_failed',
    message => "cannot\e[2J start");
$etcd->put('/workers/n1', { address => '10.0.0.5', cpu => 8, cpu_free => 6,
    memory_mb => 1000, memory_mb_free => 900, vms => 1,
    agent_version => '0.1' });
$etcd->put('/workers/n2', { address => '10.0.0.6', state => 'ill',
    reason => 'no disk', cpu => 8, cpu_free => 6, memory_mb => 1000,
    memory_mb_free => 900, vms => 1 });
$etcd->put('/workers/n3', 'rubbish');

my $ls = $cli->json('ls');
is_deeply([map { $_->{name} } @$ls], ['a-b', 'hello', 'odd'], 'ls --json');
is_deeply([@{ $ls->[1] }{qw(version memory_mb ready draining starting)}],
    [3, 64, 1, 1, 1], 'instances are counted');
like($ls->[2]{not_valid}, qr/cpu: not an integer/, 'what is not valid is told');
my $rows = rows($cli->ok('ls')->{out});
is_deeply($rows->[2], ['hello', '3+', 'base', '64 MB', 1, 1, 0, 10],
    'a row of the table');
is($rows->[1][2], 'python3', 'another');
like($rows->[3][1], qr/not valid/, 'and one that is not valid');

my $ps = $cli->json('ps');
is_deeply([map { "$_->{instance} $_->{version} $_->{state}" } @$ps],
    ['n1-1 3 ready', 'n2-4 2 draining', 'n2-5 3 starting'], 'ps --json');
is_deeply(rows($cli->ok('ps', 'hello')->{out})->[1],
    ['n1-1', 'hello', 3, 'ready', 'n1', '127.0.0.1:30001', '3d'], 'ps');
is_deeply($cli->json('ps', 'a-b'), [], 'ps of one without instances');

my $nodes = $cli->json('nodes');
is_deeply([map { "$_->{node} " . ($_->{state} // 'bad') } @$nodes],
    ['n1 ready', 'n2 ill', 'n3 bad'], 'nodes --json');
my $out = $cli->ok('nodes')->{out};
like($out, qr/^n1 +ready +10\.0\.0\.5 +1 +6 of 8 +900 of 1000 MB/m, 'a node');
like($out, qr/^n2 +ill .*no disk$/m, 'one that is ill, and why');
like($out, qr/^n3 +\? .*not valid/m, 'one whose key is rubbish');

$out = $cli->ok('describe', 'hello')->{out};
like($out, qr/^version +3$/m, 'describe: the version');
like($out, qr/^traffic +10 % to version 2\n +90 % to version 3$/m, 'shares');
like($out, qr/^unknown field +concurrnecy \(concurrency\?\)$/m,
    'a field that nobody knows');
my @versions = $out =~ /^version (\d+) .*/mg;
is_deeply(\@versions, [10, 3, 2], 'versions, the newest first');
like($out, qr{^version 3 +current, 3h ago by ada\@here, of /src/3$}m,
    'who, when and of what; no escapes reach a terminal');
like($out, qr/^instance +n1-1, version 3, ready/m, 'instances');
like($out, qr/^failed start +boot_failed on n1, version 1: cannot start$/m,
    'failures');
unlike($out, qr/\e/, 'no escape at all');

my $d = $cli->json('describe', 'hello');
is($d->{spec}{concurrnecy}, 2, 'describe --json: the spec as it is');
is_deeply([sort keys %{ $d->{versions} }], [10, 2, 3], 'versions');
is($d->{failures}{'req-9'}{error}, 'boot_failed', 'failures');
is($cli->json('describe', 'odd')->{not_valid},
    'spec: cpu: not an integer', 'why it is not valid');

my $r = $cli->run('describe', 'nobody');
is($r->{status}, 1, 'one that is not there');
like($r->{err}, qr/^fcfaas: nobody: no such function/, 'is named');

# scale: one transaction, all else stays
$cli->ok('scale', 'hello', '--min', 2, '--max', 5);
my $spec = $etcd->get_json('/specs/hello');
is_deeply([@$spec{qw(min_instances max_instances concurrnecy version)}],
    [2, 5, 2, 3], 'scale changes what it is told to, and no more');
$r = $cli->run('scale', 'hello', '--min', 6);
is($r->{status}, 2, 'more at least than at most');
like($r->{err}, qr/min_instances: 6 is more than max_instances 5/, 'is told');
is($cli->run('scale', 'nobody', '--min', 1)->{status}, 1, 'scale of nothing');
is($etcd->get('/specs/nobody'), undef, 'makes nothing');
is($cli->run('scale', 'odd', '--min', 1)->{status}, 1, 'of what is not valid');

my @all = map { $cli->start('scale', 'a-b', '--max', $_) } 11 .. 16;
is_deeply([map { $cli->end($_)->{status} } @all], [(0) x 6],
    'six at the same time');
cmp_ok($etcd->get_json('/specs/a-b')->{max_instances}, '>', 10, 'one is last');

# rm
$etcd->put("/specs/many/versions/$_", '{}') for 1 .. 130;
$etcd->spec('many');
$cli->ok('rm', 'many');
is_deeply([$etcd->keys('/specs/many')], [], 'rm: with all versions');
$cli->ok('rm', 'hello');
is_deeply([$etcd->keys('/specs/hello')], [], 'rm');
is($cli->run('rm', 'hello')->{status}, 1, 'once');
is_deeply([map { $_->{name} } @{ $cli->json('ls') }], ['a-b', 'odd'],
    'and no other');

# a prefix
my $other = FcfTest::Cli->new(name => 'other', conf => { prefix => '/x',
    etcd => "http://127.0.0.1:1," . $etcd->endpoint });
is_deeply($other->json('ls'), [], 'another prefix, and a second endpoint');
$etcd->put('/x/specs/mine', '{}');
is($other->json('ls')->[0]{name}, 'mine', 'is a world of its own');

# etcd that stands still: an end, and a status
$etcd->pause;
$r = $cli->run('ls');
is($r->{status}, 3, 'etcd that does not answer');
like($r->{err}, qr/^fcfaas: etcd .*/, 'is told');
$etcd->resume;

done_testing;
