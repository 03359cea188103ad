# The table of commands in docs/reference.md, held against "fcfaas help".

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $fcfaas = FcfTest::Cli::binary();
my ($commands) = `$fcfaas help` =~ /^Commands .*\n((?:  .*\n)+)/m;
my %what = $commands =~ /^  ([a-z]+) +(.*)$/mg;
cmp_ok(scalar keys %what, '>', 10, 'there are commands');

my ($rows) = slurp(root() . '/docs/reference.md')
    =~ /^\| command \|.*\n\|[ -|]+\n((?:\|.*\n)+)/m;
my %told;
for (split /\n/, $rows) {
    my ($usage, $what, $options) = /^\| `(.*?)` \| (.*?) \| (.*?) ?\|$/
        or die "not a row: $_";
    my ($verb) = $usage =~ /^(\w+)/;
    $told{$verb} = [$usage =~ s/\\\|/|/gr, $what,
        join ' ', sort $options =~ /`(--[a-z-]+)/g];
}

is_deeply([sort keys %told], [sort keys %what], 'each has its row');
for my $verb (sort keys %what) {
    my $help = `$fcfaas help $verb`;
    my ($usage) = $help =~ /^usage: fcfaas (.*)$/m;
    my @options = $help =~ /^  (?:-\w, |    )(--[a-z-]+)/mg;
    is_deeply($told{$verb}, [$usage, $what{$verb}, join ' ', sort @options],
        $verb);
}

done_testing();
