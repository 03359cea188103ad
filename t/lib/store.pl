#!/usr/bin/perl

# A store of images that misbehaves: GET with ranges out of a directory, one
# process a connection.
#
#   store.pl PORT DIRECTORY
#
# DIRECTORY/mode, read at each request:
#   (empty)     answers well
#   cut N       the first N bytes of all that begins at or behind byte N of the
#               file are sent, then the connection ends
#   wrong       zeros instead of what is there
#   status N    that status
#   hold        waits until mode is another one
# DIRECTORY/log gets a line for each request: path and range.

use strict;
use warnings;

use IO::Socket::INET;
use Time::HiRes qw(sleep);

use constant { SYS_prctl => 157, PR_SET_PDEATHSIG => 1, SIGKILL => 9 };

my ($port, $dir) = @ARGV;
my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
    LocalPort => $port, Listen => 128, ReuseAddr => 1) or die "port $port: $!";

$SIG{CHLD} = 'IGNORE';
$SIG{PIPE} = 'IGNORE';
$| = 1;
print "ready\n";

while (my $client = $listen->accept) {
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        syscall SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0;
        close $listen;
        1 while serve($client);
        exit 0;
    }

    close $client;
}

sub mode {
    open my $f, '<', "$dir/mode" or return '';
    return <$f> // '';
}

sub serve {
    my ($c) = @_;
    my ($path, $from, $to);

    while (my $line = <$c>) {
        $path = $1 if $line =~ m{^GET /(\S+) };
        ($from, $to) = ($1, $2) if $line =~ /^Range: bytes=(\d+)-(\d+)/i;
        last if $line =~ /^\r?$/;
    }

    return 0 unless defined $path;

    open my $log, '>>', "$dir/log" or die $!;
    syswrite $log, "$path " . (defined $from ? "$from-$to" : '') . "\n";
    close $log;

    sleep 0.01 while mode() eq 'hold';
    my $mode = mode();

    return answer($c, $1, '') if $mode =~ /^status (\d+)/;
    open my $f, '<:raw', "$dir/$path" or return answer($c, 404, '');
    my $text = do { local $/; <$f> };
    my $part = substr $text, $from, $to - $from + 1;
    $part = "\0" x length $part if $mode eq 'wrong';

    return answer($c, 206, $part, $mode =~ /^cut (\d+)/ && $from >= $1
        ? $1 / 2 : undef);
}

sub answer {
    my ($c, $status, $text, $only) = @_;
    my $head = "HTTP/1.1 $status x\r\nContent-Length: " . length($text)
        . "\r\n\r\n";

    print $c $head, defined $only ? substr $text, 0, $only : $text;
    $c->flush;
    return !defined $only;
}
