package FcfTest::Http;

# One HTTP/1.1 request on a raw socket, so that a test says every byte.
#
#   my $q = FcfTest::Http->send(
#       port => 8080, host => '127.0.0.1', netns => $ns,
#       method => 'GET', path => '/a%20b',
#       headers => { Name => 'value' } or [ Name => 'value', ... ],
#       body => '...',              # adds Content-Length
#       raw => "GET / HTTP/1.0\r\n\r\n",    # instead of all of the above
#       keepalive => 1,             # no Connection: close
#       sock => $q->sock,           # on an open connection
#   );
#   my $r = $q->response($timeout); # dies if it does not come whole in time
#       # { status, reason, headers => { lower-case => value }, body, raw,
#       #   time }; status 0 if the peer closed before an answer
#   $q->answered;                   # has any byte come?
#   $q->until(sub { $_[0] =~ /x/ }, $timeout);  # reads until what has come,
#                                   # $q->{buf}, is so: true; false if it is
#                                   # not at its end, nor in time
#   $q->close; $q->half_close; $q->reset;

use strict;
use warnings;

use Errno qw(EAGAIN EINTR);
use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);


sub send {
    my ($class, %opt) = @_;
    my $self = bless { buf => '', start => FcfTest::now(), %opt }, $class;

    $self->{method} //= 'GET';
    $self->{host} //= '127.0.0.1';
    $self->{sock} //= FcfTest::Netns::within($opt{netns}, sub {
        IO::Socket::INET->new(PeerAddr => $self->{host},
            PeerPort => $opt{port}, Proto => 'tcp', Timeout => 10)
            or die "connect $self->{host}:$opt{port}: $@\n";
    });

    $self->{sock}->autoflush(1);
    $self->{sock}->print($opt{raw} // $self->_text);

    return $self;
}


sub _text {
    my ($self) = @_;
    my @headers = ref $self->{headers} eq 'HASH'
        ? %{ $self->{headers} } : @{ $self->{headers} // [] };
    my %given = map { lc $_ => 1 } @headers[grep { !($_ & 1) } 0 .. $#headers];

    unshift @headers, Host => 'localhost' unless $given{host};
    push @headers, Connection => 'close'
        unless $self->{keepalive} || $given{connection};
    push @headers, 'Content-Length' => length $self->{body}
        if defined $self->{body} && !$given{'content-length'};

    my $text = "$self->{method} $self->{path} HTTP/1.1\r\n";

    while (my ($name, $value) = splice @headers, 0, 2) {
        $text .= "$name: $value\r\n";
    }

    return "$text\r\n" . ($self->{body} // '');
}


sub sock { $_[0]{sock} }


# Reads what is there, waiting at most $timeout; false at end of file.
sub _fill {
    my ($self, $timeout) = @_;

    return 1 unless IO::Select->new($self->{sock})->can_read($timeout);

    my $n = sysread $self->{sock}, $self->{buf}, 65536, length $self->{buf};
    return 1 if !defined $n && ($!{EAGAIN} || $!{EINTR});

    $self->{eof} = 1 unless $n;
    return $n;
}


sub answered {
    my ($self) = @_;

    $self->_fill(0) unless $self->{eof};
    return $self->{buf} ne '' || $self->{eof};
}


sub until {
    my ($self, $check, $timeout) = @_;
    my $end = FcfTest::now() + ($timeout // 10);

    while (!$check->($self->{buf})) {
        my $left = $end - FcfTest::now();

        return 0 if $self->{eof} || $left <= 0;
        $self->_fill($left);
    }

    return 1;
}


sub response {
    my ($self, $timeout) = @_;
    my $end = FcfTest::now() + ($timeout // 10);

    while (1) {
        my $r = $self->_parse;
        return $r if $r;

        my $left = $end - FcfTest::now();

        if ($left <= 0) {
            die "no whole answer to $self->{method} " . ($self->{path} // '')
                . ' in ' . ($timeout // 10) . "s, only \""
                . substr($self->{buf}, 0, 300) . '" at '
                . join(' line ', (caller)[1, 2]) . "\n";
        }

        $self->_fill($left) unless $self->{eof};
    }
}


# The answer, if it is whole; what follows it stays in {buf}.
sub _parse {
    my ($self) = @_;

    my $at = index $self->{buf}, "\r\n\r\n";

    if ($at < 0) {
        return unless $self->{eof};
        return { status => 0, headers => {}, body => '',
            raw => $self->{buf}, time => FcfTest::now() - $self->{start} };
    }

    my $head = substr $self->{buf}, 0, $at + 2;
    my ($status, $reason) = $head =~ m{\AHTTP/1\.\d (\d+) ?([^\r]*)};
    my %headers;

    while ($head =~ /^([^:\r\n]+):[ \t]*([^\r]*)\r\n/mg) {
        my $name = lc $1;
        $headers{$name} = exists $headers{$name} ? "$headers{$name}, $2" : $2;
    }

    if ($status == 100) {
        substr $self->{buf}, 0, $at + 4, '';
        return $self->_parse;
    }

    my ($body, $used) = $self->_body($at + 4, $status, \%headers);
    return unless defined $body;

    my $raw = substr $self->{buf}, 0, $used, '';

    return { status => $status + 0, reason => $reason, headers => \%headers,
        body => $body, raw => $raw, time => FcfTest::now() - $self->{start} };
}


# (body, where it ends in {buf}), or nothing if it is not there yet
sub _body {
    my ($self, $at, $status, $headers) = @_;
    my $have = length $self->{buf};

    return ('', $at) if $self->{method} eq 'HEAD' || $status == 204
        || $status == 304 || $status == 101;

    if (($headers->{'transfer-encoding'} // '') =~ /chunked/) {
        return $self->_chunked($at);
    }

    if (defined(my $len = $headers->{'content-length'})) {
        return if $have < $at + $len && !$self->{eof};
        return (substr($self->{buf}, $at, $len), $at + $len);
    }

    return unless $self->{eof};
    return (substr($self->{buf}, $at), $have);
}


sub _chunked {
    my ($self, $at) = @_;
    my $body = '';

    pos($self->{buf}) = $at;

    while ($self->{buf} =~ /\G([0-9a-fA-F]+)[^\r]*\r\n/gc) {
        my $len = hex $1;
        my $from = pos $self->{buf};

        if ($len == 0) {
            return $self->{buf} =~ /\G(?:[^\r\n]+\r\n)*\r\n/gc
                ? ($body, pos $self->{buf}) : ();
        }

        last if length $self->{buf} < $from + $len + 2;

        $body .= substr $self->{buf}, $from, $len;
        pos($self->{buf}) = $from + $len + 2;
    }

    return $self->{eof} ? ($body, length $self->{buf}) : ();
}


sub close { close delete $_[0]{sock} }

sub half_close { shutdown $_[0]{sock}, 1 }


# close with RST
sub reset {
    my ($self) = @_;

    setsockopt $self->{sock}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    $self->close;
}

1;
