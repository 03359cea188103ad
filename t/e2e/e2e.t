# What a user does, with curl, against the whole system: real etcd, Redis,
# nginx, agent, and guests that boot a kernel.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $s = FcfTest::System->start(vmm => 'qemu', calls => 1,
    env => { PARK_TIMEOUT => '60s' })->up(180);
my $out = $s->proc->output;

like($out, qr/200 in [\d.]+ s.*200 in [\d.]+ s/s,
    'make run makes one cold and one warm call');
my ($cold, $warm) = $out =~ /200 in ([\d.]+) s/g;
cmp_ok($warm, '<', $cold, "warm ($warm s) is faster than cold ($cold s)");

my @vms = $s->instances('hello');
is(scalar @vms, 1, 'hello has one instance');
is(scalar($s->vmms), 1, 'and there is one VMM process');


subtest 'bytes as they are' => sub {
    my $body = join '', map { pack 'N', rand 2**32 } 1 .. 1024 * 1024;
    my $file = spew(tmpdir() . '/body', $body);
    my $head = tmpdir() . '/head';

    for my $rest ('/a%20b%3Fc/%25?x=1', '', '?x=1') {
        my $r = $s->curl("/run/echo$rest", '--data-binary', "\@$file",
            '-D', $head, '-H', 'Content-Type: application/octet-stream');

        is($r->{status}, 200, "echo$rest") or diag(substr $r->{body}, 0, 500);
        ok($r->{body} eq $body, "echo$rest: 4 MiB, byte for byte");

        my ($target) = slurp($head) =~ /^X-Echo-Target: (.*?)\r?$/mi;
        my $want = $rest =~ m{^/} ? $rest : "/$rest";
        is($target, $want, "echo$rest: the path as the client wrote it");
    }

    my $r = $s->curl('/run/echo/x', '-H', 'X-Mine: yes',
        '-H', 'X-Fcfaas-Token: guess');
    like($r->{body}, qr/^X-Mine: yes\r?$/mi, 'headers arrive');
    unlike($r->{body}, qr/X-Fcfaas-Token/i, 'the token does not');
};


subtest '100 at once on a cold function' => sub {
    $s->deploy(root() . '/build/vm/functions/echo', 'herd',
        '{"concurrency":100}', '--no-wait');

    my $before = $s->vmms;
    my $r = curl('-Z', '--parallel-immediate', '--parallel-max', 100,
        '--max-time', 90, '-o', '/dev/null', '-w', "%{http_code}\n",
        $s->url('/run/herd?[1-100]'));
    my %codes;
    $codes{$_}++ for $r->{body} =~ /^(\d+)$/mg, $r->{status} || ();

    is_deeply(\%codes, { 200 => 100 }, 'all get 200')
        or diag(json_encode(\%codes), $r->{error});
    is(scalar($s->instances('herd')), 1, 'from one VM');
    is(scalar($s->vmms), $before + 1, 'beside the others');
};


subtest 'warm: nothing is asked' => sub {
    $s->get('/run/echo') for 1 .. 20;

    my $vms = $s->vmms;
    my $ports = join ' ', map { $s->etcd->get_json($_)->{proxy_port} }
        $s->etcd->keys('/functions/echo/instances/');
    # with a state given, ss leaves its column out: queues, here, there
    my $sockets = sub { join ' ', sort map { join '>', (split)[2, 3] }
        grep { /:$ports\s/ } split /\n/,
        $s->{ns}->run('ss', '-Htn', 'state', 'established') };
    my $open = $sockets->();
    isnt($open, '', 'connections are kept');

    my $asked = sub { ($s->redis->calls,
        $s->etcd->metric('etcd_debugging_mvcc_range_total')) };
    my $began = now();
    my ($calls, $ranges) = $asked->();
    is((grep { $s->get('/run/echo')->{status} != 200 } 1 .. 100), 0,
        '100 requests');
    my ($calls_then, $ranges_then) = $asked->();
    my $seconds = now() - $began;

    # what they do by themselves.  Agent, Redis: a BLMOVE that ends every two
    # seconds, two commands; every five it joins anew, five commands.  etcd: the
    # probes of the agent and two workers every two seconds; both keys of each
    # VM every second.
    cmp_ok($calls_then - $calls, '<=', 7 + 2 * $seconds, 'Redis is not asked');
    cmp_ok($ranges_then - $ranges, '<=',
        3 * (1 + $seconds / 2) + 2 * $vms * (1 + $seconds),
        'etcd is not asked');
    is($sockets->(), $open, 'no new connection to the agent');
};


subtest 'what goes wrong, told at once' => sub {
    $s->etcd->spec('noimage');
    my $r = $s->curl('/run/noimage');
    is($r->{status}, 502, 'an image that is not there: 502');
    like($r->{body}, qr/"error":"no_image"/, 'with the reason');
    cmp_ok($r->{time}, '<', 1, "in $r->{time} s");

    is($s->curl('/run/undeclared')->{status}, 404, 'undeclared: 404');
    is($s->curl('/run/Bad')->{status}, 400, 'a bad name: 400');
};


