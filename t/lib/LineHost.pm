package LineHost;

# A program of $(B)/t/unit that takes orders and tells events, a line each.
#
#   LineHost::own_netns();              # skips the test where that cannot be
#   my $h = LineHost->start('net_host', @arguments);
#   $h->{first};                        # what it said first
#   $h->order('take');                  # says something
#   $h->line;                           # what it says next
#   $h->ask('take');                    # both
#   $h->finish('close');                # a last order, "<last line> <status>"
#   $h->kill;                           # kill -9, and waits for it

use strict;
use warnings;

use IO::Handle;
use IO::Select;
use IPC::Open2;
use Test::More ();
use Time::HiRes qw(time);

use constant DEADLINE => 20;

sub own_netns {
    if ($> != 0 || !-e '/dev/net/tun') {
        Test::More::plan(skip_all => 'needs root and /dev/net/tun');
    }

    if (!$ENV{FCF_OWN_NETNS}) {
        $ENV{FCF_OWN_NETNS} = 1;
        exec('unshare', '--net', '--mount', $^X, (map { "-I$_" } @INC), $0)
            or die "unshare: $!";
    }
}

sub start {
    my ($class, $name, @args) = @_;

    my $build = $ENV{FCF_BUILD} || 'build/asan';
    my $self = bless { name => $name, select => IO::Select->new, buf => '' },
        $class;

    $self->{pid} = open2($self->{out}, $self->{in}, "$build/t/unit/$name",
                         @args);
    $self->{select}->add($self->{out});
    $self->{in}->autoflush(1);
    $self->{first} = $self->line;

    return $self;
}

sub line {
    my ($self) = @_;

    my $end = time() + DEADLINE;

    while (index($self->{buf}, "\n") < 0) {
        $self->{select}->can_read($end - time())
            or die "$self->{name}: no answer within the deadline";
        sysread($self->{out}, $self->{buf}, 65536, length $self->{buf})
            or return 'end of output';
    }

    (my $line, $self->{buf}) = split /\n/, $self->{buf}, 2;

    return $line;
}

sub order { my ($self, $text) = @_; print {$self->{in}} "$text\n"; }

sub ask {
    my ($self, $text) = @_;

    $self->order($text);

    return $self->line;
}

# its end of input, and what it ends with
sub end {
    my ($self) = @_;

    close $self->{in};
    waitpid $self->{pid}, 0;

    return $?;
}

# skip: lines that may come before the last
sub finish {
    my ($self, $order, $skip) = @_;
    my $last;

    $self->order($order) if $order;
    close $self->{in};

    do { $last = $self->line } while $skip && $last =~ $skip;

    return "$last " . $self->end;
}

sub kill {
    my ($self) = @_;

    CORE::kill(9, $self->{pid});
    waitpid $self->{pid}, 0;
}

1;
