#!/usr/bin/perl

# What anybody may write into Redis and etcd: it is told, put right, or left,
# and ends no agent.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('rubbish');
image($_) for qw(hello one many), map { "f$_" } 1 .. 20;

my $agent = started('a', settings('a'));
my $dead = '{queue:vm_provision}:dead';
my $taken = '{queue:vm_provision}:taken:a';
my $nodes = '{queue:vm_provision}:nodes';
my $n = 0;

# a function that was not asked for yet starts: the agent goes on
sub goes_on {
    my ($after) = @_;
    my $function = 'f' . ++$n;
    job($function, "req-f$n");
    ok((instance($function, 15))[0], "$after: it goes on");
}

sub buried { $redis->cli('LLEN', $dead) }

subtest 'jobs of any bytes' => sub {
    my @jobs = ("\0", "", "\n", "\xff\xfe\0{}", 'null', '[]', '{', '"x"',
        '{"request_id":"r","function_id":"hello"}' . "\0",
        "{\"request_id\":\"\xff\",\"function_id\":\"hello\"}",
        '{"request_id":"r\u0000","function_id":"hello"}',
        '{"request_id":"r","function_id":"hello","cpu":1e999}',
        '{"request_id":"r","function_id":"hello","refused_by":"a"}',
        '{"request_id":"r","function_id":"hello","not_before":-1}',
        '[' x 50000, join('', map { chr } 0 .. 255) x 1000,
        'x' x 3_000_000, "\0" x 1_000_000);

    for (my $i = 0; $i < @jobs; $i++) {
        my $path = spew("$dir/job", $jobs[$i]);
        system('redis-cli -h 127.0.0.1 -p ' . $redis->port
            . ' -x LPUSH ' . QUEUE . " <$path >/dev/null") == 0
            or die 'redis-cli';
        wait_for(sub { buried() == $i + 1 && taken('a') == 0 }, 20,
            "job $i to be buried");
    }

    pass('each is buried, none stays taken');

    my @last = map { json_decode($_) }
        @{ $redis->cli('LRANGE', $dead, 0, -1) };
    is(scalar(grep { length $_->{reason} } @last), scalar @jobs,
        'each with a reason, in JSON');
    is($last[-1]{job}, '\x00', 'and what it was, as text');
    cmp_ok(length $last[0]{job}, '<', 20000, 'a long one in part');
    goes_on('garbage in the queue');
};

subtest 'Redis keys of another type' => sub {
    for my $key ($dead, $nodes) {
        $redis->cli('DEL', $key);
        $redis->cli('SET', $key, 'x');
        $redis->cli('LPUSH', QUEUE, 'rubbish') if $key eq $dead;
        wait_for(sub { $redis->cli('TYPE', $key) ne 'string' }, 20,
            "$key to be put right");
        pass("$key: put right");
    }

    $redis->cli('SET', $taken, 'x');
    goes_on('its taken list');

    $redis->cli('SET', '{queue:vm_provision}:pending:one', 'x');
    job('one', 'req-one', version => 0, attempt => 1);
    wait_for(sub { taken('a') == 0 && !$redis->jobs }, 10,
        'a job nobody waits for to be dropped');
    is(scalar(instances('one')), 0, 'pending ids: nobody waits');
    our_job('one', 'req-one2', 0);
    ok((instance('one', 10))[0], 'until somebody does');

    $redis->cli('DEL', QUEUE);
    $redis->cli('SET', QUEUE, 'x');
    $agent->line_matching(qr/taking a job: .*WRONGTYPE/, 10);
    is($redis->cli('GET', QUEUE), 'x', 'the queue is not ours to delete');
    $redis->cli('DEL', QUEUE);
    goes_on('the queue, once it is a list again');
    cmp_ok(scalar(() = $agent->output =~ /taking a job: .*WRONGTYPE/g), '<', 4,
        'which was said, but not over and over');
};

subtest 'a deadline that no clock of ours has set' => sub {
    my $pending = '{queue:vm_provision}:pending:many';
    $redis->cli('ZADD', $pending, 1e15, 'req-ahead');
    job('many', 'req-ahead', version => 0, attempt => 1);
    $agent->line_matching(qr/nobody waits.*req-ahead/, 10);
    is($redis->cli('ZCARD', $pending), 0, 'it is purged');
};

