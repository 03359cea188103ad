#!/usr/bin/perl

# In a machine of FcfTest::Machine: runs what t/lib/guest_exec.pl asks for over
# a serial port, one program at a time.
#
#   guest_run.pl DEVICE
#
# It reads lines: "run ID JSON" (an array: the program and its arguments), which
# ends what ran before, and "end ID": no more input.  It writes frames, each a
# line and so many bytes: "out ID N", "err ID N", and "exit ID STATUS" at last.

use strict;
use warnings;

use IO::Select;
use JSON::PP;
use POSIX qw(tcgetattr);

my ($device) = @ARGV;
my $port;

# it comes with its driver
for (1 .. 600) {
    last if open $port, '+<', $device;
    select undef, undef, undef, 0.1;
}
die "$device: $!\n" unless $port;
system("stty -F $device raw -echo 2>/dev/null");
binmode $port;

$SIG{PIPE} = 'IGNORE';
my $in = '';
my %job;        # id, pid, stdin; out and err while they are open

sub say_all {
    my ($text) = @_;
    while (length $text) {
        my $n = syswrite $port, $text;
        die "$device: $!\n" unless defined $n;
        substr $text, 0, $n, '';
    }
}

sub begin {
    my ($id, @argv) = @_;

    kill 'KILL', $job{pid} if $job{pid};
    waitpid $job{pid}, 0 if $job{pid};
    pipe my $stdin, my $ours or die;
    pipe my $out, my $theirs_out or die;
    pipe my $err, my $theirs_err or die;

    my $pid = fork // die "fork: $!";
    if ($pid == 0) {
        open STDIN, '<&', $stdin;
        open STDOUT, '>&', $theirs_out;
        open STDERR, '>&', $theirs_err;
        close $_ for $port, $ours;
        %ENV = (PATH => '/usr/sbin:/usr/bin:/sbin:/bin', HOME => '/root',
            LC_ALL => 'C.UTF-8', DEBIAN_FRONTEND => 'noninteractive');
        chdir '/root';
        exec { $argv[0] } @argv or POSIX::_exit(127);
    }

    %job = (id => $id, pid => $pid, stdin => $ours, out => $out, err => $err);
}

sub heard {
    my $n = sysread $port, $in, 65536, length $in;
    die "$device: $!\n" unless defined $n;
    # nobody is at the other end
    select undef, undef, undef, 0.05 if $n == 0;

    while ($in =~ s/^(.*)\n//) {
        my ($what, $id, $rest) = split / /, $1, 3;
        begin($id, @{ decode_json($rest) }) if $what eq 'run';
        close delete $job{stdin}
            if $what eq 'end' && $job{stdin} && $id eq $job{id};
    }
}

sub told {
    my ($name) = @_;
    my $n = sysread $job{$name}, my $text, 32768;

    if ($n) {
        say_all("$name $job{id} $n\n$text");
        return;
    }

    delete $job{$name};
    return if $job{out} || $job{err};

    waitpid $job{pid}, 0;
    say_all("exit $job{id} $?\n");
    %job = ();
}

while (1) {
    my %name = map { ($job{$_} ? (fileno $job{$_}, $_) : ()) } qw(out err);
    my @fh = ($port, grep { $_ } @job{qw(out err)});

    for my $fh (IO::Select->new(@fh)->can_read) {
        $fh == $port ? heard() : told($name{fileno $fh});
    }
}
