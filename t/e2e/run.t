# make run, make stop, make deploy: what they say when something is wrong, and
# what they leave.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $ns = FcfTest::Netns->new('run')->enter;


sub system_of {
    my ($name, %env) = @_;
    return FcfTest::System->start(ns => $ns, name => $name, vmm => 'instant',
        env => \%env);
}

# it ends by itself, with 1, and says one line that matches
sub refuses {
    my ($name, $re, %env) = @_;
    my $s = system_of($name, %env);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($s->proc->wait(60) // -1, 256, "$name: ends with 1");
    like($s->proc->output, $re, "$name: says why");
    is_deeply([grep { !/^listens: .*:8081 / } $s->leftovers,
        grep { -e } map { $s->run_dir . "/$_" } qw(data functions store)], [],
        "$name: leaves nothing");
}


my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1:8081', Listen => 1,
    ReuseAddr => 1) or die "bind: $!";
refuses('port-taken', qr/^fcfaas: port 8081 .*in use.*GATEWAY_PORT/m,
    GATEWAY_PORT => 8081);
close $taken;

refuses('bad-port', qr/^fcfaas: GATEWAY_PORT=http is not a port$/m,
    GATEWAY_PORT => 'http');
refuses('bad-vmm', qr/^fcfaas: RUN_VMM=xen is none of/m, RUN_VMM => 'xen');
refuses('no-firecracker', qr/^fcfaas: RUN_VMM=firecracker: .*firecracker/m,
    RUN_VMM => 'firecracker', PATH => '/usr/sbin:/usr/bin:/sbin:/bin');
refuses('not-built', qr{^fcfaas: /nowhere/agent/fcfaas-agent is missing}m,
    RUN_BUILD => '/nowhere');
