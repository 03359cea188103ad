# fcfaas_metrics: Prometheus' text format, over all workers; and the trace that
# is passed on.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Prom;
use Test::More;

my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '20s',
    location => 'proxy_set_header traceparent $fcfaas_traceparent;'
        . ' proxy_set_header tracestate $fcfaas_tracestate;',
    agent => 'location /trace { return 200'
        . ' "$http_traceparent|$http_tracestate"; }'
        . ' location /broken { return 500; }',
    server => 'location = /metrics { fcfaas_metrics; }');

sub metrics {
    my $r = $g->get('/metrics', @_);
    is($r->{status}, 200, 'metrics') or return;
    return FcfTest::Prom->parse($r->{body});
}

# A request is counted once it was answered, and its overhead last: what there
# is to be read when so many have been.
sub counted {
    my ($n, @of) = @_;
    wait_for(sub {
        my $got = $g->get('/metrics?buckets=no', timeout => 30)->{body};
        FcfTest::Prom->parse($got)->sum(
            'fcfaas_function_overhead_seconds_count', @of) >= $n;
    }, 10, "$n requests to be counted");
    return metrics(timeout => 30);
}

my $r = $g->get('/metrics');
is($r->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8',
    'its type');
my $m = FcfTest::Prom->parse($r->{body});
wait_for(sub { $m = FcfTest::Prom->parse($g->get('/metrics')->{body});
    $m->series('fcfaas_worker_watch_revision') == 2 }, 10, 'both workers');
is($m->value('fcfaas_function_requests_total', function => 'other',
    code => '2xx', start => 'warm'), 0, 'a series is there before it happens');
