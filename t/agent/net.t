#!/usr/bin/perl

# The agent's guest network (agent/net/): links, rules, NICs taken and given.

use strict;
use warnings;

use lib 't/lib';
use NetHost;
use IO::Select;
use POSIX ();
use Socket;
use Test::More;
use Time::HiRes qw(time);

NetHost::begin();

sub test_properties {
    my ($h) = @_;

    my $nic = take($h);
    my $links = links();
    my $tap = $links->{$nic->{tap}};
    my $br = $links->{'fcn-br'};

    is($nic->{tap}, 'fcntap0', 'the first TAP');
    is($nic->{addr}, '172.16.0.2', 'the first address');
    is(join(':', unpack '(H2)6', $nic->{mac}), '06:00:ac:10:00:02',
       'the MAC follows from it');

    is($br->{address}, '06:fc:00:00:00:01', 'bridge: MAC');
    is($br->{linkinfo}{info_data}{stp_state}, 0, 'bridge: no STP');
    is($br->{linkinfo}{info_data}{mcast_snooping}, 0, 'bridge: no snooping');
    like($br->{ifalias}, qr/^fcfaas:node-1( |$)/, 'bridge: alias');
    like(sh('ip -4 addr show dev fcn-br'), qr{inet 172\.16\.0\.1/24 },
         'bridge: address');

    is($tap->{master}, 'fcn-br', 'TAP: in the bridge');
    is($tap->{ifalias}, 'fcfaas:node-1', 'TAP: alias');
    ok($tap->{linkinfo}{info_slave_data}{isolated}, 'TAP: isolated');
    ok($tap->{linkinfo}{info_data}{persist}, 'TAP: persistent');
    ok(!$tap->{linkinfo}{info_data}{multi_queue}, 'TAP: one queue');
    ok((grep { $_ eq 'UP' } @{$tap->{flags}}), 'TAP: up');

    like(sh('ip neigh show dev fcn-br'),
         qr/^172\.16\.0\.2 lladdr 06:00:ac:10:00:02 PERMANENT/m,
         'a permanent neighbour');

    for my $if ('fcn-br', $nic->{tap}) {
        is(sh("cat /proc/sys/net/ipv6/conf/$if/disable_ipv6"), "1\n",
           "$if: no IPv6");
    }

    is($h->ask('free'), 'free 252', 'one address less');

    for my $flags (0x5002, 0x1002) {
        ok(tap_open($nic->{tap}, $flags),
           sprintf 'TAP: opens with flags 0x%x', $flags);
    }

    return $nic;
}

sub test_spoof {
    my ($fd, $g) = @_;

    awake($fd, $g, 'ARP is answered with the bridge\'s MAC');

    emit($fd, arp($g, '172.16.0.77'));
    fence($fd, $g, 'ARP with another address is not');

    emit($fd, arp($g, undef, "\x06\0\xac\x10\0\x4d"));
    fence($fd, $g, 'ARP with another MAC inside is not');

    emit($fd, tcp({ %$g, src => '172.16.0.77' }, GW, 1, 2, SYN));
    fence($fd, $g, 'another source address: not even a reset');

    emit($fd, tcp({ %$g, from => "\x06\0\xac\x10\0\x4d" }, GW, 1, 2, SYN));
    fence($fd, $g, 'another source MAC: not even a reset');

    emit($fd, GW_MAC . $g->{mac} . "\x86\xdd" . "\x60" . "\0" x 59);
    fence($fd, $g, 'IPv6 is dropped');

    emit($fd, GW_MAC . $g->{mac} . "\x81\x00\x00\x01"
         . substr(tcp($g, GW, 1, 2, SYN), 12));
    fence($fd, $g, 'a VLAN tag is no way round');
}

# two listening sockets that a guest must not reach
sub test_refused {
    my ($fd, $g, $port) = @_;

    for my $dst (GW, '10.77.0.1', '172.16.0.99', '192.0.2.1',
                 '169.254.169.254')
    {
        emit($fd, tcp($g, $dst, 4000, $port, SYN));
        is(scalar get($fd), "$dst > $g->{addr} tcp $port 4000 rst|ack",
           "guest to $dst: reset");
    }

    emit($fd, ip_frame($g, GW, 17, pack 'n n n n', 5000, 53, 8, 0));
    is(scalar get($fd), GW . " > $g->{addr} icmp 3/13",
       'guest to host, UDP: prohibited');

    emit($fd, ip_frame($g, GW, 1, pack 'C C n n n', 8, 0, 0xf7ff, 0, 0));
    is(scalar get($fd), GW . " > $g->{addr} icmp 3/13",
       'guest pings host: prohibited');
}

