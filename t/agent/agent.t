#!/usr/bin/perl

# The agent on the instant backend, in a network namespace of its own, with a
# real etcd and a real Redis.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

use constant MIB => 1024 * 1024;

AgentHost::begin('agent');

image('hello');
image($_) for map { "many$_" } 1 .. 20;
image('startfail', fail => 'start');
image('panic', fail => 'panic');
image('silent', fail => 'silent',
    say => "\e[31mno database\e[0m \x07\xff\xc2\x9b ");
image('slow', boot_ms => 60000);

my $agent = started('a', settings('a', with_admin()));
ok($etcd->lease_of('/workers/a'), 'the node is in etcd, under a lease');

subtest 'a foreign job with four fields' => sub {
    job('hello', 'req-1');
    my ($key, $i) = instance('hello');
    like($key, qr{/a-\d+$}, 'worker_id is node_id and number');
    is($i->{worker_ip}, '127.0.0.1', 'worker_ip');
    is($i->{internal_vm_ip}, '172.16.0.2', 'internal_vm_ip');
    is($etcd->lease_of($key), $etcd->lease_of('/workers/a'), 'lease');
    my ($slot) = $etcd->keys('/functions/hello/slots/');
    is($etcd->get_json($slot)->{request_id}, 'req-1', 'its slot');

    my $r = call('hello', $i->{proxy_port});
    is($r->{status}, 200, 'it answers through the proxy port');
    like($r->{body}, qr{^GET /x\?y=1}, 'what the guest says');
    is(call('other', $i->{proxy_port})->{headers}{'x-fcfaas-unsent'},
        'wrong-function', 'not for another function');
    wait_for(sub { taken('a') == 0 }, 5, 'the job to be settled');
    wait_for(sub { $etcd->get_json('/workers/a')->{vmm_version} }, 5,
        "the VMM's version in /workers/");
    is($etcd->get_json('/workers/a')->{vmm_version}, '1.16.0',
        'which VMM it is');
};

subtest 'missing image' => sub {
    my $t = now();
    job('nowhere', 'req-2');
    my $f = failure('nowhere', 'req-2', 1);
    is($f->{error}, 'no_image', 'no_image');
    like($f->{message}, qr{nowhere\.img}, 'and which');
    cmp_ok(now() - $t, '<', 1, 'within a second');
    wait_for(sub { taken('a') == 0 }, 5, 'the job to be settled');
};

subtest 'a VMM that refuses to start' => sub {
    job('startfail', 'req-3');
    is(failure('startfail', 'req-3')->{error}, 'boot_failed', 'boot_failed');
    nothing_left_of('startfail', 'a', 1);
};

subtest 'a guest that panics' => sub {
    job('panic', 'req-4');
    my $f = failure('panic', 'req-4');
    is($f->{error}, 'boot_failed', 'boot_failed');
    like($f->{message}, qr/panic/i, 'with the console');
    nothing_left_of('panic', 'a', 1);
};

subtest 'a guest whose port never accepts' => sub {
    $etcd->spec('silent', boot_timeout_s => 1);
    my $t = now();
    our_job('silent', 'req-5', 1);
    my $f = failure('silent', 'req-5');
    like($f->{error}, qr/^(not_ready|boot_timeout)$/,
        'not_ready or boot_timeout');
    like($f->{message}, qr/no database \\x07\\xff\\u009b /,
        'with what it said, escaped');
    $agent->line_matching(qr/no database \\\\x07|no database \\u0007/, 5);
    unlike(slurp($agent->log), qr/[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]/,
        'in the log too');
    wait_for(sub { pending('silent') == 0 }, 5, 'its id to be removed');
    cmp_ok(now() - $t, '<', 10, 'in time');
    nothing_left_of('silent', 'a', 1);
};

