#!/usr/bin/perl

# What the agent's guest network refuses to start on, by name.

use strict;
use warnings;

use lib 't/lib';
use NetHost;
use Test::More;

NetHost::begin();

sub test_refusals {
    refused({ len => 30 },
            qr{^refused guest network 172\.16\.0\.1/30: the pref},
            'a prefix too long');
    refused({ address => '172.16.0.0' }, qr{no address of a host},
            'a network\'s address');
    refused({ address => '172.16.0.255' }, qr{no address of a host},
            'a broadcast address');
    refused({ bridge => 'much-too-long-a-name' },
            qr{^refused bridge "much-too}, 'a bridge\'s name');
    refused({ prefix => 'a/b' }, qr{^refused tap_prefix "a/b"},
            'a TAP\'s name');

    sh('ip tuntap add fcn-br mode tap');
    refused({}, qr{^refused bridge fcn-br: a link of that name is there and no},
            'the name of another link');
    sh('ip link del fcn-br');

    sh('ip link add fcn-br type bridge; ip tuntap add dum1 mode tap; '
       . 'ip link set dum1 master fcn-br');
    refused({}, qr{^refused bridge fcn-br has a foreign port: dum1},
            'a foreign port');
    sh('ip link del dum1; ip link set fcn-br alias fcfaas:node-2');
    refused({}, qr{^refused bridge fcn-br belongs to somebody else},
            'another agent\'s bridge');
    sh('ip link del fcn-br');

    sh('ip link add dum1 type bridge; ip addr add 172.16.0.200/30 dev dum1; '
       . 'ip link set dum1 up');
    refused({}, qr{overlaps the address 172\.16\.0\.200/30 of link dum1},
            'an address that overlaps');
    sh('ip addr flush dev dum1; ip route add 172.16.0.0/12 dev dum1');
    refused({}, qr{overlaps the route 172\.16\.0\.0/12 of link dum1},
            'a route that overlaps');
    sh('ip link del dum1');

    sh('ip tuntap add fcntap7 mode tap; ip link set fcntap7 alias fcfaas:x');
    refused({}, qr{^refused tap_prefix fcntap: TAP fcntap7 belongs to another},
            'another agent\'s TAPs');
    refused({ prefix => 'fcn' }, qr{^refused tap_prefix fcn: TAP fcntap7},
            'a prefix of theirs');
    sh('ip link del fcntap7');

    sh('mount --make-rprivate /; mount --bind /dev/null /dev/net/tun');
    refused({}, qr{^refused /dev/net/tun is no TUN device}, 'no TUN device');
    sh('umount /dev/net/tun');

    is(join(' ', keys %{links()}), 'lo', 'no refusal left a link');
    is(sh('nft list ruleset'), '', 'or a rule');
}

test_refusals();

done_testing();
