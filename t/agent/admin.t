#!/usr/bin/perl

# The admin listener of a whole agent: health, metrics, instances, output; and
# that what was counted outlives what it was counted of.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('admin');

my $port = free_port();
my %admin = (admin => "127.0.0.1:$port",
    admin_token_file => "$dir/admin-token");
spew("$dir/admin-token", "open\n");

sub ask {
    my ($path, $token) = @_;
    return http_get($port, $path,
        headers => { Authorization => 'Bearer ' . ($token // 'open') });
}

# name{labels} => value of every sample; each family's lines stand together,
# behind its HELP and TYPE
sub metrics {
    my $answer = ask('/metrics');
    is($answer->{status}, 200, 'metrics are there');
    like($answer->{headers}{'content-type'}, qr{^text/plain; version=0\.0\.4},
        'of the format that Prometheus reads');

    my (%value, %seen, $family, @wrong);
    for (split /\n/, $answer->{body}) {
        if (/^# TYPE (\w+) (counter|gauge|histogram)$/) {
            push @wrong, "$1 twice" if $seen{$1}++;
            $family = $1;
            push @wrong, "$1 is no _total" if $2 eq 'counter'
                && $1 !~ /_total$/;
        } elsif (/^((\w+?)(_bucket|_sum|_count)?(\{.*\})?) (\S+)$/) {
            push @wrong, "$_ is not of $family"
                unless "$2" eq $family || "$2$3" eq $family;
            $value{$1} = $5;
        } elsif (!/^# HELP \w+ \S/) {
            push @wrong, $_;
        }
    }

    is_deeply(\@wrong, [], 'every line is of its family');
    return %value;
}

image('hello', boot_ms => 30);
image('broken', fail => 'panic');
$etcd->put("/specs/$_", '{"version":3,"memory_mb":128}') for qw(hello broken);
my $agent = started('a', settings('a', %admin, max_vms => 3));

is(http_get($port, '/metrics')->{status}, 401, 'without the token: 401');
is(ask('/metrics', 'shut')->{status}, 401, 'with another: 401');
is(http_get($port, '/healthz')->{body}, "ok\n", 'healthy, for everybody');
is($etcd->get_json('/workers/a')->{admin}, "127.0.0.1:$port",
    'the address is in etcd');

subtest 'nothing has happened' => sub {
    my %m = metrics();
    is($m{'fcfaas_agent_jobs_taken_total'}, 0, 'no job');
    is($m{'fcfaas_agent_start_seconds_count'}, 0, 'no start');
    is($m{'fcfaas_agent_start_failures_total{reason="no_image"}'}, 0,
        'a reason is shown before it is first told');
    is($m{'fcfaas_agent_pool{pool="vms",state="free"}'}, 3, 'room for three');
    is($m{'fcfaas_agent_lease'}, 1, 'a lease');
    is($m{'fcfaas_agent_info{version="0.1.0",node_id="a"}'}, 1, 'who it is');
    cmp_ok($m{process_open_fds}, '>', 5, 'descriptors');
    is_deeply(json_decode(ask('/instances')->{body}), [], 'no instance');
    is_deeply(json_decode(ask('/failures')->{body}), [], 'no failure');
    is(ask('/functions/hello/output')->{status}, 404, 'no output');
};

job('hello', 'req-1');
my ($key, $i) = instance('hello');
call('hello', $i->{proxy_port}) for 1 .. 5;

subtest 'one VM serves' => sub {
    my %m = metrics();
    is($m{'fcfaas_agent_vms{state="registered"}'}, 1, 'one is registered');
    is($m{'fcfaas_agent_jobs_taken_total'}, 1, 'from one job');
    is($m{'fcfaas_agent_jobs_total{outcome="done"}'}, 1, 'that is done');
    is($m{'fcfaas_agent_start_seconds_count'}, 1, 'one start');
    cmp_ok($m{'fcfaas_agent_start_seconds_sum'}, '>=', 0.03,
        'at least as long as its boot');
    is($m{"fcfaas_agent_start_phase_seconds_count{phase=\"$_\"}"}, 1,
        "phase $_") for qw(looking claimed network spawn configure boot ready);
    is($m{'fcfaas_proxy_requests_total{function="hello"}'}, 5, 'requests');
    is($m{'fcfaas_proxy_responses_total{function="hello",class="2xx"}'}, 5,
        'all answered well');
    is($m{'fcfaas_proxy_responses_total{function="hello",class="proxy"}'}, 0,
        'none by the proxy');
    cmp_ok($m{'fcfaas_proxy_bytes_total{function="hello",direction="out"}'},
        '>', 5 * 20, 'bytes of answers');
    is($m{'fcfaas_agent_pool{pool="ports",state="used"}'}, 1, 'a port');
    is($m{'fcfaas_agent_pool{pool="addresses",state="used"}'}, 1,
        'an address');

    my ($vm, @more) = @{json_decode(ask('/instances')->{body})};
    is(@more, 0, 'one instance');
    is($vm->{function_id}, 'hello', 'its function');
    is($vm->{port}, $i->{proxy_port}, 'its port');
    is($vm->{address}, $i->{internal_vm_ip}, 'its address');
    is($vm->{state}, 'registered', 'its state');
    ok($vm->{slot} >= 0 && $vm->{slot} < 10, 'its slot');
    is($vm->{requests}, 5, 'its requests');
    ok(kill(0, $vm->{pid}), 'its process');

    my $text = '';
    wait_for(sub {
        $text = ask('/functions/hello/output')->{body};
        (() = $text =~ /^GET /mg) == 5;
    }, 10, 'what the function printed');
    like($text, qr/^== a-\d+, version \d+, registered\n/,
        'a VM that lives shows what its function prints');
};

job('broken', 'req-2');
failure('broken', 'req-2');
nothing_left_of('broken', 'a', 1);

subtest 'a VM that died' => sub {
    my %m = metrics();
    is($m{'fcfaas_agent_start_failures_total{reason="boot_failed"}'}, 1,
        'is counted by its reason');
    is($m{'fcfaas_agent_jobs_total{outcome="failed"}'}, 1, 'and its job');

    my ($told, @more) = @{json_decode(ask('/failures')->{body})};
    is(@more, 0, 'one failure is told');
    is_deeply([@$told{qw(function_id request_id version error)}],
        ['broken', 'req-2', 3, 'boot_failed'], 'which');
    like($told->{message}, qr/panic/, 'with what the console said');
    cmp_ok(abs($told->{ms} / 1000 - time), '<', 60, 'and when');

    my $output = ask('/functions/broken/output');
    is($output->{status}, 200, 'its output is kept');
    like($output->{body}, qr/^== a-\d+, version 3, gone\n.*panic/s,
        'and says what it was');
};

$etcd->del('/specs/hello');
nothing_left_of('hello', 'a');

subtest 'metrics outlive routes' => sub {
    my %m = metrics();
    is($m{'fcfaas_proxy_requests_total{function="hello"}'}, 5,
        'its requests are still counted');
    is($m{'fcfaas_proxy_responses_total{function="hello",class="2xx"}'}, 5,
        'their answers too');
    is($m{'fcfaas_agent_function_vms{function="hello"}'}, 0, 'no VM');
    is($m{'fcfaas_agent_pool{pool="addresses",state="used"}'}, 0,
        'the address is back');
};

subtest 'etcd is away' => sub {
    $etcd->pause;
    wait_for(sub { http_get($port, '/healthz')->{status} == 503 }, 30,
        'the agent to say that it is not well');
    like(ask('/healthz')->{body}, qr/lease/, 'and why');
    unlike(http_get($port, '/healthz')->{body}, qr/lease/,
        'which is not for everybody');
    is(ask('/metrics')->{status}, 200, 'metrics do not need etcd');
    $etcd->resume;
    wait_for(sub { http_get($port, '/healthz')->{status} == 200 }, 30,
        'the agent to be well again');
    pass('well again');
};

subtest 'clients that do not behave' => sub {
    my @silent = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1:$port")
        or die "connect: $!" } 1 .. 20;
    print {$silent[0]} "GET /metr";
    $silent[0]->flush;
    is(ask('/metrics')->{status}, 200, 'do not keep others out');
    print {$silent[1]} "\0\1\2\r\n\r\n";
    $silent[1]->flush;
    is(ask('/metrics')->{status}, 200, 'nor does garbage');
};

$agent->stop;

subtest 'settings' => sub {
    for my $case (['nowhere:1', qr/admin = "nowhere:1": must be a numeric/],
        ['127.0.0.1', qr/must be a numeric IPv4 address and a port/],
        ['127.0.0.1:0', qr/must be a numeric IPv4 address and a port/],
        ['127.0.0.1:65536', qr/must be a numeric IPv4 address and a port/],
        ['10.9.8.7:9', qr/admin = "10.9.8.7:9": .*needs admin_token_file/])
    {
        my $a = agent('b', settings('b', admin => $case->[0]));
        isnt($a->wait(20), 0, "admin = $case->[0] is refused");
        like($a->output, $case->[1], 'by name');
    }

    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
        Proto => 'tcp') or die "listen: $!";
    my $a = agent('b', settings('b',
        admin => '127.0.0.1:' . $taken->sockport));
    isnt($a->wait(20), 0, 'a port that is taken is refused');
    like($a->output, qr/admin = .* is taken by another process/, 'by name');
};

done_testing();
