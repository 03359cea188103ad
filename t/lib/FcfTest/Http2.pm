package FcfTest::Http2;

# An HTTP/2 connection in clear text, frame by frame.
#
#   my $c = FcfTest::Http2->new($port);
#   my $s = $c->request('/run/hello', method => 'POST', body => '...',
#       open => 1);                 # its stream; open: more of a body is to come
#   $c->data($s, '...', $end);      # at most 65535 bytes in all
#   $c->cancel($s);                 # RST_STREAM
#   my $r = $c->response($s, $timeout);     # { status, body }; dies if it does
#                                   # not come whole in time
#   $c->goaway; $c->close; $c->reset; $c->half_close;

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_LINGER);

use constant { DATA => 0, HEADERS => 1, RST_STREAM => 3, SETTINGS => 4,
    GOAWAY => 7, WINDOW_UPDATE => 8 };
use constant { END_STREAM => 1, ACK => 1, END_HEADERS => 4 };

# of HPACK's static table
my %status = (8 => 200, 9 => 204, 10 => 206, 11 => 304, 12 => 400, 13 => 404,
    14 => 500);


sub new {
    my ($class, $port) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', Proto => 'tcp',
        PeerPort => $port, Timeout => 10) or die "connect $port: $@\n";
    my $self = bless { sock => $sock, buf => '', next => 1 }, $class;

    $sock->autoflush(1);
    $sock->print("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    $self->_frame(SETTINGS, 0, 0, '');
    return $self;
}


sub _frame {
    my ($self, $type, $flags, $stream, $text) = @_;
    $self->{sock}->print(substr(pack('N', length $text), 1),
        pack('CCN', $type, $flags, $stream), $text);
}


# never indexed, as it is
sub _field {
    my ($name, $value) = @_;
    die "too long for this: $value\n" if length $value > 126;
    return pack('C', 0x10) . pack('C/a*', $name) . pack('C/a*', $value);
}


sub request {
    my ($self, $path, %opt) = @_;
    my $stream = $self->{next};
    my $open = $opt{open} || length($opt{body} // '');

    $self->{next} += 2;
    $self->{got}{$stream} = { body => '' };
    $self->_frame(HEADERS, END_HEADERS | ($open ? 0 : END_STREAM), $stream,
        join '', map { _field(@$_) } [':method', $opt{method} // 'GET'],
        [':scheme', 'http'], [':authority', 'localhost'], [':path', $path],
        @{ $opt{headers} // [] });
    $self->data($stream, $opt{body}, !$opt{open}) if length($opt{body} // '');

    return $stream;
}


sub data {
    my ($self, $stream, $text, $end) = @_;

    while (length $text > 16384) {
        $self->_frame(DATA, 0, $stream, substr $text, 0, 16384, '');
    }

    $self->_frame(DATA, $end ? END_STREAM : 0, $stream, $text);
}


sub cancel { $_[0]->_frame(RST_STREAM, 0, $_[1], pack 'N', 8) }
sub goaway { $_[0]->_frame(GOAWAY, 0, 0, pack 'NN', 0, 0) }
sub close { close $_[0]{sock} }
sub half_close { shutdown $_[0]{sock}, 1 }

sub reset {
    my ($self) = @_;

    setsockopt $self->{sock}, SOL_SOCKET, SO_LINGER, pack 'ii', 1, 0;
    $self->close;
}


sub response {
    my ($self, $stream, $timeout) = @_;
    my $got = $self->{got}{$stream};

    $self->_until(sub { $got->{end} }, $timeout, "an answer on stream $stream");
    return $got;
}


sub _until {
    my ($self, $check, $timeout, $what) = @_;
    my $end = FcfTest::now() + ($timeout // 10);

    while (1) {
        1 while $self->_take;
        return 1 if $check->();

        my $left = $end - FcfTest::now();
        $left > 0 && IO::Select->new($self->{sock})->can_read($left)
            or die "waited in vain for $what\n";
        sysread $self->{sock}, $self->{buf}, 65536, length $self->{buf}
            or die "the connection was closed, not $what\n";
    }
}


# one frame out of what has come; false: there is not all of it
sub _take {
    my ($self) = @_;
    my $buf = \$self->{buf};

    return 0 if length $$buf < 9;
    my $length = unpack 'N', "\0" . substr $$buf, 0, 3;
    my ($type, $flags, $stream) = unpack 'CCN', substr $$buf, 3, 6;
    return 0 if length $$buf < 9 + $length;

    substr $$buf, 0, 9, '';
    my $text = substr $$buf, 0, $length, '';
    my $got = $self->{got}{$stream};

    if ($type == SETTINGS && !($flags & ACK)) {
        $self->_frame(SETTINGS, ACK, 0, '');

    } elsif ($got && $type == HEADERS) {
        $got->{status} //= _status($text);

    } elsif ($got && $type == DATA) {
        $got->{body} .= $text;
        $self->_frame(WINDOW_UPDATE, 0, 0, pack 'N', $length) if $length;

    } elsif ($got && $type == RST_STREAM) {
        $got->{end} = 1;
    }

    $got->{end} = 1 if $got && $type != RST_STREAM
        && ($type == HEADERS || $type == DATA) && $flags & END_STREAM;

    return 1;
}


# nginx writes it first
sub _status {
    my ($block) = @_;

    $block =~ s/\A[\x20-\x3f]//;
    my $first = ord $block;

    return $status{ $first & 0x7f } if $first & 0x80;
    return $1 if $block =~ /\A[\x08\x48\x18]\x03(\d{3})/;
    die 'no status in ' . unpack('H*', substr $block, 0, 8) . "\n";
}

1;
