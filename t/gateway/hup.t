# The suite of t/*.t once more with one nginx for all blocks of a file,
# reloaded between them: files by name in FCF_HUP, or "all".

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $files = $ENV{FCF_HUP} // 't/park.t t/retry.t t/warm.t';
my @files = $files eq 'all' ? sort glob('t/*.t') : split ' ', $files;

for my $file (@files) {
    my $name = $file =~ s{.*/|\.t$}{}gr;
    my $proc = FcfTest::Proc->spawn(name => "hup-$name", show => 40,
        argv => [$^X, '-w', $file], env => { TEST_NGINX_USE_HUP => 1 });

    my $status = $proc->wait(300);
    is($status, 0, "$file: blocks between reloads");
    like($proc->output, qr/^1\.\.[1-9]/m, "$file: to its end");
}

done_testing;
