#!/usr/bin/perl

# Who may reach VMs' ports: without allow and token_file nobody from outside.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use IO::Socket::INET;
use Test::More;

AgentHost::begin('open');

my $address = '10.77.0.5';
$ns->run('ip', 'link', 'add', 'lan0', 'type', 'veth',
    'peer', 'name', 'lan1');
$ns->run('ip', 'addr', 'add', "$address/24", 'dev', 'lan0');
$ns->run('ip', 'link', 'set', 'lan0', 'up');
image('hello');

sub reached {
    my ($ip, $port) = @_;
    return IO::Socket::INET->new(PeerAddr => $ip, PeerPort => $port,
        Timeout => 5) ? 1 : 0;
}

# what an instance's key says, of an agent with these settings
sub served {
    my ($name, %set) = @_;
    my %all = (settings($name, advertise => $address), %set);
    delete $all{$_} for grep { !defined $all{$_} } keys %all;
    my $agent = started($name, %all);
    job('hello', "req-$name");
    my (undef, $i) = instance('hello');
    my @reached = map { reached($_, $i->{proxy_port}) } '127.0.0.1', $address;
    $agent->stop;
    return ($i->{worker_ip}, \@reached, $agent->output);
}

subtest 'neither a token nor networks' => sub {
    my ($ip, $reached, $log) = served('a', token_file => undef);
    is($ip, '127.0.0.1', 'the key names loopback');
    is_deeply($reached, [1, 0], 'and the port is open there alone');
    my @said = $log =~ /(neither allow nor token_file)/g;
    is(@said, 1, 'it says so, once');
};

subtest 'a token' => sub {
    my ($ip, $reached, $log) = served('b');
    is($ip, $address, 'the key names the address');
    is_deeply($reached, [0, 1], 'and the port is open there alone');
    unlike($log, qr/neither allow nor token_file/, 'nothing to say');
};

subtest 'networks' => sub {
    my ($ip, $reached) = served('c', token_file => undef,
        allow => '10.77.0.0/24');
    is($ip, $address, 'the key names the address');
    is_deeply($reached, [0, 1], 'and the port is open there alone');
};

done_testing();
