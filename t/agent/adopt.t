#!/usr/bin/perl

# adopt = yes: an agent that is told to end, or killed, leaves its VMs, and
# the next one goes on with them from whatever state they are in.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('adopt');

image('hello');
my $agent = started('a', settings('a', adopt => 'yes'));

sub next_one {
    my (%more) = @_;
    return started('a', settings('a', adopt => 'yes', %more));
}

sub record { json_decode(slurp((glob "$dir/run-a/$_[0]/record")[0])) }
sub worker { $_[0] =~ m{([^/]+)$}; $1 }

# everything that makes this VM this VM
sub identity {
    my ($function) = @_;
    my ($key, $i) = instance($function);
    return { key => $key, port => $i->{proxy_port},
        address => $i->{internal_vm_ip}, started => $i->{started_ms},
        slots => join(' ', $etcd->keys("/functions/$function/slots/")),
        lease => $etcd->lease_of($key), vmm => join(' ', sort(vmms('a'))),
        tap => record(worker($key))->{tap} };
}

job('hello', 'req-1');
my ($key, $i) = instance('hello');
wait_for(sub { taken('a') == 0 }, 5, 'its job to be settled');
my $before = identity('hello');

subtest 'told to end' => sub {
    my $t = now();
    $agent->kill('TERM');
    is($agent->wait(10), 0, 'it ends with status 0');
    cmp_ok(now() - $t, '<', 3, 'soon');
    like($agent->output, qr/handed over: 1 VMs go on/, 'and says what stays');
    is(scalar(vmms('a')), 1, 'the VM lives');
    is($etcd->lease_of($key), $before->{lease}, 'its key is there');
    ok($etcd->get('/workers/a'), 'and the node\'s');

    $agent = next_one();
    is_deeply(identity('hello'), $before, 'the next one goes on with it');
    is(call('hello', $i->{proxy_port})->{status}, 200, 'it serves');
    like($agent->output, qr/in state registered, goes on/, 'and says so');
};

subtest 'killed' => sub {
    $agent->kill('KILL');
    $agent->wait(10);
    $agent = next_one();
    is_deeply(identity('hello'), $before, 'the next one goes on with it');
    is(call('hello', $i->{proxy_port})->{status}, 200, 'it serves');
};

