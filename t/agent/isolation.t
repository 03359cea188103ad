#!/usr/bin/perl

# What a real guest reaches, asked from inside it: another guest, the host,
# etcd and Redis there, the cloud's metadata, the LAN and the internet, under
# both egress settings, while the host's firewall is reloaded again and again,
# and through a DNAT rule of somebody's; and with frames of its own making, as
# if it were somebody else.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Handle;
use IO::Socket::INET;
use Socket;
use Test::More;

my $vmm = build_dir() . '/vm/vmm/fcfaas-vmm';
my $images = root() . '/build/vm';
my $count = 0;

plan skip_all => 'needs root and /dev/net/tun' if $> != 0 || !-e '/dev/net/tun';
plan skip_all => "$vmm is not built" unless -x $vmm && -e "$images/vmlinux";
plan skip_all => 'no QEMU' unless on_path('qemu-system-x86_64');

# outside lies behind a router: the LAN, the metadata service, the internet
my $node = FcfTest::Netns->new('node');
my $outside = FcfTest::Netns->new('out');
my ($way) = $node->veth($outside, '8.8.8.1/24', '8.8.8.2/24');

$outside->run(qw(ip addr add), "$_/32", qw(dev lo))
    for qw(1.1.1.1 10.77.0.2 192.168.3.4 169.254.169.254);
$node->run(qw(ip route add default via 8.8.8.2));
$node->run(qw(ip addr add 10.77.0.1/24 dev lo));
$node->enter;

require LineHost;
$ENV{FCF_OWN_NETNS} = 1;
require NetHost;


# what listens, and counts who came
my %servers;

sub serve {
    my ($ns, $addr, $port) = @_;

    $servers{"$addr:$port"} = FcfTest::Netns::within($ns, sub {
        IO::Socket::INET->new(LocalAddr => $addr, LocalPort => $port,
            Listen => 64, ReuseAddr => 1, Blocking => 0)
            or die "$addr:$port: $!\n";
    });
}

serve($node, '0.0.0.0', $_) for 2379, 6379;
serve($outside, '0.0.0.0', $_) for 80, 443;

sub came {
    my $n = 0;

    for (values %servers) {
        while (my $s = $_->accept) { $n++ }
    }

    return $n;
}


# --- guests

sub function_image {
    my $dir = tmpdir() . '/function';

    mkdir $dir or die "$dir: $!";
    spew("$dir/bootstrap", <<'END');
#!/bin/sh
mkdir -p /tmp/www/cgi-bin
cat > /tmp/www/cgi-bin/try <<'TRY'
#!/bin/sh
printf 'Content-Type: text/plain\r\n\r\n'
set -- $(echo "$QUERY_STRING" | tr ':&' '  ')
n=0
for i in $(seq ${3:-1}); do
    timeout -s KILL 8 nc -w 2 "$1" "$2" -e busybox true </dev/null \
        >/dev/null 2>&1 && n=$((n + 1))
done
echo "$n"
TRY
chmod +x /tmp/www/cgi-bin/try
exec busybox httpd -f -p "$PORT" -h /tmp/www
END
    chmod 0755, "$dir/bootstrap";
    system("@{[root()]}/vm/mkfunction $dir $dir.img") == 0 or die 'mkfunction';

    return "$dir.img";
}

my $function = function_image();

# init, and beside it one that sends what it is told to
sub raw_initrd {
    my $dir = tmpdir() . '/raw';

    mkdir $dir or die "$dir: $!";
    system("cd $dir && cpio -id --quiet init <$images/initramfs.img && mv init "
        . "init.real && cp @{[build_dir()]}/t/unit/guest_raw init && { cat "
        . "$images/initramfs.img; printf '%s\\n' init init.real | cpio -o "
        . '--quiet -H newc; } >initrd') == 0 or die 'cpio';

    return "$dir/initrd";
}

my $raw_initrd = raw_initrd();

