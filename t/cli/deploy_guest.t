# fcfaas deploy with real guests, in software emulation: what a broken version
# printed is told, and never becomes current.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $s = FcfTest::System->start(vmm => 'qemu')->up(180);
my $cli = $s->cli;

my $dir = tmpdir() . '/mine';
mkdir $dir;

sub source {
    my ($text) = @_;
    spew("$dir/bootstrap", "#!/bin/sh\n$text\n");
    chmod 0755, "$dir/bootstrap";
    return $dir;
}

my $serve = 'mkdir /tmp/www; echo yes >/tmp/www/index.html; '
    . 'exec busybox httpd -f -h /tmp/www -p ';

my $r = $cli->run('deploy', source('echo no such luck; exit 3'), '-t', 120);
is($r->{status}, 1, 'one that ends at once');
like($r->{err}, qr/did not come up.*no such luck/s, 'its words are told');
is($s->etcd->get('/specs/mine'), undef, 'it is not declared');
is($s->get('/run/mine')->{status}, 404, 'nor called');

$cli->ok('deploy', source("$serve \"\$PORT\""), '-t', 120);
is($cli->ok('invoke', 'mine')->{out}, "yes\n", 'a good one serves');

$r = $cli->run('deploy', source("$serve \"127.0.0.1:\$PORT\""), '-t', 120);
is($r->{status}, 1, 'one that listens on 127.0.0.1');
like($r->{err}, qr/127\.0\.0\.1/, 'is told that');
is($cli->ok('invoke', 'mine')->{out}, "yes\n", 'and the good one serves on');

$r = $cli->run('deploy', source('exec sleep 1000'), '-t', 120, '--spec',
    '{"boot_timeout_s":10}');
is($r->{status}, 1, 'one that never listens');
like($r->{err}, qr/^fcfaas: mine: version \d+ .*is not current: /m,
    'is told that');
is($cli->ok('invoke', 'mine')->{out}, "yes\n", 'and the good one serves on');

like($cli->ok('logs', 'mine', '--version', 1)->{out}, qr/no such luck/,
    'what the first one printed is kept')
    or diag($cli->run('logs', 'mine')->{out});

$cli->ok('init', '--runtime', 'base', tmpdir() . '/first');
$cli->ok('deploy', tmpdir() . '/first', '-t', 120);
is($cli->ok('invoke', 'first')->{out}, "hello, world\n",
    'what init makes serves');
is($cli->ok('invoke', 'first/?name=Ada')->{out}, "hello, Ada\n",
    'and is told what was asked');

done_testing;
