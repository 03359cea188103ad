#!/usr/bin/perl

# What a real guest reaches, asked from inside it: another guest, the host,
# etcd and Redis there, the cloud's metadata, the LAN and the internet, under
# both egress settings, while the host's firewall is reloaded again and again,
# and through a DNAT rule of somebody's.

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
plan skip_all => 'no QEMU'
    unless grep { -x "$_/qemu-system-x86_64" } split /:/, $ENV{PATH};

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
        initrd_path => "$images/initramfs.img",
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
