#!/usr/bin/perl

# Every node is ill: whoever asks hears so, and why, at once; as soon as one is
# well the rest take nothing again.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('allill');
image($_) for qw(first second third well alone), map { "x$_" } 1 .. 10;
symlink '/bin/false', "$dir/vmm" or die $!;

sub ill {
    my ($name) = @_;
    return wait_for(sub {
        my $w = $etcd->get_json("/workers/$name");
        $w->{state} eq 'ill' && $w }, 30, "$name to be ill");
}

my %agent;
$agent{$_->[0]} = started($_->[0], settings($_->[0], vmm => "$dir/vmm",
    bridge_address => $_->[1])) for ['a', '172.16.0.1/24'],
    ['b', '172.17.0.1/24'];

# both find out by themselves
for (1 .. 10) {
    our_job("x$_", "req-x$_", 0);
    last if 2 == grep { $etcd->get_json("/workers/$_")->{state} eq 'ill' }
        qw(a b);
    failure("x$_", "req-x$_", 30);
}
ill($_) for qw(a b);

subtest 'two nodes, both ill' => sub {
    our_job('first', 'req-1', 0);
    my $f = failure('first', 'req-1', 10);
    is($f->{error}, 'no_capacity', 'no node has room');
    like($f->{message}, qr/no node can start VMs.*\bVMM\b/, 'and why');
    is(scalar($etcd->keys('/functions/first/slots/')), 0,
        'nothing was tried for it');
    wait_for(sub { pending('first') == 0 && taken('a') + taken('b') == 0 }, 5,
        'it to be settled');
    pass('and it is settled');
};

subtest 'a third is well' => sub {
    $agent{c} = started('c', settings('c',
        bridge_address => '172.18.0.1/24'));
    # one watch brings both, in order
    $etcd->put('/specs/mark', 'rubbish');
    $agent{$_}->line_matching(qr{/specs/mark.*ignored}, 10) for qw(a b);
    $etcd->del('/specs/mark');
    our_job('well', "req-w", 0);
    ok((instance('well'))[0], 'it starts what is asked for');
    is($etcd->get_json("/workers/$_")->{state}, 'ill', "$_ is still ill")
        for qw(a b);
    ok($agent{c}->stop, 'it ends');
    our_job('third', 'req-3', 0);
    is(failure('third', 'req-3', 20)->{error}, 'no_capacity',
        'and all that are left are ill');
};

subtest 'one that is alone, and gets well' => sub {
    ok($agent{b}->stop, 'the other ends');
    our_job('alone', 'req-a1', 0);
    is(failure('alone', 'req-a1')->{error}, 'no_capacity', 'ill');

    unlink "$dir/vmm";
    symlink build_dir() . '/vm/vmm/fcfaas-vmm', "$dir/vmm";
    wait_for(sub { $etcd->get_json('/workers/a')->{state} eq 'ready' }, 60,
        'it to be well');
    our_job('alone', 'req-a2', 0);
    ok((instance('alone'))[0], 'well: it starts');
};

ok($agent{a}->stop, 'it ends');
done_testing();
