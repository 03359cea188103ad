#!/usr/bin/perl

# What happens to VMs when somebody does something to their network: requests
# go on, and each VM that lives stays reachable or is replaced.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

use constant { CLIENTS => 4, REQUESTS => 60, FLUSHES => 15 };

AgentHost::begin('net');
image('hello', answer_ms => 20);
$etcd->spec('hello', idle_timeout_s => 300, max_instances => 2);

my $agent = started('a', settings('a', egress => 'internet'));
our_job('hello', 'req-1', 1);
my ($key, $i) = instance('hello');
my $port = $i->{proxy_port};
is(call('hello', $port)->{status}, 200, 'a function serves');

my ($inet, $bridge) = ('inet fcfaas_br-a', 'bridge fcfaas_br-a');
sub up { $ns->run('ip', '-o', 'link', 'show', 'up', 'master', 'br-a')
    =~ /: (ta\d+):/g }
my ($tap) = up();
wait_for(sub { taps('a') > 1 }, 20, 'others');
is(join(' ', up()), $tap, 'no other is up, made ahead or not');

# --- under load

# As a gateway: what was never sent, since a connection to the guest took more
# than a second, is sent again.
sub served {
    for (1 .. 20) {
        my $r = call('hello', $port);
        return $r if !$r->{headers}{'x-fcfaas-unsent'};
    }
}

# exit code: requests that were not answered with 200
sub client {
    my $pid = fork() // die $!;
    return $pid if $pid;

    my @bad = grep { $_ != 200 } map { served()->{status} // 0 } 1 .. REQUESTS;
    print STDERR "# got: @bad\n" if @bad;
    require POSIX;
    POSIX::_exit(scalar @bad);
}

my @clients = map { client() } 1 .. CLIENTS;

for (1 .. FLUSHES) {
    $ns->run('nft', 'flush ruleset');
    wait_for(sub { $ns->run('nft', 'list ruleset') =~ /"\Q$tap\E"/ }, 20,
        'the rules');
}

my $bad = 0;
for (@clients) {
    waitpid $_, 0;
    $bad += $? >> 8 || $?;
}
is($bad, 0, CLIENTS * REQUESTS . ' requests through ' . FLUSHES
    . ' flushes: none is lost');

# --- each VM that lives is in the set again

for ("flush set $bridge nics", "flush table $bridge", "delete table $bridge",
    'flush ruleset', "flush chain $inet local", "delete table $inet")
{
    $ns->run('nft', $_);
    is(served()->{status}, 200, "$_: serves");
    wait_for(sub {
        $ns->run('nft', "list set $bridge nics") =~ /"\Q$tap\E"/ }, 20,
        'the element');
    is(join(' ', instances('hello')), $key, 'the same VM');
}

for ('link set br-a down', 'link del br-a', 'addr del 172.16.0.1/24 dev br-a',
    "link set $tap nomaster", "link set $tap down")
{
    $ns->run('ip', split / /);
    # what was on its way may be lost: nobody knows how far it came
    ok(wait_for(sub { served()->{status} == 200 }, 20, $_),
        "ip $_: serves again");
    is(join(' ', instances('hello')), $key, 'the same VM');
}

# --- one that has lost its TAP is replaced

$ns->run('ip', 'link', 'del', $tap);
$agent->line_matching(qr/its TAP $tap was deleted; replacing it/, 10);
pass('a deleted TAP is noticed, and told by name');
wait_for(sub { !instances('hello') }, 10, 'the instance to go');
our_job('hello', 'req-2', 1);
my ($new, $j) = instance('hello');
isnt($new, $key, 'another VM');
is(call('hello', $j->{proxy_port})->{status}, 200, 'serves');

# --- taken while a slot is awaited

image($_) for qw(early lost);

# the TAP that a function has whose slot etcd does not give yet
sub early {
    my ($function) = @_;
    my %others = map { $_ => 1 } up();

    $etcd->pause;
    our_job($function, "req-$function", 0);
    return wait_for(sub { (grep { !$others{$_} } up())[0] }, 10, 'a TAP');
}

early('early');
wait_for(sub { vmms('a') == 2 }, 10, 'its VMM');
pass('TAP and VMM come without a slot');
$etcd->resume;
my ($early, $e) = instance('early');
is(call('early', $e->{proxy_port})->{status}, 200, 'it serves');
my ($worker) = $early =~ m{([^/]+)$};
kill 'KILL', grep { readlink("/proc/$_/cwd") =~ m{/\Q$worker\E$} } vmms('a');
nothing_left_of('early', 'a', 1);

my $lost = early('lost');
$ns->run('ip', 'link', 'del', $lost);
$agent->line_matching(qr/its TAP \Q$lost\E was deleted; replacing it/, 10);
$etcd->resume;
like(failure('lost', 'req-lost')->{message}, qr/TAP \Q$lost\E was deleted/,
    'that it is lost is told');
nothing_left_of('lost', 'a', 1);
unlike($agent->output, qr/is not possible in state/, 'no illegal event');

# --- a second agent

my $second = agent('b', settings('b', bridge => 'br-a'));
$second->line_matching(qr/bridge br-a is in use by another agent, process /,
    10);
pass('a second agent on the bridge is refused, by name');
is(call('hello', $j->{proxy_port})->{status}, 200, 'the first serves on');

$agent->stop;
is(scalar(taps('a')), 0, 'no TAP is left');
is($ns->run('nft', 'list ruleset'), '', 'nor a rule');

done_testing();
