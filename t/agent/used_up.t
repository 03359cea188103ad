#!/usr/bin/perl

# A function that has used up its processes or the room for its files lives on,
# and its guest says so, once.  Real guests, booted through the VMM stand-in.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::RealGuest;
use Test::More;

plan skip_all => no_guest() if no_guest();
lay_guest_network('usedup');

says('files', 'dd if=/dev/zero of=/tmp/x bs=1M',
    qr/the function's files take \d+ MB, of \d+ MB that they may: half of its/);
says('processes', '(while :; do sleep 100000 & done)',
    qr/the function has \d+ processes and threads, of \d+ that it may have/);

done_testing();


sub says {
    my ($what, $does, $words) = @_;
    my $vm = boot(shell("$does 2>/dev/null\nexec nc -ll -p 80 -e true\n"));

    wait_for(sub { slurp($vm->{console}) =~ /^fcfaas: warning: $words/m }, 180,
        "$what: its words");
    pass("$what that are used up are told");
    reach($vm, 80);
    pass("$what: the function serves on");
    stop($vm);
    is(scalar(() = slurp($vm->{console}) =~ /^fcfaas: warning: $words/mg), 1,
        "$what: it is said once");
}
