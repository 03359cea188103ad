#!/usr/bin/perl

# Where guests with egress get, and where not, whatever somebody else's rules
# make of their packets; how many connections they get; and how large packets
# may be.

use strict;
use warnings;

use lib 't/lib';
use IO::Select;
use NetHost;
use Test::More;

NetHost::begin();

my $up_gw = "\x02\0\0\0\0\x02";

# a way out, and a container of somebody's, both of them TAPs
sub tap {
    my ($name, $addr, @more) = @_;
    my $fd = tap_open($name, 0x1002) or die "$name: $!";

    sh("ip addr add $addr dev $name; ip link set $name up; "
       . "echo 1 > /proc/sys/net/ipv6/conf/$name/disable_ipv6");
    sh($_) for @more;

    return $fd;
}

sub neigh { "ip neigh add $_[1] lladdr " . join(':', unpack '(H2)6', $_[2])
    . " dev $_[0]" }

my $up = tap('up0', '8.8.8.1/24', neigh('up0', '8.8.8.2', $up_gw),
    'ip route add default via 8.8.8.2');
my $c_mac = "\x02\0\0\0\0\x03";
my $c = tap('con0', '10.88.0.1/24', neigh('con0', '10.88.0.2', $c_mac));

# frames that are bridged may pass the rules for packets as well
my $sysctl = '/proc/sys/net/bridge/bridge-nf-call-iptables';
sh("echo 0 > $sysctl") if -e $sysctl;

my $h = start({ egress => 'internet:4,192.168.7.0/24,192.168.0.0/16' });
my $g = take($h);
my $fd = guest_open($g->{tap});
my $sport = 4000;

# the next TCP or ICMP packet there, in words
sub packet {
    my ($fd) = @_;

    for (1 .. 50) {
        my ($f, $w) = get($fd);
        return $f if !defined $w;               # 'nothing'
        return wantarray ? ($w, $f) : $w if $w =~ / tcp | icmp /;
    }
}

sub refused_to {
    my ($dst, $port, $name) = @_;

    emit($fd, tcp($g, $dst, ++$sport, $port, SYN));
    like(packet($fd), qr/^\S+ > $g->{addr} (tcp \d+ $sport rst\|ack|icmp 3\/13)$/,
         $name);
}

sub nothing_at {
    my ($fd, $name) = @_;
    my $f = '';

    while (IO::Select->new($fd)->can_read(0)) {
        sysread $fd, $f, 4096;
        last if word($f) =~ / tcp /;
        $f = '';
    }

    is($f eq '' ? '' : word($f), '', $name);
}

# --- a public address of this host that leads somewhere else

my @dnat = (
    ['nft, a container' => 'add table ip other; add chain ip other pre { type '
     . 'nat hook prerouting priority dstnat; policy accept; }; add rule ip '
     . 'other pre ip daddr 8.8.8.1 tcp dport 8080 dnat to 10.88.0.2:80',
     'delete table ip other'],
    ['with a priority of its own' => 'add table ip other; add chain ip other '
     . 'pre { type nat hook prerouting priority -150; policy accept; }; add '
     . 'rule ip other pre ip daddr 8.8.8.1 tcp dport 8080 dnat to '
     . '10.88.0.2:80', 'delete table ip other'],
    ['to this host' => 'add table ip other; add chain ip other pre { type nat '
     . 'hook prerouting priority dstnat; policy accept; }; add rule ip other '
     . 'pre tcp dport 8080 redirect to :PORT', 'delete table ip other'],
    ['to a guest' => 'add table ip other; add chain ip other pre { type nat '
     . 'hook prerouting priority dstnat; policy accept; }; add rule ip other '
     . 'pre tcp dport 8080 dnat to 172.16.0.3:80', 'delete table ip other'],
    ['a public one to a container' => 'add table ip other; add chain ip other '
     . 'pre { type nat hook prerouting priority dstnat; policy accept; }; add '
     . 'rule ip other pre ip daddr 9.9.9.9 dnat to 10.88.0.2',
     'delete table ip other', '9.9.9.9'],
);

my ($srv, $port) = listening();
my $b = take($h);
my $bfd = guest_open($b->{tap});

