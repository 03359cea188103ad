package FcfTest::Forward;

# A port that hands on to another (t/lib/forward.pl), and holds back what a
# test wants to be late.
#
#   my $f = FcfTest::Forward->start(to => $port);       # and port => $port
#   $f->port; $f->url; $f->proc;
#   $f->hold('"key":"L3'); $f->held(10);    # a client that sends what matches
#                                           # waits; until one does
#   $f->hold_list('/specs/');   # a page of that list, but for the first one
#   $f->go;                     # it goes on, and nothing is held any more
#   $f->cut;                    # all connections end
#   $f->stop;

use strict;
use warnings;

use MIME::Base64 qw(encode_base64);

my $count = 0;

sub start {
    my ($class, %opt) = @_;
    my $self = bless { port => FcfTest::free_port(), %opt }, $class;

    $self->{proc} = FcfTest::Proc->spawn(name => 'forward-' . ++$count,
        stdin => 1, stop => 'KILL',
        argv => [$^X, FcfTest::root() . '/t/lib/forward.pl', $self->{port},
            $self->{to}]);
    $self->{proc}->line_matching(qr/^ready/, 10);

    return $self;
}

sub port { $_[0]{port} }
sub url  { "http://127.0.0.1:$_[0]{port}" }
sub proc { $_[0]{proc} }
sub stop { $_[0]{proc}->stop }

sub hold { $_[0]{proc}->send("hold $_[1]\n") }
sub held { $_[0]{proc}->line_matching(qr/^held/, $_[1]) }

# base64 of three bytes a group: those of the prefix that are whole, and not
# the prefix itself, with which the first page begins
sub hold_list {
    my ($self, $prefix) = @_;
    my $whole = encode_base64(substr($prefix, 0, 3 * int(length($prefix) / 3)),
        '');
    my $first = encode_base64($prefix, '');

    $self->hold(qq("key":"(?!\Q$first\E")\Q$whole\E[^"]*","range_end"));
}

sub go {
    my ($self) = @_;
    $self->{proc}->send("go\n");
    $self->{proc}->line_matching(qr/^going/, 10);
}

sub cut {
    my ($self) = @_;
    $self->{proc}->send("cut\n");
    $self->{proc}->line_matching(qr/^cut/, 10);
}

1;
