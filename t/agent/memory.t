#!/usr/bin/perl

# The least memory that fcfaas deploy takes for a runtime boots it: an empty
# function, on Debian's kernel, or with FCF_KERNEL=small on ours.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::RealGuest;
use Test::More;

plan skip_all => no_guest() if no_guest();

my $small = ($ENV{FCF_KERNEL} // '') eq 'small';
my %least = slurp(root() . '/cli/memory.c')
    =~ /\{ "(\w+)", @{[$small ? '(\d+), \d+' : '\d+, (\d+)']} \}/g;
my %code = (
    base => [bootstrap => "#!/bin/sh\nexec nc -ll -p 80 -e true\n"],
    python3 => ['handler.py', "def handle(request):\n    return 'ok'\n"],
    node => ['handler.js', "exports.handler = () => 'ok';\n"],
);

is_deeply([sort keys %least], [sort keys %code], 'each runtime has one');
my @images = map { "build/vm/runtimes/$_.img" } sort keys %code;
is(system("cd @{[root()]} && make -s @images >&2"), 0, 'the images are made');

lay_guest_network('memory');

for my $runtime (sort keys %code) {
    my $vm = boot($runtime eq 'base' ? shell($code{base}[1] =~ s/^.*?\n//r)
        : image(@{ $code{$runtime} }, runtime => $runtime),
        runtime => $runtime, memory => 0 + $least{$runtime});
    ok(reach($vm, 80), "$runtime listens in $least{$runtime} MB");
    stop($vm);
}

done_testing;
