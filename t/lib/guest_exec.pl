#!/usr/bin/perl

# Runs a program in a machine of FcfTest::Machine, as if it ran here: its
# output, its errors and its status are this one's, and the end of its input.
#
#   guest_exec.pl DIR PROGRAM ARGUMENT...
#
# In DIR are the sockets of QEMU's that are serial ports there (port.0 ...),
# of which it takes one that nobody has: see t/lib/guest_run.pl.

use strict;
use warnings;

use Fcntl qw(:flock);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;

my ($dir, @argv) = @ARGV;
my $id = "$$." . int rand 1e9;
my ($lock, $port);

sub take {
    for my $path (glob "$dir/port.?") {
        open $lock, '>', "$path.lock" or die "$path.lock: $!\n";
        return $path if flock $lock, LOCK_EX | LOCK_NB;
    }
    return undef;
}

my $path;
select undef, undef, undef, 0.02 until $path = take();
$port = IO::Socket::UNIX->new(Peer => $path) or exit 255;
binmode $_ for $port, *STDOUT, *STDERR;

# a driver that comes late hears nothing of what was said before
my $line = "run $id " . encode_json(\@argv) . "\n";
syswrite $port, $line;

my ($in, $body, $to) = ('', 0, undef);
my $select = IO::Select->new($port, \*STDIN);

while (1) {
    for my $fh ($select->can_read) {
        if ($fh != $port) {
            next if sysread $fh, my $nothing, 4096;
            $select->remove($fh);
            syswrite $port, "end $id\n";
            next;
        }

        sysread $port, $in, 65536, length $in or exit 255;
        frames();
    }
}

sub frames {
    while (1) {
        if ($body) {
            return if $in eq '';
            my $part = substr $in, 0, $body, '';
            $body -= length $part;
            syswrite $to, $part if $to;
            next;
        }

        $in =~ s/^(.*)\n// or return;
        my ($what, $of, $n) = split / /, $1;
        my $ours = defined $of && $of eq $id;
        next unless defined $n;

        if ($what eq 'exit') {
            exit($n & 127 ? 128 + ($n & 127) : $n >> 8) if $ours;
        } else {
            ($body, $to) = ($n, !$ours ? undef
                : $what eq 'out' ? \*STDOUT : \*STDERR);
        }
    }
}
