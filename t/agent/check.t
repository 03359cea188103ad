#!/usr/bin/perl

# fcfaas-agent --check: each lack by name, with a remedy, and no other.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('check');

# the lines of a check: name => [ok or FAIL, the rest]
sub check {
    my (%set) = @_;
    my %all = (settings('k'), %set);
    my $proc = FcfTest::Proc->spawn(name => 'check-' . (++$AgentHost::life),
        argv => [build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null',
            '--check', '--trial-timeout=1', map { "--$_=$all{$_}" } keys %all]);
    my $status = $proc->wait(30) // die 'the check does not end';
    is($status, 256, 'a lack is told by the status');
    return map { /^(ok|FAIL) +(\w+) +(.*)/ ? ($2 => [$1, $3]) : () }
        split /\n/, $proc->output;
}

sub only {
    my ($lack, $re, %set) = @_;

    subtest "$lack: $re" => sub {
        my %got = check(%set);
        # the instant backend's guest says nothing
        is_deeply([sort grep { $got{$_}[0] eq 'FAIL' } keys %got],
            [sort $lack, 'guest'], 'only that, and the guest of this test');
        like($got{$lack}[1], $re, 'the place and the value');
        like($got{$lack}[1], qr/ -- \w/, 'a remedy');
    };
}

only('functions', qr/functions = "\/nowhere": No such file/,
    functions => '/nowhere');
only('runtimes', qr/runtimes = "\/etc\/passwd": Not a directory/,
    runtimes => '/etc/passwd');
only('secrets', qr{token_file = "/nowhere/token"},
    token_file => '/nowhere/token');

$ns->run('ip', 'link', 'add', 'cable7', 'type', 'veth',
    'peer', 'name', 'cable8');
$ns->run('ip', 'addr', 'add', '172.30.0.1/16', 'dev', 'cable7');
only('network', qr{172\.30\.5\.1/24 overlaps.*cable7},
    bridge_address => '172.30.5.1/24');
only('network', qr/cable7.*no bridge/, bridge => 'cable7');
unlike($ns->run('ip', '-o', 'link'), qr/br-k|tk\d/, 'nothing is made');

only('ports', qr/10\.9\.8\.7:30000/, advertise => '10.9.8.7');
{
    my $port = free_port();
    my $taken = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
        LocalPort => $port, Proto => 'tcp') or die "listen: $!";
    only('ports', qr/0 of $port to $port are free/, port_first => $port,
        port_last => $port);
}

$etcd->pause;
only('etcd', qr/etcd +|no answer|timed? ?out/i);
$etcd->resume;
$redis->pause;
only('redis', qr/redis|no answer/i);
$redis->resume;

done_testing();