subtest 'Redis stopped' => sub {
    $s->deploy(root() . '/vm/functions/hello', 'later', '{}', '--no-wait');
    $s->signal('redis', 'STOP');

    my $r = $s->curl('/run/later', '-D', tmpdir() . '/head');
    is($r->{status}, 503, 'cold: 503');
    like(slurp(tmpdir() . '/head'), qr/^Retry-After: \d+/mi, 'Retry-After');
    is($s->curl('/run/hello')->{status}, 200, 'warm: 200');

    $s->signal('redis', 'CONT');
    is($s->curl('/run/later', '--retry', 10, '--retry-delay', 1)->{status},
        200, 'served when it is back');
};


subtest 'clients that leave' => sub {
    $s->signal('redis', 'STOP');        # so that nothing is started for them
    $s->etcd->spec('nobody');

    my @q = map { http_send($s->port, '/run/nobody') } 1 .. 200;
    wait_for(sub { $s->status->{parked} > 0 }, 2, 'them to wait');
    $_->close for @q;
    wait_for(sub { $s->status->{parked} == 0 }, 3, 'their places to be free');
    pass('200 left, nobody is parked');
    $s->signal('redis', 'CONT');
};


# requests until $code is done; (how many, how many were not 200)
sub load {
    my ($path, $until) = @_;
    my ($n, $bad) = (0, 0);

    while (!$until->()) {
        my $r = eval { $s->get($path) };
        $n++;
        $bad++ if !$r || $r->{status} != 200;
    }

    return ($n, $bad);
}

sub for_seconds {
    my $end = now() + $_[0];
    return sub { now() > $end };
}


subtest 'etcd stopped for 20 s' => sub {
    $s->signal('etcd', 'STOP');
    my ($n, $bad) = load('/run/echo', for_seconds(20));
    is($bad, 0, "$n requests meanwhile, none failed");

    $s->signal('etcd', 'CONT');
    ($n, $bad) = load('/run/echo', for_seconds(5));
    is($bad, 0, "and none of $n after");
    is(scalar($s->instances('echo')), 1, 'its instance is there');
};


subtest 'reload, and a worker killed' => sub {
    $s->signal('nginx', 'HUP');
    my ($n, $bad) = load('/run/echo', for_seconds(2));
    is($bad, 0, "reload: $n requests, none failed");

    my ($worker) = split ' ', slurp('/proc/' . $s->pid('nginx') . '/task/'
        . $s->pid('nginx') . '/children');
    kill 'KILL', $worker;
    ($n, $bad) = load('/run/echo', for_seconds(2));
    cmp_ok($bad, '<=', 1, "worker killed: $n requests, $bad cut");
};


subtest 'a VMM killed' => sub {
    my ($old) = $s->instances('hello');
    my @hello = $s->vmms($old);

    is(scalar @hello, 1, 'hello has its VMM');
    kill 'KILL', @hello;

    my $r = $s->curl('/run/hello', '--retry', 2);
    is($r->{status}, 200, 'the next request is served');
    my ($new) = $s->instances('hello');
    isnt($new, $old, 'by a new VM');
};


subtest 'a port of another function' => sub {
    my ($key) = $s->etcd->keys('/functions/echo/instances/');

    $s->etcd->spec('liar', max_instances => 1);
    $s->etcd->put('/functions/liar/instances/other-1',
        $s->etcd->get($key));

    my $r = $s->curl('/run/liar', '-d', 'secret');
    unlike($r->{body}, qr/secret/, 'does not answer for it');
    is($r->{status}, 502, 'liar has no image');
    $s->etcd->del_prefix('/functions/liar/');
};


subtest 'the agent killed' => sub {
    my $old = $s->pid('agent');

    $s->signal('agent', 'KILL');
    wait_for(sub { my $pid = $s->pid('agent'); $pid && $pid != $old }, 20,
        'another agent');

    is($s->curl('/run/hello', '--retry', 10, '--retry-delay', 1)->{status},
        200, 'the function is served again');

    # what is registered is what runs; a directory goes after its VMM
    my @vmms;
    wait_for(sub {
        my @keys = $s->etcd->keys('/functions/');
        my @dirs = glob $s->run_dir . '/data/vms/local-*';
        @vmms = $s->vmms;
        @vmms == @dirs && @vmms == grep({ m{/instances/} } @keys)
            && @vmms == grep({ m{/slots/} } @keys);
    }, 30, 'as many VMMs as instances, slots and directories');
    pass('as many VMMs as instances, slots and directories');
    cmp_ok(scalar($s->taps), '>=', scalar @vmms, 'TAPs: used or in the pool');
};


is($s->make('stop'), 0, 'make stop');
is($s->proc->wait(60), 0, 'make run ends with 0');
is_deeply([$s->leftovers], [], 'nothing is left');

my @bad = grep { /\[(?:alert|emerg)\]/ && !/exited on signal 9/ }
    split /\n/, $s->log('nginx-error');
is_deeply(\@bad, [], 'nothing at alert or emerg in error.log');
unlike($s->log($_), qr/Sanitizer|runtime error:/, "$_: no sanitizer report")
    for qw(agent nginx nginx-error);

done_testing;
