#!/usr/bin/perl

# An agent that is killed while it makes its network, once the bridge has its
# address and the rules are not there yet: the next one knows the bridge for
# one of its own, and takes it away at its end.

use strict;
use warnings;

use lib 't/lib';
use AgentHost;
use FcfTest;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

AgentHost::begin('net_cut');

my %set = settings('a', bridge_address => '172.16.0.1/24');

# of this namespace, and looked at in no time
sub has_address { slurp('/proc/self/net/fib_trie') =~ /172\.16\.0\.1\b/ }

for my $n (1 .. 5) {
    my $agent = agent('a', %set);
    my $end = now() + 20;
    select undef, undef, undef, 0.0001 until has_address() || now() > $end;
    $agent->kill('KILL');
    $agent->wait(10);
    like(scalar $ns->run('ip', '-o', 'link', 'show', 'br-a'),
        qr/alias fcfaas:a made/, "killed, $n: the bridge says whose it is");

    $agent = started('a', %set);
    $agent->kill('TERM');
    is($agent->wait(20), 0, 'the next ends');
    unlike(scalar $ns->run('ip', '-o', 'link'), qr/br-a/, 'no bridge is left');
}

done_testing();