refuses('bad-bridge', qr/^fcfaas: agent ended at start: .*\(its log: /m,
    BRIDGE_ADDRESS => '172.16.0.1/99');

my $small = tmpdir() . '/small-disk';
mkdir $small;
system('mount', '-t', 'tmpfs', '-o', 'size=2m', 'small', $small) == 0
    or die "mount: $?";
refuses('small-disk', qr/^fcfaas: only \d+ MB are free for \Q$small\E/m);
system 'umount', $small;

my $s = system_of('once')->up(120);
my $again = system_of('once');
is($again->proc->wait(20), 0, 'a second make run ends');
like($again->proc->output,
    qr{^fcfaas: already runs: http://127\.0\.0\.1:8080/}m, 'and says where');
is($s->get('/run/hello')->{status}, 200, 'the first still serves');

# the command, with this system's settings, from anywhere
my $command = $s->run_dir . '/fcfaas';
is(system("cd / && '$command' ls --json >" . tmpdir() . '/ls'), 0, 'fcfaas ls');
is_deeply([map { $_->{name} } @{ json_decode(slurp(tmpdir() . '/ls')) }],
    ['echo', 'hello'], 'names the examples');
like(`cd / && '$command' invoke hello/a`, qr{^GET /a$}m, 'fcfaas invoke');

# a function of one's own
my $dir = tmpdir() . '/mine';
mkdir $dir;
my $images = sub { [glob $s->run_dir . '/{functions,store}/{*,.new*}'] };
my $before = $images->();
isnt($s->make('deploy', $dir), 0, 'deploy without bootstrap fails');
like($s->last_output, qr/no bootstrap/, 'and says why');
spew("$dir/bootstrap", "#!/bin/sh\n");
chmod 0755, "$dir/bootstrap";
isnt($s->make('deploy', $dir, 'Bad_'), 0, 'a bad name');
like($s->last_output, qr/"Bad_" cannot be a function's name/, 'is told');
isnt($s->make('deploy', $dir, 'mine', '[1]'), 0, 'a bad SPEC');
like($s->last_output, qr/^fcfaas: --spec \[1\]: is not a JSON object$/m,
    'is told');
isnt($s->make('deploy', $dir, 'mine', '{"concurrency":"x"}'), 0,
    'a SPEC that nobody would take');
like($s->last_output, qr/^fcfaas: spec: concurrency: not an integer$/m, 'is told');
is($s->etcd->get('/specs/mine'), undef, 'and not declared');
is_deeply($images->(), $before, 'nor is its image kept');

is($s->make('deploy', $dir), 0, 'deploy') or diag($s->last_output);
is($s->get('/run/mine')->{status}, 200, 'and it is served');
is($s->make('deploy', $dir, '', '{"memory_mb":256}'), 0, 'deploy again');
my $spec = $s->etcd->get_json('/specs/mine');
is($spec->{version}, 2, 'the next version');
is($spec->{previous}, 1, 'after the first');
is($spec->{memory_mb}, 256, 'with what SPEC says');

# settings are those of the system that runs; etcd's own are not heard
my $odd = system_of('odd', GATEWAY_PORT => 8099, ETCD_PORT => 12399,
    ETCD_PEER_PORT => 12398, REDIS_PORT => 16399, ADMIN_PORT => 19199, VM_PORT_FIRST => 31000,
    VM_PORT_LAST => 31099, BRIDGE => 'fc-odd', TAP_PREFIX => 'odd',
    BRIDGE_ADDRESS => '172.17.0.1/24', ETCD_NAME => 'other',
    ETCDCTL_ENDPOINTS => 'http://127.0.0.1:1')->up(120);
delete @{ $odd->{env} }{qw(GATEWAY_PORT ETCD_PORT)};
is($odd->make('deploy', $dir), 0, 'deploy finds the ports by itself')
    or diag($odd->last_output);
like($odd->last_output, qr{current: http://127\.0\.0\.1:8099/run/mine$}m,
    'and names the right one');
is($odd->get('/run/mine')->{status}, 200, 'served there');
is($odd->make('stop'), 0, 'make stop ends it');
is($odd->proc->wait(60), 0, 'with 0');
is($s->get('/run/mine')->{status}, 200, 'and not the other');

# a service that ends is started again
my $old = $s->pid('agent');
$s->signal('agent', 'KILL');
wait_for(sub { my $pid = $s->pid('agent'); $pid && $pid != $old }, 20,
    'another agent');
is($s->curl('/run/hello', '--retry', 10, '--retry-delay', 1)->{status}, 200,
    'served after the agent was killed');

# ... also if the next agent, which is just starting, waits for it
$old = $s->pid('proxy');
$s->signal('proxy', 'KILL');
wait_for(sub { my $pid = $s->pid('proxy'); $pid && $pid != $old }, 20,
    'another proxy');
is($s->curl('/run/hello', '--retry', 10, '--retry-delay', 1)->{status}, 200,
    'served after the proxy was killed');

# Ctrl-C
$s->proc->kill('INT');
is($s->proc->wait(60), 0, 'Ctrl-C ends it, with 0');
is_deeply([$s->leftovers], [], 'and leaves nothing');
is($s->make('stop'), 0, 'make stop when nothing runs');
like($s->last_output, qr/does not run/, 'says so');

# what was deployed, and removed, is so the next time
$s = system_of('once')->up(120);
like($s->proc->output, qr/^fcfaas: 3 functions are deployed from before/m,
    'make run again');
is($s->get('/run/mine')->{status}, 200, 'what was deployed serves');
is($s->etcd->get_json('/specs/mine')->{version}, 2, 'as it was');
is($s->cli->run('rm', 'hello')->{status}, 0, 'an example is removed');
is($s->make('stop'), 0, 'make stop');
$s->proc->wait(30);
$s = system_of('once', RUN_CALLS => 1)->up(120);
is($s->get('/run/hello')->{status}, 404, 'and stays so');
is($s->make('stop', 'clean'), 0, 'make clean-run');
$s->proc->wait(30);
is_deeply([grep { !m{/(?:log|lock)$} } glob $s->run_dir . '/*'], [],
    'leaves nothing at all');
$s = system_of('once')->up(120);
is($s->get('/run/hello')->{status}, 200, 'and is a new beginning');
is($s->make('stop'), 0, 'make stop');
$s->proc->wait(30);

# the process of make run itself is killed
$s = system_of('crash')->up(120);
is($s->get('/run/hello')->{status}, 200, 'served');
$s->proc->kill('KILL');
$s->proc->wait(10);
ok($s->pid('etcd'), 'its services run on');
is($s->make('stop'), 0, 'make stop');
like($s->last_output, qr/crash/, 'finds them');
is_deeply([$s->leftovers], [], 'and leaves nothing');

# all of it killed at once, as if by a failure of the machine
$s = system_of('crash3')->up(120);
is($s->get('/run/hello')->{status}, 200, 'served');
my @pids = map { $s->pid($_) } qw(agent nginx);
$s->proc->kill('KILL');
$s->proc->wait(10);
kill 'KILL', @pids;
is($s->make('stop'), 0, 'make stop after the agent was killed too');
is_deeply([$s->leftovers], [], 'leaves nothing');

# ... and make run instead of make stop
$s = system_of('crash2')->up(120);
$s->proc->kill('KILL');
$s->proc->wait(10);
$s = system_of('crash2')->up(120);
is($s->get('/run/hello')->{status}, 200, 'make run cleans up and serves');

# in the background
is($s->make('stop'), 0, 'make stop');
$s->proc->wait(30);
my $detached = system_of('detached', RUN_DETACH => 1);
is($detached->proc->wait(60), 0, 'RUN_DETACH=1 returns');
wait_for(sub { $detached->get('/run/hello')->{status} == 200 }, 20,
    'it to serve');
is($detached->make('stop'), 0, 'make stop');
is_deeply([$detached->leftovers], [], 'nothing is left');

done_testing;
