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

sub source { FcfTest::Cli::function($dir, $_[0]) }

my $serve = 'mkdir /tmp/www; echo yes >/tmp/www/index.html; '
    . 'exec busybox httpd -f -h /tmp/www -p ';

my $r = $cli->run('deploy', source('echo no such luck; exit 3'), '-t', 120);
is($r->{status}, 1, 'one that ends at once');
like($r->{err}, qr/no such luck\n.*did not come up/s, 'its words are told');
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

# one that ends after its first answer: it came up, so it is current; what is
# shown is that nothing runs, and each request starts another one
$cli->ok('deploy', source("mkdir -p /tmp/www/cgi-bin
printf '%s\\n' '#!/bin/sh' 'echo answers once >&2' \\
    'printf \"Content-Type: text/plain\\r\\n\\r\\nonce\\n\"' \\
    \"(sleep 0.3; kill \$\$) >/dev/null 2>&1 &\" \\
    >/tmp/www/cgi-bin/index.cgi
chmod 755 /tmp/www/cgi-bin/index.cgi
exec busybox httpd -f -h /tmp/www -p \"\$PORT\""), '-n', 'once', '-t', 120);
wait_for(sub { $s->instances('once') }, 30, 'it is ready');

for my $nth (1, 2) {
    is($cli->ok('invoke', 'once')->{out}, "once\n", "answer $nth");
    wait_for(sub { !$s->instances('once') }, 60, 'it to end');

    my $d = $cli->json('describe', 'once');
    is($d->{spec}{version}, 1, 'describe: the version is current');
    is_deeply([@$d{qw(instances failures)}], [{}, {}],
        'nothing runs, and no start has failed');
    unlike($cli->ok('describe', 'once')->{out}, qr/^(?:instance |failed)/m,
        'which people are told, too');
    is(scalar(my @words = $cli->ok('logs', 'once')->{out}
        =~ / stderr \| answers once$/mg), $nth, 'its words are kept');
}

is($cli->run('deploy', tmpdir() . '/mine', '-n', 'once')->{out},
    "once: unchanged, still version 1\n", 'the same again is no other version');

$cli->ok('init', '--runtime', 'base', tmpdir() . '/first');
$cli->ok('deploy', tmpdir() . '/first', '-t', 120);
is($cli->ok('invoke', 'first')->{out}, "hello, world\n",
    'what init makes serves');
is($cli->ok('invoke', 'first/?name=Ada')->{out}, "hello, Ada\n",
    'and is told what was asked');

done_testing;
