#!/usr/bin/perl

# TAPs that are made before anybody asks for one: they are as any other in the
# pool, and nobody gets less for them.

use strict;
use warnings;

use lib 't/lib';
use NetHost;
use Test::More;

use constant AHEAD => 3;

NetHost::begin();

sub taps {
    my $links = links();
    my @names = sort grep { /^fcntap/ } keys %$links;
    return @names;
}

# once this many are whole; what is made last is its element in the set
sub made {
    my ($n, $name) = @_;
    my $set = sub { () = sh('nft list set bridge fcfaas_fcn-br nics')
        =~ /"fcntap\d+"/g };

    ok(NetHost::until(sub { $set->() == $n && taps() == $n }), $name);
}

sub up { my ($tap) = @_; grep { $_ eq 'UP' } @{ links()->{$tap}{flags} } }

my $h = start({ ahead => AHEAD });
made(AHEAD, 'they are there before anybody asks');

for my $name (taps()) {
    my $tap = links()->{$name};
    ok(!up($name), "$name: down");
    ok($tap->{linkinfo}{info_slave_data}{isolated}, 'isolated');
    is($tap->{ifalias}, 'fcfaas:node-1', 'its alias says whose it is');
    ok(!defined $tap->{linkinfo}{info_data}{user}
        || $tap->{linkinfo}{info_data}{user} eq 'root', 'root\'s');
}

is($h->ask('free'), 'free 253', 'no address is in use');

my $a = take($h);
is($a->{tap}, 'fcntap0', 'one of them is taken');
is($a->{addr}, '172.16.0.2', 'with its address');
ok(up('fcntap0'), 'and up');
my $fd = guest_open($a->{tap});
awake($fd, $a, 'its guest is answered');
made(AHEAD + 1, 'another takes its place');
is($h->ask('free'), 'free 252', 'one address is in use');
is(scalar(grep { up($_) } taps()), 1, 'the others are down');

my $b = take($h, '1234 1234');
is(links()->{$b->{tap}}{linkinfo}{info_data}{user}, 1234,
    'one that is somebody\'s is his');
made(AHEAD + 2, 'another takes its place');

close $fd;
is($h->ask("give $_->{tap}"), "given $_->{tap}", 'given back') for $a, $b;
is($h->ask('free'), 'free 253', 'all addresses are free');
is(scalar(taps()), AHEAD + 2, 'the pool keeps them');
take($h) for 1 .. 2;
is(scalar(taps()), AHEAD + 2, 'no more are made than the pool lacks');

# --- one of the pool is taken without a look at the host's rules

use constant TAKES => 20;

my $pooled = take($h);
$h->ask("give $pooled->{tap}");
my ($before) = $h->ask('runs') =~ /(\d+)/;

for (1 .. TAKES) {
    $pooled = take($h);
    $h->ask("give $pooled->{tap}");
}

my ($after) = $h->ask('runs') =~ /(\d+)/;
cmp_ok($after - $before, '<', TAKES / 2, 'taken without a look at the rules');

# but where somebody changed them, however short before
for my $change ('flush set bridge fcfaas_fcn-br nics', 'flush ruleset') {
    sh("nft $change");
    $pooled = take($h);
    like(sh('nft list set bridge fcfaas_fcn-br nics'), qr/"$pooled->{tap}"/,
        "$change: in the set again when it is up");
    $h->ask("give $pooled->{tap}");
}

# --- whoever comes while one is being made

is($h->finish('close'), 'closed 0', 'the end');
is(join(' ', keys %{links()}), 'lo', 'leaves no link');
is(sh('nft list ruleset'), '', 'nor a rule');

# of five addresses the first are out before, while and after one is made
for my $wait (0 .. 4) {
    $h = start({ ahead => AHEAD, len => 29, pool => 8 });
    select undef, undef, undef, 0.004 * $wait;
    is($h->ask('free'), 'free 5', 'one that is being made is free');
    $h->order('burst 6');
    my @got = map { $h->line } 1 .. 7;
    is(scalar(grep { /^nic / } @got), 5, 'all addresses are to be had');
    is(scalar(grep { /^error .*is full/ } @got), 1, 'and not one more');
    my %addr = map { (split)[3] => 1 } grep { /^nic / } @got;
    is(scalar(keys %addr), 5, 'each once');
    is(scalar(grep { up($_) } taps()), 5, 'all up');
    $h->order('give ' . (split)[1]) for grep { /^nic / } @got;
    $h->line for 1 .. 5;
    is($h->finish('close'), 'closed 0', 'the end');
}

# --- ended or killed while they are made

for my $wait (0 .. 4) {
    $h = start({ ahead => 8 });
    select undef, undef, undef, 0.004 * $wait;
    is($h->finish('close'), 'closed 0', 'ended while they are made');
    is(join(' ', keys %{links()}), 'lo', 'no link is left');
}

for my $wait (0 .. 4) {
    $h = start({ ahead => 8 });
    select undef, undef, undef, 0.01 + 0.004 * $wait;
    $h->kill;
    is(scalar(grep { ($_->{ifalias} // '') ne 'fcfaas:node-1' }
        map { links()->{$_} } taps()), 0, 'killed, each is known');
}

$h = start({ ahead => 8 });
made(8, 'the next has as many, of which some were there');
my $c = take($h);
ok(up($c->{tap}), 'and they serve');
$h->ask("give $c->{tap}");
is($h->finish('close'), 'closed 0', 'the end');
is(join(' ', keys %{links()}), 'lo', 'no link is left');

# --- no more than can be out at once

$h = start({ ahead => AHEAD, most => AHEAD + 1, pool => AHEAD + 1 });
made(AHEAD, 'they are there');
my @out = map { take($h) } 1 .. 2;
made(AHEAD + 1, 'one is made instead of two');
push @out, map { take($h) } 1 .. 2;
is($h->ask("give $_->{tap}"), "given $_->{tap}", 'given back') for @out;
is($h->ask('free'), 'free 253', 'and kept: each address is free at once');
is(scalar(taps()), AHEAD + 1, 'as many as before');
is($h->finish('close'), 'closed 0', 'the end');

# --- one cannot be made

$h = start({ ahead => AHEAD });
made(AHEAD, 'they are there');
sh('mount --bind /dev/null /dev/net/tun');
my ($x, $y, $z) = map { take($h) } 1 .. 3;
is($_->{word}, 'nic', 'those that there are are to be had') for $x, $y, $z;
like($h->ask('take'), qr/^error /, 'the next tells why');
ok(NetHost::until(sub { $h->ask('free') eq 'free 250' }),
    'its address is free again');
sh('umount /dev/net/tun');
my $d = take($h);
is($d->{word}, 'nic', 'until one can');
made(AHEAD + 4, 'and they are made again');
$h->ask("give $_->{tap}") for $x, $y, $z, $d;
is($h->finish('close'), 'closed 0', 'the end');

done_testing();
