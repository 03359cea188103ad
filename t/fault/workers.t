#!/usr/bin/perl

# Workers of a gateway are killed (-9) and stopped at random under load: those
# that live go on, and no slot is lost or doubled afterwards.
# WORKERS_SECONDS: how long (5).

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;
use Time::HiRes qw(sleep);

my $seconds = $ENV{WORKERS_SECONDS} // 5;
my $c = FcfTest::Counter->start(n => 3, min_ms => 1, max_ms => 10);
my $g = FcfTest::Gateway->start(workers => 4, park_timeout => '60s',
    location => 'fcfaas_park_limit 100000;');

$g->nginx->expect_complaint(qr/exited on signal 9/);

# in the last one workers keep spare places
my @limit = (4, 4, 16);

$g->spec('busy', concurrency => 4);
$g->instance('busy', worker => "n1-$_", port => $c->port($_),
    concurrency => $limit[$_]) for 0 .. 2;
$g->wait_known('instances', 3);

my @load = map { FcfTest::Load->start(port => $g->port, path => "/run/busy/$_",
    interval_ms => 3, patience_s => 60) } 1 .. 3;
my (%stopped, %n, %killed);
my $end = now() + $seconds;

# Ports of the clients whose connections a process has that stands still.  The
# kernel passes over some where others come and go while it is read: until
# twice nothing new is found.
sub clients {
    my ($pid) = @_;
    my %mine = map { $_ => 1 } map { (readlink) =~ /^socket:\[(\d+)\]/ }
        glob "/proc/$pid/fd/*";
    my (%clients, $same);

    for ($same = 0; $same < 2; $same++) {
        my (undef, @rows) = split /\n/, slurp('/proc/net/tcp');

        for (@rows) {
            my (undef, $local, $remote, $inode) = (split)[0, 1, 2, 9];
            my ($port, $client) = map { hex s/.*://r } $local, $remote;

            if ($port == $g->port && $mine{$inode} && !$clients{$client}++) {
                $same = -1;
            }
        }
    }

    return keys %clients;
}

while (now() < $end) {
    my @workers = $g->nginx->workers;
    my $pid = $workers[rand @workers] or next;
    my $what = int rand 4;

    if ($what == 0) {
        # where it is, with what it has in hand
        freeze($pid);
        $killed{$_}++ for clients($pid);
        kill 'KILL', $pid;
        delete $stopped{$pid};
        $n{killed}++;

    } elsif ($what == 1 && keys %stopped < 3) {
        kill 'STOP', $pid;
        $stopped{$pid} = 1;
        $n{stopped}++;

    } else {
        kill 'CONT', $pid;
        delete $stopped{$pid};
    }

    sleep rand 0.2;
}

kill 'CONT', $_ for keys %stopped;

my @result = map { $_->end } @load;
my ($sent, $lost) = (0, 0);
my (%why, @others);

for my $r (@result) {
    $sent += $r->{sent};
    $lost += $r->{lost};
    $why{s/,.*//r}++ for @{ $r->{why} };
    push @others, grep { !$killed{$_} } @{ $r->{lost_ports} };
    is_deeply([keys %{ $r->{status} }], [200], 'answers are 200');
}

note("killed $n{killed}, with ", scalar keys %killed, ' connections; stopped ',
    "$n{stopped}; sent $sent, lost $lost; ",
    'epochs ', scalar $g->nginx->logged(qr/died while it held it/),
    ', alone ', scalar $g->nginx->logged(qr/stands still/));
is($why{'no answer'} // 0, 0, 'none hangs');
is(scalar @others, 0, 'lost is what killed workers had in hand, nothing else')
    or diag("@others; ", join ', ', map { "$_: $why{$_}" } sort keys %why);

# quiet: as many as ever may enter, and no more
wait_for(sub { my @w = $g->nginx->workers; @w == 4 }, 20, 'four workers');
$g->wait_known('instances', 3, 20);
wait_for(sub { !grep { $_->{now} } $c->read }, 20, 'nobody inside');
$c->reset;

my @q = map { $g->send("/run/busy/$_?ms=100") } 1 .. 300;
is(scalar(grep { $_->response(60)->{status} == 200 } @q), 300,
    'afterwards 300 at once are served');
my @each = $c->read;
is_deeply([map { $_->{max} } @each], \@limit,
    'as many as may be inside each instance, no more and no less');

$g->stop;
done_testing;
