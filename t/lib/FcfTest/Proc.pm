package FcfTest::Proc;

# One child process of the test.
#
#   my $p = FcfTest::Proc->spawn(
#       argv  => ['build/asan/agent/fcfaas-agent', '-c', $conf],
#       name  => 'agent',           # of its log and in messages
#       env   => { A => 'b' },      # on top of the test's own
#       netns => $ns,               # a FcfTest::Netns or its name
#       cwd   => $dir,
#       log   => $path,             # stdout and stderr; default tmpdir/name.log
#       stdout => $path,            # stdout apart
#       show  => 5,                 # lines of the log that a failure shows
#       stdin => 1,                 # a pipe for ->send
#       stop  => 'TERM',            # how it is ended
#       grace => 10,                # seconds until SIGKILL, then a failure
#   );
#   $p->pid; $p->log; $p->alive;
#   my $line = $p->line_matching(qr/listening on (\d+)/, 5);
#       # of what came since the last match; dies with the log's tail after 5 s
#       # or when the process ends before
#   $p->says(qr/ready/, 5);         # in all that ever came
#   $p->send("text\n");
#   $p->kill('HUP');
#   my $status = $p->wait(5);       # as $?; undef after 5 s.  Event, not poll
#   $p->pause; $p->resume;          # SIGSTOP (returns once stopped), SIGCONT
#   $p->stop;                       # stop signal, wait, SIGKILL after grace

use strict;
use warnings;

use POSIX qw(WNOHANG WUNTRACED _exit);
use Scalar::Util qw(blessed);
use Test::More ();

use constant {
    SYS_prctl       => 157,         # x86_64, as all of fcfaas
    SYS_pidfd_open  => 434,
    PR_SET_PDEATHSIG => 1,
    SIGKILL         => 9,
};

my @live;


sub spawn {
    my ($class, %opt) = @_;
    my $self = bless { stop => 'TERM', grace => 10, seen => 0, %opt }, $class;

    $self->{name} //= (split m{/}, $opt{argv}[0])[-1];
    $self->{log} //= FcfTest::tmpdir() . "/$self->{name}.log";
    $self->{seen} = -s $self->{log} // 0;

    my @argv = @{ $opt{argv} };

    if (defined(my $ns = $opt{netns})) {
        unshift @argv, 'ip', 'netns', 'exec', blessed $ns ? $ns->name : $ns;
    }

    my ($theirs, $ours);
    pipe $theirs, $ours or die "pipe: $!" if $opt{stdin};

    my $pid = fork // die "fork: $!";
    $self->_exec($theirs, @argv) if $pid == 0;

    if ($opt{stdin}) {
        $ours->autoflush(1);
        $self->{in} = $ours;
    }

    my $fd = syscall SYS_pidfd_open, $pid, 0;
    die "pidfd_open: $!" if $fd < 0;
    open $self->{pidfd}, '<&=', $fd or die "pidfd: $!";

    $self->{pid} = $pid;
    push @live, $self;
    FcfTest::show_log_on_failure($self->{log}, $self->{show});
    FcfTest::show_log_on_failure($self->{stdout}) if $self->{stdout};

    return $self;
}


sub _exec {
    my ($self, $stdin, @argv) = @_;

    syscall SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP PIPE);
    setpgrp;

    if ($stdin) {
        open STDIN, '<&', $stdin;
    } else {
        open STDIN, '<', '/dev/null';
    }

    open STDOUT, '>>', $self->{stdout} // $self->{log};
    open STDERR, '>>', $self->{log};
    chdir $self->{cwd} if defined $self->{cwd};
    %ENV = (%ENV, %{ $self->{env} // {} });

    no warnings 'exec';
    exec { $argv[0] } @argv;
    print STDERR "exec $argv[0]: $!\n";
    _exit(127);
}


sub pid   { $_[0]{pid} }
sub log   { $_[0]{log} }
sub name  { $_[0]{name} }
sub alive { !defined $_[0]->wait(0) }


sub wait {
    my ($self, $timeout) = @_;

    return $self->{status} if defined $self->{status};

    my $end = FcfTest::now() + ($timeout // 10);

    while (1) {
        my $got = waitpid $self->{pid}, WNOHANG;

        if ($got == $self->{pid}) {
            $self->{status} = $?;
            @live = grep { $_ != $self } @live;
            return $self->{status};
        }

        my $left = $end - FcfTest::now();
        return undef if $left <= 0;

        vec(my $set = '', fileno $self->{pidfd}, 1) = 1;
        select $set, undef, undef, $left;
    }
}


sub kill {
    my ($self, $sig) = @_;

    CORE::kill($sig, $self->{pid}) unless defined $self->{status};
    return $self;
}


sub pause {
    my ($self) = @_;

    die "$self->{name} has ended\n" if defined $self->{status};
    FcfTest::freeze($self->{pid});
    return $self;
}


sub resume { $_[0]->kill('CONT') }


sub send {
    my ($self, $text) = @_;
    print { $self->{in} } $text;
    return $self;
}


# everything it has written so far
sub output {
    my ($self) = @_;
    return FcfTest::peek($self->{stdout} // $self->{log});
}


# waits until something in all that it has printed matches
sub says {
    my ($self, $re, $timeout) = @_;
    FcfTest::wait_for(sub { $self->output =~ $re }, $timeout // 60, "$re");
}


sub line_matching {
    my ($self, $re, $timeout) = @_;
    my ($line, $ended);

    my $look = sub {
        $ended = defined $self->wait(0);        # before the last look
        my $text = substr $self->output, $self->{seen};

        while ($text =~ /\G([^\n]*)\n/gc) {
            my $this = $1;
            next unless $this =~ $re;

            $line = $this;
            $self->{seen} += pos $text;
            last;
        }

        return defined $line || $ended;
    };

    eval { FcfTest::wait_for($look, $timeout, "$re"); 1 };

    return $line if defined $line;

    die "$self->{name} " . ($ended ? "ended without" : "did not in ${timeout}s")
        . " print $re:\n" . FcfTest::tail_of($self->{log}, 20)
        . "at " . join(' line ', (caller)[1, 2]) . "\n";
}


# Ends it; true if it went without SIGKILL.
sub stop {
    my ($self, $sig) = @_;

    return 1 if defined $self->{status};

    $self->kill('CONT');
    $self->kill($sig // $self->{stop});
    return 1 if defined $self->wait($self->{grace});

    Test::More::diag("$self->{name} did not end in $self->{grace}s");
    $self->kill('KILL');
    $self->wait(10);
    return 0;
}


# Ends all that live, the youngest first; how many needed SIGKILL.
sub end_all {
    my $stuck = 0;

    while (my $proc = $live[-1]) {
        $stuck++ unless $proc->stop;
        @live = grep { $_ != $proc } @live;
    }

    return $stuck;
}

1;
