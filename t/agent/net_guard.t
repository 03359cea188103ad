#!/usr/bin/perl

# Whatever somebody does to the rules of the guests' network is undone, and
# what guests opened meanwhile is cut.

use strict;
use warnings;

use lib 't/lib';
use IO::Select;
use NetHost;
use Socket;
use Test::More;

use constant { SO_BINDTODEVICE => 25, PSH => 0x08 };

NetHost::begin();

my $h = start({ egress => 'internet' });
my $g = take($h);
my $b = take($h);
my $fd = guest_open($g->{tap});
my ($srv, $port) = listening();

sub ruleset { sh('nft -s list ruleset') }

my $want = ruleset();
my ($inet, $bridge) = ('inet fcfaas_fcn-br', 'bridge fcfaas_fcn-br');

sub handle {
    my ($chain, $re) = @_;
    my ($line) = grep { /$re/ } split /\n/, sh("nft -a list chain $chain");
    return ($line =~ /# handle (\d+)/)[0];
}

# element of a NIC in the set
sub element { "{ \"$_[0]{tap}\" . " . join(':', unpack '(H2)6', $_[0]{mac})
    . " . $_[0]{addr} }" }

my @changes = (
    ['the whole ruleset', 'flush ruleset'],
    ['the table of packets', "delete table $inet"],
    ['the table of frames', "delete table $bridge"],
    ['all rules of a table', "flush table $inet"],
    (map { ["the rules of chain $_", "flush chain $inet $_"] }
        qw(guests local answers through refuse leave enter nat)),
    ['the rules for frames', "flush chain $bridge guests"],
    ['a chain', "flush chain $bridge guests; delete chain $bridge guests"],
    ['a rule', sub { "delete rule $inet local handle "
        . handle("$inet local", qr/^\s*meta l4proto tcp reject/) }],
    ['a rule too many', "insert rule $inet guests accept"],
    ['a policy', "chain $bridge guests { policy drop; }"],
    ['all elements', "flush set $bridge nics"],
    ['one element', "delete element $bridge nics " . element($b)],
    ['an element too many', "add element $bridge nics " . element({ %$b,
        addr => '172.16.0.99' })],
    ['an element for another', "delete element $bridge nics " . element($b)
        . "; add element $bridge nics " . element({ %$b,
        addr => '172.16.0.99' })],
    ['a table asleep', "add table $inet { flags dormant; }"],
    ['a table in our place', "delete table $inet; add table $inet; "
        . "add chain $inet guests { type filter hook prerouting priority "
        . "-300; policy accept; }"],
    ['a chain too many', "add chain $inet more { type filter hook input "
        . "priority -300; policy drop; }"],
);

for (@changes) {
    my ($name, $cmd) = @$_;

    logged();
    $cmd = $cmd->() if ref $cmd;
    sh("nft '$cmd'");
    ok(NetHost::until(sub { ruleset() eq $want }), "$name: put back");

    my @said = logged(qr/are put back/);
    is(scalar @said, 1, 'told once');
    like($said[0], qr/by nft; the rules of fcn-br/, 'and by whom');

    emit($fd, tcp($g, GW, 4000, $port, SYN));
    is(scalar get($fd), GW . " > $g->{addr} tcp $port 4000 rst|ack",
       'a guest is refused');
}

# what concerns others is left alone, and not spoken of
logged();
sh('nft add table inet other');
sh('nft add chain inet other c');
sh('nft delete table inet other');
is(take($h)->{word}, "nic", "others may have tables of their own");

# --- connections made while nobody watched

# one segment of a guest's, and the connection's state is updated
sub segment {
    my ($c, $flags, $data) = @_;

    my $t = pack 'n n N N C C n n n', $c->{sport}, $c->{dport}, $c->{seq},
        $c->{ack}, 0x50, $flags, 65535, 0, 0;
    $t .= $data // '';
    my $pseudo = inet_aton($g->{addr}) . inet_aton(GW)
        . pack('C C n', 0, 6, length $t);
    substr($t, 16, 2) = pack 'n', NetHost::sum($pseudo . $t);
    emit($fd, NetHost::ip_frame($g, GW, 6, $t));
}

# the next segment to the guest of that connection
sub answer {
    my ($c) = @_;

    for (1 .. 50) {
        my ($f, $w) = get($fd);
        die "no segment came: $w" unless defined $f && $w ne 'nothing';
        next unless $w =~ / tcp $c->{dport} $c->{sport} (.*)/;
        $c->{ack} = 1 + unpack 'x38 N', $f;
        return $1;
    }
}

my $sport = 5000;

# a connection that a guest opens to a server on the host
sub guest_opens {
    my $c = { sport => ++$sport, dport => $port, seq => 1000, ack => 0 };

    segment($c, SYN);
    is(answer($c), 'syn|ack', 'a guest gets through to the host');
    $c->{seq}++;
    segment($c, ACK);
    ok(NetHost::until(sub { accept($c->{sock}, $srv) }), 'and is accepted');
    segment($c, PSH | ACK, 'x');
    $c->{seq}++;
    ok(NetHost::until(sub { defined recv $c->{sock}, my $x, 1, 0x40 }),
       'and heard');
    is(answer($c), 'ack', 'which the host acknowledges');

    return $c;
}

# one that the host opens to the guest
sub host_opens {
    socket(my $s, PF_INET, SOCK_STREAM, 0) or die $!;
    setsockopt($s, SOL_SOCKET, SO_BINDTODEVICE, "fcn-br\0") or die $!;
    $s->blocking(0);
    connect($s, sockaddr_in(80, inet_aton($g->{addr})));

    my ($dport) = sockaddr_in(getsockname $s);
    my $c = { sport => 80, dport => $dport, seq => 1000, ack => 0,
              sock => $s };

    is(answer($c), 'syn', 'the host opens one to the guest');
    segment($c, SYN | ACK);
    $c->{seq}++;
    ok(IO::Select->new($s)->can_write(DEADLINE), 'it is made');

    return $c;
}

# data from the guest on it arrives, sooner or later
sub goes_on {
    my ($c, $name) = @_;
    my $got;

    ok(NetHost::until(sub {
        segment($c, PSH | ACK, 'data');
        select undef, undef, undef, 0.02;
        defined recv($c->{sock}, $got, 4, 0x40) && $got eq 'data';
    }), $name);
    $c->{seq} += 4;
}

sub is_cut {
    my ($c, $name) = @_;

    ok(NetHost::until(sub {
        !defined recv($c->{sock}, my $x, 1, 0x40) && !$!{EAGAIN};
    }), $name);
}

# old: it was tracked, new: made while nothing was
my $old = host_opens();
segment($old, ACK);

kill STOP => $h->{pid};
sh('nft flush ruleset');
my $bad = guest_opens();
my $new = host_opens();
segment($new, ACK);
kill CONT => $h->{pid};

ok(NetHost::until(sub { ruleset() =~ /set kept/ }), 'the rules are back');
is_cut($bad, 'what the guest opened is cut');
goes_on($old, 'what the host had opened goes on');
goes_on($new, 'and what it opened meanwhile');
is((grep { /cannot|failed/ } logged(qr/put back/)), 0, 'nothing failed');
NetHost::until(sub { ruleset() eq $want });

# somebody forgets all connections of the host, as "conntrack -F" does
socket(my $ct, 16, SOCK_RAW, 12) or die "netlink: $!";
send $ct, pack('L S S L L C C n', 20, 1 << 8 | 2, 0x5, 1, 0, 2, 0, 0), 0;
ok(defined recv($ct, my $ack, 4096, 0), 'the host forgets its connections');
is(unpack('x16 l', $ack), 0, 'all of them');
goes_on($new, 'one to a guest goes on all the same');

# the rules alone, put back as somebody had saved them
my $saved = sh('nft list ruleset');
open(my $fh, '>', '/tmp/fcn-rules.' . $$) or die $!;
print $fh $saved;
close $fh;

kill STOP => $h->{pid};
sh('nft flush ruleset');
$bad = guest_opens();
sh("nft -f /tmp/fcn-rules.$$");
unlink "/tmp/fcn-rules.$$";

segment($bad, PSH | ACK, 'more');
fence($fd, $g, 'the rules answer nothing to a segment of it');
ok(!defined recv($bad->{sock}, my $x, 1, 0x40), 'and let nothing through');
ok($!{EAGAIN}, 'it is only quiet');
send $bad->{sock}, 'answer', 0;
fence($fd, $g, 'the host\'s answer does not come');
kill CONT => $h->{pid};
is_cut($bad, 'it is cut once somebody looks');

close $fd;
is($h->finish('close'), 'closed 0', 'closes');
is(sh('nft list ruleset'), '', 'and leaves no rule');

done_testing();
