package FcfRun::Service;

# One of the processes of a running system.  It is recorded by pid and start
# time before anybody could lose it, so that whoever comes after a crash ends
# this process and no other.

use strict;
use warnings;

use FcfRun qw(%set tell slurp spew);
use POSIX qw(WNOHANG _exit setsid);
use Time::HiRes qw(sleep clock_gettime CLOCK_MONOTONIC);

use constant SYS_pidfd_open => 434;     # x86_64

# how to end each, in this order
our @ORDER = qw(nginx agent proxy redis etcd);
my %STOP = (
    nginx => ['TERM', 10],
    agent => ['TERM', 90],              # it stops its VMs first
    proxy => ['TERM', 10],
    redis => ['TERM', 10],
    etcd  => ['TERM', 20],
);


# new(name => 'etcd', argv => [...], env => {...}, ready => sub { ... },
#     timeout => 20): ready is asked every few milliseconds until it is true;
# prepare, if given, runs before each start
sub new {
    my ($class, %opt) = @_;
    return bless { env => {}, timeout => 20, restarts => [], %opt }, $class;
}


sub log_path { "$set{RUN_DIR}/log/$_[0]{name}.log" }


# Starts it and waits until it is ready: true, or false and {why}.
sub start {
    my ($self) = @_;
    my $end = clock_gettime(CLOCK_MONOTONIC) + $self->{timeout};

    $self->{prepare}->() if $self->{prepare};

    pipe my $go, my $recorded or die "pipe: $!";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        close $recorded;
        $self->_exec($go);
    }

    spew("$set{RUN_DIR}/pid/$self->{name}", "$pid " . _start_time($pid) . "\n");
    close $recorded;                    # now it may become what it is
    $self->{pid} = $pid;

    until ($self->{ready}->()) {
        if ($self->ended) {
            return $self->_why('ended at start');
        }

        if (clock_gettime(CLOCK_MONOTONIC) > $end) {
            return $self->_why("was not ready within $self->{timeout} s");
        }

        sleep 0.01;
    }

    return 1;
}


sub _exec {
    my ($self, $go) = @_;

    setsid();                           # Ctrl-C is for us alone
    sysread $go, my $nothing, 1;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE CHLD);
    open STDIN, '<', '/dev/null';
    open STDOUT, '>>', $self->log_path or _exit(126);
    open STDERR, '>&', \*STDOUT;
    %ENV = (%ENV, %{ $self->{env} });

    no warnings 'exec';
    exec { $self->{argv}[0] } @{ $self->{argv} };
    print "exec $self->{argv}[0]: $!\n";
    _exit(127);
}


sub _why {
    my ($self, $what) = @_;
    my $log = $self->{error_log} && -s $self->{error_log}
        ? $self->{error_log} : $self->log_path;
    my ($last) = reverse grep { /\S/ } split /\n/, slurp($log) // '';

    $self->{why} = "$self->{name} $what"
        . (defined $last ? ": $last" : '') . " (its log: $log)";
    return 0;
}


# true once it is gone; it is our child
sub ended {
    my ($self) = @_;

    return 1 unless defined $self->{pid};
    return 0 if waitpid($self->{pid}, WNOHANG) == 0;

    _end_orphans($self->{name}, delete $self->{pid});
    unlink "$set{RUN_DIR}/pid/$self->{name}";
    return 1;
}


# May it be started once more?  Five times in a minute are enough.
sub may_restart {
    my ($self) = @_;
    my $now = clock_gettime(CLOCK_MONOTONIC);
    my $times = $self->{restarts};

    @$times = grep { $_ > $now - 60 } @$times;
    push @$times, $now;
    return @$times <= 5;
}


# '' for one that is gone, reaped or not
sub _start_time {
    my ($pid) = @_;
    my $stat = slurp("/proc/$pid/stat") // return '';
    my @field = split ' ', $stat =~ s/^.*\) //sr;

    return $field[0] =~ /[ZX]/ ? '' : $field[19];
}


# Ends what is recorded, child or not, of this life or the one before.  An
# agent that did not end by itself is followed by $reclaim, which may start
# one more.
sub end_recorded {
    my ($reclaim) = @_;

    for my $name (@ORDER) {
        my $recorded = -e "$set{RUN_DIR}/pid/$name";
        my $ended = _end_recorded($name);

        if ($name eq 'agent' && $recorded && !$ended) {
            $reclaim->();
            _end_recorded($name);
        }
    }
}


# true if it ended when it was told to
sub _end_recorded {
    my ($name) = @_;
    my $file = "$set{RUN_DIR}/pid/$name";
    my ($pid, $started) = (slurp($file) // '') =~ /^(\d+) (\d+)$/ or return 0;
    my $ended = 0;

    if (_start_time($pid) eq $started) {
        $ended = _end($name, $pid);
    }

    _end_orphans($name, $pid);
    unlink $file;
    return $ended;
}


# nginx's workers outlive a master that was killed, and hold its port.  They
# are in its process group, which has its number as long as they live.
sub _end_orphans {
    my ($name, $group) = @_;

    return if $name ne 'nginx';

    for my $file (glob '/proc/[0-9]*/stat') {
        my ($pid, $pgrp) = (slurp($file) // '')
            =~ /^(\d+) \(nginx\) \S \d+ (\d+) / or next;
        kill 'KILL', $pid if $pgrp == $group;
    }
}


sub _end {
    my ($name, $pid) = @_;
    my ($signal, $grace) = @{ $STOP{$name} };

    my $fd = syscall SYS_pidfd_open, int $pid, 0;
    return 0 if $fd < 0;
    open my $pidfd, '<&=', $fd or die "pidfd: $!";

    my $gone = sub {
        vec(my $set = '', fileno $pidfd, 1) = 1;
        my $found = select $set, undef, undef, $_[0];
        waitpid $pid, WNOHANG;
        return $found > 0;
    };

    kill $signal, $pid;
    my $end = clock_gettime(CLOCK_MONOTONIC) + $grace;

    while (1) {
        my $left = $end - clock_gettime(CLOCK_MONOTONIC);
        last if $left <= 0;
        return 1 if $gone->($left);
    }

    tell("$name did not end within $grace s of SIG$signal: killed; its log: "
        . "$set{RUN_DIR}/log/$name.log");
    kill 'KILL', $pid;
    $gone->(10);
    return 0;
}

1;