subtest 'a guest whose port refuses' => sub {
    image('refuses', fail => 'silent', say => 'listens elsewhere');
    $etcd->spec('refuses', boot_timeout_s => 10);
    our_job('refuses', 'req-6', 1);
    my $so_far = failure('refuses', 'req-6.boot');
    is($so_far->{error}, 'not_ready', 'is said while the boot goes on');
    is($so_far->{booting}, 1, 'to be no end of it');
    like($so_far->{message},
        qr/^port 80 refuses connections, .*listens elsewhere/s,
        'with what it said');
    my $f = failure('refuses', 'req-6', 20);
    is($f->{error}, 'not_ready', 'which comes, with the same reason');
    is($f->{booting}, undef, 'and is the end');
    nothing_left_of('refuses', 'a', 1);
};

subtest 'malformed jobs' => sub {
    $redis->cli('LPUSH', QUEUE, $_) for 'not json', '{"request_id":"x"}',
        '{"request_id":"r","function_id":"../x","cpu":1,"memory_mb":128}';
    wait_for(sub { $redis->cli('LLEN', '{queue:vm_provision}:dead') == 3 }, 5,
        'three dead letters');
    my ($last) = @{ $redis->cli('LRANGE', '{queue:vm_provision}:dead', 0, 0) };
    like(json_decode($last)->{reason}, qr/function_id/, 'with the reason');
    is(taken('a'), 0, 'none stays taken');
};

subtest 'a job of ours that nobody waits for' => sub {
    job('hello', 'req-late', version => 1, attempt => 1, refused_by => []);
    $agent->line_matching(qr/nobody waits.*req-late/, 5);
    is(scalar(instances('hello')), 1, 'starts nothing');
};

subtest 'more than a node has' => sub {
    job('hello', 'req-big', memory_mb => 4 * MIB);
    is(failure('hello', 'req-big')->{error}, 'no_capacity', 'no_capacity');
};

subtest 'all slots taken' => sub {
    $etcd->spec('hello', max_instances => 1, idle_timeout_s => 3600);

    # what there is was started before it was declared, and is replaced
    our_job('hello', 'req-v', 1);
    wait_for(sub { my @i = instances('hello');
        @i == 1 && $etcd->get_json($i[0])->{version} && vmms('a') == 1 }, 10,
        'version 1 alone');
    our_job('hello', 'req-m', 1);
    is(failure('hello', 'req-m')->{error}, 'at_max', 'at_max');
    is(scalar(instances('hello')), 1, 'and no second instance');
};

# what a key that is gone held last
sub last_of {
    my ($key) = @_;
    my $revision = $etcd->put('/now', 1);
    my $value;

    $etcd->del('/now');

    until ($value = $etcd->ctl('get', '--print-value-only', '--rev',
        --$revision, $key)) {}

    return json_decode($value);
}

# etcd answers once the VMM is there
subtest 'a slot that is refused late' => sub {
    image($_) for qw(late1 late2);
    my ($specs) = sort { $b <=> $a } map {
        $etcd->spec($_, max_instances => 1) } qw(late1 late2);
    wait_for(sub { metric('etcd_revision') >= $specs }, 10, 'the specs');
    $etcd->put('/functions/late1/slots/0', '{"worker_id":"other-7",'
        . '"request_id":"req-t","version":1}');
    my $vms = vmms('a');
    $etcd->pause;
    our_job($_, "req-$_", 1) for qw(late1 late2);
    wait_for(sub { vmms('a') == $vms + 2 }, 10, 'VMMs, without slots');

    # one of them is killed meanwhile
    my ($dir) = grep { slurp("$_/record") =~ /"late2"/ } vm_dirs('a');
    kill 'KILL', slurp("$dir/pid") =~ /^(\d+)/;
    wait_for(sub { !-d $dir }, 10, 'what was killed to go');
    $etcd->resume;
    is(failure('late1', 'req-late1')->{error}, 'at_max', 'is told');
    wait_for(sub { vmms('a') == $vms && vm_dirs('a') == $vms }, 10,
        'its VMM to go');
    is($etcd->get_json('/functions/late1/slots/0')->{worker_id}, 'other-7',
        'the slot stays another\'s');
    $etcd->del('/functions/late1/slots/0');
    wait_for(sub { !$etcd->keys('/functions/late2/slots/') && !taken('a') },
        20, 'nor is a slot left');
    $redis->cli('DEL', QUEUE);
    $etcd->del("/specs/$_") for qw(late1 late2);
};

