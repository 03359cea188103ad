#!/usr/bin/perl

# Each target of t/fuzz over its corpus, and over some thousand inputs made of
# it: what "make fuzz" does for hours, as far as a test's time goes.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $runs = $ENV{FCF_FUZZ_RUNS} // 5000;

my @names = map { m{([^/]+)\.c$} } sort glob root() . '/t/fuzz/*.c';
cmp_ok(scalar @names, '>', 2, 'there are targets');

my $built = qx(make -C '@{[ root() ]}' --no-print-directory V=fuzz \\
               fuzz-targets 2>&1);
is($?, 0, 'they are built') or BAIL_OUT($built);

for my $name (@names) {
    my $target = root() . "/build/fuzz/t/fuzz/$name";
    my $corpus = root() . "/t/fuzz/corpus/$name";
    my $dir = tmpdir() . "/$name";
    mkdir $dir;

    my @inputs = glob "$corpus/*";
    cmp_ok(scalar @inputs, '>', 0, "$name: a corpus of " . @inputs);

    # named one by one they are only run
    my $out = qx('$target' -artifact_prefix='$dir/' @inputs 2>&1);
    is($?, 0, "$name: all its properties hold for it") or diag($out);

    # a bound in time as well, for a machine that is busy
    $out = qx('$target' -runs=$runs -max_total_time=60 -max_len=4096 \\
              -artifact_prefix='$dir/' -print_final_stats=1 \\
              '$dir' '$corpus' 2>&1);
    my $failed = $?;
    my ($why) = $out =~ /^(.*(?:does not hold|ERROR: ).*)$/m;
    my @of = map { unpack 'H*', slurp($_) } glob "$dir/*-*";
    is($failed, 0, "$name: and for what is made of it") or diag($out);

    # of a long run the first lines alone are seen
    fail("$name: $why") if $failed && $why;
    fail("$name: of $_") for $failed ? @of : ();
    note($out =~ /(stat::number_of_executed_units:.*)/);
}

done_testing();
