# fcfaas logs: what functions print, from the agents of two nodes.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('logs');

my ($one, $two) = (free_port(), free_port());
my $token = tmpdir() . '/admin-token';
spew($token, "s3cret\n");

my $cli = FcfTest::Cli->new(conf => { etcd => $etcd->endpoint,
    admin_token_file => $token });
my $agent = started('a', settings('a', admin => "127.0.0.1:$one",
    admin_token_file => $token, max_vms => 8));

like($cli->run('logs', 'talks')->{err}, qr/talks: nothing was printed/,
    'nothing yet');

image('talks', say => 'first words');
job('talks', 'req-1');
my ($key) = instance('talks');
my ($worker) = $key =~ m{([^/]+)$};

wait_for(sub { $cli->run('logs', 'talks')->{out} =~ /first words/ }, 20,
    'its words');
my $out = $cli->ok('logs', 'talks')->{out};
like($out, qr/^== \Q$worker\E, version \d+, registered\n/, 'by instance');

my $logs = $cli->json('logs', 'talks');
is($logs->[0]{instance}, $worker, '--json: the instance');
is($logs->[0]{node}, 'a', 'its node');
like($logs->[0]{text}, qr/first words/, 'its words');
is_deeply($cli->json('logs', 'talks', '--instance', 'b-1'), [],
    'of another instance: nothing');
is(scalar @{ $cli->json('logs', 'talks', '-i', $worker) }, 1, 'of this one');
is_deeply($cli->json('logs', 'talks', '--version', 77), [],
    'of another version: nothing');

spew("$token.wrong", "other\n");
my $r = $cli->run('logs', 'talks', '--admin-token-file', "$token.wrong");
is($r->{status}, 4, 'a wrong token');
like($r->{err}, qr/node a: .*wants another token/, 'is told');

# a node that does not answer, and one that has no listener
$etcd->put('/workers/dead', { address => '127.0.0.1', admin => '127.0.0.1:1' });
$etcd->put('/workers/mute', { address => '127.0.0.1' });
$r = $cli->run('logs', 'talks');
is($r->{status}, 3, 'a node that does not answer');
like($r->{out}, qr/first words/, 'what others say is shown');
like($r->{err}, qr/^fcfaas: node dead: .*connect/mi, 'it is named');
like($r->{err}, qr/^fcfaas: node mute has no admin listener/m,
    'and so is the one without a listener');

done_testing;
