#!/usr/bin/perl

# A job that fits later: it stops nobody else's, is offered to other nodes, is
# dropped when nobody waits; and ports that are reused.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('held');
image($_) for qw(big wide away gone), map { "s$_" } 1 .. 60;

my $agent = started('a', settings('a'));
my $all = $etcd->get_json('/workers/a')->{memory_mb};
my $most = int($all * 0.7);
my $demand = '{queue:vm_provision}:demand:';

job('big', 'req-big', memory_mb => $most);
my ($big) = instance('big', 20);

subtest 'others are taken meanwhile' => sub {
    waits('wide', 'req-wide', 60);
    $agent->line_matching(qr/held until there is room.*req-wide/, 5);

    my $t = now();
    job("s$_", "req-s$_", memory_mb => 16) for 1 .. 5;
    wait_for(sub { 5 == grep { instances("s$_") } 1 .. 5 }, 20, 'five more');
    pass('five that fit, though one waits');
    diag(sprintf 'five started in %.2f s', now() - $t);
    is(scalar(instances('wide')), 0, 'which does not fit');

    my $job;
    wait_for(sub {
        ($job) = grep { $_->{not_before} } map { json_decode($_) }
            map { @{ $redis->cli('LRANGE', $_, 0, -1) } }
            QUEUE, '{queue:vm_provision}:taken:a' }, 10,
        'the one that waits to be offered');
    is($job->{request_id}, 'req-wide', 'it is given back, set aside');
    ok(!$job->{refused_by}, 'but not refused');
};

subtest 'it does not go in circles' => sub {
    my $took = $redis->calls('blmove');
    my $t = now();
    wait_for(sub { now() - $t > 3 }, 5, 'three seconds');
    cmp_ok($redis->calls('blmove') - $took, '<', 30, 'a few times a second');
};

subtest 'another node takes it' => sub {
    my $other = started('b', settings('b',
        bridge_address => '172.17.0.1/24'));
    ok((instance('wide', 10))[0], 'it is started');
    like((instance('wide'))[0], qr{/b-\d+$}, 'there');
    ok($other->stop, 'and that node ends');
};

subtest 'nobody waits' => sub {
    $redis->cli('HSET', "${demand}away", 'gw', '1:' . 1000 * (time + 60));
    waits('away', 'req-away', 3);
    $agent->line_matching(qr/held until there is room.*req-away/, 5);
    my $till = 1000 * now_unix() + 3500;
    wait_for(sub { 1000 * now_unix() > $till }, 10, 'its first deadline');
    is(pending('away'), 1, 'its id is kept as long as somebody waits');

    $redis->cli('HSET', "${demand}away", 'gw', '0:' . 1000 * (time + 60));
    $agent->line_matching(qr/nobody waits.*req-away/, 10);
    wait_for(sub { taken('a') == 0 && !$redis->jobs }, 10, 'it to be gone');
    is(pending('away'), 0, 'dropped when nobody does');
};

subtest 'room is made' => sub {
    waits('gone', 'req-gone', 60);
    $agent->line_matching(qr/held until there is room.*req-gone/, 5);
    kill 'KILL', vmms('a');
    ok((instance('gone', 20))[0], 'it starts at once');
};

subtest 'few ports' => sub {
    kill 'KILL', vmms('a');
    ok($agent->stop, 'the first ends');
    $agent = started('c', settings('c', bridge_address => '172.18.0.1/24',
        port_first => 30000, port_last => 30003));

    my $t = now();
    for my $i (6 .. 25) {
        job("s$i", "req-p$i", memory_mb => 16);
        instance("s$i", 20);
        kill 'KILL', vmms('c');
        wait_for(sub { !instances("s$i") }, 10, 'its end');
    }

    cmp_ok(now() - $t, '<', 60, 'twenty VMs, one after another, on 4 ports');
    diag(sprintf 'twenty in %.1f s', now() - $t);
    ok($agent->stop, 'it ends');
};

done_testing();

# a job of ours that needs most of the node, asked for with this deadline
sub waits {
    my ($function, $request, $s) = @_;
    $redis->cli('ZADD', "{queue:vm_provision}:pending:$function",
        int(1000 * (now_unix() + $s)), $request);
    job($function, $request, version => 0, attempt => 1,
        memory_mb => $most);
}

sub now_unix { Time::HiRes::time() }
