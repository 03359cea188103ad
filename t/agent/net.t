#!/usr/bin/perl

# The agent's guest network (agent/net*.c) in a network namespace of its own.
# Guests are TAPs opened by this test: each frame is written and read by hand.
#
# That something does not come is shown without waiting: a frame that must be
# answered is sent after it, and the first answer must be to that one.

use strict;
use warnings;

use IO::Select;
use IPC::Open2;
use JSON::PP;
use POSIX ();
use Socket;
use Test::More;
use Time::HiRes qw(time);

if ($> != 0 || !-e '/dev/net/tun') {
    plan skip_all => 'needs root and /dev/net/tun';
}

if (!$ENV{FCF_NET_T}) {
    $ENV{FCF_NET_T} = 1;
    exec('unshare', '--net', '--mount', $^X, $0) or die "unshare: $!";
}

my $build = $ENV{FCF_BUILD} || 'build/asan';
my $host = "$build/t/unit/net_host";

use constant {
    TUNSETIFF => 0x400454ca,
    DEADLINE  => 10,
    GW_MAC    => "\x06\xfc\0\0\0\1",
    GW        => '172.16.0.1',
    SYN       => 0x02,
    RST       => 0x04,
    ACK       => 0x10,
};

sub sh {
    my ($cmd) = @_;

    my $out = `$cmd 2>&1`;
    die "$cmd: $out" if $?;

    return $out;
}

sub links { return { map { $_->{ifname} => $_ }
                     @{decode_json(sh('ip -d -j link show'))} }; }

# --- the program under test

