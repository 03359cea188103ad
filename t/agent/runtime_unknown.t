#!/usr/bin/perl

# A runtime that is not there is refused by its name: by the agent, to who
# waits, and by "fcfaas deploy" before anything is sent.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('unknown');
image($_) for qw(none bad good);

my $agent = started('a', settings('a'));
$etcd->spec('none', runtime => 'cobol85');
our_job('none', 'req-none', 1);
my $f = failure('none', 'req-none');
is($f->{error}, 'no_image', 'a runtime that is not there');
like($f->{message}, qr/runtime.*cobol85/, 'its name is told');
like($agent->output, qr/cobol85/, 'and logged');
nothing_left_of('none', 'a');

# a name that would lead elsewhere makes it no spec at all
$etcd->spec('bad', runtime => '../../etc/passwd');
$agent->line_matching(qr/bad.*runtime/, 10);
pass('a name that is none: the spec is ignored, with a line');

$etcd->spec('good', runtime => 'base');
our_job('good', 'req-good', 1);
my (undef, $i) = instance('good');
is(call('good', $i->{proxy_port})->{status}, 200, 'one that is there');

my $cli = FcfTest::Cli->new(cwd => $dir, conf => { etcd => $etcd->endpoint,
    functions => "$dir/functions", runtimes => "$dir/runtimes" });
mkdir "$dir/f" or die $!;
spew("$dir/f/bootstrap", "#!/bin/sh\n");
chmod 0755, "$dir/f/bootstrap";
my $r = $cli->run('deploy', 'f', '--runtime', 'cobol85', '--no-wait');
isnt($r->{status}, 0, 'deploy refuses it');
like($r->{err}, qr/cobol85/, 'by its name');
is_deeply([$etcd->keys('/specs/f')], [], 'and declares nothing');

ok($agent->stop, 'the agent ends');
done_testing();
