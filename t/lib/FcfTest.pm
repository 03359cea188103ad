package FcfTest;

# What tests of fcfaas stand on: real services in a directory of their own,
# on free ports, ended with the test.
#
#   use lib 't/lib';
#   use FcfTest;                    # exports what stands in @EXPORT below
#
#   my $etcd  = FcfTest::Etcd->start;           # ->endpoint ->port ->put ...
#   my $redis = FcfTest::Redis->start;          # ->addr ->cli(...)
#   my $nginx = FcfTest::Nginx->start(          # the module is loaded
#       http   => 'upstream u { fcfaas; }',     # inside http {}
#       server => 'location / { return 204; }', # inside its server {}
#   );
#   my $proc  = FcfTest::Proc->spawn(argv => [...], name => 'agent');
#   $proc->line_matching(qr/ready/, 10);        # dies after 10 s, with the log
#   my $ns    = FcfTest::Netns->new('a');       # ->enter ->in(sub) ->run(...)
#
#   my $r = http_get($nginx->port, '/x');       # ->{status} {headers} {body}
#   my $q = http_send($nginx->port, '/x');      # goes on; later:
#   $r = $q->response(5);
#   wait_for(sub { $etcd->get('/k') }, 5, 'the key');
#
#   my $g = FcfTest::Gateway->start;            # nginx, etcd, Redis, an "agent"
#
# Each class says the rest at its head (FcfTest/*.pm).
#
# Everything started is a child of the test, gets SIGKILL when the test dies,
# and is ended in reverse order when the test ends, by pid.  A failed test
# prints the last lines of every log.  FCF_KEEP=1 keeps the directory;
# FCF_BUILD (default build/asan) says which build is tested; FCF_PORTS
# ("20000-27999") where free ports are looked for.

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Path qw(remove_tree);
use File::Temp ();
use IO::Socket::INET;
use JSON::PP ();
use Socket qw(AF_UNIX SOCK_STREAM pack_sockaddr_un);
use Test::More ();
use Time::HiRes qw(sleep clock_gettime CLOCK_MONOTONIC);

use FcfTest::Http;
use FcfTest::Http2;
use FcfTest::Netns;
use FcfTest::Proc;
use FcfTest::Container;
use FcfTest::Machine;
use FcfTest::Packages;
use FcfTest::Etcd;
use FcfTest::Redis;
use FcfTest::Nginx;
use FcfTest::Gateway;
use FcfTest::Guest;
use FcfTest::Chromium;
use FcfTest::Cli;
use FcfTest::Counter;
use FcfTest::Forward;
use FcfTest::Load;
use FcfTest::Page;
use FcfTest::Peer;
use FcfTest::Service;
use FcfTest::System;

our @EXPORT = qw(wait_for now free_port tmpdir root build_dir slurp peek spew
    is_gone freeze on_path docs json_decode json_encode http_get http_post
    http_send curl tail_of);

my $owner = $$;
my $root = abs_path(dirname(__FILE__) . '/../..');
my $tmp;
my @at_end;
my @ports;              # abstract sockets that reserve a port for this test

$SIG{INT} = $SIG{TERM} = $SIG{HUP} = sub { exit 130 };
$SIG{PIPE} = 'IGNORE';


# the source tree; the build under test: both absolute
sub root { $root }

sub build_dir {
    my $dir = $ENV{FCF_BUILD} // 'build/asan';
    return $dir =~ m{^/} ? $dir : "$root/$dir";
}


# this test's directory, made at first use
sub tmpdir {
    $tmp //= File::Temp::tempdir('fcf-test-XXXXXX',
        DIR => abs_path($ENV{TMPDIR} // '/tmp'));
    return $tmp;
}


sub now { clock_gettime(CLOCK_MONOTONIC) }


# Calls $check every few milliseconds until it returns true, and returns that;
# dies after $timeout seconds.
sub wait_for {
    my ($check, $timeout, $what) = @_;
    my $end = now() + $timeout;
    my $pause = 0.001;

    while (1) {
        my $got = $check->();
        return $got if $got;

        if (now() > $end) {
            $what = $what->() if ref $what;
            die "waited ${timeout}s in vain for $what at "
                . join(' line ', (caller)[1, 2]) . "\n";
        }

        sleep $pause;
        $pause *= 1.5 if $pause < 0.02;
    }
}


# A port on which nothing listens and that no other running test was given.
# The reservation is an abstract unix socket: it ends with the process.
sub free_port {
    my ($low, $high) = split /-/, $ENV{FCF_PORTS} // '20000-27999';

    for (1 .. 1000) {
        my $port = $low + int rand($high - $low + 1);

        socket my $mark, AF_UNIX, SOCK_STREAM, 0 or die "socket: $!";
        bind $mark, pack_sockaddr_un("\0fcf-test-port-$port") or next;

        IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => $port,
            Proto => 'tcp', Listen => 1) or next;

        push @ports, $mark;
        return $port;
    }

    die "no free port in $low-$high\n";
}


