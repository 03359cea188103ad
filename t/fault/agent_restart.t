#!/usr/bin/perl

# The agent is restarted, by SIGTERM and by kill -9, again and again under a
# service manager, while a client asks a warm function through the gateway
# every millisecond: nothing is lost.  Then its loop is stopped, which the
# watchdog notices.
#
# FCF_RESTARTS=100 is the long form.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

my $restarts = $ENV{FCF_RESTARTS} // 8;

AgentHost::begin('restart');
image($_) for qw(warm cold);
# a sanitizer keeps what was freed: with 128 MB its group's limit ends the VM once
# a busy host lets a thousand requests pile up
$etcd->spec('warm', concurrency => 0, idle_timeout_s => 3600,
    memory_mb => 1024);
$etcd->spec('cold');

my %set = settings('a', adopt => 'yes', log_level => 'info');
my $agent = FcfTest::Service->start(name => 'agent', watchdog_ms => 10000,
    argv => [build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null',
        map { "--$_=$set{$_}" } sort keys %set]);
my $first = $agent->ready;

my $nginx = FcfTest::Nginx->start(name => 'gateway', workers => 2,
    http => <<"    EOC", server => <<'    EOS');
        fcfaas_etcd @{[ $etcd->endpoint ]};
        fcfaas_redis @{[ $redis->addr ]};
        fcfaas_token_file $dir/token;
        upstream functions { fcfaas; keepalive 64; }
    EOC
        location ~ ^/run/(?<function_id>[^/]+) {
            fcfaas $function_id;
            proxy_pass http://functions$fcfaas_uri;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }
    EOS

is(http_get($nginx->port, '/run/warm', timeout => 30)->{status}, 200, 'warm');
my ($key, $i) = instance('warm');
my $lease = $etcd->lease_of($key);
my @vmm = vmms('a');

sub under_load {
    my ($what, $code, %may) = @_;
    my $load = FcfTest::Load->start(port => $nginx->port,
        path => '/run/warm/x');

    $code->();

    my $n = $load->end;
    diag(sprintf '%s: sent %d, answered %d, lost %d; slowest %.0f ms, '
        . '%d connections', $what, @$n{qw(sent answered lost slowest_ms
        connections)});
    is($n->{lost}, 0, "$what: none lost") or diag(explain($n->{why}));
    is_deeply($n->{status}, { 200 => $n->{sent} },
        "$what: each answered with 200");

    # whom the probe of a vanished instance kept waiting may have asked for
    # another, which is started then, too
    if ($may{end_lease}) {
        is_deeply([grep { $_ == $vmm[0] } vmms('a')], \@vmm,
            "$what: the same VM");
        is_deeply([grep { $_ eq $key } instances('warm')], [$key],
            "$what: the same instance");
        return $n;
    }

    is_deeply([vmms('a')], \@vmm, "$what: the same VM");
    is_deeply([instances('warm')], [$key], "$what: the same instance");
    is($etcd->lease_of($key), $lease, "$what: the same lease");
    return $n;
}

under_load('told to end', sub {
    for (1 .. $restarts) {
        $agent->restart;
        $agent->ready(30);
    }
});

my $n = under_load('killed', sub {
    for (1 .. $restarts) {
        $agent->kill('KILL');
        $agent->ready(30);
    }
});
cmp_ok($n->{sent}, '>', $restarts * 10, 'there was something to lose');

# not only once it is ready again
under_load('killed while it starts', sub {
    for (1 .. $restarts) {
        $agent->kill('KILL');
        $agent->event(qr/^started/, 30);
        select undef, undef, undef, rand 0.3;
    }

    $agent->ready(30);
});

under_load('its loop stands still', sub {
    my $pid = $agent->pid;
    CORE::kill('STOP', $pid);
    $agent->event(qr/^watchdog $pid$/, 30);
    isnt($agent->ready(30), $pid, 'the watchdog has it started again');
    wait_for(sub { instances('warm') }, 30, 'its instance to be put again');
}, end_lease => 1);     # it stands as long as a lease lives

is($agent->count(qr/^exited \d+ 0$/), $restarts,
    'each that was told to ended with status 0');
unlike($agent->output, qr/Sanitizer|runtime error|is not possible in state/,
    'no fault');
is(http_get($nginx->port, '/run/cold', timeout => 30)->{status}, 200,
    'and a cold function starts');

ok($agent->stop, 'the end');
$nginx->stop;

done_testing();
