#!/usr/bin/perl

# Versions side by side on one node: each is started from its own spec, those
# with a share of the requests stay, others are drained.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('versions');
image('side');
my $agent = started('a', settings('a', max_vms => 8));

sub versions {
    return join ' ', sort map { my $i = $etcd->get_json($_);
        $i && ($i->{state} // 'ready') eq 'ready' ? $i->{version} : () }
        instances('side');
}

sub become {
    my ($want, $what) = @_;
    wait_for(sub { versions() eq $want }, 20, "$what: $want");
    pass("$what: $want");
}

# a job for a version that is not the spec's
$etcd->put('/specs/side/versions/2', { memory_mb => 192, concurrency => 7 });
$etcd->spec('side', version => 1, $etcd->traffic(1 => 90, 2 => 10));
our_job('side', 'req-1', 1);
become('1', 'the version of the spec');
our_job('side', 'req-2', 2);
become('1 2', 'and the one with a share beside it');
my ($two) = grep { $_->{version} == 2 } map { $etcd->get_json($_) }
    instances('side');
is($two->{concurrency}, 7, 'made by its own spec');

# shares, not age, say which go
$etcd->spec('side', version => 1, $etcd->traffic(2 => 100));
become('2', 'the one without a share goes');
our_job('side', 'req-3', 1);
become('1 2', 'unless it was asked for by name');
$etcd->spec('side', version => 1, $etcd->traffic(2 => 100));
our_job('side', 'req-6', 2);
become('1 2 2', 'then it stays');
$etcd->spec('side', version => 1, $etcd->traffic(1 => 50, 2 => 50));
become('1 2 2', 'both have shares');
$etcd->spec('side', version => 1);
become('1', 'back: the newer one goes');

# it is not known: what there is a spec of is started instead
our_job('side', 'req-4', 9);
become('1 1', 'a version that nobody knows');

# a value that is wrong is no version
$etcd->put('/specs/side/versions/3', '{"cpu":0}');
our_job('side', 'req-5', 3);
become('1 1 1', 'a wrong one');
like(slurp($agent->log), qr{/specs/side/versions/3.*cpu: 0}, 'is told');

$etcd->del('/specs/side');
wait_for(sub { !instances('side') }, 20, 'none after its deletion');

# all that may run do: a version that has none gets one more, and no other
# does until one has gone
image('tight');
$etcd->put("/specs/tight/versions/$_", { max_instances => 2 }) for 1 .. 3;
$etcd->spec('tight', version => 1, max_instances => 2,
    $etcd->traffic(1 => 50, 2 => 50));

sub tight {
    return join ' ', sort map { my $s = $etcd->get_json($_);
        $s ? $s->{version} : () } $etcd->keys('/functions/tight/slots/');
}

sub at_max {
    my ($version, $what) = @_;
    our_job('tight', "req-t$version-$what", $version);
    is(failure('tight', "req-t$version-$what")->{error}, 'at_max',
        "version $version: $what");
}

our_job('tight', "req-t$_", 1) for 1 .. 2;
wait_for(sub { instances('tight') == 2 }, 20, 'two of the first');
at_max(1, 'full');
our_job('tight', 'req-t3', 2);
wait_for(sub { instances('tight') == 3 }, 20, 'one of the second');
is(tight(), '1 1 2', 'one more, since it had none');
ok($etcd->get('/functions/tight/slots/2'), 'in the slot above all others');
at_max(2, 'it-has-one');
at_max(3, 'one-is-tried');
$etcd->spec('tight', version => 2, max_instances => 2);
wait_for(sub { tight() eq '2' }, 20, 'the first to go');
our_job('tight', 'req-t4', 2);
wait_for(sub { tight() eq '2 2' }, 20, 'a second one of the second');
at_max(2, 'full-with-the-one-above');
$etcd->spec('tight', version => 2, max_instances => 1);
$etcd->put('/specs/tight/versions/3', { max_instances => 1 });
at_max(3, 'lowered');
$etcd->spec('tight', version => 2, max_instances => 2);
$etcd->put('/specs/tight/versions/3', { max_instances => 2 });
our_job('tight', 'req-t5', 3);
wait_for(sub { tight() eq '2 2 3' }, 20, 'one more, once there is one less');
$etcd->del("/specs/tight/versions/$_") for 1 .. 3;
$etcd->del('/specs/tight');
nothing_left_of('tight', 'a');

# a version whose function is not declared yet
image('fresh');
$etcd->put('/specs/fresh/versions/1', { concurrency => 9 });
our_job('fresh', 'req-7', 1);
wait_for(sub { instances('fresh') }, 20, 'an instance of what is to come');
is($etcd->get_json((instances('fresh'))[0])->{concurrency}, 9,
    'made by its own spec');
$etcd->spec('fresh', version => 1);
$etcd->del('/specs/fresh');
wait_for(sub { !instances('fresh') }, 20, 'it goes as others do');
nothing_left_of('fresh', 'a');
nothing_left_of('side', 'a');

done_testing;