sub test_from_host {
    my ($fd, $g) = @_;

    my $s = connecting($g->{addr}, 80);
    my ($f, $w) = get($fd);

    like($w, qr/^172\.16\.0\.1 > $g->{addr} tcp \d+ 80 syn$/,
         'host to guest: the SYN comes first, without ARP');
    is(substr($f, 0, 6), $g->{mac}, 'to the guest\'s MAC');

    my ($sport, $seq) = unpack 'x34 n x2 N', $f;

    # a forged answer first
    emit($fd, tcp({ %$g, from => "\x06\0\xac\x10\0\x4d" }, GW, 80, $sport,
                  RST | ACK, $seq + 1));
    emit($fd, tcp($g, GW, 80, $sport, SYN | ACK, $seq + 1));

    ok(IO::Select->new($s)->can_write(DEADLINE), 'the connect ends');
    is(unpack('i', getsockopt($s, SOL_SOCKET, SO_ERROR)), 0, 'well');
    like(scalar get($fd), qr/ ack$/, 'and is acknowledged');

    setsockopt($s, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0) or die $!;
    close $s;
    like(scalar get($fd), qr/ rst\|ack$/, 'and ends');
}

sub test_two_guests {
    my ($h, $fd, $g, $nf) = @_;

    my $b = take($h);
    my $bfd = guest_open($b->{tap});

    emit($fd, tcp({ %$g, to => $b->{mac} }, $b->{addr}, 4000, 80, SYN));
    is(scalar get($fd), "$b->{addr} > $g->{addr} tcp 80 4000 rst|ack",
       'a guest to another by its MAC: reset') if $nf;

    emit($fd, "\xff" x 6 . $g->{mac} . "\x08\x06" . pack
         'n n C C n a6 a4 a6 a4', 1, 0x800, 6, 4, 1, $g->{mac},
         inet_aton($g->{addr}), "\0" x 6, inet_aton($b->{addr}));
    fence($fd, $g, 'a guest to another: no answer to ARP');
    fence($bfd, $b, 'and nothing gets there');

    emit($bfd, arp({ %$b, mac => $g->{mac} }, $g->{addr}));
    emit($bfd, tcp({ %$g }, GW, 4000, 80, SYN));
    fence($bfd, $b, 'one guest in another\'s name: dropped');

    close $bfd;
    is($h->ask("give $b->{tap}"), "given $b->{tap}", 'given back');
    ok(!(grep { $_ eq 'UP' } @{links()->{$b->{tap}}{flags}}), 'it is down');
    is(take($h)->{tap}, $b->{tap}, 'and taken again');
    is($h->ask("give $b->{tap}"), "given $b->{tap}", 'and given');
}

sub test_rules {
    my ($h, $g) = @_;

    sh('ip link add dum0 type bridge; ip addr add 10.77.0.1/24 dev dum0; '
       . 'ip link set dum0 up');

    my $fd = guest_open($g->{tap});

    socket(my $srv, PF_INET, SOCK_STREAM, 0);
    bind($srv, sockaddr_in(0, INADDR_ANY)) && listen($srv, 5) or die $!;
    my ($port) = sockaddr_in(getsockname $srv);

    # with and without bridged frames passing the IP hooks as well
    my $sysctl = '/proc/sys/net/bridge/bridge-nf-call-iptables';

    for my $nf (-e $sysctl ? (0, 1) : 0) {
        sh("echo $nf > $sysctl") if -e $sysctl;

        test_spoof($fd, $g);
        test_refused($fd, $g, $port);
        test_from_host($fd, $g);
        test_two_guests($h, $fd, $g, $nf);
    }

    sh('nft flush ruleset');
    my $b = take($h);
    like(sh('nft list table inet fcfaas_fcn-br'), qr/chain guests/,
         'a flushed ruleset is put back at the next take');
    test_spoof($fd, $g);
    is($h->ask("give $b->{tap}"), "given $b->{tap}", 'given');

    for my $table ('inet fcfaas_fcn-br', 'bridge fcfaas_fcn-br') {
        sh("nft delete table $table");

        my $end = time() + DEADLINE;
        my $there;

        until ($there = sh('nft list tables') =~ /$table/ or time() > $end) {
            select undef, undef, undef, 0.1;
        }

        ok($there, "a deleted table is put back by itself: $table");
    }

    test_spoof($fd, $g);
    sh('ip link del dum0');
}

sub test_adoption {
    my ($h, $g) = @_;

    my $busy = tap_open($g->{tap});

    $h->kill;

    my $before = join ' ', sort keys %{links()};
    refused({}, qr/^refused TAP $g->{tap}, of an agent with this node_id/,
            'a TAP in use');
    is(join(' ', sort keys %{links()}), $before, 'and nothing was touched');
    close $busy;

    $h = start();
    is($h->{first}, 'open', 'opens after a kill');
    is(join(' ', sort keys %{links()}), $before, 'with the same links');
    is($h->ask('free'), 'free 253', 'nobody holds an address');

    my $nic = take($h);
    is($nic->{tap}, 'fcntap0', 'a TAP of the run before');

    my $fd = guest_open($nic->{tap});
    test_spoof($fd, $nic);
    close $fd;

    is($h->ask("give $nic->{tap}"), "given $nic->{tap}", 'given');

    return $h;
}

