#!/usr/bin/perl

# The guests' network beside others': a second agent, Docker, a firewall; and
# programs that are started meanwhile.

use strict;
use warnings;

use lib 't/lib';
use NetHost;
use POSIX ();
use Socket;
use Test::More;

NetHost::begin();

my $fwd = '/proc/sys/net/ipv4/ip_forward';
my @second = (bridge => 'fcn-b2', prefix => 'fco', node => 'node-2',
    address => '172.17.0.1');

use constant { SYS_setsockopt => 54, SYS_getsockopt => 55, GET_INFO => 64,
    GET_ENTRIES => 65, SET_REPLACE => 64, ACCEPT => 1, DROP => 0 };

# a socket by which table filter is read and replaced, and makes it
sub legacy {
    socket(my $s, AF_INET, SOCK_RAW, 255) or die "socket: $!";
    return info($s) ? $s : undef;
}

sub info {
    my ($s) = @_;
    my ($buf, $len) = (pack('a84', 'filter'), pack('L', 84));
    return syscall(SYS_getsockopt, fileno $s, 0, GET_INFO, $buf, $len) == 0
        ? [unpack 'x32 L L5 L5 L L', $buf] : undef;
}

# of chain FORWARD: the verdict of the entry that its underflow names
sub policy {
    my ($s, $verdict) = @_;
    my ($hooks, @rest) = @{ info($s) };
    my ($entries, $size) = @rest[10, 11];
    my $buf = pack("a32 L x4 a$size", 'filter', $size, '');
    my $len = pack 'L', length $buf;
    syscall(SYS_getsockopt, fileno $s, 0, GET_ENTRIES, $buf, $len) == 0
        or die "reading the table: $!";
    my $table = substr $buf, 40;
    my $at = $rest[5 + 2];
    my $target = unpack 'S', substr $table, $at + 88, 2;
    substr($table, $at + $target + 32, 4) = pack 'l', -$verdict - 1;
    my $counters = "\0" x (16 * $entries);
    my $replace = pack('a32 L3 L10 L P', 'filter', $hooks, $entries, $size,
        @rest[0 .. 9], $entries, $counters) . $table;
    syscall(SYS_setsockopt, fileno $s, 0, SET_REPLACE, $replace,
        length $replace) == 0 or die "replacing the table: $!";
}

sub forwarding { sh("cat $fwd") + 0 }

# --- whose ip_forward is it

for my $order ([0, 1], [1, 0]) {
    sh("echo 0 > $fwd");
    my @h = (start({ egress => 'internet' }),
             start({ egress => 'internet', @second }));
    is(forwarding(), 1, 'two agents: forwarding is on');

    is($h[$order->[0]]->finish('close'), 'closed 0', 'one ends');
    is(forwarding(), 1, 'the other still forwards');
    is($h[$order->[1]]->finish('close'), 'closed 0', 'so does the other');
    is(forwarding(), 0, 'the last one turns it off');
}

sh("echo 0 > $fwd");
my $h = start({ egress => 'internet' });
$h->kill;
$h = start({ egress => 'internet' });
my $other = start({ egress => 'internet', @second });
is($h->finish('close'), 'closed 0', 'one that was killed once');
$other->kill;
$other = start({ egress => 'internet', @second });
is($other->finish('close'), 'closed 0', 'and one that was killed then');
is(forwarding(), 0, 'have not forgotten how it was');

sh("echo 1 > $fwd");
$h = start({ egress => 'internet' });
is($h->finish('close'), 'closed 0', 'it was on before');
is(forwarding(), 1, 'and stays on');

sh("echo 0 > $fwd");
$h = start({ egress => 'none' });
is(forwarding(), 0, 'without egress it is left alone');
is($h->finish('close'), 'closed 0', 'to the end');
is(forwarding(), 0, 'of it');

# Docker comes while we run, and finds it on
$h = start({ egress => 'internet' });
sh('nft add table ip filter; nft "add chain ip filter FORWARD { type filter '
   . 'hook forward priority filter; policy drop; }"');
logged();
is($h->finish('close'), 'closed 0', 'somebody has rules for forwarding');
is(forwarding(), 1, 'and keeps it');
is(scalar(logged(qr/stays on for table ip filter/)), 1, 'which is told');
sh('nft delete table ip filter');

sh("echo 0 > $fwd");
$h = start({ egress => 'internet' });
logged();
sh("echo 0 > $fwd");
ok(NetHost::until(sub { forwarding() }), 'turned off by somebody: put back');
is(scalar(logged(qr/ip_forward was turned off/)), 1, 'and told');

# --- whose bridge is it

sub in_use { refused({ node => 'node-1', @_ }, qr/^refused bridge fcn-br is in/,
    'a second agent on the bridge: refused, by name') }

in_use();
in_use(node => 'node-2', prefix => 'fco', address => '172.18.0.1');
is(take($h)->{word}, 'nic', 'the first goes on');

is($h->finish('close'), 'closed 0', 'and ends');
$h = start();
is($h->{first}, 'open', 'then it is free');
$h->kill;

