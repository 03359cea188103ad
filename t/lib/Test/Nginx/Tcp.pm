package Test::Nginx::Tcp;

# tcp_listen of Test::Nginx::Socket: a child that takes one connection, reads
# what comes, and replies.

use strict;
use warnings;

use FcfTest ();
use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(_exit);
use Test::More ();
use Time::HiRes qw(sleep);


# undef if the block has none
sub start {
    my ($class, $block, $server) = @_;
    my $where = $block->tcp_listen // return;

    $where = $server->expand($where);
    $where =~ s/\s+\z//;
    unlink $where if $where =~ m{^/};

    my $listen = $where =~ m{^/}
        ? IO::Socket::UNIX->new(Local => $where, Listen => 5)
        : IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5,
            LocalPort => $where, ReuseAddr => 1);
    die $block->name . ": listen on $where: $!\n" unless $listen;

    my $self = bless { query => FcfTest::tmpdir() . '/tcp_query' }, $class;
    unlink $self->{query};

    $self->{pid} = fork // die "fork: $!";

    if ($self->{pid} == 0) {
        eval { $self->_serve($listen, $block) };
        _exit(0);
    }

    return $self;
}


sub _serve {
    my ($self, $listen, $block) = @_;
    my $conn = $listen->accept or return;
    my $query = '';

    # the query is over when nothing more comes for a moment
    my $watch = IO::Select->new($conn);
    while ($watch->can_read($query eq '' ? 5 : 0.05)) {
        sysread $conn, $query, 65536, length $query or last;
    }

    FcfTest::spew("$self->{query}.new", $query);
    rename "$self->{query}.new", $self->{query};

    my $delay = $block->tcp_reply_delay // 0;
    sleep($delay =~ s/ms\s*\z// ? $delay / 1000 : $delay);

    my $reply = $block->tcp_reply // '';
    print $conn ref $reply eq 'ARRAY' ? @$reply
        : ref $reply eq 'CODE' ? $reply->($query) : $reply;
    $conn->flush;

    sysread $conn, my $rest, 1 if defined $block->tcp_no_close;
}


sub check {
    my ($self, $block) = @_;

    if (defined(my $want = $block->tcp_query)) {
        eval { FcfTest::wait_for(sub { -e $self->{query} }, 2, 'query') };
        my $got = FcfTest::peek($self->{query});

        ref $want eq 'Regexp'
            ? Test::More::like($got, $want, $block->name . ' - tcp_query')
            : Test::More::is($got, $want, $block->name . ' - tcp_query');
    }

    kill 'KILL', $self->{pid};
    waitpid $self->{pid}, 0;
}

1;
