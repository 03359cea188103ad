package FcfTest::Counter;

# Instances (t/lib/counter.pl) that know how many requests were inside of them
# at once.
#
#   my $c = FcfTest::Counter->start(n => 4, min_ms => 1, max_ms => 10,
#       limit => 8);            # one more is told that it is busy
#   $c->port(2);
#   my @each = $c->read;        # { max, now, served, busy } of each
#   $c->reset;                  # the same; "max" begins anew

use strict;
use warnings;

my $count = 0;

sub start {
    my ($class, %opt) = @_;
    my $self = bless { n => 1, min_ms => 1, max_ms => 10, limit => 0, %opt }, $class;

    $self->{ports} = [map { FcfTest::free_port() } 1 .. $self->{n}];
    $self->{proc} = FcfTest::Proc->spawn(name => 'counter-' . ++$count,
        stdin => 1,
        argv => [$^X, FcfTest::root() . '/t/lib/counter.pl',
            $self->{min_ms}, $self->{max_ms}, $self->{limit}, @{ $self->{ports} }]);
    $self->{proc}->line_matching(qr/^ready/, 10);

    return $self;
}

sub port { $_[0]{ports}[$_[1] // 0] }

sub _get {
    my ($self, $path) = @_;
    my $r = FcfTest::http_get($self->port, $path, timeout => 30);
    return @{ FcfTest::json_decode($r->{body}) };
}

sub read  { $_[0]->_get('/.counter') }
sub reset { $_[0]->_get('/.counter?reset') }

1;
