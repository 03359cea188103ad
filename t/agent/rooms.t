#!/usr/bin/perl

# Who includes whom: every #include "..." of the tree is held against the table
# in HACKING.md, in which arrows between rooms point down only.

use strict;
use warnings;

use lib 't/lib';
use File::Find;
use FcfTest;
use Test::More;

my %may = rooms(slurp(root() . '/HACKING.md'));
my %files = sources(grep { $may{$_} } sort keys %may);

cmp_ok(scalar keys %may, '>=', 15, 'HACKING.md tells the rooms');
cmp_ok(scalar keys %files, '>=', 150, 'the rooms have sources');
is(join("\n", wrong(\%may, \%files)), '', 'no arrow points up');
is(join("\n", circles(\%may)), '', 'nor in a circle');

# the same eyes on what must not be
my %fed = (
    'agent/store/a.c' => qq(#include "agent/agent.h"\n),
    'agent/base/b.h' => qq(  # include "agent/proxy/proxy.h"\n),
    'contract/c.c' => qq(#include "client/fcf_loop.h"\n),
    'agent/net/d.c' => qq(#include "agent/net/net.h"\n#include <uv.h>\n),
    'agent/net/e.c' => qq(#include "net.h"\n),
    'attic/f.c' => qq(#include "contract/fcf_err.h"\n),
);

is(join("\n", wrong(\%may, \%fed)), join("\n",
    'agent/base/b.h includes agent/proxy/proxy.h',
    'agent/net/e.c includes net.h',
    'agent/store/a.c includes agent/agent.h',
    'attic/f.c includes contract/fcf_err.h',
    'contract/c.c includes client/fcf_loop.h'), 'one that does is seen');

is(join("\n", circles({ 'a/' => ['b/'], 'b/' => ['c/'], 'c/' => ['a/'] })),
    "a/ > b/ > c/ > a/", 'and a circle in the table');

is_deeply([forgotten()], [], 'make test runs all tests');

done_testing();


# room => what it may include, itself and all
sub rooms {
    my ($text) = @_;
    my %rooms;

    for ($text =~ /^\|(.*)\|$/mg) {
        my ($room, undef, undef, $may) = split / ?\| ?/, "$_ ";
        my ($name) = ($room // '') =~ m{^\s*`([\w/]+/)`\s*$} or next;
        next if ($may // '') =~ /anything/;

        $rooms{$name} = [($may // '') =~ m{`([\w/]+/)`}g];
    }

    my @all = keys %rooms;
    $rooms{'agent/'} = [grep { !/^(agent|cli|ngx_fcfaas_module|run)\/$/ } @all];

    return %rooms;
}


# path => text, of these rooms; rooms below them are found with them
sub sources {
    my (@rooms) = @_;
    my (%text, %top);

    $top{(split m{/})[0]} = 1 for @rooms;

    find({ no_chdir => 1, wanted => sub {
        return unless -f && /\.[ch]$/;
        my $path = substr $_, length(root()) + 1;
        $text{$path} = slurp($_);
    } }, map { root() . "/$_" } sort keys %top);

    return %text;
}


sub room_of {
    my ($may, $path) = @_;

    (my $dir = $path) =~ s{[^/]*$}{};
    $dir =~ s{[^/]+/$}{} while $dir ne '' && !$may->{$dir};

    return $dir;
}


sub wrong {
    my ($may, $files) = @_;
    my @wrong;

    for my $path (sort keys %$files) {
        my $room = room_of($may, $path);
        my %ok = map { $_ => 1 } $room, @{$may->{$room} || []};

        for ($files->{$path} =~ /^\s*#\s*include\s+"([^"]+)"/mg) {
            my $of = m{/} ? room_of($may, $_) : '';
            push @wrong, "$path includes $_"
                if $room eq '' || $of eq '' || !$ok{$of};
        }
    }

    return @wrong;
}


# a test that nobody runs
sub forgotten {
    my %run = map { $_ => 1 } split /\n/, `make -s --no-print-directory test-names`;
    return grep { !$run{$_} } glob '{t,t/*}/*.t';
}

# each circle once, from where it is first met
sub circles {
    my ($may) = @_;
    my (%done, @found);

    my $walk;
    $walk = sub {
        my (@way) = @_;

        if (grep { $_ eq $way[-1] } @way[0 .. $#way - 1]) {
            push @found, join ' > ', @way;
            return;
        }

        return if $done{$way[-1]};
        $walk->(@way, $_) for grep { $_ ne $way[-1] }
            @{$may->{$way[-1]} || []};
        $done{$way[-1]} = 1;
    };

    $walk->($_) for sort keys %$may;

    return @found;
}