sub test_pool {
    my ($h) = @_;

    my @taps = map { take($h)->{tap} } 1 .. 12;
    is(scalar(grep { /^fcntap/ } keys %{links()}), 12, 'twelve TAPs');

    is($h->ask("give $_"), "given $_", "given $_") for @taps;

    my $end = time() + DEADLINE;
    while ((grep { /^fcntap/ } keys %{links()}) > 8 && time() < $end) {
        select undef, undef, undef, 0.02;
    }

    is(scalar(grep { /^fcntap/ } keys %{links()}), 8,
       'what is above pool_max is deleted');

    my @elements = sh('nft list set bridge fcfaas_fcn-br nics') =~ /"fcntap/g;
    is(scalar @elements, 8, 'with its rules');
    is(() = sh('ip neigh show nud permanent dev fcn-br') =~ /lladdr/g, 8,
       'and its neighbour entry');
    is($h->ask('free'), 'free 253', 'and its address is free');
}

sub test_limit {
    my $h = start({ len => 29, pool => 0 });

    is($h->ask('free'), 'free 5', 'a /29 has five guests');
    take($h) for 1 .. 5;
    like($h->ask('take'), qr{^error guest network 172\.16\.0\.1/29 is full},
         'the sixth is refused');
    is($h->finish('close'), 'closed 0', 'closes with NICs out');
}

# takes that are still under way when the network is closed
sub test_close_early {
    my $h = start();

    $h->order("burst 40\nclose");
    my @all = map { $h->line } 1 .. 41;
    is(scalar(grep { /^nic |^error the network was closed/ } @all), 40,
       'closed with takes under way: each is answered');
    is($h->finish, 'closed 0', 'and closes');
    is(join(' ', keys %{links()}), 'lo', 'no link is left');
}

sub test_burst {
    my ($h) = @_;

    my @all = ($h->ask('burst 50'), map { $h->line } 1 .. 50);
    my ($us) = $all[-1] =~ /^burst 50 (\d+)$/;

    is(scalar(grep { /^nic / } @all), 50, 'fifty at once');
    diag("fifty: $us us");

    my %seen;
    $seen{(split / /)[3]}++ for @all[0 .. 49];
    is(scalar keys %seen, 50, 'with an address each');

    print {$h->{in}} map { 'give ' . (split / /)[1] . "\n" } @all[0 .. 49];
    $h->line for 1 .. 50;
}

# two agents in one namespace
sub test_neighbours {
    my $a = start();
    my $b = start({ bridge => 'fcn-b2', prefix => 'fco', node => 'node-2',
                    address => '172.17.0.1' });

    is($b->{first}, 'open', 'a second agent beside the first');

    my $na = take($a);
    my $nb = take($b);
    my $fd = guest_open($na->{tap});

    is($b->finish('close'), 'closed 0', 'the second ends');
    fence($fd, $na, 'the first goes on');
    close $fd;
    is($a->finish('close'), 'closed 0', 'and ends');
}

# An agent was killed while it started a process, which has its descriptors
# until it becomes another program; here, until it has been looked at.
sub test_left_behind {
    pipe my $from, my $to or die "pipe: $!";

    my $agent = fork // die "fork: $!";
    if ($agent == 0) {
        socket my $lock, AF_UNIX, SOCK_SEQPACKET, 0 or die "socket: $!";
        bind $lock, pack_sockaddr_un("\0fcfaas/bridge/fcn-br")
            or die "bind: $!";
        listen $lock, 8 or die "listen: $!";

        if ((fork // die "fork: $!") == 0) {
            close $to;
            accept my $looks, $lock;
            POSIX::_exit(0);
        }

        syswrite $to, "there\n";
        POSIX::_exit(0);
    }

    is(scalar readline $from, "there\n", 'an agent has the bridge');
    waitpid $agent, 0;

    my $h = start();
    is($h->{first}, 'open', 'what it has left behind is waited for');
    is($h->finish('close'), 'closed 0', 'and the next one ends');
}

my $h = start();
is($h->{first}, 'open', 'open');

my $nic = test_properties($h);
test_rules($h, $nic);
$h = test_adoption($h, $nic);
test_pool($h);
test_burst($h);

is($h->finish('close'), 'closed 0', 'close');
is(join(' ', keys %{links()}), 'lo', 'no link is left');
is(sh('nft list ruleset'), '', 'no rule is left');

test_limit();
test_close_early();
test_neighbours();
test_left_behind();

done_testing();
