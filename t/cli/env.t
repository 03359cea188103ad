# fcfaas env and secret on the whole system (instant backend): a change is
# another version that is rolled out without a lost request, generations go
# with their versions, and nothing is told where it must not be.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $s = FcfTest::System->start(vmm => 'instant')->up(120);
my $etcd = $s->etcd;
my $cli = $s->cli;
my $SECRET = 'correct-horse-battery-staple';

my $dir = tmpdir() . '/mine';
mkdir $dir;
spew("$dir/bootstrap", "#!/bin/sh\n");
chmod 0755, "$dir/bootstrap";

sub spec { $etcd->get_json("/specs/$_[0]") }
sub stored { map { m{/(\d+)$} ? $1 : () } $etcd->keys("/secrets/$_[0]/") }
sub refused {
    my ($like, $status, $what, @args) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $cli->refused($what, $status, $like, @args);
}

# before there is a function
my $r = $cli->ok({ in => "$SECRET\n" }, 'secret', 'set', 'mine', 'DB_URL');
is($r->{out}, "mine: kept for its first version\n", 'set before the deploy');
$cli->ok('env', 'mine', 'set', 'LEVEL=info', 'EMPTY=');
is($cli->ok('env', 'mine')->{out}, "EMPTY=\nLEVEL=info\n", 'env shows it');
is($cli->ok('secret', 'ls', 'mine')->{out}, "DB_URL\n", 'ls the names');
is_deeply([stored('mine')], [2], 'what nobody can have seen is replaced');
is_deeply($etcd->get_json('/secrets/mine/2'), {
    env => { EMPTY => '', LEVEL => 'info' }, secrets => { DB_URL => $SECRET },
}, 'without the newline');

is($cli->json('deploy', $dir)->{version}, 1, 'the first version');
is(spec('mine')->{secrets_generation}, 2, 'has it');
is($etcd->get_json('/specs/mine/versions/1')->{secrets_generation}, 2,
    'by its generation');
is($s->get('/run/mine')->{status}, 200, 'and serves');
is($cli->json('deploy', $dir)->{state}, 'unchanged', 'again: unchanged');

# a change under load
my $load = FcfTest::Load->start(port => $s->port, path => '/run/mine',
    interval_ms => 5);
is($cli->json('env', 'mine', 'set', 'LEVEL=debug')->{version}, 2,
    'a change is a version');
is($cli->json('env', 'mine', 'set', 'LEVEL=debug')->{state}, 'unchanged',
    'none is not');