for (@dnat) {
    my ($name, $add, $del, $dst) = @$_;

    sh("nft '$_'") for split /; (?=add)/, $add =~ s/PORT/$port/r;
    refused_to($dst || '8.8.8.1', 8080, "DNAT, $name: refused");
    nothing_at($_, 'and nothing gets there') for $c, $bfd;
    ok(!accept(my $s, $srv), 'nor to this host');
    sh("nft '$del'");
}

# then a guest's frame goes from port to port, and isolation ends it
if (-e $sysctl) {
    sh("echo 1 > $sysctl");
    sh("nft '$_'") for split /; (?=add)/, $dnat[3][1];
    emit($fd, tcp($g, '8.8.8.1', ++$sport, 8080, SYN));
    fence($_->[0], $_->[1], 'DNAT to a guest, as a frame: nothing')
        for [$fd, $g], [$bfd, $b];
    sh("nft '$dnat[3][2]'; echo 0 > $sysctl");
}

# --- directly

refused_to('10.88.0.2', 80, 'a private network: refused');
refused_to('8.8.8.1', $port, 'this host\'s public address: refused');
refused_to('10.88.0.1', $port, 'its private one: refused');
refused_to('169.254.169.254', 80, 'metadata: refused');
refused_to('172.16.0.3', 80, 'another guest: refused');
refused_to('172.16.0.77', 80, 'nobody\'s address in the guests\' network');

# --- out, but not more than so many

for my $dst ('1.1.1.1', '192.168.7.9', '192.168.200.1') {
    emit($fd, tcp($g, $dst, ++$sport, 443, SYN));
    like(packet($up), qr/^8\.8\.8\.1 > \Q$dst\E tcp \d+ 443 syn$/,
         "$dst is reached, masqueraded");
}

emit($fd, tcp($g, '1.1.1.2', ++$sport, 443, SYN));
like(packet($up), qr/ > 1\.1\.1\.2 tcp /, 'the fourth');
refused_to('1.1.1.3', 443, 'the fifth is refused');
emit($bfd, tcp($b, '1.1.1.3', 4000, 443, SYN));
like(packet($up), qr/ > 1\.1\.1\.3 tcp /, 'another guest has its own');

# --- the next VM with this address begins anew

close $fd;
is($h->ask("give $g->{tap}"), "given $g->{tap}", 'given back');
my $n = take($h);
is($n->{addr}, $g->{addr}, 'the address is taken again');
$fd = guest_open($n->{tap});
emit($fd, tcp($n, '1.1.1.4', 4000, 443, SYN));
like(packet($up), qr/ > 1\.1\.1\.4 tcp /, 'with its connections left');

# --- size

is($n->{mtu}, 1500, 'the MTU of a way out like any other');

sh('ip link set up0 mtu 1400');
my $m;
ok(NetHost::until(sub { $m = take($h); $h->ask("give $m->{tap}");
                        $m->{mtu} == 1400 }), 'a smaller one is told');

# an answer's segment size is mended for guests that do not know
my $syn = tcp($n, '1.1.1.5', 4001, 443, SYN);
substr($syn, 16, 2) = pack 'n', 44;                     # IP: length
substr($syn, 24, 2) = "\0\0";
substr($syn, 24, 2) = pack 'n', NetHost::sum(substr $syn, 14, 20);
substr($syn, 46, 1) = pack 'C', 0x60;                   # TCP: 24 bytes
$syn .= pack 'C C n', 2, 4, 1460;
substr($syn, 50, 2) = "\0\0";
substr($syn, 50, 2) = pack 'n', NetHost::sum(substr($syn, 26, 8)
    . pack('C C n', 0, 6, 24) . substr $syn, 34);
emit($fd, $syn);
my ($w, $f) = packet($up);
like($w, qr/ > 1\.1\.1\.5 tcp /, 'a SYN with its segment size');
is(unpack('x56 n', $f), 1360, 'leaves with what fits');

close $_ for $fd, $bfd;
is($h->finish('close'), 'closed 0', 'closes');

# --- without egress nothing of that gets anywhere

$h = start();
$g = take($h);
$fd = guest_open($g->{tap});

sh("nft '$_'") for split /; (?=add)/, $dnat[0][1];
refused_to('8.8.8.1', 8080, 'no egress: DNAT');
refused_to('1.1.1.1', 443, 'no egress: outside');
refused_to('192.168.7.9', 443, 'no egress: a private network');
is($g->{mtu}, 1500, 'and its own MTU');
close $fd;
is($h->finish('close'), 'closed 0', 'closes');

done_testing();
