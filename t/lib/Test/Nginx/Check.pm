package Test::Nginx::Check;

# What a block of Test::Nginx::Socket expects, against what came.

use strict;
use warnings;

use FcfTest ();
use Test::More ();


sub _nth {
    my ($value, $i) = @_;
    return ref $value eq 'ARRAY' ? $value->[$i] : $value;
}


sub answer {
    my ($block, $r, $i, $name, $server) = @_;
    my $code = _nth(scalar $block->error_code, $i) // 200;

    $code =~ s/\s+\z//;
    my $good = Test::More::is($r->{status}, $code, "$name - status $code");

    for my $kind (qw(response_headers response_headers_like)) {
        my $text = _nth(scalar $block->$kind, $i) // next;
        _headers($kind, $server->expand($text), $r, $name);
    }

    if (defined(my $want = _nth(scalar $block->response_body, $i))) {
        $want = $server->expand($want) unless ref $want;
        $good &= Test::More::is($r->{body}, $want, "$name - body");
    }

    if (defined(my $re = _nth(scalar $block->response_body_like, $i))) {
        $good &= Test::More::like($r->{body}, _regex($re), "$name - body like");
    }

    if (defined(my $re = _nth(scalar $block->response_body_unlike, $i))) {
        Test::More::unlike($r->{body}, _regex($re), "$name - body unlike");
    }

    Test::More::diag(substr $r->{raw}, 0, 1000) unless $good;
}


sub _regex {
    my ($re) = @_;

    return $re if ref $re;
    chomp $re;
    return qr/$re/sm;
}


# lines of "Name: value" and "!Name" (must be absent)
sub _headers {
    my ($kind, $text, $r, $name) = @_;

    for my $line (grep { /\S/ } split /\r?\n/, $text) {
        if ($line =~ /^\s*!\s*(\S+)/) {
            Test::More::ok(!exists $r->{headers}{lc $1}, "$name - no $1");
            next;
        }

        my ($key, $value) = $line =~ /^\s*([^:\s]+)\s*:\s*(.*?)\s*$/
            or die "$name: bad line in $kind: $line\n";
        my $got = $r->{headers}{lc $key};

        if ($kind eq 'response_headers') {
            Test::More::is($got // '', $value, "$name - header $key");
        } else {
            Test::More::like($got // '', qr/^$value$/, "$name - header $key");
        }
    }
}


sub _patterns {
    my ($section) = @_;

    return map { ref $_ ? $_ : qr/\Q$_\E/ } ref $section eq 'ARRAY'
        ? grep { defined } @$section
        : ref $section ? $section
        : grep { /\S/ } split /\r?\n/, $section;
}


sub logs {
    my ($block, $server) = @_;
    my $name = $block->name;
    my $read = sub { $server->error_log_text };

    for my $re (_patterns(scalar($block->error_log) // [])) {
        eval { FcfTest::wait_for(sub { $read->() =~ $re }, 2, 'log') };
        Test::More::ok($@ eq '', "$name - error.log has $re");
    }

    my $text = $read->();

    for my $re (_patterns(scalar($block->no_error_log) // [])) {
        my ($line) = grep { $_ =~ $re } split /\n/, $text;
        Test::More::ok(!defined $line, "$name - error.log has no $re")
            or Test::More::diag($line);
    }

    if (defined(my $re = $block->grep_error_log)) {
        my $found = '';
        my $want = _nth(scalar($block->grep_error_log_out) // '', 0);

        $re = _regex($re);
        $found .= "$&\n" while $text =~ /$re/g;
        Test::More::is($found, $want, "$name - what error.log has of $re");
    }

    my ($report) = $text =~ /^(.*(?:Sanitizer|runtime error:).*)$/m;
    Test::More::fail("$name - sanitizer: $report") if defined $report;
}

1;