subtest 'the VMM is killed' => sub {
    my ($key, $i) = instance('hello');
    my ($pid) = vmms('a');
    my $t = now();
    kill 'KILL', $pid;
    wait_for(sub { !instances('hello') }, 2, 'the key to go');
    cmp_ok(now() - $t, '<', 1, 'keys go at once');
    is(last_of($key)->{state}, 'ready', 'without a goodbye');
    is(scalar($etcd->keys('/functions/hello/slots/')), 0, 'the slot too');
    wait_for(sub { !vmms('a') && !vm_dirs('a') }, 10, 'clean-up');
};

subtest 'idle stop, and a revival' => sub {
    image('idle');
    $etcd->spec('idle', idle_timeout_s => 1);
    our_job('idle', 'req-i', 1);
    my ($key, $i) = instance('idle');
    wait_for(sub { ($etcd->get_json($key) // {})->{state} eq 'draining' }, 5,
        'draining');
    is(call('idle', $i->{proxy_port})->{status}, 200, 'still served');
    wait_for(sub { $etcd->get_json($key)->{state} eq 'ready' }, 5, 'revival');
    wait_for(sub { ($etcd->get_json($key) // {})->{state} eq 'draining' }, 5,
        'draining again');
    our_job('idle', 'req-i2', 1);
    wait_for(sub { ($etcd->get_json($key) // {})->{state} eq 'ready' }, 5,
        'revival by a job');
    is_deeply([instances('idle')], [$key], 'no other VM is started');
    wait_for(sub { !instances('idle') }, 10, 'the idle stop');
    nothing_left_of('idle', 'a');
};

subtest 'a newer version, and none' => sub {
    image('ver');
    $etcd->spec('ver', version => 1);
    our_job('ver', 'req-v1', 1);
    my ($old) = instance('ver');
    $etcd->spec('ver', version => 2);
    our_job('ver', 'req-v2', 2);
    wait_for(sub { my @k = instances('ver'); @k == 1 && $k[0] ne $old }, 10,
        'the old one to be drained');
    my ($new) = instances('ver');
    is($etcd->get_json($new)->{version}, 2, 'version 2');
    is(last_of($old)->{state}, 'draining', 'the old one said goodbye');
    $etcd->del('/specs/ver');
    wait_for(sub { !instances('ver') }, 10, 'none after its deletion');
    is(last_of($new)->{state}, 'draining', 'and so did the other');
    nothing_left_of('ver', 'a');
};

subtest 'twenty functions at once' => sub {
    job("many$_", "req-n$_") for 1 .. 20;
    wait_for(sub { 20 == grep { instances("many$_") } 1 .. 20 }, 60,
        '20 instances');
    my $good = grep {
        my ($key, $i) = instance("many$_");
        call("many$_", $i->{proxy_port})->{status} == 200;
    } 1 .. 20;
    is($good, 20, 'all answer');
};

subtest 'the node_id is taken' => sub {
    my @b = (settings('b'), bridge_address => '172.17.0.1/24');
    my %worker = (address => '10.1.2.3', cpu => 1, memory_mb => 1,
        cpu_free => 1, memory_mb_free => 1, vms => 0, agent_version => '0');

    $etcd->put('/workers/b', \%worker, $etcd->lease(3));
    my $other = agent('b', @b);
    $other->line_matching(qr/is there already.*10\.1\.2\.3.*waiting/, 10);
    $other->line_matching(qr/"msg":"ready: /, 15);
    pass('a leftover is waited for');
    ok($other->stop, 'and it ends');

    $etcd->put('/workers/b', \%worker);
    $other = agent('b', @b);
    $other->line_matching(qr/in use by a live agent at 10\.1\.2\.3/, 20);
    is($other->wait(10) >> 8, 1, 'not for ever');
    ok($etcd->get('/workers/b'), 'and the key stays');
    $etcd->del('/workers/b');

    my $same = agent('a', settings('a'));
    is($same->wait(10) >> 8, 1, 'a second one on the same directory ends');
    like($same->output, qr/another agent/, 'saying why');
};

subtest 'a full node' => sub {
    image($_) for qw(full1 full2);
    my $full = started('c', settings('c', bridge_address => '172.18.0.1/24',
        max_vms => 1, prefix => 'c:'));
    my $push = sub { $redis->cli('LPUSH', 'c:' . QUEUE, json_encode({
        request_id => "req-$_[0]", function_id => $_[0], cpu => 1,
        memory_mb => 128 })) };
    my $there = sub { ($etcd->keys("c:/functions/$_[0]/instances/"))[0] };

    $push->('full1');
    wait_for(sub { $there->('full1') }, 10, 'the first');
    $push->('full2');
    is($redis->cli('LLEN', 'c:' . QUEUE), 1, 'no more is taken');
    kill 'KILL', vmms('c');
    wait_for(sub { $there->('full2') }, 10, 'the second, when there is room');
    pass('the second runs when the first is gone');

    $push->('full1');
    ok($full->stop, 'a full node ends');
    is($redis->cli('LLEN', 'c:' . QUEUE), 1, 'and leaves the job');
};

subtest 'a node that is gone' => sub {
    image('orphan');
    $redis->cli('SADD', '{queue:vm_provision}:nodes', 'dead1');
    $redis->cli('LPUSH', '{queue:vm_provision}:taken:dead1', json_encode({
        request_id => 'req-o', function_id => 'orphan', cpu => 1,
        memory_mb => 128 }));
    ok((instance('orphan', 20))[0], 'its jobs are given back');
    is(taken('dead1'), 0, 'all');
    wait_for(sub { !grep { $_ eq 'dead1' } @{ $redis->cli('SMEMBERS',
        '{queue:vm_provision}:nodes') } }, 5, 'and it is forgotten');
};

subtest 'a version not heard of yet' => sub {
    image('fresh');
    our_job('fresh', 'req-f', 3);
    $etcd->spec('fresh', version => 3, concurrency => 77);
    my ($key, $i) = instance('fresh');
    is($i->{version}, 3, 'is awaited');
    is($i->{concurrency}, 77, 'with its spec');
};

subtest 'etcd away for longer than the lease' => sub {
    my ($key, $i) = instance('many1');
    my $lease = $etcd->lease_of($key);
    $etcd->stop('TERM');
    my $until = now() + 12;
    my $bad = 0;
    while (now() < $until) {
        $bad++ if call('many1', $i->{proxy_port})->{status} != 200;
        select undef, undef, undef, 0.2;
    }
    is($bad, 0, 'it serves on');
    $etcd->start_again;
    $etcd->revoke($lease) if defined $etcd->lease_of($key)
        && $etcd->lease_of($key) eq $lease;
    wait_for(sub { ($etcd->lease_of($key) // $lease) ne $lease }, 20,
        'to be registered under another lease');
    wait_for(sub { 20 == grep { instances("many$_") } 1 .. 20 }, 20,
        'all of them');
    is($etcd->get_json($key)->{proxy_port}, $i->{proxy_port}, 'unchanged');
    is(scalar(map { $etcd->keys("/functions/many$_/slots/") } 1 .. 20), 20,
        'with their slots');
};

subtest 'the lease is lost, and a slot with it' => sub {
    my ($key1, $i1) = instance('many1');
    my ($key2, $i2) = instance('many2');
    my ($slot2) = $etcd->keys('/functions/many2/slots/');
    my $lease = $etcd->lease_of($key1);

    $etcd->put($slot2,
        '{"worker_id":"other-1","request_id":"x","version":0}');
    $etcd->revoke($lease);
    wait_for(sub { !instances('many2') && $etcd->get($key1)
            && $etcd->lease_of($key1) ne $lease }, 10, 'a new lease');
    is(call('many1', $i1->{proxy_port})->{status}, 200, 'it serves on');
    is($etcd->get_json($slot2)->{worker_id}, 'other-1',
        'the slot stays with who took it');
    is(call('many2', $i2->{proxy_port})->{headers}{'x-fcfaas-unsent'},
        'draining', 'and that VM is drained');
    $etcd->del($slot2);
    job('many2', 'req-again');
    ok((instance('many2'))[0], 'the slot is free again');
};

subtest 'rubbish in etcd' => sub {
    $etcd->put('/specs/rubbish', '{"memory_mb":"much"}');
    $etcd->put('/specs/..', 'x');
    $etcd->put('/workers/NOBODY', 'x');
    $agent->line_matching(qr{/specs/rubbish.*memory_mb}, 5);
    $etcd->del_prefix('/specs/rubbish');
    $etcd->del('/specs/..');
    $etcd->del('/workers/NOBODY');
    image('sound');
    job('sound', 'req-sound');
    ok((instance('sound'))[0], 'it goes on');
};

subtest 'Redis restarted' => sub {
    $redis->stop('KILL');
    $redis->start_again;
    image('again');
    job('again', 'req-r');
    ok((instance('again'))[0], 'jobs are taken again');
};

subtest 'killed and started again' => sub {
    my ($key) = instance('many2');
    $agent->stop('KILL');
    my $was = vmms('a');
    cmp_ok($was, '>', 0, 'VMMs are left over');
    $agent = started('a', settings('a'));
    wait_for(sub { !$etcd->get($key) }, 2, 'the old keys to be gone');
    is(scalar(vmms('a')), 0, 'no VMM');
    is(scalar(vm_dirs('a')), 0, 'no directory');
    job('many2', 'req-k');
    my ($new, $i) = instance('many2');
    isnt($new, $key, 'a worker_id of its own');
    is(call('many2', $i->{proxy_port})->{status}, 200, 'served again');
};

subtest 'SIGTERM leaves nothing' => sub {
    job('slow', 'req-slow');
    wait_for(sub { $etcd->keys('/functions/slow/slots/') }, 5, 'a boot');
    ok($agent->stop('TERM'), 'ends');
    is($agent->wait(0), 0, 'with status 0');
    is(scalar(vmms('a')), 0, 'no VMM');
    is(scalar(vm_dirs('a')), 0, 'no directory');
    is(taps('a'), 0, 'no TAP');
    unlike($ns->run('ip', '-o', 'link'), qr/br-a/, 'no bridge');
    is($ns->run('nft', 'list', 'tables'), '', 'no table');
    is_deeply([grep { !m{^/specs/} } $etcd->keys('/')], [], 'no key');
    is_deeply([map { $_->{request_id} } $redis->jobs], ['req-slow'],
        'the job is back in the queue');
    is(taken('a'), 0, 'and not taken');
    unlike($agent->output, qr/is not possible in state/, 'no illegal event');
};

subtest 'etcd is away at the end' => sub {
    $redis->cli('DEL', QUEUE);
    my $d = started('d', settings('d'));
    job('hello', 'req-d');
    instance('hello');
    $etcd->pause;
    my $t = now();
    ok($d->stop('TERM'), 'it ends');
    cmp_ok(now() - $t, '<', 15, 'in bounded time');
    $etcd->resume;
    is(scalar(vmms('d')), 0, 'no VMM');
    unlike($ns->run('ip', '-o', 'link'), qr/br-d|td\d/, 'no device');
};

subtest 'a trial that fails' => sub {
    my $build = build_dir();
    my $out = join ' ', "$build/agent/fcfaas-agent --conf=/dev/null --trial",
        "--trial-timeout=1 --kernel=$dir/vmlinux --initrd= --node_id=e",
        "--state_dir=$dir/state-e --run_dir=$dir/run-e",
        "--vmm=$build/vm/vmm/fcfaas-vmm '--vmm_args=--backend instant'";
    $out = qx($out);
    is($? >> 8, 1, 'status 1');
    like($out, qr/^trial: no guest boots with .*\n\z/, 'one line');
    is(scalar(() = glob '/tmp/fcfaas-trial-*/trial'), 0, 'nothing left');
};

done_testing();
