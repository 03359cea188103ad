#!/usr/bin/perl

# The guest network of an agent that was killed, when the next start is told
# of another bridge, another address, or both: what was is taken away.

use strict;
use warnings;

use lib 't/lib';
use AgentHost;
use FcfTest;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

AgentHost::begin('net_moved');
image('hello');

my $n = 0;
my %was = settings('a', egress => 'internet',
    bridge_address => '172.16.0.1/24');

sub forward { ($ns->run('cat', '/proc/sys/net/ipv4/ip_forward'))[0] + 0 }
sub addresses { $ns->run('ip', '-o', '-4', 'address') =~ /\binet (172\S+)/g }
sub bridges { $ns->run('ip', '-o', 'link', 'show', 'type', 'bridge') =~ /^\d+: ([^:\@]+)/mg }
sub tables { $ns->run('nft', 'list', 'tables') =~ /^table (\S+ \S+)/mg }

my $off = forward();
my $agent = started('a', %was);
my @tables = tables();

for my $case (
    ['another bridge', bridge => 'br-b'],
    ['another address', bridge_address => '172.28.0.1/24'],
    ['both', bridge => 'br-c', bridge_address => '172.29.0.1/24'],
    ['another prefix', bridge_address => '172.29.0.1/20'],
    ['the same bridge, adopting', adopt => 'yes'],
    ['another bridge, adopting', bridge => 'br-d', adopt => 'yes'],
    ['another address, adopting', bridge_address => '172.27.0.1/24'],
) {
    my ($name, %more) = @$case;

    subtest $name => sub {
        job('hello', 'req-' . ++$n) if !instances('hello');
        my ($before) = instance('hello');
        $agent->kill('KILL');
        $agent->wait(10);
        %was = (%was, %more);
        $agent = started('a', %was);
        is_deeply([bridges()], [$was{bridge}], 'one bridge');
        is_deeply([addresses()], [$was{bridge_address}], 'one address');
        my @now = tables();
        is(scalar(@now), scalar(@tables), 'as many tables as before')
            or diag "@now";
        like(join(' ', tables()), qr/\Q$was{bridge}\E\b/, 'of that bridge');

        my $same = $name =~ /^the same/;
        wait_for(sub { $same == grep { $_ eq $before } instances('hello') }, 20,
            'its key to be there, or not');
        job('hello', 'req-' . ++$n) if !$same;
        my ($key) = instance('hello');
        is(call('hello', $etcd->get_json($key)->{proxy_port})->{status}, 200,
            'a VM serves');
    };
}

$agent->stop('TERM');
$agent = started('a', %was, adopt => 'no');
ok($agent->stop('TERM'), 'ends');
is_deeply([bridges(), taps('a'), tables()], [], 'nothing is left');
is(forward(), $off, 'ip_forward is what it was');

done_testing;
