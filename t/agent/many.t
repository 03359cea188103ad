#!/usr/bin/perl

# Many VMs at once: what an agent at rest takes, and their common end, also
# while etcd does not answer.

use strict;
use warnings;

use lib 't/lib';
use AgentHost;
use FcfTest;
use Test::More;

use constant { N => 48, REST_KB => 4096, CALLS_MAX => 24 };

plan skip_all => 'needs root' if $> != 0;

AgentHost::begin('many');
image("f$_") for 1 .. N;

my @set = (max_vms => 2 * N, max_boots => 16, cpu_overcommit => 1000,
    vmm_overhead_mb => 8, log_level => 'info');

sub starts {
    my ($life) = @_;
    $redis->cli('LPUSH', QUEUE, map { json_encode({ request_id => "$life-$_",
        function_id => "f$_", cpu => 1, memory_mb => 8 }) } 1 .. N);
    wait_for(sub { (grep { m{/instances/} } $etcd->keys('/functions/')) == N },
        90, 'all to be there');
}

# of an agent, to etcd
sub connections {
    my ($pid) = @_;
    return scalar grep { /pid=$pid,/ } split /\n/,
        $ns->run('ss', '-Htnp', 'dport', '=', ':' . $etcd->port);
}

subtest 'an agent at rest' => sub {
    # a sanitizer keeps what was freed
    my ($build) = grep { -x "$_/agent/fcfaas-agent" } grep { !/asan$/ }
        build_dir(), root() . '/build/release';
    plan skip_all => 'needs a build without sanitizer' unless $build;

    local $ENV{FCF_BUILD} = $build;
    my $agent = started('r', settings('r', @set,
        bridge_address => '172.17.0.1/24'));
    my $kb = sub { (slurp('/proc/' . $agent->pid . '/smaps_rollup')
        =~ /^Anonymous:\s+(\d+)/m)[0] };
    eval { wait_for(sub { $kb->() <= REST_KB }, 20, 'it to rest') };
    cmp_ok($kb->(), '<=', REST_KB, 'has no more than 4 MiB of its own');
    ok($agent->stop, 'ends');
};

my $agent = started('a', settings('a', @set));
starts('one');
is(scalar(vmms('a')), N, 'many VMs live');

subtest 'a frame for one guest is given to no other' => sub {
    my (%fixed, @taps);
    # one may be on its way, made ahead
    ok(wait_for(sub {
        %fixed = map { /^(\S+) dev (ta\d+) .*static/ ? ($2 => $1) : () }
            split /\n/, $ns->run('bridge', 'fdb', 'show', 'br', 'br-a');
        @taps = $ns->run('ip', '-o', 'link') =~ /: (ta\d+):/g;
        @taps >= N && !grep { !$fixed{$_} } @taps;
    }, 20, 'each to be known'), 'the bridge knows where each is');
    my %mac = reverse %fixed;
    is(scalar(keys %mac), scalar(@taps), 'no two in one place');
};

ok($agent->stop, 'the agent ends');
unlike($agent->output, qr/the end takes too long|does not end/, 'in its time');
is(scalar(vmms('a')), 0, 'with all its VMs');
is(scalar(vm_dirs('a')), 0, 'their directories');
is(taps('a'), 0, 'their TAPs');
is(scalar($etcd->keys('/functions/')), 0, 'and their keys');

subtest 'their end while etcd does not answer' => sub {
    $agent = started('a', settings('a', @set));
    starts('two');
    $etcd->pause;
    $agent->kill('TERM');
    wait_for(sub { N == (() = $agent->output =~ /"stopping: agent stops"/g) },
        20, 'all to be told');
    $agent->line_matching(qr/"msg":"deleting .*trying again/, 20);
    my $n = connections($agent->pid);
    cmp_ok($n, '>', 1, 'it tries');
    cmp_ok($n, '<=', CALLS_MAX, 'not for all of them at once');
    $etcd->resume;
    $agent->wait(40);
    wait_for(sub { !grep { m{/(?:slots|instances)/} }
        $etcd->keys('/functions/') }, 40, 'their keys to go');
    is(scalar(vmms('a')), 0, 'no VM is left');
    is(taps('a'), 0, 'no TAP');
};

done_testing();
