package NetHost;

# Drives $(B)/t/unit/net_host, the agent's guest network, in a network namespace
# of the test's own.  Guests are TAPs opened by the test: each frame is written
# and read by hand.
#
#   NetHost::begin();                   # the test is in the namespace then
#   my $h = start({ egress => 'internet' });
#   my $g = take($h);                   # { tap, addr, mac }
#   my $fd = guest_open($g->{tap});
#   emit($fd, tcp($g, GW, 4000, 80, SYN));
#   is(scalar get($fd), '...');         # the frame that comes, in words
#
# That something does not come is shown without waiting: a frame that must be
# answered is sent after it, and the first answer must be to that one (fence).

use strict;
use warnings;

use Exporter qw(import);
use File::Temp ();
use IO::Select;
use JSON::PP;
use LineHost;
use Socket;
use Test::More;
use Time::HiRes qw(time);

use constant {
    TUNSETIFF => 0x400454ca,
    DEADLINE  => 10,
    GW_MAC    => "\x06\xfc\0\0\0\1",
    GW        => '172.16.0.1',
    SYN       => 0x02,
    RST       => 0x04,
    ACK       => 0x10,
};

our @EXPORT = qw(DEADLINE GW_MAC GW SYN RST ACK sh links until start logged
    take refused tap_open guest_open ip_frame tcp arp emit word get fence awake
    connecting listening);

my $log;

sub begin {
    LineHost::own_netns();
    sh('ip link set lo up');
}

sub sh {
    my ($cmd) = @_;

    my $out = `$cmd 2>&1`;
    die "$cmd: $out" if $?;

    return $out;
}

# what $code returns, once that is true; '' after the deadline
sub until {
    my ($code) = @_;
    my ($got, $end) = ('', time() + DEADLINE);

    until ($got = $code->()) {
        return '' if time() > $end;
        select undef, undef, undef, 0.005;
    }

    return $got;
}

sub links {
    my $out;

    # where they changed while ip read them, it says so: they are read again
    do { $out = sh('ip -d -j link show') }
        while $out =~ /Dump was interrupted/;

    return { map { $_->{ifname} => $_ } @{decode_json($out)} };
}

# --- the program under test

sub start {
    my ($opt) = (@_, {});

    # what the programs log goes to a file of all of them, see logged()
    $log ||= File::Temp->new;
    open(my $stderr, '>&', \*STDERR) or die "STDERR: $!";
    open(STDERR, '>>', "$log") or die "$log: $!";
    my $h = launch($opt);
    open(STDERR, '>&', $stderr) or die "STDERR: $!";

    return $h;
}

sub launch {
    my ($opt) = @_;

    return LineHost->start('net_host', $opt->{bridge} || 'fcn-br',
        $opt->{prefix} || 'fcntap', $opt->{node} || 'node-1',
        $opt->{address} || GW, $opt->{len} || 24, $opt->{egress} || 'none',
        $opt->{pool} // 8, $opt->{ahead} // 0, $opt->{most} // 1000,
        @{$opt->{keep} || []});
}

# Lines of the log that match, once there are any.  Those before the last call
# of logged() with nothing are forgotten.
my $read = 0;

sub logged {
    my ($want) = @_;
    my @got;

    my $new = sub {
        open(my $fh, '<', "$log") or die "$log: $!";
        seek $fh, $read, 0;
        return map { decode_json($_)->{msg} } grep { /^\{.*\}$/ } <$fh>;
    };

    if (!defined $want) {
        $read = -s "$log";
        return;
    }

    NetHost::until(sub { @got = grep { /$want/ } $new->() });
    return @got;
}

sub take {
    my ($h, $owner) = @_;

    my ($word, $tap, $mac, $addr, $us, $mtu) = split / /,
        $h->ask(join ' ', 'take', $owner || ());

    return { tap => $tap, addr => $addr, us => $us, word => $word,
             mtu => $mtu, mac => pack('(H2)6', split /:/, $mac) };
}

sub refused {
    my ($opt, $want, $name) = @_;

    my $h = start($opt);
    like($h->{first}, $want, $name);
    is($h->end >> 8, 1, "$name: exit code");
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

# the same of a TAP just opened: the bridge hears of that later
sub awake {
    my ($fd, $g, $name) = @_;

    for (1 .. 2 * DEADLINE) {
        emit($fd, arp($g));
        last if IO::Select->new($fd)->can_read(0.5);
    }

    is(scalar get($fd), 'arp 2 06:fc:00:00:00:01 ' . GW, $name);
}

# a listening socket on every address, and its port
sub listening {
    socket(my $s, PF_INET, SOCK_STREAM | Socket::SOCK_NONBLOCK(), 0)
        or die "socket: $!";
    bind($s, sockaddr_in(0, INADDR_ANY)) && listen($s, 16) or die "listen: $!";
    my ($port) = sockaddr_in(getsockname $s);

    return ($s, $port);
}

sub connecting {
    my ($addr, $port) = @_;

    socket(my $s, PF_INET, SOCK_STREAM | Socket::SOCK_NONBLOCK(), 0)
        or die "socket: $!";
    connect($s, sockaddr_in($port, inet_aton($addr)));

    return $s;
}

1;
