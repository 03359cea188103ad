# fcfaas logs: what functions print, from the agents of two nodes.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use MIME::Base64 qw(encode_base64);
use Test::More;
use Time::HiRes qw(sleep);

AgentHost::begin('logs');

my ($one, $two) = (free_port(), free_port());
my $token = tmpdir() . '/admin-token';
spew($token, "s3cret\n");

my $cli = FcfTest::Cli->new(conf => { etcd => $etcd->endpoint,
    admin_token_file => $token });
my $agent = started('a', settings('a', admin => "127.0.0.1:$one",
    admin_token_file => $token, max_vms => 8, log_kb => 16));

like($cli->run('logs', 'talks')->{err}, qr/talks: nothing was printed/,
    'nothing yet');

sub frame {
    my ($stream, $text, %more) = @_;
    my $json = json_encode({ stream => $stream,
        data => encode_base64($text, ''), %more });
    return unpack 'H*', pack('N', length $json) . $json;
}

image('talks', say => 'console words', logs => frame('stdout', "first\nsec")
    . frame('stderr', "wrong\n", dropped => 7) . frame('stdout',
        "ond\n\x1ereq-one\x1fby one\n\x1ereq-two\x1fby two\nno end"));
job('talks', 'req-1');
my ($key) = instance('talks');
my ($worker) = $key =~ m{([^/]+)$};
my $time = qr/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/;

wait_for(sub { $cli->run('logs', 'talks')->{out} =~ /by two/ }, 20,
    'its words');
my $out = $cli->ok('logs', 'talks')->{out};
like($out, qr/^$time \Q$worker\E v\d+ stdout \| first$/m, 'a line');
like($out, qr/ stdout \| second$/m, 'one of two pieces');
like($out, qr/ stderr \| wrong$/m, 'standard error');
like($out, qr/ lost \| 7 bytes more were printed$/m, 'what was lost');
like($out, qr/ stdout req-one \| by one$/m, 'one with its request');
like($out, qr/ console \| .*console words$/m, "the guest's own words");
unlike($out, qr/no end/, 'what has no end yet is no line');

is($cli->ok('logs', 'talks', '--request', 'req-two')->{out} =~ s/^\S+ //r,
    "$worker v0 stdout req-two | by two\n", 'of one request');
my $logs = $cli->json('logs', 'talks', '--request', 'req-two');
ok($logs->[0]{ms} > 1e12, '--json: when');
is_deeply([@{ $logs->[0] }{qw(instance node version stream request_id text)}],
    [$worker, 'a', 0, 'stdout', 'req-two', 'by two'], 'and the rest');
is_deeply($cli->json('logs', 'talks', '--instance', 'b-1'), [],
    'of another instance: nothing');
ok(@{ $cli->json('logs', 'talks', '-i', $worker) } > 4, 'of this one');
is_deeply($cli->json('logs', 'talks', '--version', 77), [],
    'of another version: nothing');
ok(@{ $cli->json('logs', 'talks', '--since', '1h') } > 4, 'of the last hour');
sleep 1.2;      # a moment that is over
is_deeply($cli->json('logs', 'talks', '--since', '1s'), [], 'of a second');
for (['--since', 'soon', qr/--since soon: must be a time like 90s/],
    ['--request', 'a b', qr/--request a b: is no request's id/],
    ['--instance', 'a&b', qr/--instance a&b: is none/]) {
    my $bad = $cli->run('logs', 'talks', @$_[0, 1]);
    is($bad->{status}, 2, "$_->[0] $_->[1]");
    like($bad->{err}, $_->[2], 'is told');
}

# following: the end of a VM, and another one
my $follow = $cli->start('logs', 'talks', '-f');
sub said { peek("$follow->{base}.out") }
wait_for(sub { said() =~ /by two/ }, 20, 'what there is');
kill 'KILL', vmms('a');
wait_for(sub { said() =~ /^\S+ \Q$worker\E v0 stdout \| no end$/m },
    20, 'what was begun when it ended');
job('talks', 'req-2');
wait_for(sub { said() =~ /^\S+ a-(?!\Q${\($worker =~ s{a-}{}r)}\E )\d+ v0 stdout \| first$/m },
    20, 'what the next one prints');
kill 'INT', $follow->{pid};
is($cli->end($follow)->{status}, 128 + 2, 'Ctrl-C ends it');
is(scalar(() = said() =~ / by one$/mg), 2,
    'each line came once');

# bounds: the oldest go, and are counted
image('much', logs => frame('stdout', "first\n" . "\n" x 498 . "last\n"));
job('much', 'req-m');
instance('much');
wait_for(sub { $cli->run('logs', 'much')->{out} =~ / last$/m }, 20, 'much');
my $r = $cli->ok('logs', 'much');
unlike($r->{out}, qr/ first$/m, 'the oldest lines are gone');
like($r->{err}, qr/^fcfaas: node a: (\d+) older lines are gone/m,
    'and counted');
is((() = $r->{out} =~ / stdout \|/g) + ($r->{err} =~ /node a: (\d+)/)[0]
    + (() = $r->{out} =~ / console \|/g), 502, 'all of them');

spew("$token.wrong", "other\n");
$r = $cli->run('logs', 'talks', '--admin-token-file', "$token.wrong");
is($r->{status}, 4, 'a wrong token');
like($r->{err}, qr/node a: .*wants another token/, 'is told');

# a node that does not answer, and one that has no listener
$etcd->put('/workers/dead', { address => '127.0.0.1', admin => '127.0.0.1:1' });
$etcd->put('/workers/mute', { address => '127.0.0.1' });
$r = $cli->run('logs', 'talks');
is($r->{status}, 3, 'a node that does not answer');
like($r->{out}, qr/by two/, 'what others say is shown');
like($r->{err}, qr/^fcfaas: node dead: .*connect/mi, 'it is named');
like($r->{err}, qr/^fcfaas: node mute has no admin listener/m,
    'and so is the one without a listener');

done_testing;
