package ProxyHost;

# Drives $(B)/t/unit/proxy_host, and plays its clients and guests on raw
# sockets.  Everything waits for an event with a deadline; nothing sleeps.

use strict;
use warnings;

use Exporter 'import';
use File::Temp ();
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use IPC::Open3;
use POSIX qw(WUNTRACED);
use Socket qw(IPPROTO_TCP SOL_SOCKET SO_LINGER SO_RCVBUF SO_SNDBUF
              TCP_NODELAY);
use Time::HiRes qw(time);

our @EXPORT = qw(client guest_accept guest_idle rd wr ended reset_close
                 req until_true slurp was_reset unread fill);

our $WAIT = 10;                 # seconds, for what must happen


sub new {
    my ($class, @args) = @_;
    my $build = $ENV{FCF_BUILD} || 'build/asan';
    my $log = File::Temp->new(TEMPLATE => 'fcf-proxy-XXXXXX', TMPDIR => 1);
    my ($in, $out);

    my $pid = open3($in, $out, '>&' . fileno($log),
                    "$build/t/unit/proxy_host", @args);

    return bless { pid => $pid, in => $in, out => $out, log => $log,
                   pending => '' }, $class;
}


# the next line of the host's, without its end
sub line {
    my ($self, $wait) = @_;
    my $until = time + ($wait // $WAIT);

    while (index($self->{pending}, "\n") < 0) {
        my $left = $until - time;
        return undef if $left <= 0;
        IO::Select->new($self->{out})->can_read($left) or return undef;
        sysread($self->{out}, $self->{pending}, 4096,
                length $self->{pending}) or return undef;
    }

    my ($line, $rest) = split /\n/, $self->{pending}, 2;
    $self->{pending} = $rest;

    return $line;
}


sub cmd {
    my ($self, $text) = @_;

    # it may have ended
    local $SIG{PIPE} = 'IGNORE';
    syswrite $self->{in}, "$text\n";

    return $self->line;
}


sub stat {
    my ($self, $name) = @_;
    my $line = $self->cmd("stat $name");

    return { $line =~ /(\w+)=(\d+)/g };
}


# nothing is in flight, or will be soon
sub idle {
    my ($self, $name) = @_;

    return until_true(sub { $self->stat($name)->{inflight} == 0 });
}


# opens a route of function "f" to a new listening guest, or a given port
sub route {
    my ($self, $name, %o) = @_;
    my $guest = IO::Socket::INET->new(Listen => 64,
                                      LocalAddr => '127.0.0.1') or die $!;
    my $port = $o{port} // $guest->sockport;
    my $line = $self->cmd(sprintf 'open %s %s %d %d %s %d', $name,
                          $o{function} // 'f', $port, $o{concurrency} // 0,
                          $o{device} // '-', $o{timeout} // 0);

    $line =~ /^port (\d+)/ or die "open: $line";

    return { name => $name, port => $1, guest => $guest };
}


# runs code while the proxy is stopped
sub stopped {
    my ($self, $code) = @_;

    kill 'STOP', $self->{pid};
    waitpid $self->{pid}, WUNTRACED;
    $code->();
    kill 'CONT', $self->{pid};
}


# ends it; its status and what it wrote to standard error
sub quit {
    my ($self) = @_;

    $self->cmd('quit');
    close $self->{in};
    waitpid $self->{pid}, 0;
    my $status = $?;

    open my $fh, '<', $self->{log}->filename or die $!;
    local $/;

    return ($status, scalar <$fh>);
}


sub client {
    my ($route, %o) = @_;
    my $s = IO::Socket::INET->new(Proto => 'tcp', Type => SOCK_STREAM)
        or die $!;

    setsockopt $s, SOL_SOCKET, SO_RCVBUF, $o{rcvbuf} if $o{rcvbuf};
    setsockopt $s, SOL_SOCKET, SO_SNDBUF, $o{sndbuf} if $o{sndbuf};
    $s->connect($route->{port}, Socket::inet_aton('127.0.0.1'))
        or die "connect: $!";
    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;

    return $s;
}


sub guest_accept {
    my ($route, $wait) = @_;

    IO::Select->new($route->{guest})->can_read($wait // $WAIT)
        or return undef;

    my $s = $route->{guest}->accept;
    setsockopt $s, IPPROTO_TCP, TCP_NODELAY, 1;

    return $s;
}


# nobody has connected to the guest, or sent anything on the connections given
sub guest_idle {
    my ($route, @open) = @_;

    return !IO::Select->new($route->{guest}, @open)->can_read(0);
}


sub wr {
    my ($s, $data) = @_;
    my $off = 0;

    local $SIG{PIPE} = 'IGNORE';

    while ($off < length $data) {
        my $n = syswrite $s, $data, length($data) - $off, $off;
        return 0 unless defined $n;
        $off += $n;
    }

    return 1;
}


# reads until what came matches; all that came, with !END or !TIMEOUT after it
# if it never did
sub rd {
    my ($s, $re, $wait) = @_;
    my $until = time + ($wait // $WAIT);
    my $got = '';

    while ($got !~ $re) {
        my $left = $until - time;
        return "$got!TIMEOUT" if $left <= 0;
        IO::Select->new($s)->can_read($left) or return "$got!TIMEOUT";
        sysread($s, $got, 65536, length $got) or return "$got!END";
    }

    return $got;
}


# everything until the peer closes; undef if it does not
sub slurp {
    my ($s, $wait) = @_;
    my $got = rd($s, qr/(?!)/, $wait);

    return $got =~ s/!END\z// ? $got : undef;
}


# the peer has closed or reset, and sent nothing more
sub ended {
    my ($s, $wait) = @_;

    return rd($s, qr/(?!)/, $wait) eq '!END';
}


# the peer has reset the connection, not closed it
sub was_reset {
    my ($s) = @_;

    IO::Select->new($s)->can_read($WAIT) or return 0;
    my $n = sysread $s, my $data, 1;

    return !defined $n && $!{ECONNRESET};
}


# bytes written that the peer's kernel has not taken yet
sub unread {
    my ($s) = @_;
    my $n = pack 'i', 0;

    ioctl $s, 0x5411, $n or die "SIOCOUTQ: $!";

    return unpack 'i', $n;
}


# writes until nobody takes any more for a while
sub fill {
    my ($s) = @_;
    my $sent = 0;

    local $SIG{PIPE} = 'IGNORE';
    $s->blocking(0);

    while (IO::Select->new($s)->can_write(0.5)) {
        $sent += syswrite($s, 'x' x 65536) // 0;
    }

    $s->blocking(1);

    return $sent;
}


sub reset_close {
    my ($s) = @_;

    setsockopt $s, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0);
    close $s;
}


# a request of the gateway's
sub req {
    my ($line, %o) = @_;
    my $function = $o{function} // 'f';
    my $token = exists $o{token} ? $o{token} : 'secret';
    my $version = $o{version} // '1.1';
    my $fields = $o{fields} // '';
    my $body = $o{body} // '';

    $fields .= 'Content-Length: ' . length($body) . "\r\n"
        if exists $o{body} && !$o{raw};

    return "$line HTTP/$version\r\nHost: h\r\n"
        . "X-Fcfaas-Function: $function\r\n"
        . (defined $token ? "X-Fcfaas-Token: $token\r\n" : '')
        . "$fields\r\n$body";
}


# polls what no event tells of, with a deadline
sub until_true(&) {
    my ($code) = @_;
    my $until = time + $WAIT;

    until ($code->()) {
        return 0 if time > $until;
        select undef, undef, undef, 0.005;
    }

    return 1;
}

1;
