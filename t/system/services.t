#!/usr/bin/perl

# What fcfaas-setup says of a service that does not come up: systemd waits for
# an agent without end.

use strict;
use warnings;

use lib 't/lib', 'packaging/lib';
use FcfSetup::Run qw(start restart);
use FcfTest;
use Test::More;

my $bin = tmpdir() . '/bin';
mkdir $bin;

sub program {
    my ($name, $text) = @_;
    spew("$bin/$name", "#!/bin/sh\n$text\n");
    chmod 0755, "$bin/$name" or die "$name: $!";
}

program(systemctl => 'case $1 in is-enabled) exit 0 ;; is-active) exit 3 ;; '
    . 'esac; exec sleep 600');
program(journalctl => 'echo "the last line of $*"');

# (exit status, what it said) of what ends its process
sub ended {
    my ($does) = @_;
    my $pid = open my $out, '-|';

    if (!$pid) {
        open STDERR, '>&', \*STDOUT;
        $ENV{PATH} = "$bin:$ENV{PATH}";
        $does->();
        POSIX::_exit(0);
    }

    my $said = do { local $/; <$out> };
    close $out;
    return ($? >> 8, $said);
}

for (['started', \&start], ['restarted', \&restart]) {
    my ($what, $does) = @$_;
    my ($status, $said) = ended(sub { $does->('x.service', 1) });
    is($status, 1, "one that is not ready when $what");
    like($said, qr/^fcfaas-setup: x\.service is not ready after 1 s: \s*(?#
        )the last line of .* -u x\.service$/m, 'is told, with its log');
}

program(systemctl => 'exit 0');
is((ended(sub { restart('x.service', 60) }))[0], 0, 'one that is, is not');

done_testing();