sub boot {
    my ($nic) = @_;
    my $name = 'iso' . ++$count;
    my $vm = { %$nic, name => $name, sock => tmpdir() . "/$name.sock",
        console => tmpdir() . "/$name.console" };
    my $mac = join ':', unpack '(H2)6', $nic->{mac};
    my $config = json_encode({ function_id => 'try', version => 1,
        instance_id => $name, port => 80, address => $nic->{addr},
        prefix_len => 24, gateway => '172.16.0.1', mac => $mac,
        mtu => $nic->{mtu} + 0, hostname => $name,
        time_ms => int(1000 * now()), env => {}, secrets => {} });
    my $data = 'FCVCONF1' . pack('N', length $config) . $config;

    spew(tmpdir() . "/$name.config", $data . "\0" x (-length($data) % 512));
    $vm->{proc} = FcfTest::Proc->spawn(name => $name, argv => [$vmm,
        '--api-sock', $vm->{sock}, '--id', $name, '--backend', 'qemu']);
    wait_for(sub { curl('--unix-socket', $vm->{sock}, 'http://x/')->{status} },
        20, 'the API');

    my $put = sub {
        my ($path, %body) = @_;
        my $r = curl('--unix-socket', $vm->{sock}, '-X', 'PUT', '-m', 120,
            '-d', json_encode(\%body), "http://localhost$path");
        die "PUT $path: $r->{status} $r->{body}\n" if $r->{status} != 204;
    };

    $put->('/machine-config', vcpu_count => 1, mem_size_mib => 128);
    $put->('/boot-source', kernel_image_path => "$images/vmlinux",
        initrd_path => $raw_initrd,
        boot_args => 'console=ttyS0 quiet reboot=k panic=-1');
    $put->("/drives/$_->[0]", drive_id => $_->[0], path_on_host => $_->[1],
        is_read_only => \1, is_root_device => \0)
        for [runtime => "$images/runtimes/base.img"],
            [function => $function], [config => tmpdir() . "/$name.config"];
    $put->('/network-interfaces/eth0', iface_id => 'eth0',
        host_dev_name => $nic->{tap}, guest_mac => $mac);
    $put->('/serial', serial_out_path => $vm->{console});
    $put->('/actions', action_type => 'InstanceStart');

    return $vm;
}

sub ready {
    my ($vm) = @_;

    wait_for(sub {
        die "the guest ended: " . slurp($vm->{console}) . "\n"
            if !$vm->{proc}->alive;
        IO::Socket::INET->new(PeerAddr => $vm->{addr}, PeerPort => 80,
            Timeout => 0.5);
    }, 180, "guest $vm->{name}");
}

# how many of so many connections the guest got
sub try_from {
    my ($vm, $where, $times) = @_;
    my $r = http_get(80, "/cgi-bin/try?$where" . ($times ? "&$times" : ''),
        host => $vm->{addr}, timeout => 120, sock => connection($vm));

    return $r->{body} =~ /^(\d+)\n\z/ ? $1 : "status $r->{status}";
}

# as the agent and its proxy: bound to the bridge, so that it outlives a reload
sub connection {
    my ($vm) = @_;

    socket(my $s, PF_INET, SOCK_STREAM, 0) or die "socket: $!";
    setsockopt($s, SOL_SOCKET, 25, "fcn-br\0") or die "binding: $!";
    connect($s, sockaddr_in(80, inet_aton($vm->{addr}))) or die "guest: $!";

    return $s;
}


# --- what it reaches

my @never = (
    ['the host, by its bridge', '172.16.0.1:2379'],
    ['etcd, by the node\'s address', '8.8.8.1:2379'],
    ['Redis, by another of its addresses', '10.77.0.1:6379'],
    ['Redis, by the bridge', '172.16.0.1:6379'],
    ['the metadata service', '169.254.169.254:80'],
    ['the LAN', '10.77.0.2:80'],
    ['another LAN', '192.168.3.4:443'],
);

sub nowhere {
    my ($vm, $when, @more) = @_;

    came();
    is(try_from($vm, $_->[1]), 0, "$when: $_->[0] is not reached")
        for @never, @more;
    is(came(), 0, 'and nothing came there');
}

# --- frames of its own making

use constant MARK => '(the mark.)';

# what is seen on any interface of the node but the guest's own, or on one; not
# what the host refuses the guest with, which quotes it
sub eyes {
    my ($vm, $where) = @_;
    socket(my $s, 17, SOCK_RAW, unpack 'S', pack 'n', 3) or die "socket: $!";
    my $own = NetHost::links()->{$vm->{tap}}{ifindex};
    my $there = $where ? NetHost::links()->{$where}{ifindex} : 0;

    return sub {
        my @seen;

        while (defined(my $from = recv $s, my $frame, 4096, MSG_DONTWAIT)) {
            my ($ifindex) = unpack 'x4 i', $from;
            push @seen, $frame if $ifindex != $own
                && (!$there || $ifindex == $there)
                && index($frame, $vm->{mac} . NetHost::GW_MAC()) != 0;
        }

        return @seen;
    };
}