is($cli->json('secret', 'rm', 'mine', 'DB_URL')->{version}, 3, 'rm, too');
my @of;
wait_for(sub {
    @of = map { $etcd->get_json($_) // () }
        $etcd->keys('/functions/mine/instances/');
    @of && !grep { $_->{version} != 3 } @of;
}, 20, sub { 'the old instances to go: ' . FcfTest::json_encode(\@of) });
my $n = $load->end;
is_deeply($n->{status}, { 200 => $n->{sent} }, "no request of $n->{sent} lost")
    or diag(FcfTest::json_encode($n));
is(spec('mine')->{secrets_generation}, 4, 'the third generation is current');
is_deeply($cli->json('secret', 'ls', 'mine'), [], 'without the secret');
is_deeply($cli->json('env', 'mine'), { EMPTY => '', LEVEL => 'debug' },
    'with the rest');

is($cli->json('rollback', 'mine', 1)->{version}, 1, 'back to the first');
is_deeply($cli->json('secret', 'ls', 'mine'), ['DB_URL'], 'with its secrets');
is($cli->json('env', 'mine', 'unset', 'LEVEL')->{version}, 4, 'and on from there');
is(spec('mine')->{secrets_generation}, 5, 'with a generation of its own');
is(FcfTest::json_encode($etcd->get_json('/secrets/mine/5')),
    FcfTest::json_encode({ env => { EMPTY => '' },
        secrets => { DB_URL => $SECRET } }), 'made of the first one');

my $file = tmpdir() . '/lines';
spew($file, "# keys\nexport ONE=1=1\n\nTWO= b \r\n");
$cli->ok('secret', 'import', 'mine', '--file', $file);
is_deeply($etcd->get_json('/secrets/mine/6')->{secrets},
    { DB_URL => $SECRET, ONE => '1=1', TWO => ' b ' }, 'import');

# what goes with versions
$cli->ok('env', 'mine', 'set', "N=$_", '--no-wait') for 1 .. 9;
is(scalar $etcd->keys('/specs/mine/versions/'), 10, 'ten versions are kept');
is_deeply([sort { $a <=> $b } stored('mine')], [6 .. 15],
    'and their generations');

# what is wrong
unlike(refused(qr/a value does not belong on the command line/, 2,
    'a value on the command line', 'secret', 'set', 'mine', "K=$SECRET")->{err},
    qr/$SECRET/, '  but not the value');
refused(qr/PORT is set for each instance/, 2, 'a name of ours', 'env', 'mine',
    'set', 'PORT=1');
refused(qr/"1A" cannot be a variable's name/, 2, 'no name', 'env', 'mine',
    'set', '1A=1');
refused(qr/DB_URL: is a secret already/, 1, 'a secret as env', 'env', 'mine',
    'set', 'DB_URL=x');
refused(qr/there is no secret N$/m, 1, 'env as a secret', 'secret', 'rm',
    'mine', 'N');
refused(qr/"x": neither set nor unset/, 2, 'no such word', 'env', 'mine', 'x');
refused(qr/nobody: no such function/, 1, 'no such function', 'env', 'nobody');
refused(qr/"KEY": is no "NAME=VALUE"/, 2, 'env without a value',
    'env', 'mine', 'set', 'KEY');
for (["\0", 'zero byte'], ["\xff", 'not UTF-8'], ['', 'its value is empty'],
    ['x' x 70000, 'over 65536 bytes']) {
    my $bad = $cli->run({ in => $_->[0] }, 'secret', 'set', 'mine', 'K');
    is($bad->{status}, 2, "standard input: $_->[1]");
    like($bad->{err}, qr/$_->[1]/, '  is told');
}
$r = $cli->run({ in => "A=1\n$SECRET\n" }, 'secret', 'import', 'mine');
is($r->{err}, "fcfaas: line 2: is no \"NAME=VALUE\"\n",
    'a bad line of secrets is not quoted');
$r = $cli->run({ in => 'x' x 65500 }, 'secret', 'set', 'mine', 'K');
like($r->{err}, qr/bytes as JSON, of which 65536 are taken/, 'too much in all')
    or diag($r->{err});
$r = $cli->run('deploy', $dir, '--spec', '{"secrets_generation":1}');
like($r->{err}, qr/secrets_generation: is not for people to set/,
    'nor is a generation to be set');

# the version is there, and its environment is not
my $current = spec('mine')->{version};
my $lost = { %{ spec('mine') }, version => 50, secrets_generation => 99 };
delete @$lost{qw(previous traffic deployed)};
$etcd->put('/specs/mine/versions/50', $lost);
$r = $cli->run('rollback', 'mine', 50);
is($r->{status}, 1, 'a version without its environment');
like($r->{err}, qr{version 50 did not come up.*"/secrets/mine/99": is not in etcd},
    'does not come up, and that is why');
is(spec('mine')->{version}, $current, 'and is not current');
$etcd->put('/secrets/mine/99', "{\"env\":{\"A\":\"$SECRET\"},\"env\":1}");
$r = $cli->run('rollback', 'mine', 50);
like($r->{err}, qr{"/secrets/mine/99": env: not a JSON object},
    'one that is garbage likewise');
unlike($r->{err}, qr/$SECRET/, 'without what is in it');

$cli->ok('rm', 'mine');
is_deeply([$etcd->keys('/secrets/')], [], 'rm: all of it is gone');

# whoever looks
unlike($s->log($_), qr/$SECRET/, "nothing of it in the log $_")
    for qw(agent proxy nginx-error run);

is($s->make('stop'), 0, 'make stop');
is_deeply([$s->leftovers], [], 'nothing is left');

done_testing;