# somebody who is not root cannot keep agents out
my $pid = fork() // die $!;
if ($pid == 0) {
    $> = 65534;
    socket(my $s, PF_UNIX, SOCK_SEQPACKET, 0) or die $!;
    bind($s, pack('S a*', PF_UNIX, "\0fcfaas/bridge/fcn-br")) or die $!;
    listen($s, 1) or die $!;
    open(my $fh, '>', "/tmp/fcn-squat.$$") or die $!;
    sleep 1000;
    POSIX::_exit(0);
}
ok(NetHost::until(sub { -e "/tmp/fcn-squat.$pid" }), 'somebody has the name');
unlink "/tmp/fcn-squat.$pid";
$h = start();
is($h->{first}, 'open', 'which is no agent, and no hindrance');
kill 9, $pid;
waitpid $pid, 0;

# --- whose rules cut guests off

sub foreign { $h->ask('foreign') }

is(foreign(), 'foreign ', 'nobody has rules');
is($h->finish('close'), 'closed 0', 'closes');

my $cut = qr/guests reach nothing outside/;
my @firewalls = (
    ['Docker\'s', 'ip filter', 'DOCKER-USER', <<'END'],
table ip filter {
    chain DOCKER-USER { counter return; }
    chain FORWARD { type filter hook forward priority filter; policy drop;
        jump DOCKER-USER
        oifname "docker0" ct state established,related accept
        iifname "docker0" oifname != "docker0" accept
    }
}
END
    ['firewalld\'s', 'inet firewalld', 'filter_FORWARD', <<'END'],
table inet firewalld {
    chain filter_FORWARD { type filter hook forward priority filter + 10;
        policy accept;
        ct state { established, related } accept
        iifname "lo" accept
        reject with icmpx admin-prohibited
    }
}
END
);

for (@firewalls) {
    my ($name, $table, $chain, $rules) = @$_;
    my $file = "/tmp/fcn-rules.$$";

    open(my $fh, '>', $file) or die $!;
    print $fh $rules;
    close $fh;

    logged();
    $h = start({ egress => 'internet' });
    sh("nft -f $file");
    my @said = logged($cut);
    is(scalar @said, 1, "$name drop: told when it comes");
    like($said[0], qr/ of table $table drops what it does not know/, 'whose');

    my $found = foreign();
    like($found, $cut, 'the check finds it');
    my @cmds = $found =~ /(nft insert rule .*? accept)/g;
    is($cmds[0], "nft insert rule $table $chain iifname \"fcn-br\" accept",
       'with the rule that would do');

    $h->kill;
    logged();
    $h = start({ egress => 'internet' });
    is(scalar(logged($cut)), 1, 'told at the start as well');

    sh($_ =~ s/"/\\"/gr) for @cmds;
    is(foreign(), 'foreign ', 'with those rules nothing is found');

    is($h->finish('close'), 'closed 0', 'closes');
    $h = start();
    is(foreign(), 'foreign ', 'without egress it does not matter');
    is($h->finish('close'), 'closed 0', 'closes');
    sh("nft delete table $table");
    unlink $file;
}

$h = start();
sh('nft add table inet fw; nft "add chain inet fw in { type filter hook input '
   . 'priority filter; policy drop; }"');
like(foreign(), qr/this host does not hear guests' answers/, 'an input policy');
sh('nft add rule inet fw in ct state established,related accept');
is(foreign(), 'foreign ', 'one that knows connections is fine');
sh('nft "add chain inet fw out { type filter hook output priority filter; '
   . 'policy drop; }"');
like(foreign(), qr/this host does not reach its guests/, 'an output policy');
sh('nft delete table inet fw');

# --- the older iptables, whose rules nft does not show: as iptables-legacy -P
# FORWARD does it

SKIP: {
    my $raw = legacy() or skip 'this kernel has no older iptables', 1;

    subtest 'iptables-legacy' => sub {
        my $old = qr/chain FORWARD of iptables-legacy's table filter drops/;
        is($h->finish('close'), 'closed 0', 'closes');
        $h = start({ egress => 'internet' });
        logged();
        policy($raw, DROP);
        ok(NetHost::until(sub { logged($old) }), 'told when it comes');
        like(foreign(), qr/$old.*iptables-legacy -I FORWARD -i fcn-br -j ACCEPT/,
            'the check finds it, with the rule that would do');
        policy($raw, ACCEPT);
        is(foreign(), 'foreign ', 'not so when it accepts');
        $h->kill;

        policy($raw, DROP);
        logged();
        $h = start({ egress => 'internet' });
        is(scalar(logged($old)), 1, 'told at the start as well');
        policy($raw, ACCEPT);
    };
}

# --- what is started meanwhile has no TAP open

$h->order('clones 100');
my @all = map { $h->line } 1 .. 101;
my @taps = map { (split / /)[1] } grep { /^nic / } @all;
is(scalar @taps, 100, 'a hundred NICs, while processes are cloned');
is(scalar(grep { tap_open($_) } @taps), 100, 'none is held by one of those');
like($h->ask('reap'), qr/^reaped [1-9]/, 'of which there were some');

is($h->finish('close'), 'closed 0', 'closes');
is(join(' ', keys %{links()}), 'lo', 'no link is left');

done_testing();
