#!/usr/bin/perl

# The page's locations stand wherever a gateway's configuration is written:
# for "make run", by fcfaas-setup, in nginx.conf.example.  They are the same in
# all of them, and what keeps the page to itself is there.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my @files = split /\n/, `cd \Q@{[ root() ]}\E && git ls-files -- run packaging '*.example'`;
@files = grep { /\S/ && -f root() . "/$_" } @files
    or plan skip_all => 'no checkout';

# file => its text, without what is Perl's: whether there is TLS, say
my %text = map { $_->[0] => $_->[1] =~ s/(?<!\\)\$scheme:/http:/gr
        =~ s/\\([\$\@\\])/$1/gr }
    grep { $_->[1] =~ /\bfcfaas_node\s/ }
    map { [$_, slurp(root() . "/$_")] } grep { !/\.(?:json|md)$/ } @files;
cmp_ok(scalar keys %text, '>=', 3, 'they are found: ' . join ' ',
    sort keys %text);

# the directives of one location's block, but for what a place is free to say:
# where files are, and of which types
sub directives {
    my ($text, $head) = @_;
    my ($body) = $text =~ /location +$head *\{\n(.*?)^ +\}$/ms or return ['none'];
    $body =~ s/^ *#.*\n//mg;
    $body =~ s/^ +types +\{.*?\}\n//ms;
    return [sort grep { $_ !~ /^(?:alias|types|allow|deny) / }
        map { s/^\s+|\s+$//gr =~ s/\s+/ /gr } split /(?<=;)\s*\n/, $body];
}

my %head = (page => qr{/fcfaas/ui/}, front => qr{= /fcfaas/},
    list => qr{= /fcfaas/nodes}, node => qr{~ "\^/fcfaas/nodes/[^\n]*"});

for my $what (sort keys %head) {
    my ($first, @others) = sort keys %text;
    my $is = directives($text{$first}, $head{$what});
    is_deeply(directives($text{$_}, $head{$what}), $is,
        "$what: $_ says what $first does") for @others;
}

my ($policy) = slurp(root() . '/ui/index.html')
    =~ /Content-Security-Policy" content="([^"]*)"/;

for my $file (sort keys %text) {
    subtest $file => sub {
        my ($page, $node) = map { my $d = directives($text{$file}, $head{$_});
            "@$d" } 'page', 'node';
        my ($csp) = $page =~ /Content-Security-Policy "([^"]*)" always;/;
        is($csp, "$policy; frame-ancestors 'none'",
            'the policy is the page\'s own, and nobody frames it');
        like($page, qr/\Q$_\E always;/, $_) for
            'X-Content-Type-Options nosniff', 'Referrer-Policy no-referrer',
            'Cache-Control no-cache';
        like($node, qr/proxy_set_header $_ "";/, "no node is told the $_ of "
            . 'who looks') for 'Cookie', 'Authorization';
        like($node, qr/proxy_(?:connect|read)_timeout $_;/, "not waited for: $_")
            for qw(2s 6s);
        my ($is) = $text{$file} =~ m{location +~ "(\^/fcfaas/nodes/[^\n]*)" \{};
        ok("/fcfaas/nodes/$_" =~ /$is/, "asked: $_")
            for 'a/instances', 'a.b/failures', 'a/functions/f/lines';
        ok("/fcfaas/nodes/$_" !~ /$is/, "not asked: $_") for 'a/metrics',
            'a/healthz', 'a/functions/f/output', 'a/../status', 'a/instances/x';
    };
}

done_testing();