# A marked frame is sent, then one that must pass.  They cannot overtake each
# other: how often the first was seen until the second was.
sub passes {
    my ($vm, $frame, $where) = @_;
    my ($mark, $fence) = map { sprintf '%011d', rand 1e11 } 1, 2;
    my ($seen, $bridge) = (eyes($vm, $where), eyes($vm));
    my ($n, $through) = (0, 0);

    $frame .= MARK if index($frame, MARK) < 0;
    substr($frame, index($frame, MARK), length MARK) = $mark;

    for ($frame, NetHost::arp($vm) . $fence) {
        $vm->{raw}->print(unpack('H*', $_) . "\n");
        my $sent = $vm->{raw}->getline // 'nothing';
        die "sent: $sent" if $sent != length;
    }

    wait_for(sub {
        $through ||= grep { index($_, $fence) >= 0 } $bridge->();
        $n += grep { index($_, $mark) >= 0 } $seen->();
        $through }, 20, 'the second one');

    return $n;
}

sub udp {
    my ($g, $dst, $sport, $dport) = @_;
    return NetHost::ip_frame($g, $dst, 17,
        pack('n4', $sport, $dport, 8 + length MARK, 0) . MARK);
}

# with its IP header's sum
sub again {
    my ($f) = @_;
    my $head = 4 * (ord(substr $f, 14, 1) & 15);
    substr($f, 24, 2) = "\0\0";
    substr($f, 24, 2) = pack 'n', NetHost::sum(substr $f, 14, $head);
    return $f;
}

sub forged {
    my ($egress, $a, $b) = @_;
    my $gw = '172.16.0.1';
    my ($am, $bm) = map { $_->{mac} } $a, $b;
    my $all = "\xff" x 6;
    my $llc = sub { $_[0] . $am . pack('n', 64) . $_[1] };
    my %as_b = (%$a, src => $b->{addr});

    $a->{raw} = NetHost::until(sub { IO::Socket::INET->new(
        PeerAddr => $a->{addr}, PeerPort => 81, Timeout => 1) })
        or die 'nobody sends frames';
    $a->{raw}->autoflush(1);

    is(passes($a, NetHost::arp($a)) > 0, 1, "$egress: its own ARP passes");
    is(passes($a, udp($a, '1.1.1.1', 7, 7), $way) > 0, $egress ne 'none',
        "$egress: to the internet its own");

    my @forged = (
        ['another MAC', udp({ %$a, from => $bm }, '1.1.1.1', 7, 7)],
        ['another\'s address', udp(\%as_b, '1.1.1.1', 7, 7)],
        ['both of another\'s', udp({ %as_b, from => $bm }, '1.1.1.1', 7, 7)],
        ['the host\'s address', udp({ %$a, src => $gw }, '1.1.1.1', 7, 7)],
        ['an address of nobody', udp({ %$a, src => '172.16.0.77' }, $gw, 7,
            7)],
        ['one of outside', udp({ %$a, src => '8.8.8.2' }, $gw, 7, 7)],
        ['loopback', udp({ %$a, src => '127.0.0.1' }, $gw, 7, 7)],
        ['DHCP, without an address', udp({ %$a, src => '0.0.0.0', to => $all },
            '255.255.255.255', 68, 67)],
        ['broadcast', udp({ %$a, to => $all }, '172.16.0.255', 7, 7)],
        ['multicast', udp({ %$a, to => "\x01\0\x5e\0\0\xfb" },
            '224.0.0.251', 5353, 5353)],
        ['straight to another guest', udp({ %$a, to => $bm }, $b->{addr}, 7,
            7)],
        ['ARP: the host\'s address is here', NetHost::arp($a, $gw)],
        ['ARP: another\'s is', NetHost::arp($a, $b->{addr})],
        ['ARP: of another MAC', NetHost::arp($a, undef, $bm)],
        ['ARP: from another MAC', NetHost::arp({ %$a, mac => $bm })],
        ['ARP: told to another guest', (NetHost::arp($a, $gw)
            =~ s/^.{6}/$bm/sr)],
        ['ARP: by RARP', $all . $am . pack('n n n C C n', 0x8035, 1, 0x800, 6,
            4, 3) . $am . "\0" x 4 . $am . "\0" x 4],
        ['IPv6: a router', "\x33\x33\0\0\0\1" . $am . "\x86\xdd"
            . pack('N n C C', 0x60000000, 16, 58, 255) . "\xfe\x80" . "\0" x 13
            . "\1" . "\xff\x02" . "\0" x 13 . "\1" . "\x86" . "\0" x 15],
        ['IPv6: to another guest', $bm . $am . "\x86\xdd"
            . pack('N n C C', 0x60000000, 8, 17, 64) . "\xfe\x80" . "\0" x 13
            . "\1" . "\xfe\x80" . "\0" x 13 . "\2" . pack('n4', 7, 7, 8, 0)],
        ['in a VLAN', (udp(\%as_b, $gw, 7, 7) =~ s/^(.{12})/$1\x81\0\0\x01/sr)],
        ['in two of them', (udp(\%as_b, $gw, 7, 7)
            =~ s/^(.{12})/$1\x88\xa8\0\x01\x81\0\0\x01/sr)],
        ['in VLAN 0, which is none', (udp(\%as_b, $gw, 7, 7)
            =~ s/^(.{12})/$1\x81\0\0\0/sr)],
        ['PPPoE', $all . $am . "\x88\x63\x11\x09\0\0\0\x10" . "\0" x 16],
        ['LLDP', "\x01\x80\xc2\0\0\x0e" . $am . "\x88\xcc" . "\0" x 46],
        ['a spanning tree\'s', $llc->("\x01\x80\xc2\0\0\0",
            "\x42\x42\x03" . "\0" x 35)],
        ['SNAP', $llc->($bm, "\xaa\xaa\x03\0\0\0\x08\0" . "\0" x 40)],
        ['a pause', "\x01\x80\xc2\0\0\1" . $am . "\x88\x08\0\1\xff\xff"
            . "\0" x 42],
        ['no protocol at all', $bm . $am . "\x88\xb5" . "\0" x 46],
        ['a loop back to itself', $am . $am . "\x08\0" . "\0" x 46],
        ['the host\'s own MAC', udp({ %$a, from => NetHost::GW_MAC() },
            '1.1.1.1', 7, 7)],
        ['fragments of another\'s', again(udp(\%as_b, '1.1.1.1', 7, 7)
            =~ s/^(.{20})../$1\x20\0/sr)],
        ['options, and another\'s', again(udp(\%as_b, '1.1.1.1', 7, 7)
            =~ s/^(.{14})./$1\x46/sr)],
    );

    is(passes($a, $_->[1]), 0, "$egress: $_->[0]: nobody sees it") for @forged;

    my %known = map { /^(\S+) .*lladdr (\S+)/ ? ($1 => $2) : () }
        split /\n/, NetHost::sh('ip neigh show dev fcn-br');
    is($known{$_->{addr}}, join(':', unpack '(H2)6', $_->{mac}),
        "$egress: whose address it is has not changed") for $a, $b;
    is(try_from($b, '127.0.0.1:80'), 1, "$egress: the other guest answers");
    came();
}

