#!/usr/bin/perl

# Whatever somebody does to the bridge and the TAPs of guests is undone and
# told by name, once.

use strict;
use warnings;

use lib 't/lib';
use IO::Select;
use NetHost;
use POSIX ();
use Test::More;

NetHost::begin();

my $h = start();
my ($g, $b) = (take($h), take($h));
my %fd = map { $_->{tap} => guest_open($_->{tap}) } $g, $b;

# what must be as it was
sub state {
    my $links = links();
    my ($br, $tap) = ($links->{'fcn-br'}, $links->{$g->{tap}});

    return join ' ', map { $_ // '-' }
        (map { my $l = $_; map { $l->{$_} } qw(address ifalias master) }
            $br, $tap),
        (map { scalar grep { $_ eq 'UP' } @{$_->{flags} || []} } $br, $tap),
        $br->{linkinfo}{info_data}{stp_state},
        $br->{linkinfo}{info_data}{mcast_snooping},
        $tap->{linkinfo}{info_slave_data}{isolated},
        sh('ip -4 -o addr show dev fcn-br; ip route show dev fcn-br')
            =~ s/^\d+: //r,
        sort split /\s*\n/, sh('ip neigh show nud permanent dev fcn-br')
            if $br && $tap;
    return '';
}

# the guest's ARP is answered, once its port is open again
sub answered {
    my ($g) = @_;
    my $fd = $fd{$g->{tap}};

    return NetHost::until(sub {
        emit($fd, arp($g));
        while (IO::Select->new($fd)->can_read(0.1)) {
            sysread $fd, my $f, 4096;
            return 1 if word($f) =~ /^arp 2 06:fc:00:00:00:01 /;
        }
        return 0;
    });
}

# older kernels rename only what is down, which is noticed for itself
sub rename_link { "ip link set $_[0] name other 2>/dev/null || "
    . "{ ip link set $_[0] down; ip link set $_[0] name other; }" }

my $want = state();
my $tap = $g->{tap};

my @changes = (
    ['fcn-br has lost its address', 'ip addr flush dev fcn-br || true'],
    ['fcn-br has lost its route', 'ip route del 172.16.0.0/24 dev fcn-br'],
    ['fcn-br was set down', 'ip link set fcn-br down'],
    ['fcn-br was given another MAC',
     'ip link set fcn-br address 02:00:00:00:00:09'],
    ['fcn-br was told to speak STP', 'ip link set fcn-br type bridge stp_state 1'],
    ['fcn-br was told to snoop', 'ip link set fcn-br type bridge mcast_snooping 1'],
    ['fcn-br was given another alias', 'ip link set fcn-br alias mine'],
    ['fcn-br was ', rename_link('fcn-br')],
    ['fcn-br was deleted', 'ip link del fcn-br'],
    ["$tap was set down", "ip link set $tap down"],
    ["$tap was taken out of the bridge", "ip link set $tap nomaster"],
    ["$tap is no longer isolated", "bridge link set dev $tap isolated off"],
    ["$tap was given another MAC",
     "ip link set $tap address 02:00:00:00:00:07"],
    ["$tap was given another alias", "ip link set $tap alias mine"],
    ["$tap was ", rename_link($tap)],
);

for (@changes) {
    my ($said, $cmd) = @$_;

    logged();
    sh($cmd);
    ok(NetHost::until(sub { state() eq $want }), "$said: put back")
        or diag(state(), "\n", $want);

    my @said = logged(qr/\Q$said\E/);
    is(scalar @said, 1, 'told once') or diag(join "\n", @said);
    like($said[0], qr/: (bridge|TAP) \Q$said\E.*; it is put back$/, 'well');
    ok(answered($_), "$_->{tap} is served again") for $g, $b;

    my $s = connecting($b->{addr}, 80);
    my $fd = $fd{$b->{tap}};
    my $f = '';
    ok(NetHost::until(sub {
        IO::Select->new($fd)->can_read(0.1) && sysread $fd, $f, 4096;
        word($f) =~ / tcp \d+ 80 syn$/;
    }), 'and is reached');
    is(substr($f, 0, 6), $b->{mac}, 'at its MAC');
}

# --- a port of somebody else's

logged();
sh('ip tuntap add dum1 mode tap; ip link set dum1 master fcn-br');
ok(NetHost::until(sub { !links()->{dum1}{master} }),
   'a foreign port is taken out of the bridge');
is(scalar(logged(qr/somebody put dum1 into bridge fcn-br/)), 1, 'and told');
sh('ip link del dum1');

# --- a TAP that is gone does not come back to its VM

logged();
sh("ip link del $tap");
is($h->line, "lost $tap its TAP $tap was deleted", 'its owner is told');
is(scalar(logged(qr/TAP $tap was deleted/)), 1, 'and so is the log');
ok(answered($b), 'the other one goes on');
close $fd{$tap};

is($h->ask("give $tap"), "given $tap", 'it is given back');
my $n = take($h);
is($n->{word}, 'nic', 'another is taken');
$fd{$n->{tap}} = guest_open($n->{tap});
ok(answered($n), 'and is served');

# --- one that is idle is looked at when it is taken

close $fd{$n->{tap}};
is($h->ask("give $n->{tap}"), "given $n->{tap}", 'given');
sh("bridge link set dev $n->{tap} isolated off; ip link set $n->{tap} nomaster");
$n = take($h);
is($n->{word}, 'nic', 'an idle one that was taken out of the bridge');
ok(links()->{$n->{tap}}{linkinfo}{info_slave_data}{isolated}, 'is isolated');
is(links()->{$n->{tap}}{master}, 'fcn-br', 'and in the bridge again');

is($h->ask("give $n->{tap}"), "given $n->{tap}", 'given');
sh("ip link del $n->{tap}");
$n = take($h);
is($n->{word}, 'nic', 'an idle one that was deleted is made again');
$fd{$n->{tap}} = guest_open($n->{tap});
ok(answered($n), 'and passes the rules');

# --- its owner

$n = take($h, '1234 2345');
is(sh("cat /sys/class/net/$n->{tap}/owner") + 0, 1234, 'a TAP of that uid')
    if sh('mount --make-rprivate / && mount -t sysfs none /sys') eq '';
is(sh("cat /sys/class/net/$n->{tap}/group") + 0, 2345, 'and gid');

# only the owner's rights on the TAP are to count
sh('mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200');

my $pid = fork() // die $!;
if ($pid == 0) {
    $) = $( = 2345;
    $> = $< = 1234;
    POSIX::_exit(tap_open($n->{tap}) ? 0 : 1);
}
waitpid $pid, 0;
is($?, 0, 'who can open it');

is($h->ask("give $n->{tap}"), "given $n->{tap}", 'given');
my $again = take($h);
is($again->{tap}, $n->{tap}, 'taken again');
is(sh("cat /sys/class/net/$n->{tap}/owner") + 0, 0, 'it is root\'s');

is($h->finish('close'), 'closed 0', 'closes');
is(join(' ', keys %{links()}), 'lo', 'no link is left');

done_testing();
