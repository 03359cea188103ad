package FcfTest::Peer;

# An HTTP server that says what a test makes up: an agent's admin listener, a
# store, a gateway, as far as the command asks them.
#
#   my $p = FcfTest::Peer->start(sub {
#       my ($path, $n) = @_;        # which request this is: 1, 2, ...
#       return { status => '200 OK', body => '...', headers => ['A: b'] };
#   });                             # 200, nothing and none if they are not said;
#                                   # undef: it ends the connection instead
#   $p->address; $p->url; $p->stop; # stop: nobody answers there any more
#
# The sub runs in a process of its own, with what it had at the start.

use strict;
use warnings;

use IO::Socket::INET;
use POSIX ();

use constant { SYS_prctl => 157, PR_SET_PDEATHSIG => 1, SIGKILL => 9 };


sub start {
    my ($class, $say) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 16,
        ReuseAddr => 1) or die "listen: $!";
    my $self = bless { port => $listen->sockport, owner => $$ }, $class;

    $self->{pid} = fork // die "fork: $!";

    if ($self->{pid} == 0) {
        syscall SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0;
        $SIG{PIPE} = 'IGNORE';
        eval { _serve($listen, $say); 1 } or print STDERR $@;
        POSIX::_exit(1);
    }

    FcfTest::at_end(sub { $self->stop });
    return $self;
}


sub _serve {
    my ($listen, $say) = @_;
    my $n = 0;

    while (my $c = $listen->accept) {
        my $first = <$c> // next;
        my ($path) = $first =~ /^\S+ (\S+) /;

        while (defined(my $line = <$c>)) { last if $line eq "\r\n" }

        my $r = $say->($path // '', ++$n) // next;
        my $body = $r->{body} // '';

        print $c join("\r\n", 'HTTP/1.1 ' . ($r->{status} // '200 OK'),
            @{ $r->{headers} // [] }, 'Content-Length: ' . length $body,
            'Connection: close', '', ''), $body;
        close $c;
    }
}


sub address { "127.0.0.1:$_[0]{port}" }
sub url     { "http://127.0.0.1:$_[0]{port}" }

sub stop {
    my ($self) = @_;
    my $pid = delete $self->{pid};

    return if !$pid || $$ != $self->{owner};
    kill 'KILL', $pid;
    waitpid $pid, 0;
}

1;
