# The table of mistakes in docs/functions.md: each is made, and what is said of
# it is what stands there.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $tmp = tmpdir();
mkdir "$tmp/images";
mkdir "$tmp/runtimes";
my $runtimes = root() . '/build/vm/runtimes';
symlink "$runtimes/$_", "$tmp/runtimes/$_" for qw(base.img base.entries
    python3.entries);
# only that there is one is looked at
spew("$tmp/runtimes/python3.img", 'x');

my $cli = FcfTest::Cli->new(cwd => $tmp, conf => {
    etcd => $etcd->endpoint, functions => "$tmp/images",
    runtimes => "$tmp/runtimes" });

# [a file's name, its text or \target of a link, mode], options
my $sh = ['bootstrap', "#!/bin/sh\n", 0755];
my %made = (
    'a program to start'           => [[['x', 'x']]],
    'that it is to be run'         => [[['bootstrap', "#!/bin/sh\n"]]],
    'line ends of Windows'         => [[['bootstrap', "#!/bin/sh\r\n", 0755]]],
    'the line `#!`'                => [[['bootstrap', "exit\n", 0755]]],
    'Python, in the runtime `base`' =>
        [[['bootstrap', "#!/usr/bin/python3\n", 0755]]],
    'a handler, in the runtime `python3`' =>
        [[['x.py', 'x']], '--runtime', 'python3'],
    'that a link leads out'        => [[$sh, ['up', \'../../etc/passwd']]],
    'how a field is called'        => [[$sh], '--spec', '{"memory":64}'],
    'how names are written'        => [[$sh], '--name', 'Shop'],
);

my ($rows) = slurp(root() . '/docs/functions.md')
    =~ /^\| what was forgotten \|.*\n\|[ -|]+\n((?:\|.*\n)+)/m;
my %told = $rows =~ /^\| (.+?) \| `(.+)` \|$/mg;
is_deeply([sort keys %told], [sort keys %made], 'each is made here');

my $n = 0;
for my $mistake (sort keys %made) {
    my ($files, @options) = @{ $made{$mistake} };
    my $name = 'f' . ++$n;
    mkdir "$tmp/$name";

    for (@$files) {
        my ($file, $text, $mode) = @$_;
        if (ref $text) {
            symlink $$text, "$tmp/$name/$file" or die $!;
        } else {
            spew("$tmp/$name/$file", $text);
            chmod $mode // 0644, "$tmp/$name/$file";
        }
    }

    my $r = $cli->run('deploy', $name, @options, '--no-wait');
    isnt($r->{status}, 0, "$mistake: it is refused");
    like($r->{err}, qr/^fcfaas: (?:$name: )?\Q$told{$mistake}\E\n\z/,
        'as docs say');
}

is_deeply([$etcd->keys('/specs/')], [], 'nothing is deployed');
done_testing();
