#!/usr/bin/perl

# NICs of VMs that an earlier agent left: the next one keeps them as they are.

use strict;
use warnings;

use lib 't/lib';
use NetHost;
use Test::More;

NetHost::begin();
sh('mount --make-rprivate / && mount -t sysfs none /sys');  # of this namespace

sub keep { "$_[0]{tap},$_[1]," . join ':', unpack '(H2)6', $_[0]{mac} }
sub carrier { sh("cat /sys/class/net/$_/carrier_changes") + 0 }

my $h = start();
my ($a, $b, $c) = map { take($h) } 1 .. 3;
my ($fd_a, $fd_b, $fd_c) = map { guest_open($_->{tap}) } $a, $b, $c;
$h->kill;

refused({ keep => [keep($a, $a->{addr})] }, qr{^refused TAP $b->{tap}, of an },
    'another in use');

my $index = links()->{'fcn-br'}{ifindex};
my %before = map { $_ => carrier() } 'fcn-br', $a->{tap}, $b->{tap};

# the third is named with an address of the first, and one with none at all
$h = start({ keep => [keep($a, $a->{addr}), keep($b, $b->{addr}),
    keep($c, $a->{addr}), keep({ tap => 'fcntap9', mac => $c->{mac} },
    $c->{addr})] });
is($h->{first}, 'open', 'the next one starts');
is($h->line, "kept $a->{tap}", 'keeps the first');
is($h->line, "kept $b->{tap}", 'and the second');
is($h->line, "lost $c->{tap}", 'not one with an address that is another\'s');
is($h->line, 'lost fcntap9', 'nor one that is not there');
ok(!links()->{$c->{tap}}, 'what is not kept is gone');

is(links()->{'fcn-br'}{ifindex}, $index, 'the bridge is the same');
is_deeply({ map { $_ => carrier() } keys %before }, \%before,
    'no link was down for a moment');

fence($fd_a, $a, 'a kept guest is answered');
fence($fd_b, $b, 'and the other');
my $s = connecting($a->{addr}, 80);
like(scalar get($fd_a), qr/^172\.16\.0\.1 > $a->{addr} tcp \d+ 80 syn$/,
    'the host reaches a kept guest without ARP');
emit($fd_b, arp($b, '172.16.0.77'));
fence($fd_b, $b, 'but for its own address only');

is($h->ask('free'), 'free 251', 'two addresses are in use');
my $d = take($h);
ok($d->{addr} ne $a->{addr} && $d->{addr} ne $b->{addr},
    'a new one has an address of its own');
close $_ for $fd_a, $fd_b, $fd_c;
is($h->ask("give $_->{tap}"), "given $_->{tap}", 'given back') for $a, $b, $d;
is($h->ask('free'), 'free 253', 'all addresses are free');
my $again = take($h);
my $fd = guest_open($again->{tap});
fence($fd, $again, 'and serve again');

# one that somebody took out of the bridge meanwhile
$h->kill;
sh("ip link set $again->{tap} nomaster");
$h = start({ keep => [keep($again, $again->{addr})] });
is($h->line, "kept $again->{tap}", 'kept although it was changed');
my $link = links()->{$again->{tap}};
ok($link->{master} eq 'fcn-br' && $link->{linkinfo}{info_slave_data}{isolated},
    'and put right');
close $fd;
$fd = guest_open($again->{tap});
fence($fd, $again, 'it serves');
close $fd;
$h->ask("give $again->{tap}");

is($h->finish('close'), 'closed 0', 'all is removed');
is(join(' ', keys %{links()}), 'lo', 'no link');
is(sh('nft list ruleset'), '', 'no rule');

done_testing();