subtest 'the key of the node' => sub {
    my $mine = sub {
        my $w = eval { $etcd->get_json('/workers/a') };
        return ref $w eq 'HASH' && ($w->{address} // '') eq '127.0.0.1'
            && $etcd->lease_of('/workers/a');
    };

    job('hello', 'req-1');
    my ($key, $i) = instance('hello');

    for my $what ('garbage', '', '{}', '[]', "\0\xff", '{"address":1}',
        'x' x 60000, { address => '10.1.2.3', cpu => 1, memory_mb => 1,
            cpu_free => 1, memory_mb_free => 1, vms => 0,
            agent_version => '0', state => 'ready' })
    {
        $etcd->put('/workers/a', $what);
        wait_for($mine, 10, 'its own to be put back');
    }

    pass('whatever is put there, its own is put back');
    $etcd->del('/workers/a');
    wait_for($mine, 10, 'its own to be put back');
    $etcd->put('/workers/a', 'garbage', $etcd->lease(2));
    wait_for($mine, 10, 'its own to be put back');
    pass('also deleted, and under another lease');

    is((instance('hello'))[0], $key, 'the VM is the same');
    is(call('hello', $i->{proxy_port})->{status}, 200, 'and serves');
    goes_on('garbage under its key');
};

subtest 'keys of nodes that there are not' => sub {
    $etcd->put("/workers/ghost$_->[0]", $_->[1]) for ['', { address =>
        '10.1.2.3', cpu => 1000, memory_mb => 1 << 30, cpu_free => 1000,
        memory_mb_free => 1 << 30, vms => 0, agent_version => '0',
        state => 'ready' }], ['2', 'garbage'];

    # told by the one node that lives, not left to those
    job('hello', 'req-big', memory_mb => 1_000_000);
    is(failure('hello', 'req-big')->{error}, 'no_capacity',
        'nobody waits for them');
    $etcd->del("/workers/ghost$_") for '', 2;
    goes_on('nodes that there are not');
};

subtest 'keys of its VMs' => sub {
    my ($key, $i) = instance('hello');
    my $value = $etcd->get($key);
    my ($slot) = $etcd->keys('/functions/hello/slots/');
    my $owner = $etcd->get($slot);
    my $lease = $etcd->lease_of($key);
    my $whole = sub {
        return ($etcd->get($key) // '') eq $value
            && ($etcd->get($slot) // '') eq $owner
            && $etcd->lease_of($key) eq $lease
            && $etcd->lease_of($slot) eq $lease;
    };

    ok($whole->(), 'before');

    for (['its key deleted', sub { $etcd->del($key) }],
        ['its slot deleted', sub { $etcd->del($slot) }],
        ['both deleted', sub { $etcd->del_prefix('/functions/hello/') }],
        ['its key garbage', sub { $etcd->put($key, 'garbage') }],
        ['its slot garbage', sub { $etcd->put($slot, 'garbage') }],
        ['its key without a lease', sub { $etcd->put($key, $value) }],
        ['its key garbage, under our lease',
            sub { $etcd->put($key, 'garbage', $lease) }],
        ['its slot garbage, under our lease',
            sub { $etcd->put($slot, 'garbage', $lease) }],
        ['its key another\'s, under our lease', sub { $etcd->put($key,
            { worker_ip => '10.1.2.3', proxy_port => 1,
                internal_vm_ip => '10.1.2.4' }, $lease) }])
    {
        my ($what, $do) = @$_;
        my $t = now();
        $do->();
        wait_for($whole, 10, "$what: put again");
        ok($whole->(), "$what: put again");
        diag(sprintf '%s: %.1f s', $what, now() - $t);
    }

    is(call('hello', $i->{proxy_port})->{status}, 200, 'it serves on');
    goes_on('keys of VMs');

    # a slot is whose value stands there
    image('lost');
    job('lost', 'req-lost');
    my ($lost) = instance('lost');
    my ($its) = $etcd->keys('/functions/lost/slots/');
    $etcd->put($its, { worker_id => 'other-1',
        request_id => 'req-other', version => 0 }, $lease);
    wait_for(sub { !$etcd->get($lost) }, 20, 'a VM without its slot to end');
    is($etcd->get_json($its)->{worker_id}, 'other-1',
        'which is left to whom it belongs');
    $etcd->del($its);

    $etcd->put('/functions/hello/slots/x', 'garbage');
    $etcd->put('/functions/f20/slots/0', 'garbage');
    $etcd->put('/functions/hello/failures/x', 'garbage');
    $etcd->put('/functions/hello/instances/..', 'garbage');
    $etcd->put("/functions/\xff/instances/a-1", "\0");
    goes_on('garbage among them');
};

subtest 'it starts over garbage, too' => sub {
    $agent->stop('KILL');
    $etcd->del('/workers/a');
    $etcd->put('/workers/a', 'garbage');
    $redis->cli('SET', $nodes, 'x');
    $redis->cli('DEL', $taken);
    $redis->cli('SET', $taken, 'x');
    $agent = started('a', settings('a'));
    is($etcd->get_json('/workers/a')->{address}, '127.0.0.1', 'ready');
    goes_on('garbage at its start');

    my $other = agent('b', settings('b', node_id => 'a',
        bridge_address => '172.17.0.1/24'));
    isnt($other->wait(40), 0, 'but another agent of its name is refused');
    goes_on('another agent of its name');
};

unlike($agent->output, qr/is not possible in state/, 'no illegal event');
ok($agent->stop, 'it ends');
done_testing();
