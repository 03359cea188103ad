package FcfTest::Guest;

# A function (behind no agent) that the test itself plays, byte by byte.
#
#   my $guest = FcfTest::Guest->new;            # listens on ->port, which
#                                               # port => ... may say
#   my $c = $guest->take($timeout);             # the next connection, and the
#                                               # head of the request on it
#   $c->head;                                   # "GET / HTTP/1.1\r\n...\r\n\r\n"
#   $c->print("HTTP/1.1 200 OK\r\n...");
#   $c->read(1000);                             # so many bytes behind the head
#   $c->next($timeout);                         # the next request on it
#   $c->closed($timeout);                       # the other side has closed it,
#                                               # whatever it still had to say
#   $c->close; $c->reset;
#
# All die when it does not come in time (default 10 s).

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;


sub new {
    my ($class, %opt) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 64,
        LocalPort => $opt{port} // FcfTest::free_port(), Proto => 'tcp',
        ReuseAddr => 1)
        or die "listen: $!";

    return bless { listen => $listen }, $class;
}

sub port { $_[0]{listen}->sockport }


sub take {
    my ($self, $timeout) = @_;

    IO::Select->new($self->{listen})->can_read($timeout // 10)
        or die "nobody called the guest in time\n";

    my $sock = $self->{listen}->accept or die "accept: $!";
    $sock->autoflush(1);

    my $c = bless { sock => $sock, buf => '' }, 'FcfTest::Guest::Connection';
    return $c->next($timeout);
}


package FcfTest::Guest::Connection;

sub head { $_[0]{head} }
sub print { my $self = shift; print { $self->{sock} } @_; return $self }
sub close { close $_[0]{sock} }

sub reset {
    my ($self) = @_;

    setsockopt $self->{sock}, Socket::SOL_SOCKET(), Socket::SO_LINGER(),
        pack 'ii', 1, 0;
    $self->close;
}


# false at the end
sub _fill {
    my ($self, $timeout) = @_;

    IO::Select->new($self->{sock})->can_read($timeout // 10)
        or die 'the guest heard no more than "'
            . substr($self->{buf}, -300) . "\"\n";

    return sysread $self->{sock}, $self->{buf}, 1 << 16, length $self->{buf};
}


sub next {
    my ($self, $timeout) = @_;

    while (index($self->{buf}, "\r\n\r\n") < 0) {
        $self->_fill($timeout) or die "the guest's caller has left\n";
    }

    $self->{head} = substr $self->{buf}, 0,
        4 + index($self->{buf}, "\r\n\r\n"), '';
    return $self;
}


sub read {
    my ($self, $n, $timeout) = @_;

    while (length $self->{buf} < $n) {
        $self->_fill($timeout) or die "the guest's caller has left\n";
    }

    return substr $self->{buf}, 0, $n, '';
}


sub closed {
    my ($self, $timeout) = @_;

    while ($self->_fill($timeout)) {
        $self->{buf} = '';
    }

    return 1;
}

1;
