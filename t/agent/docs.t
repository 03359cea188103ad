#!/usr/bin/perl

# What docs and agent.conf.example say of settings, directives, variables,
# answers, fields and packages, held against the code; and that links of docs
# lead somewhere.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $readme = docs();

# name => default, as fcfaas-agent itself tells them; '' where there is none
sub settings {
    my ($text) = slurp(root() . '/agent/base/conf_table.c')
        =~ /fca_settings\[\] = \{\n(.*?)\n\};/s or die 'no table of settings';
    my %set;

    for my $entry (split /\n(?=    FCA_)/, $text) {
        my ($name, $rest) = $entry =~ /^ *FCA_\w+\((\w+),\s*(.*)\z/s or next;
        $rest =~ s/^fca_conf_\w+,\s*//;
        my ($default) = $rest =~ /^(?:"([^"]*)"|NULL)/
            or die "$name: no default in $entry";
        $set{$name} = $1 // '';
    }

    return %set;
}

# the rows of the table under a header row that begins so: [cells]
sub table {
    my ($header) = @_;
    my ($rows) = $readme =~ /^\| \Q$header\E \|.*\n\|[ -|]+\n((?:\|.*\n)+)/m
        or die "docs have no table \"$header\"";
    return map { [map { s/^\s+|\s+$//gr } (split /\|/)[1, 2]] }
        split /\n/, $rows;
}

sub unticked { $_[0] =~ s/^`(.*)`$/$1/r }

my %set = settings();
cmp_ok(scalar keys %set, '>', 30, 'the settings are found');

subtest 'the settings in docs' => sub {
    my %told = map { unticked($_->[0]) => unticked($_->[1]) }
        table('setting');
    is_deeply([sort keys %told], [sort keys %set], 'all, and no other');

    for (sort keys %set) {
        my $default = $_ eq 'node_id' ? "the host's name" : $set{$_};
        is($told{$_}, $default, "default of $_");
    }
};

subtest 'the settings in agent.conf.example' => sub {
    my %told;
    for (split /\n/, slurp(root() . '/agent.conf.example')) {
        # "#name = x" is an example, where there is no default, or the default
        $told{$2} = [$1, $3] if /^(#?)(\w+) = ?(.*)$/;
    }
    is_deeply([sort keys %told], [sort keys %set], 'all, and no other');

    for (sort keys %set) {
        my ($off, $value) = @{ $told{$_} // [] };
        if ($off && $set{$_} eq '') {
            pass("$_: none");
        } else {
            is($value, $set{$_}, "default of $_");
        }
    }
};

subtest 'the settings of fcfaas in docs' => sub {
    my ($text) = slurp(root() . '/cli/conf.c')
        =~ /fcc_settings\[\] = \{\n(.*?)\n\};/s or die 'no table';
    my %known = $text =~ /FCC_SETTING\((\w+), (?:NULL|"([^"]*)"),/g;
    my %told = map { unticked($_->[0]) => unticked($_->[1]) }
        table('setting of `fcfaas`');

    cmp_ok(scalar keys %known, '>', 5, 'the settings are found');
    is_deeply(\%told, { map { $_ => $known{$_} // '' } keys %known },
        'all, with their defaults, and no other');
};

subtest 'the directives' => sub {
    my $code = slurp(root() . '/ngx_fcfaas_module/ngx_http_fcfaas_module.c');
    my ($table) = $code =~ /ngx_command_t[^{]*\{(.*?)\n\};/s;
    my %known = map { $_ => 1 } $table =~ /\{ ngx_string\("(\w+)"\)/g;
    my %told = map { $_ => 1 }
        $readme =~ /^    Syntax: +(\w+)/mg;
    cmp_ok(scalar keys %known, '>', 10, 'are found');
    is_deeply([sort keys %told], [sort keys %known], 'each has its entry');
};

subtest "the answers of the agent's proxy" => sub {
    my %known;

    for my $file (glob root() . '/agent/proxy/*.c') {
        my $code = slurp($file);
        $known{"$2 $1"} = 1 while $code
            =~ /\w+\(conn,\s+(\d{3}),\s+"(\w+)",/g;
        $known{"$1 503"} = 1 while $code
            =~ /fca_answer_unsent\(conn,\s+"(\w+)",/g;
        $known{"$1 502"} = 1 while $code
            =~ /fca_relay_bad\(conn,\s+"(\w+)",/g;
    }

    my %told = map { unticked($_->[0]) . ' ' . ($_->[1] =~ /(\d+)/)[0] => 1 }
        table('error');
    cmp_ok(scalar keys %known, '>', 14, 'are found');
    is_deeply([sort keys %told], [sort keys %known], 'each has its row');
};

subtest 'the variables' => sub {
    my $code = join '', map {
        slurp(root() . "/ngx_fcfaas_module/ngx_http_fcfaas_$_.c")
    } qw(variables trace nodes);
    my @known = sort map { "\$$_" } $code =~ /\{ ngx_string\("(\w+)"\)/g;
    my @told = sort map { unticked($_->[0]) } table('variable');
    is_deeply(\@told, \@known, 'each has its row');
};

# the module's own, and the failures that reach a client
subtest "the answers of the gateway's own" => sub {
    my $code = slurp(root()
        . '/ngx_fcfaas_module/ngx_http_fcfaas_answer.c');
    my %known = map { $_ => 1 } $code =~ /^[^"\n]*"([a-z]+(?:_[a-z]+)*)",/mg;
    my ($failures) = slurp(root() . '/contract/fcf_codec.h')
        =~ /define FCF_FAILURES\(X\)(.*?)\n\n/s;
    $known{$_} = 1 for $failures =~ /"(\w+)"/g;
    delete @known{qw(expired at_max duplicate on)};      # "on": a word

    my ($rows) = $readme
        =~ /^\| status \| error \| when \|\n\|[ -|]+\n((?:\|.*\n)+)/m;
    my %told = map { $_ => 1 } map { /`(\w+)`/g } map { (split /\|/)[2] }
        split /\n/, $rows;
    cmp_ok(scalar keys %known, '>', 17, 'are found');
    is_deeply([sort keys %told], [sort keys %known], 'each has its row');
};

# "previous" and "deployed" are what fcfaas writes for itself
subtest 'the fields of a spec' => sub {
    my ($list) = slurp(root() . '/contract/fcf_spec.c')
        =~ /\[\] = \{\n(\s+"version", "previous".*?)\n\};/s
        or die 'no list of fields';
    my @known = sort grep { !/^(?:previous|deployed)$/ } $list =~ /"(\w+)"/g;
    my @told = sort map { unticked($_->[0]) } table('field | default');
    cmp_ok(scalar @known, '>', 12, 'are found');
    is_deeply(\@told, \@known, 'each has its row');
};

subtest 'links' => sub {
    my %anchors;
    my @pages = ('README.md', 'HACKING.md',
        map { s{^.*/(docs/)}{$1}r } glob root() . '/docs/*.md');
    for my $page (@pages) {
        my $text = slurp(root() . "/$page") =~ s/^```.*?^```//msgr;
        for ($text =~ /^#+ (.*)$/mg) {
            my $anchor = lc =~ s/[^\w\s-]//gr;
            $anchors{$page}{$anchor =~ s/ /-/gr} = 1;
        }
    }

    my (@wrong, $n);
    for my $page (@pages) {
        for (slurp(root() . "/$page") =~ s/`[^`\n]*`//gr =~ /\]\(([^)\s]+)\)/g) {
            next if /^https?:/;
            $n++;
            my ($file, $anchor) = /^([^#]*)(?:#(.*))?$/;
            my $to = $file eq '' ? $page : $page =~ s{[^/]*$}{}r . $file;
            1 while $to =~ s{[^/]+/\.\./}{};
            push @wrong, "$page: $_" if !-e root() . "/$to"
                || defined $anchor && !$anchors{$to}{$anchor};
        }
    }
    for (slurp(root() . '/packaging/monitoring/alerts.yml')
        =~ /runbook: (\S+)/g)
    {
        my ($file, $anchor) = split /#/;
        push @wrong, "an alert: $_" unless $anchors{$file}{$anchor};
    }
    cmp_ok($n, '>', 8, 'there are some');
    is_deeply(\@wrong, [], 'each leads somewhere');
};

# each failure has its runbook, and each of those says what you see, why, and
# what to do
subtest 'runbooks' => sub {
    my $text = slurp(root() . '/docs/operate.md');
    my ($rows) = $text =~ /^\| what \|.*\n\|[ -|]+\n((?:\|.*\n)+)/m;
    my @rows = split /\n/, $rows // '';
    cmp_ok(scalar @rows, '>', 16, 'failures are listed');

    my ($part) = $text =~ /^## Runbooks\n(.*?)^## /ms;
    my (undef, %book) = split /^### (.*)\n/m, $part // '';
    my %anchor = map { (lc =~ s/[^\w\s-]//gr =~ s/ /-/gr) => $_ } keys %book;
    my %used;

    for (@rows) {
        my ($what, undef, $to) = map { s/^\s+|\s+$//gr } (split /\|/)[1 .. 3];
        next if $to eq 'nothing to do';
        my ($at) = $to =~ /\(#([^)]+)\)/;
        ok($anchor{$at // ''}, "$what: has one");
        $used{$at // ''} = 1;
    }
    is_deeply([map { $anchor{$_} } grep { !$used{$_} } sort keys %anchor], [],
        'none is of no failure');
    for my $name (sort keys %book) {
        is_deeply([$book{$name} =~ /^\*(See|Why|Do):\*/mg], [qw(See Why Do)],
            "$name: see, why, do");
    }
};

subtest 'the packages' => sub {
    my @known = sort map { (split)[1] } grep { /^(?:run|test)\s/ }
        split /\n/, slurp(root() . '/run/deps.list');
    my @told = sort map { unticked($_->[0]) } table('package');
    cmp_ok(scalar @known, '>', 20, 'are found');
    is_deeply(\@told, \@known, 'each has its row');
};

done_testing();