subtest 'nothing of a dead agent lives on in what it started' => sub {
    my $sockets = sub { my %s; $s{readlink($_) // ''} = 1
        for glob "/proc/$_[0]/fd/*"; grep { /^socket/ } keys %s };
    my ($proxy) = proxies();
    my %theirs = map { $_ => 1 } $sockets->($proxy), $sockets->(vmms('a'));
    is(scalar(grep { $theirs{$_} } $sockets->($agent->pid)), 1,
        'they share no socket with it but that of the route');
    is(scalar(grep { /cmd=blmove/ } split /\n/, $redis->cli('CLIENT',
        'LIST')), 1, 'one takes jobs from Redis');
};

subtest 'a second VM, beside an adopted one' => sub {
    image('second');
    job('second', 'req-2');
    my ($k, $j) = instance('second');
    isnt($j->{proxy_port}, $i->{proxy_port}, 'has a port of its own');
    isnt($j->{internal_vm_ip}, $i->{internal_vm_ip}, 'and an address');
    is(call('second', $j->{proxy_port})->{status}, 200, 'serves');
    $etcd->spec('second', version => 1);
    $etcd->del('/specs/second');
    my ($pid) = grep { readlink("/proc/$_/cwd") =~ worker($k) } vmms('a');
    kill 'KILL', $pid;
    nothing_left_of('second', 'a', 1);
};

subtest 'its end is noticed, though it is no child' => sub {
    kill 'KILL', vmms('a');
    nothing_left_of('hello', 'a');
    like($agent->output, qr/the VM died: VMM ended/, 'and told');
};

# kills the agent as soon as a VM of the function is in that state, which its
# record tells; its number of tries is bounded
sub killed_in {
    my ($state, $begin) = @_;

    for my $try (1 .. 40) {
        my $name = "$state$try";
        $begin->($name);
        my $seen = '';
        wait_for(sub {
            for (glob "$dir/run-a/*/record") {
                my $text = peek($_);
                next unless $text =~ /"function_id":"$name"/;
                ($seen) = $text =~ /"state":"(\w+)"/;
            }
            return $seen eq $state || ($seen && $state eq 'claimed');
        }, 15, "$name to be in state $state");
        $agent->kill('KILL');
        $agent->wait(10);
        my ($is) = map { $_->{state} } grep { $_->{function_id} eq $name }
            map { eval { json_decode(slurp($_)) } // () }
            glob "$dir/run-a/*/record";
        return $name if ($is // '') eq $state;
        $etcd->resume if $state eq 'ready';
        $agent = next_one();
    }

    die "never killed in state $state\n";
}

sub one_serves {
    my ($name) = @_;
    my ($k, $j) = instance($name, 20);
    is(call($name, $j->{proxy_port})->{status}, 200, "$name serves");
    wait_for(sub { taken('a') == 0 && !$redis->jobs }, 10, 'jobs');
    is(scalar(instances($name)), 1, 'one instance');
    is(scalar($etcd->keys("/functions/$name/slots/")), 1, 'one slot');
    is(scalar(grep { peek("$_/record") =~ /"$name"/ }
        vm_dirs('a')), 1, 'one directory');
    kill 'KILL', vmms('a');
    nothing_left_of($name, 'a');
}

subtest 'killed while a slot is claimed' => sub {
    image('claimed1');
    $etcd->pause;
    job('claimed1', 'req-claimed');
    wait_for(sub { taken('a') == 1 }, 5, 'the job to be taken');
    wait_for(sub { vmms('a') == 1 }, 10, 'its VMM, started meanwhile');
    $agent->kill('KILL');
    $agent->wait(10);
    $etcd->resume;
    $agent = next_one();
    one_serves('claimed1');
};

# a VMM is started while the slot is awaited, and its record says so
subtest 'killed while the VMM starts' => sub {
    my $name = killed_in('claimed',
        sub { image($_[0]); job($_[0], "r-$_[0]") });
    $agent = next_one();
    one_serves($name);
};

subtest 'killed while the guest boots' => sub {
    my $name = killed_in('boot',
        sub { image($_[0], boot_ms => 3000); job($_[0], "r-$_[0]") });
    my ($pid) = vmms('a');
    $agent = next_one();
    like($agent->output, qr/in state boot, goes on/, 'the boot goes on');
    instance($name, 20);
    is((vmms('a'))[0], $pid, 'in the same process');
    one_serves($name);
    is(() = $agent->output =~ /job taken/g, 0, 'no job was taken again');
};

subtest 'killed while a guest boots that fails' => sub {
    my $name = killed_in('boot', sub {
        image($_[0], boot_ms => 2000, fail => 'panic');
        our_job($_[0], "r-$_[0]", 0) });
    $agent = next_one();
    is(failure($name, "r-$name", 20)->{error}, 'boot_failed', 'the reason');
    nothing_left_of($name, 'a');
    is(pending($name), 0, 'its id is pending no more');
};

subtest 'told to end while a guest boots that fails' => sub {
    image('said', boot_ms => 2000, fail => 'panic');
    our_job('said', 'r-said', 0);
    my ($path) = wait_for(sub { (grep { slurp($_) =~ /"boot"/ }
        glob "$dir/run-a/*/record")[0] }, 10, 'it to boot');
    $agent->kill('TERM');
    is($agent->wait(10), 0, 'it hands over');
    $agent = next_one();
    my $message = failure('said', 'r-said', 20)->{message};
    like($message, qr/panic/, 'its last words are known');
    like($message, qr/instant machine/, 'and those before the hand-over');
    nothing_left_of('said', 'a');
};

subtest 'killed while its key is put' => sub {
    my $name = killed_in('ready', sub {
        my ($name) = @_;
        image($name, boot_ms => 3000);
        job($name, "r-$name");
        # the agent has the slot, and knows it
        wait_for(sub { grep { /"function_id":"$name"/ && /"state":"boot"/ }
            map { peek($_) } glob "$dir/run-a/*/record" }, 10,
            'it to boot');
        $etcd->pause;
    });
    my ($pid) = vmms('a');
    $etcd->resume;
    $agent = next_one();
    instance($name, 20);
    is((vmms('a'))[0], $pid, 'in the same process');
    one_serves($name);
};

subtest 'killed while it drains, idle' => sub {
    my $name = killed_in('draining', sub {
        image($_[0]);
        $etcd->spec($_[0], idle_timeout_s => 1);
        our_job($_[0], "r-$_[0]", 1) });
    $agent = next_one();
    nothing_left_of($name, 'a');
};

subtest 'killed while it stops' => sub {
    my $request;
    my $name = killed_in('stopping', sub {
        my ($name) = @_;
        image($name, answer_ms => 6000);
        $etcd->spec($name);
        our_job($name, "r-$name", 1);
        my ($k, $j) = instance($name);
        $request = http_send($j->{proxy_port}, '/', headers => {
            'X-Fcfaas-Function' => $name, 'X-Fcfaas-Token' => 'sesame' });
        wait_for(sub { $ns->run('ss', '-Htn', 'dst', '172.16.0.0/24',
            qw(and dport = :80)) =~ /ESTAB/ }, 5, 'the request to be inside');
        $etcd->del("/specs/$name");
    });
    $agent = next_one();
    is($request->response(20)->{status}, 200, 'the request inside is answered');
    nothing_left_of($name, 'a');
};

# A VM whose record or process is not what it was: the next agent starts, ends
# what can be known to be its own, and touches nothing else.
image('bad');

sub spoilt {
    my ($what, $spoil, $says, $lives) = @_;
    subtest $what => sub {
        job('bad', 'req-bad-' . int rand 1e9);
        my ($k, $j) = instance('bad');
        my $path = "$dir/run-a/" . worker($k);
        wait_for(sub { record(worker($k))->{state} eq 'registered' }, 5,
            'its record');
        my ($pid) = vmms('a');
        $agent->kill('KILL');
        $agent->wait(10);
        $spoil->($path, $pid);
        unknown($pid) if $lives;
        $agent = next_one();
        like($agent->output, $says, 'it is said') if $says;
        wait_for(sub { !instances('bad') && !vm_dirs('a') }, 30, 'clean-up');
        nothing_left_of('bad', 'a');
    };
}

# A process that cannot be known to be the VM's is not touched, and as long as
# it has the TAP no agent starts.
sub unknown {
    my ($pid) = @_;
    my $refused = agent('a', settings('a', adopt => 'yes'));
    is($refused->wait(20) >> 8, 1, 'the agent does not start');
    like($refused->output, qr/TAP ta\w+, of an agent .* in use by a process/,
        'and says why');
    ok(kill(0, $pid), 'a process that is not known is not touched');
    ok(kill(0, $$), 'nor is another');
    kill 'KILL', $pid;
    wait_for(sub { !kill 0, $pid }, 10, 'its end');
}

sub edit {
    my ($name, $from, $to) = @_;
    return sub {
        my $text = slurp("$_[0]/$name");
        $text =~ s/$from/$to/ or die "no $from in $text";
        spew("$_[0]/$name", $text);
    };
}

spoilt('no record', sub { unlink "$_[0]/record" }, qr/ended: it has no record/);
spoilt('garbage', sub { spew("$_[0]/record", "\0\xff{") },
    qr/ended: record: not a JSON/);
spoilt('half a record', sub {
    spew("$_[0]/record", substr slurp("$_[0]/record"), 0, 200) },
    qr/ended: record: not a JSON/);
spoilt('an empty one', sub { spew("$_[0]/record", '') }, qr/ended: record: /);
spoilt('of a version to come', edit('record', '"record":1', '"record":2'),
    qr/ended: record: .*version/);
spoilt('of another boot', edit('record', '"boot_id":"........',
    '"boot_id":"00000000'), qr/ended: record: of an earlier boot/);
spoilt('of another VM', edit('record', '"worker_id":"a-', '"worker_id":"b-'),
    qr/ended: record: of another VM/);
spoilt('a link to another file', sub {
    rename "$_[0]/record", "$dir/elsewhere";
    symlink "$dir/elsewhere", "$_[0]/record" }, qr/ended: it has no record/);
spoilt('another\'s address', edit('record', '"address":"172.16.0.\d+',
    '"address":"172.16.0.77'), qr/not gone on with: its TAP/);
spoilt('a TAP that is not there', edit('record', '"tap":"ta\d+',
    '"tap":"ta99'), qr/ended: record: no TAP ta99 is there/);
spoilt('a TAP that is another\'s', sub {
    $ns->run('ip', 'tuntap', 'add', 'taz9', 'mode', 'tap');
    $ns->run('ip', 'link', 'set', 'taz9', 'alias', 'fcfaas:a');
    edit('record', '"tap":"ta\d+', '"tap":"taz9')->(@_);
}, qr/no VM of the earlier run can go on: network: TAP ta\d+, of an agent/);
spoilt('a port outside of its range', edit('record', '"port":3\d+',
    '"port":1'), qr/not gone on with: its port/);
spoilt('another process\'s pid', edit('pid', '^\d+', $$), undef, 1);
spoilt('another start time', edit('pid', '^(\d+) \d+', '$1 1'), undef, 1);
spoilt('it died meanwhile', sub {
    my ($path, $pid) = @_;
    kill 'KILL', $pid;
    wait_for(sub { !kill 0, $pid }, 10, 'its end');
}, qr/has ended meanwhile/);

subtest 'the lease ended meanwhile' => sub {
    job('hello', 'req-lease');
    my ($k, $j) = instance('hello');
    my ($slot) = $etcd->keys('/functions/hello/slots/');
    my $was = $etcd->lease_of($k);
    $agent->kill('KILL');
    $agent->wait(10);
    $etcd->revoke($was);
    ok(!instances('hello'), 'its keys are gone');
    $agent = next_one();
    is((instance('hello'))[0], $k, 'they are put again');
    isnt($etcd->lease_of($k), $was, 'under another lease');
    is($etcd->get_json($slot)->{worker_id}, worker($k),
        'the slot too');
    is(call('hello', $j->{proxy_port})->{status}, 200, 'it serves');

    $was = $etcd->lease_of($k);
    $agent->kill('KILL');
    $agent->wait(10);
    $etcd->revoke($was);
    $etcd->put($slot, '{"worker_id":"other-7",'
        . '"request_id":"req-t","version":0}');
    $agent = next_one();
    wait_for(sub { !vmms('a') && !vm_dirs('a') }, 20,
        'a VM whose slot another has to end');
    is($etcd->get_json($slot)->{worker_id}, 'other-7',
        'the other keeps the slot');
    $etcd->del($slot);
    nothing_left_of('hello', 'a');
};

subtest 'its function is removed, or renewed, meanwhile' => sub {
    for my $do (sub { $etcd->del('/specs/later') },
        sub { $etcd->spec('later', version => 2); our_job('later', 'r-2', 2) })
    {
        image('later');
        $etcd->spec('later', idle_timeout_s => 3600);
        our_job('later', 'r-1', 1);
        my ($k) = instance('later');
        $agent->kill('KILL');
        $agent->wait(10);
        $do->();
        $agent = next_one();
        wait_for(sub { !grep { $_ eq $k } instances('later') }, 20,
            'the old one to be drained');
        $etcd->del('/specs/later');
        nothing_left_of('later', 'a');
    }
};

# one line each, and what it ended with
sub ordered {
    return FcfTest::Proc->spawn(name => 'order-' . int rand 1e9,
        argv => [build_dir() . '/agent/fcfaas-agent', @_,
            '--conf=/dev/null', "--state_dir=$dir/state-a"]);
}

sub order {
    my $p = ordered(@_);
    my $status = $p->wait(20);
    return ($status >> 8, $p->output);
}

subtest 'drained on purpose' => sub {
    job('hello', 'req-drain');
    instance('hello');
    is_deeply([order('status')], [0, "ready, 1 VMs\n"], 'status');
    is((stat "$dir/state-a/control")[2] & 0777, 0600, 'for root alone');
    my ($status, $said) = order('drain', '--wait');
    is($status, 0, 'drain --wait ends well');
    like($said, qr/\Adraining: 1 VMs\n(?:\d VMs\n)*empty\n\z/, 'and says how');
    nothing_left_of('hello', 'a');
    wait_for(sub { $etcd->get_json('/workers/a')->{state} eq 'draining' }, 5,
        'the node to say so');
    job('hello', 'req-later');
    is_deeply([order('status')], [0, "draining, 0 VMs\n"], 'it takes none');
    is($redis->cli('LLEN', QUEUE), 1, 'the job waits for another node');
    is((order('resume'))[0], 0, 'resume');
    ok((instance('hello'))[0], 'and it takes jobs again');

    # a VM that takes its time to end
    image('slow', ignore_stop => 1);
    job('slow', 'req-slow');
    instance('slow');
    my $waits = ordered('drain', '--wait');
    $waits->line_matching(qr/draining: \d VMs/, 10);
    is((order('resume'))[0], 0, 'resume, while somebody waits for the end');
    is($waits->wait(10), 256, 'who waits no longer');
    like($waits->output, qr/not emptied: it was told to take jobs again/,
        'and is told why');
    nothing_left_of('slow', 'a');

    is((order('nonsense'))[0], 1, 'an unknown word is an option\'s error');
    is((order('resume', '--wait'))[0], 1, '--wait is for drain');
    is((order('drain'))[0], 0, 'drained again');
    nothing_left_of('hello', 'a');
    $agent->kill('TERM');
    is($agent->wait(20), 0, 'an empty node that is told to end');
    is(taps('a'), 0, 'leaves no TAP');
    unlike($ns->run('ip', '-o', 'link'), qr/br-a/, 'no bridge');
    is_deeply([grep { !m{^/specs/} } $etcd->keys('/')], [], 'and no key');
    ($status, $said) = order('drain');
    is($status, 1, 'no agent is there');
    like($said, qr/\Afcfaas-agent: drain: no agent runs on state_dir = \S+\n\z/,
        'one line says so');
};

subtest 'adopt = no ends what adopt = yes has left' => sub {
    $agent = next_one();
    job('hello', 'req-no');
    instance('hello');
    $agent->kill('TERM');
    $agent->wait(10);
    is(scalar(vmms('a')), 1, 'a VM stays');
    $agent = started('a', settings('a'));
    is(scalar(vmms('a')), 0, 'and is ended by an agent that adopts none');
    wait_for(sub { !instances('hello') }, 5, 'its key to go');
    ok($agent->stop, 'it ends');
    is(taps('a'), 0, 'no TAP');
};

unlike(join('', map { slurp($_) } glob "$dir/agent-a-*.log"),
    qr/is not possible in state|Sanitizer|runtime error/, 'no fault');

done_testing();