unlike($g->get('/metrics?buckets=no')->{body}, qr/_bucket/, 'without buckets');
like($g->get('/metrics?buckets=no')->{body},
    qr/^fcfaas_function_wait_seconds_count\{/m, 'but for their sums');
like($g->get('/metrics?buckets=yes')->{body}, qr/_bucket/, 'or with them');
is($g->get('/metrics', method => 'POST')->{status}, 405, 'only to be read');
is($g->get('/metrics', method => 'HEAD')->{body}, '', 'HEAD has no body');

subtest 'what is counted' => sub {
    $g->spec($_) for qw(hello cold other);
    $g->instance('hello');
    $g->instance('other');
    my $sent = $g->ready('hello');
    # one that came before its worker knew of the instance was a cold one
    my $at = counted($sent, function => 'hello');
    my $before = $at->value('fcfaas_function_requests_total',
        function => 'hello', code => '2xx', start => 'warm');
    my $waits = $at->value('fcfaas_function_wait_seconds_count',
        function => 'hello');
    is($g->get('/run/hello')->{status}, 200) for 1 .. 20;
    $g->get('/run/hello/broken') for 1 .. 3;
    $g->get('/run/nobody');
    $g->get('/run/other');
    my $q = $g->send('/run/cold');
    $g->wait_parked(1);

    counted(1, function => 'other');
    my $m = counted($sent + 23, function => 'hello');
    is($m->value('fcfaas_function_requests_total', function => 'hello',
        code => '2xx', start => 'warm'), $before + 20, 'warm ones');
    is($m->value('fcfaas_function_requests_total', function => 'hello',
        code => '5xx', start => 'warm'), 3, 'what failed');
    is($m->value('fcfaas_outcomes_total', outcome => '404'), 1, 'unknown');
    is($m->sum('fcfaas_function_requests_total', function => 'nobody'), 0,
        'a name that is none has no series');
    cmp_ok($m->sum('fcfaas_function_requests_total', function => 'other'),
        '>=', 1, 'a function named "other" is one of the others');
    is($m->value('fcfaas_parked'), 1, 'parked now');
    is($m->value('fcfaas_function_instances', function => 'hello',
        state => 'ready'), 1, 'instances');
    is($m->value('fcfaas_function_wait_seconds_count', function => 'hello'),
        $waits + 23, 'each has waited so long');
    cmp_ok($m->value('fcfaas_zone_cells', kind => 'instance',
        state => 'free'), '>', 0, 'zone');
    cmp_ok($m->value('fcfaas_zone_cells', kind => $_, state => 'free'), '>', 0,
        "zone: $_") for qw(pool ledger wait);
    is($m->sum('fcfaas_worker_alone'), 0, 'no worker is alone');
    # one that got no processor for a while says that it is
    ok(eval { wait_for(sub { metrics()->sum('fcfaas_worker_busy') == 0 }, 20,
        'idle workers') }, 'nor busy');
    cmp_ok($m->sum('fcfaas_worker_parked_bytes'), '>', 0, 'what waits is held');
    cmp_ok($m->value('fcfaas_zone_epoch'), '>=', 0, 'its epoch');
    is($m->sum('fcfaas_worker_watch_state', state => 'live'), 2, 'live');
    is($m->sum('fcfaas_worker_redis_connected'), 2, 'Redis');
    ok(eval { wait_for(sub { metrics()->sum('fcfaas_jobs_total',
        result => 'asked') }, 5, 'a job') }, 'jobs');

    $g->instance('cold');
    is($q->response(10)->{status}, 200, 'the parked one is served');
    $m = counted(1, function => 'cold');
    is($m->value('fcfaas_function_requests_total', function => 'cold',
        code => '2xx', start => 'cold'), 1, 'as a cold one');
    is($m->value('fcfaas_function_wait_seconds_count', function => 'cold'), 1,
        'its wait');
    cmp_ok($m->value('fcfaas_function_wait_seconds_sum', function => 'cold'),
        '>', 0, 'which was some');
    cmp_ok($m->value('fcfaas_function_overhead_seconds_sum',
        function => 'cold'), '>=', $m->value('fcfaas_function_wait_seconds_sum',
        function => 'cold') - 0.01, 'and is part of the overhead');
    is($m->value('fcfaas_parked'), 0, 'nobody waits');
};

subtest 'what is logged' => sub {
    my $logged = sub { scalar(() = $g->nginx->logged($_[0])) };
    $g->instance('hello', worker => 'n9-9', port => $g->agent_port);
    wait_for(sub { $logged->(qr/instance "n9-9" of "hello".* is there/) }, 5,
        'a line');
    $g->instance('hello', worker => 'n9-9', port => $g->agent_port,
        state => 'draining');
    $g->etcd->no_instance('hello', 'n9-9');
    wait_for(sub { $logged->(qr/instance "n9-9" of "hello".* is gone/) }, 5,
        'a line');
    is($logged->(qr/instance "n9-9" of "hello"/), 2,
        'one line for an instance that comes, and one as it goes');
    is($logged->(qr/asked for an instance of "/), metrics()->sum(
        'fcfaas_jobs_total', result => 'asked'), 'one for each job');
};

subtest 'over a reload' => sub {
    my $m = metrics();
    my $before = $m->sum('fcfaas_function_requests_total',
        function => 'hello', code => '2xx');
    my $sent = $m->sum('fcfaas_function_overhead_seconds_count');
    $g->nginx->reload;
    $m = counted($sent + $g->ready('hello'));
    cmp_ok($m->sum('fcfaas_function_requests_total', function => 'hello',
        code => '2xx'), '>', $before, 'counts go on');
    is($m->series('fcfaas_worker_watch_revision'), 2,
        'each number of a worker once');
};

subtest 'many functions' => sub {
    my $n = 1100;
    $g->etcd->put_many(map { my $f = sprintf 'many%04d', $_;
        ["/specs/$f", { version => 1 }], ["/functions/$f/instances/n1-1",
        { worker_ip => '127.0.0.1', proxy_port => 0 + $g->agent_port,
        internal_vm_ip => '172.16.0.2' }]
    } 0 .. $n - 1);
    $g->wait_known('specs', $n + 3, 20);
    $g->wait_known('instances', $n + 3, 20);
    my $m = metrics();
    my $others = $m->sum('fcfaas_function_requests_total', function => 'other');
    my $sent = $m->sum('fcfaas_function_overhead_seconds_count');
    my @bad = grep { $_->{status} != 200 }
        map { $g->get(sprintf '/run/many%04d', $_) } 0 .. $n - 1;
    is(scalar @bad, 0, 'each is called once');
    $m = counted($sent + $n);
    is($m->series('fcfaas_function_overhead_seconds_count'), 1001,
        '1000 by name, and the rest');
    my $by_name = grep { defined $m->value('fcfaas_function_requests_total',
        function => sprintf('many%04d', $_), code => '2xx', start => 'warm') }
        0 .. $n - 1;
    is($m->sum('fcfaas_function_requests_total', function => 'other')
        - $others, $n - $by_name, 'none is lost');
    note(length($g->get('/metrics', timeout => 30)->{body}) . ' bytes');

    # clients that leave in the middle of it
    for (1 .. 20) {
        my $q = $g->send('/metrics');
        $q->close;
    }
    is($g->get('/run/hello')->{status}, 200, 'clients that leave cost nothing');
};

subtest 'the trace' => sub {
    my ($id, $parent) = ('0af7651916cd43dd8448eb211c80319c',
        'b7ad6b7169203331');
    my $ask = sub { $g->get('/run/hello/trace', headers => { @_ })->{body} };
    my $made = $ask->();
    like($made, qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-03\|$/, 'one is made');
    isnt($ask->(), $made, 'of each request');
    my $passed = $ask->(traceparent => "00-$id-$parent-01",
        tracestate => 'a=1,b=2');
    like($passed, qr/^00-$id-[0-9a-f]{16}-01\|a=1,b=2$/, 'one is passed on');
    unlike($passed, qr/$parent/, 'with a parent of our own');
    my $bad = $ask->(traceparent => "00-$id-$parent-01-x", tracestate => 'a=1');
    like($bad, qr/^00-[0-9a-f]{32}-[0-9a-f]{16}-03\|$/, 'a bad one is not');
    unlike($bad, qr/$id/, 'in no part');
    my $long = join ',', map { "k$_=" . 'v' x 100 } 1 .. 9;
    like($ask->(traceparent => "00-$id-$parent-00", tracestate => $long),
        qr/-00\|k1=v{100},k2=v{100},k3=v{100},k4=v{100}$/,
        'a long state is cut between its members');
};

$g->stop;
done_testing();
