# A runtime that is pushed, on the whole system (instant backend): the node has
# none of its name, the next one is rolled out and back under load, and each
# instance has the one of its version.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use FcfTest;
use Test::More;

my $s = FcfTest::System->start(vmm => 'instant')->up(120);
my $etcd = $s->etcd;
my $cli = $s->cli;
my $dir = FcfTest::Cli::function(tmpdir() . '/mine', '# one');
my @base = slurp(root() . '/build/vm/runtimes/base.img');
my @deploy = ('deploy', $dir, '--runtime', 'exotic');

# one more image of it; its digest
sub pushed {
    my ($text) = @_;
    my $file = spew(tmpdir() . "/$text.img", "$base[0]$text");
    $cli->ok('runtime', 'push', 'exotic', $file);
    return sha256_hex(slurp($file));
}

# the digests of what its VMs have
sub running {
    return join ' ', sort map { sha256_hex(peek($_)) }
        map { glob $s->run_dir . "/data/vms/$_/runtime.img" } $s->instances('mine');
}

$cli->refused('a runtime that nobody has', 1, qr/exotic/, @deploy);
my $one = pushed('one');
like($cli->ok(@deploy)->{out}, qr/^mine: version 1 is current/,
    'pushed, it can be deployed for');
is($s->get('/run/mine')->{status}, 200, 'and serves');
is(running(), $one, 'with that image');
ok(-e $s->run_dir . "/data/agent/images/$one.img", 'which was fetched');

my $two = pushed('two');
my $load = FcfTest::Load->start(port => $s->port, path => '/run/mine',
    interval_ms => 5);
my $r = $cli->ok(@deploy);
like($r->{out}, qr/^mine: version 2 is current/, 'the same code: rolled out');
like($r->{err}, qr/^fcfaas: mine: the same code, for its runtime exotic is /m,
    'told why');
wait_for(sub { running() eq $two }, 30, 'all to have the new one');
is($cli->json('rollback', 'mine')->{version}, 1, 'and back');
wait_for(sub { running() eq $one }, 30, 'all to have the old one');
my $n = $load->end;
is_deeply($n->{status}, { 200 => $n->{sent} }, "no request of $n->{sent} lost")
    or diag(FcfTest::json_encode($n));

$cli->ok('rm', 'mine');
$cli->ok('runtime', 'rm', 'exotic');
wait_for(sub { !grep { -e $s->run_dir . "/data/agent/images/$_.img" } $one,
    $two }, 60, 'the node to have none');
is_deeply([grep { -e $s->run_dir . "/store/$_.img" } $one, $two], [],
    'nor has the store');

is($s->make('stop'), 0, 'make stop');
is_deeply([$s->leftovers], [], 'nothing is left');
done_testing;
