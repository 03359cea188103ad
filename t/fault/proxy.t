#!/usr/bin/perl

# The proxy is killed again and again behind a whole gateway under load: lost
# are those inside it, and no other.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use POSIX ();
use Test::More;

use constant { CLIENTS => 4, KILLS => 4 };

my $s = FcfTest::System->start(vmm => 'instant', calls => 1)->up(120);

# a child that calls all the time: [pid, where its counts come from]
sub client {
    pipe my $from, my $to or die "pipe: $!";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        my ($sent, $lost, $stop) = (0, 0, 0);
        $SIG{TERM} = sub { $stop = 1 };

        until ($stop && $sent > 10) {
            my $r = eval { $s->get('/run/hello') };
            $sent++;
            $lost++ if !$r || $r->{status} != 200;
        }

        syswrite $to, "$sent $lost\n";
        POSIX::_exit(0);
    }

    close $to;
    return [$pid, $from];
}

my @clients = map { client() } 1 .. CLIENTS;

for (1 .. KILLS) {
    my $old = $s->pid('proxy');
    is($s->get('/run/hello')->{status}, 200, 'served');
    $s->signal('proxy', 'KILL');
    wait_for(sub { my $pid = $s->pid('proxy'); $pid && $pid != $old }, 20,
        'another proxy');
    wait_for(sub { (eval { $s->get('/run/hello')->{status} } // 0) == 200 },
        20, 'it to serve');
}

kill 'TERM', map { $_->[0] } @clients;
my ($sent, $lost) = (0, 0);

for (@clients) {
    my ($n, $m) = split ' ', readline $_->[1];
    waitpid $_->[0], 0;
    $sent += $n;
    $lost += $m;
}

cmp_ok($sent, '>', 10 * CLIENTS, "$sent requests");
cmp_ok($lost, '<=', CLIENTS * KILLS,
    "$lost lost: at most those inside, each time");
is(scalar($s->instances('hello')), 1, 'its VM was not replaced');
is($s->make('stop'), 0, 'make stop');
is_deeply([$s->leftovers], [], 'nothing is left');

done_testing();
