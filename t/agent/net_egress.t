#!/usr/bin/perl

# The agent's guest network: guests that may go out.

use strict;
use warnings;

use lib 't/lib';
use NetHost;
use Test::More;

NetHost::begin();

sub test_egress {
    my $fwd = '/proc/sys/net/ipv4/ip_forward';

    sh("echo 0 > $fwd");

    my $up = tap_open('up0', 0x1002);
    sh('ip addr add 8.8.8.1/24 dev up0; ip link set up0 up; '
       . 'ip route add default via 8.8.8.2; '
       . 'ip neigh add 8.8.8.2 lladdr 02:00:00:00:00:02 dev up0');
    sh('echo 1 > /proc/sys/net/ipv6/conf/up0/disable_ipv6');

    my $h = start({ egress => 'internet' });
    my $g = take($h);
    my $fd = guest_open($g->{tap});
    my $upmac = pack '(H2)6', split /:/, links()->{up0}{address};

    is(sh("cat $fwd"), "1\n", 'forwarding is on');

    for my $dst ('10.0.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1',
                 '172.16.0.99', '8.8.8.1', GW)
    {
        emit($fd, tcp($g, $dst, 4000, 80, SYN));
        like(scalar get($fd),
             qr/^\Q$dst\E > $g->{addr} (tcp 80 4000 rst\|ack|icmp 3\/13)$/,
             "egress to $dst: refused");
    }

    my ($f, $w);

    emit($fd, tcp($g, '1.1.1.1', 4001, 443, SYN));

    # what the kernel itself sends on a link that came up is passed over
    do { ($f, $w) = get($up) } while $w !~ / tcp |nothing/;
    like($w, qr/^8\.8\.8\.1 > 1\.1\.1\.1 tcp \d+ 443 syn$/,
         'egress to the internet: first out, masqueraded');

    my ($sport, $seq) = unpack 'x34 n x2 N', $f;
    my $peer = { mac => "\x02\0\0\0\0\x02", to => $upmac,
                 addr => '1.1.1.1' };

    emit($up, tcp($peer, '8.8.8.1', 443, $sport, SYN | ACK, $seq + 1));
    is(scalar get($fd), "1.1.1.1 > $g->{addr} tcp 443 4001 syn|ack",
       'the answer comes back');

    emit($up, tcp($peer, $g->{addr}, 5555, 80, SYN));
    do { ($f, $w) = get($up) } while $w !~ / icmp | tcp |nothing/;
    like($w, qr/ > 1\.1\.1\.1 icmp 3\/13$/, 'from outside to a guest: refused');
    fence($fd, $g, 'and not delivered');

    close $fd;

    # the value from before survives a kill
    $h->kill;
    $h = start({ egress => 'internet' });
    is($h->finish('close'), 'closed 0', 'closes');
    is(sh("cat $fwd"), "0\n", 'forwarding is as it was');
    close $up;
}

test_egress();

done_testing();
