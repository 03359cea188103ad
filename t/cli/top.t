# fcfaas top: what the proxies count, for people and programs.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $s = FcfTest::System->start(vmm => 'instant')->up(120);
my $cli = $s->cli;

is_deeply($cli->json('top', '--interval', 1), [], 'nothing runs');

my $load = FcfTest::Load->start(port => $s->port, path => '/run/hello',
    interval_ms => 20);
wait_for(sub { $s->instances('hello') }, 20, 'an instance');
my ($top, $hello);
wait_for(sub {
    $top = $cli->json('top', '--interval', 1);
    ($hello) = grep { $_->{function} eq 'hello' } @$top;
    $hello && $hello->{requests_per_s} > 5;
}, 20, 'requests a second') or diag(json_encode($top));
my $text = $cli->ok('top', '--interval', 1, '-n', 2)->{out};
$load->end;

is($hello->{instances}, 1, 'instances');
ok($hello->{requests} >= $hello->{requests_per_s}, 'requests in all');
ok($hello->{bytes_per_s} > 0, 'bytes');
is($hello->{failed_per_s}, 0, 'and none failed');
is(scalar(() = $text =~ /^1 nodes, 1 VMs\n\nFUNCTION +INSTANCES .*\nhello +1 /mg),
    2, 'for people, as often as is wanted') or diag($text);

for (['--interval', 0], ['--interval', 'x'], ['-n', 0]) {
    my $r = $cli->run('top', @$_);
    is($r->{status}, 2, "@$_");
    like($r->{err}, qr/must be a whole number from 1 to/, 'is told');
}

done_testing;