sub slurp {
    my ($path) = @_;

    open my $fh, '<:raw', $path or die "open $path: $!\n";
    local $/;
    return scalar <$fh> // '';
}


# the same, or '' where there is none: it may be gone by the time it is opened
sub peek {
    my ($path) = @_;
    local $@;
    return eval { slurp($path) } // '';
}


sub spew {
    my ($path, $text) = @_;

    open my $fh, '>:raw', $path or die "create $path: $!\n";
    print $fh $text;
    close $fh or die "write $path: $!\n";
    return $path;
}


# README.md and all of docs/
sub docs {
    return join "\n", map { slurp($_) } "$root/README.md",
        sort glob "$root/docs/*.md";
}


# the last $n lines of a file, or '' if there is none
sub tail_of {
    my ($path, $n) = @_;

    return '' unless $n && -f $path;

    my @lines = split /^/, slurp($path);
    splice @lines, 0, -$n if @lines > $n;
    return join '', @lines;
}


# Has this process ended, be it that nobody has reaped it yet?  It may be reaped
# between any two of these steps.
sub is_gone {
    open my $fh, '<', "/proc/$_[0]/stat" or return 1;
    return (<$fh> // ') Z ') =~ /\) [ZX] / ? 1 : 0;    # never an empty list
}


# stops a process, with what it has in hand; back when it stands still
sub freeze {
    my ($pid, $timeout) = @_;

    kill 'STOP', $pid or die "process $pid: $!\n";
    wait_for(sub { peek("/proc/$pid/stat") =~ /\) T / }, $timeout // 5,
        "process $pid to stop");
}


# where a program is found, or nothing
sub on_path {
    my ($program) = @_;
    my ($found) = grep { -x } map { "$_/$program" } split /:/, $ENV{PATH};
    return $found;
}


my $json = JSON::PP->new->utf8->canonical;

sub json_decode { $json->decode($_[0]) }
sub json_encode { $json->encode($_[0]) }


# http_get($port, $path, %options) and http_post($port, $path, $body, %options)
# wait for the answer; http_send($port, $path, %options) does not.  The options
# are those of FcfTest::Http->send.
sub http_send {
    my ($port, $path, %opt) = @_;
    return FcfTest::Http->send(port => $port, path => $path, %opt);
}

sub http_get {
    my ($port, $path, %opt) = @_;
    return http_send($port, $path, %opt)->response($opt{timeout} // 10);
}

sub http_post {
    my ($port, $path, $body, %opt) = @_;
    return http_get($port, $path, method => 'POST', body => $body, %opt);
}


# curl(@arguments): { exit, status, body, error, time }.  Not in {body}:
# anything that -o sends elsewhere.
sub curl {
    my (@args) = @_;
    my $err = tmpdir() . '/curl.err';

    my $pid = open my $fh, '-|';
    die "fork: $!" unless defined $pid;

    if ($pid == 0) {
        open STDERR, '>', $err;
        exec 'curl', '-sS', '--noproxy', '*',
            '-w', "\n%{http_code} %{time_total}", @args
            or POSIX::_exit(127);
    }

    binmode $fh;
    my $out = do { local $/; <$fh> } // '';
    close $fh;
    my $exit = $? >> 8;

    my ($status, $time) = $out =~ s/\n(\d+) ([\d.]+)\z// ? ($1, $2) : (0, 0);

    return { exit => $exit, status => $status + 0, time => $time,
        body => $out, error => slurp($err) };
}


# the logs that a failed test shows: path => lines
my %logs;

sub show_log_on_failure {
    my ($path, $lines) = @_;
    $logs{$path} = $lines // 30;
}


# what is run when all that was started has ended
sub at_end { push @at_end, @_ }


sub show_logs {
    for my $path (sort keys %logs) {
        my $tail = tail_of($path, $logs{$path});
        Test::More::diag("--- $path\n$tail") if $tail ne '';
    }
}


END {
    if ($$ == $owner) {
        my $status = $?;

        $status ||= 1 if FcfTest::Proc->end_all;
        $status ||= 1 if FcfTest::Nginx->complaints_of_all;

        my $builder = Test::More->builder;
        show_logs() if $status || !$builder->is_passing;

        FcfTest::Netns->delete_all;
        $_->() for @at_end;

        # a fork of a test that died would go on for ever, and hold the pipe
        # open by which the suite sees its end
        kill 'KILL', split ' ', peek("/proc/$$/task/$$/children");

        if (defined $tmp) {
            if ($ENV{FCF_KEEP}) {
                Test::More::diag("kept: $tmp");
            } else {
                remove_tree($tmp, { error => \my $ignored });
            }
        }

        $? = $status;
    }
}

1;
