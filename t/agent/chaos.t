#!/usr/bin/perl

# What happens to VMs at bad moments: VMMs that are killed, leases and slots
# that are lost, etcd and Redis that stop for a while, versions that change,
# all at once and at random, and an end in the midst of it.  Nothing may stay.
# FCF_SEED=<n> repeats a run.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

use constant FUNCTIONS => 12;

my $seed = $ENV{FCF_SEED} // int rand 1e6;
srand $seed;
diag("FCF_SEED=$seed");

AgentHost::begin('chaos');

for my $n (1 .. FUNCTIONS) {
    image("f$n", boot_ms => int rand 300,
        $n % 6 == 0 ? (fail => 'panic') : ());
    $etcd->spec("f$n", idle_timeout_s => 1, boot_timeout_s => 3,
        max_instances => 2);
}

my $agent = started('a', settings('a'));
my ($jobs, $version) = (0, 1);
my $any = sub { 'f' . (1 + int rand FUNCTIONS) };

sub paused {
    my ($what) = @_;
    $what->pause;
    select undef, undef, undef, rand 0.4;
    $what->resume;
}

my @acts = (
    (sub { our_job($any->(), 'req-' . ++$jobs, 1) }) x 12,
    (sub { job($any->(), 'req-' . ++$jobs) }) x 4,
    (sub { my @p = vmms('a'); kill 'KILL', $p[rand @p] if @p }) x 4,
    (sub { my @k = $etcd->keys('/functions/');
        @k = grep { m{/slots/} } @k;
        $etcd->del($k[rand @k]) if @k }) x 2,
    sub { my $l = $etcd->lease_of('/workers/a');
        eval { $etcd->revoke($l) } if $l },
    sub { $etcd->spec($any->(), version => ++$version, idle_timeout_s => 1) },
    sub { paused($etcd) },
    sub { paused($redis) },
);

sub chaos {
    my ($seconds) = @_;
    my $end = now() + $seconds;

    while (now() < $end && $agent->alive) {
        $acts[rand @acts]->();
        select undef, undef, undef, rand 0.06;
    }

    ok($agent->alive, 'it lives') or diag(tail_of($agent->log, 40));
}

chaos(10);
wait_for(sub { !$redis->jobs && !taken('a') && !vmms('a') && !vm_dirs('a')
        && !grep { m{/(?:slots|instances)/} } $etcd->keys('/functions/') },
    40, 'all to be done, idle and gone');
pass('left alone it comes to rest, and nothing stays');

chaos(3);
cmp_ok($jobs, '>', 50, 'there was something to do');
my $served = () = $agent->output =~ /"msg":"registered after/g;
cmp_ok($served, '>', 10, 'and it was done');

ok($agent->stop('TERM'), 'it ends');
is($agent->wait(0), 0, 'with status 0');
is(scalar(vmms('a')), 0, 'no VMM');
is(scalar(vm_dirs('a')), 0, 'no directory');
is(taps('a'), 0, 'no TAP');
unlike($ns->run('ip', '-o', 'link'), qr/br-a/, 'no bridge');
is(taken('a'), 0, 'no job is taken');

# those of a lease whose grant was not answered end with it
wait_for(sub { !grep { !m{^/specs/} } $etcd->keys('/') }, 30, 'no key');
pass('no key');
unlike($agent->output, qr/is not possible in state/, 'no illegal event');
unlike($agent->output, qr/Sanitizer|runtime error/, 'no memory fault');

done_testing();
