#!/usr/bin/perl

# A small service manager, for FcfTest::Service: runs one program as systemd
# runs a unit of Type=notify, Restart=always, KillMode=process.
#
#   service.pl NOTIFY_SOCKET WATCHDOG_MS RESTART_MS program argument ...
#
# Orders, a line each, on standard input; the end of it is "stop":
#   restart     SIGTERM, and started again when it has ended
#   stop        SIGTERM, SIGKILL after 60 s, not started again; then it ends
# Events, a line each, on standard output, with the pid:
#   started, ready, watchdog (SIGABRT: it has not said WATCHDOG=1 in time),
#   exited <pid> <status as $?>

use strict;
use warnings;

use Socket;
use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC);
use POSIX qw(WNOHANG _exit);

use constant { SYS_prctl => 157, PR_SET_PDEATHSIG => 1, SIGKILL => 9,
    SYS_pidfd_open => 434, STOP_S => 60, ABORT_S => 5 };

my ($path, $watchdog, $pause, @argv) = @ARGV;
my ($pid, $pidfd, $ready, $alive, $kill_at, $start_at, $ending);
my $orders = '';

$| = 1;
$SIG{TERM} = $SIG{INT} = sub { order('stop') };

socket my $notify, AF_UNIX, SOCK_DGRAM, 0 or die "socket: $!";
unlink $path;
bind $notify, pack_sockaddr_un($path) or die "$path: $!";

sub now { clock_gettime(CLOCK_MONOTONIC) }

sub start {
    $pid = fork // die "fork: $!";

    if ($pid == 0) {
        syscall SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0;
        $SIG{$_} = 'DEFAULT' for qw(TERM INT);
        open STDIN, '<', '/dev/null';
        $ENV{NOTIFY_SOCKET} = $path;
        @ENV{qw(WATCHDOG_USEC WATCHDOG_PID)} = ($watchdog * 1000, $$)
            if $watchdog;
        exec { $argv[0] } @argv or _exit(127);
    }

    my $fd = syscall SYS_pidfd_open, $pid, 0;
    open $pidfd, '<&=', $fd or die "pidfd: $!";
    ($ready, $alive, $kill_at, $start_at) = (0, now());
    print "started $pid\n";
}

sub order {
    my ($word) = @_;

    $ending = 1 if $word eq 'stop';
    return unless $pid;
    kill 'TERM', $pid;
    kill 'CONT', $pid;
    $kill_at = now() + STOP_S;
}

sub notified {
    recv $notify, my $text, 4096, 0;

    for my $line (split /\n/, $text // '') {
        if ($line eq 'READY=1' && !$ready++) {
            print "ready $pid\n";
        }

        $alive = now() if $line eq 'WATCHDOG=1';
    }
}

sub ended {
    return if waitpid($pid, WNOHANG) != $pid;

    print "exited $pid $?\n";
    ($pid, $pidfd) = ();
    $start_at = now() + $pause / 1000;
}

sub look {
    my ($now) = @_;

    if ($pid && $kill_at && $now >= $kill_at) {
        kill 'KILL', $pid;
        $kill_at = undef;
    }

    if ($pid && $ready && $watchdog && !$kill_at && $now - $alive > $watchdog / 1000) {
        print "watchdog $pid\n";
        kill 'ABRT', $pid;
        kill 'CONT', $pid;
        $kill_at = $now + ABORT_S;
    }

    start() if !$pid && !$ending && $now >= $start_at;
}

start();

while ($pid || !$ending) {
    vec(my $set = '', fileno STDIN, 1) = !$ending || 0;
    vec($set, fileno $notify, 1) = 1;
    vec($set, fileno $pidfd, 1) = 1 if $pidfd;
    my $wait = $pid ? 0.05 : $start_at - now();

    if (select($set, undef, undef, $wait > 0 ? $wait : 0) > 0) {
        notified() if vec $set, fileno $notify, 1;
        ended() if $pidfd && vec $set, fileno $pidfd, 1;

        if (vec $set, fileno STDIN, 1) {
            my $n = sysread STDIN, $orders, 4096, length $orders;
            $orders .= "stop\n" unless $n;
            order($1) while $orders =~ s/\A([^\n]*)\n//;
        }
    }

    look(now());
}

unlink $path;