sub start {
    my ($opt) = (@_, {});

    my @args = ($opt->{bridge} || 'fcn-br', $opt->{prefix} || 'fcntap',
                $opt->{node} || 'node-1', $opt->{address} || GW,
                $opt->{len} || 24, $opt->{egress} || 'none',
                $opt->{pool} // 8);

    my $self = { select => IO::Select->new };

    $self->{pid} = open2($self->{out}, $self->{in}, $host, @args);
    $self->{select}->add($self->{out});
    $self->{in}->autoflush(1);
    $self->{buf} = '';
    $self->{first} = line($self);

    return $self;
}

sub line {
    my ($self) = @_;

    my $end = time() + DEADLINE;

    while (index($self->{buf}, "\n") < 0) {
        $self->{select}->can_read($end - time())
            or die "net_host: no answer within the deadline";
        sysread($self->{out}, $self->{buf}, 4096, length $self->{buf})
            or return 'end of output';
    }

    (my $line, $self->{buf}) = split /\n/, $self->{buf}, 2;

    return $line;
}

sub ask {
    my ($self, $command) = @_;

    print {$self->{in}} "$command\n";

    return line($self);
}

sub take {
    my ($self) = @_;

    my ($word, $tap, $mac, $addr, $us) = split / /, ask($self, 'take');

    return { tap => $tap, addr => $addr, us => $us, word => $word,
             mac => pack('(H2)6', split /:/, $mac) };
}

sub finish {
    my ($self, $how) = @_;

    print {$self->{in}} "$how\n" if $how;
    close $self->{in};

    my $last = line($self);
    waitpid $self->{pid}, 0;

    return "$last $?";
}

sub refused {
    my ($opt, $want, $name) = @_;

    my $h = start($opt);
    close $h->{in};
    waitpid $h->{pid}, 0;
    like($h->{first}, $want, $name);
    is($? >> 8, 1, "$name: exit code");
}

# --- frames

sub tap_open {
    my ($name, $flags) = @_;

    open(my $fd, '+<', '/dev/net/tun') or die "/dev/net/tun: $!";
    ioctl($fd, TUNSETIFF, pack('a16 s x22', $name, $flags // 0x1002))
        or return;

    return $fd;
}

# the bridge takes frames a moment after somebody has opened the TAP
sub guest_open {
    my ($name) = @_;

    my $fd = tap_open($name) or die "TAP $name: $!";
    my $end = time() + DEADLINE;

    while (links()->{$name}{linkinfo}{info_slave_data}{state} ne 'forwarding')
    {
        die "TAP $name: not forwarding" if time() > $end;
        select undef, undef, undef, 0.002;
    }

    return $fd;
}

sub sum {
    my ($s) = @_;

    my $n = 0;
    $n += $_ for unpack 'n*', length($s) % 2 ? "$s\0" : $s;
    $n = ($n & 0xffff) + ($n >> 16) while $n >> 16;

    return ~$n & 0xffff;
}

sub ip_frame {
    my ($g, $dst, $proto, $data) = @_;

    my $src = inet_aton($g->{src} || $g->{addr});
    my $ip = pack 'C C n n n C C n a4 a4', 0x45, 0, 20 + length $data, 1, 0,
        64, $proto, 0, $src, inet_aton($dst);
    substr($ip, 10, 2) = pack 'n', sum($ip);

    return ($g->{to} || GW_MAC) . ($g->{from} || $g->{mac}) . "\x08\x00"
        . $ip . $data;
}

sub tcp {
    my ($g, $dst, $sport, $dport, $flags, $ack) = @_;

    my $t = pack 'n n N N C C n n n', $sport, $dport, 1000, $ack || 0, 0x50,
        $flags, 65535, 0, 0;
    my $pseudo = inet_aton($g->{src} || $g->{addr}) . inet_aton($dst)
        . pack('C C n', 0, 6, length $t);
    substr($t, 16, 2) = pack 'n', sum($pseudo . $t);

    return ip_frame($g, $dst, 6, $t);
}

sub arp {
    my ($g, $spa, $sha) = @_;

    return "\xff" x 6 . $g->{mac} . "\x08\x06"
        . pack 'n n C C n a6 a4 a6 a4', 1, 0x800, 6, 4, 1, $sha || $g->{mac},
        inet_aton($spa || $g->{addr}), "\0" x 6, inet_aton(GW);
}

sub emit { my ($fd, $frame) = @_; syswrite($fd, $frame) or die "write: $!"; }

# what came, in words
sub word {
    my ($f) = @_;

    my $type = unpack 'x12 n', $f;

    if ($type == 0x806) {
        my ($op, $sha, $spa) = unpack 'x20 n a6 a4', $f;
        return "arp $op " . join(':', unpack '(H2)6', $sha) . ' '
            . inet_ntoa($spa);
    }

    return sprintf('type %04x', $type) if $type != 0x800;

    my ($proto, $src, $dst) = unpack 'x23 C x2 a4 a4', $f;
    my $way = inet_ntoa($src) . ' > ' . inet_ntoa($dst);

    if ($proto == 6) {
        my ($sport, $dport, $flags) = unpack 'x34 n n x9 C', $f;
        return sprintf '%s tcp %d %d %s', $way, $sport, $dport, join '|',
            grep { $_ } $flags & SYN && 'syn', $flags & RST && 'rst',
            $flags & ACK && 'ack';
    }

    return "$way icmp " . join '/', unpack 'x34 C C', $f if $proto == 1;
    return "$way proto $proto";
}

sub get {
    my ($fd) = @_;

    my $s = IO::Select->new($fd);
    my $f;

    $s->can_read(DEADLINE) or return 'nothing';
    sysread($fd, $f, 4096) or die "read: $!";

    return ($f, word($f)) if wantarray;
    return word($f);
}

sub fence {
    my ($fd, $g, $name) = @_;

    emit($fd, arp($g));
    is(scalar get($fd), 'arp 2 06:fc:00:00:00:01 ' . GW, $name);
}

sub connecting {
    my ($addr, $port) = @_;

    socket(my $s, PF_INET, SOCK_STREAM | Socket::SOCK_NONBLOCK(), 0)
        or die "socket: $!";
    connect($s, sockaddr_in($port, inet_aton($addr)));

    return $s;
}

# --- tests

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

    is(ask($h, 'free'), 'free 252', 'one address less');

    for my $flags (0x5002, 0x1002) {
        ok(tap_open($nic->{tap}, $flags),
           sprintf 'TAP: opens with flags 0x%x', $flags);
    }

    return $nic;
}

sub test_spoof {
    my ($fd, $g) = @_;

    fence($fd, $g, 'ARP is answered with the bridge\'s MAC');

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
    is(ask($h, "give $b->{tap}"), "given $b->{tap}", 'given back');
    ok(!(grep { $_ eq 'UP' } @{links()->{$b->{tap}}{flags}}), 'it is down');
    is(take($h)->{tap}, $b->{tap}, 'and taken again');
    is(ask($h, "give $b->{tap}"), "given $b->{tap}", 'and given');
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
    is(ask($h, "give $b->{tap}"), "given $b->{tap}", 'given');

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

    kill 9, $h->{pid};
    waitpid $h->{pid}, 0;

    my $before = join ' ', sort keys %{links()};
    refused({}, qr/^refused TAP $g->{tap}, of an agent with this node_id/,
            'a TAP in use');
    is(join(' ', sort keys %{links()}), $before, 'and nothing was touched');
    close $busy;

    $h = start();
    is($h->{first}, 'open', 'opens after a kill');
    is(join(' ', sort keys %{links()}), $before, 'with the same links');
    is(ask($h, 'free'), 'free 253', 'nobody holds an address');

    my $nic = take($h);
    is($nic->{tap}, 'fcntap0', 'a TAP of the run before');

    my $fd = guest_open($nic->{tap});
    test_spoof($fd, $nic);
    close $fd;

    is(ask($h, "give $nic->{tap}"), "given $nic->{tap}", 'given');

    return $h;
}

sub test_pool {
    my ($h) = @_;

    my @taps = map { take($h)->{tap} } 1 .. 12;
    is(scalar(grep { /^fcntap/ } keys %{links()}), 12, 'twelve TAPs');

    is(ask($h, "give $_"), "given $_", "given $_") for @taps;

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
    is(ask($h, 'free'), 'free 253', 'and its address is free');
}

sub test_limit {
    my $h = start({ len => 29, pool => 0 });

    is(ask($h, 'free'), 'free 5', 'a /29 has five guests');
    take($h) for 1 .. 5;
    like(ask($h, 'take'), qr{^error guest network 172\.16\.0\.1/29 is full},
         'the sixth is refused');
    is(finish($h, 'close'), 'closed 0', 'closes with NICs out');
}

# takes that are still under way when the network is closed
sub test_close_early {
    my $h = start();

    print {$h->{in}} "burst 40\nclose\n";
    my @all = map { line($h) } 1 .. 41;
    is(scalar(grep { /^nic |^error the network was closed/ } @all), 40,
       'closed with takes under way: each is answered');
    is(finish($h), 'closed 0', 'and closes');
    is(join(' ', keys %{links()}), 'lo', 'no link is left');
}

sub test_burst {
    my ($h) = @_;

    my @all = (ask($h, 'burst 50'), map { line($h) } 1 .. 50);
    my ($us) = $all[-1] =~ /^burst 50 (\d+)$/;

    is(scalar(grep { /^nic / } @all), 50, 'fifty at once');
    diag("fifty: $us us");

    my %seen;
    $seen{(split / /)[3]}++ for @all[0 .. 49];
    is(scalar keys %seen, 50, 'with an address each');

    print {$h->{in}} map { 'give ' . (split / /)[1] . "\n" } @all[0 .. 49];
    line($h) for 1 .. 50;
}

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
    kill 9, $h->{pid};
    waitpid $h->{pid}, 0;
    $h = start({ egress => 'internet' });
    is(finish($h, 'close'), 'closed 0', 'closes');
    is(sh("cat $fwd"), "0\n", 'forwarding is as it was');
    close $up;
}

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

# two agents in one namespace
sub test_neighbours {
    my $a = start();
    my $b = start({ bridge => 'fcn-b2', prefix => 'fco', node => 'node-2',
                    address => '172.17.0.1' });

    is($b->{first}, 'open', 'a second agent beside the first');

    my $na = take($a);
    my $nb = take($b);
    my $fd = guest_open($na->{tap});

    is(finish($b, 'close'), 'closed 0', 'the second ends');
    fence($fd, $na, 'the first goes on');
    close $fd;
    is(finish($a, 'close'), 'closed 0', 'and ends');
}

sh('ip link set lo up');

my $h = start();
is($h->{first}, 'open', 'open');

my $nic = test_properties($h);
test_rules($h, $nic);
$h = test_adoption($h, $nic);
test_pool($h);
test_burst($h);

is(finish($h, 'close'), 'closed 0', 'close');
is(join(' ', keys %{links()}), 'lo', 'no link is left');
is(sh('nft list ruleset'), '', 'no rule is left');

test_limit();
test_close_early();
test_neighbours();
test_egress();
test_refusals();

done_testing();
