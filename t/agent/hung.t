#!/usr/bin/perl

# An instance that hangs, or is dead, as gateways see it through its port.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('hung');

image('hang', fail => 'hang');
my $agent = started('a', settings('a'));

sub last_of {
    my ($key) = @_;
    return ($etcd->get_json($key) // {})->{state};
}

subtest 'three requests past timeout_s' => sub {
    $etcd->spec('hang', version => 1, timeout_s => 1);
    our_job('hang', 'req-1', 1);
    my ($key, $i) = instance('hang');
    my @c = map { http_send($i->{proxy_port}, '/', headers => {
        'X-Fcfaas-Function' => 'hang', 'X-Fcfaas-Token' => 'sesame' }) } 1, 2;
    $agent->line_matching(qr/registered after/, 10);
    ok(!eval { $_->response(1.5); 1 }, 'no answer') for @c;
    is(last_of($key) // 'ready', 'ready', 'two are not enough');
    push @c, http_send($i->{proxy_port}, '/', headers => {
        'X-Fcfaas-Function' => 'hang', 'X-Fcfaas-Token' => 'sesame' });
    $agent->line_matching(qr/longer than timeout_s; replacing it/, 10);
    wait_for(sub { (last_of($key) // 'gone') ne 'ready' }, 5,
        'it to be given up');
    is(call('hang', $i->{proxy_port})->{headers}{'x-fcfaas-unsent'},
        'draining', 'its port says so');
    our_job('hang', 'req-2', 1);
    wait_for(sub { my @k = instances('hang'); @k == 1 && $k[0] ne $key }, 20,
        'another instance');
    pass('another takes its place');
    undef @c;
};

$agent->stop;
ok(!vmms('a'), 'nothing is left');

done_testing();