sub all_of {
    my ($egress) = @_;
    my $h = NetHost::start({ egress => $egress });
    my ($a, $b) = map { boot(NetHost::take($h)) } 1, 2;

    ready($_) for $a, $b;
    is(try_from($a, "127.0.0.1:80"), 1, "$egress: a guest tries");
    nowhere($a, $egress, ['another guest', "$b->{addr}:80"]);

    is(try_from($a, '1.1.1.1:80'), $egress eq 'none' ? 0 : 1,
        "$egress: the internet");
    is(came(), $egress eq 'none' ? 0 : 1, 'as they see it');

    forged($egress, $a, $b);

    # somebody's rule that leads into the LAN, and one to this host
    $node->run('nft', 'add table ip other; add chain ip other pre { type nat '
        . 'hook prerouting priority dstnat; policy accept; }; add rule ip '
        . 'other pre ip daddr 8.8.8.1 tcp dport 8080 dnat to 10.77.0.2:80; '
        . 'add rule ip other pre tcp dport 8081 redirect to :2379');
    nowhere($a, "$egress, DNAT", ['the LAN through DNAT', '8.8.8.1:8080'],
        ['etcd through a redirection', '1.1.1.1:8081']);
    $node->run('nft', 'delete table ip other');

    # the host's firewall, reloaded over and over; from another process, since
    # the guest is asked meanwhile
    my $pid = fork() // die $!;
    if ($pid == 0) {
        while (1) {
            system 'nft', 'flush ruleset';
            select undef, undef, undef, 0.3;
        }
    }

    came();
    my $got = try_from($a, '172.16.0.1:2379', 60);
    my $seen = came();
    kill 9, $pid;
    waitpid $pid, 0;

    diag("$egress: through reloads $got of 60 got through for a moment");
    wait_for(sub { $node->run('nft', 'list ruleset') =~ /chain local/ }, 20,
        'the rules');
    like($got, qr/^\d+$/, "$egress: the guest is asked through reloads");
    is(scalar(grep { /ESTAB.*172\.16\.0\.[23]:/ }
        split /\n/, $node->run(qw(ss -Htn state established dport != 80))), 0,
        'and nothing that was opened lives on');
    nowhere($a, "$egress, afterwards", ['another guest', "$b->{addr}:80"]);

    $_->{proc}->stop for $a, $b;
    is($h->finish('close'), 'closed 0', 'closes');
}

all_of('none');
all_of('internet');

done_testing();
