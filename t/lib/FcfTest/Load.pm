package FcfTest::Load;

# A steady load on a gateway (t/lib/load.pl), counted.
#
#   my $load = FcfTest::Load->start(port => $port, path => '/run/warm',
#       interval_ms => 1, patience_s => 30, again => 1,
#       header => 'X-Version',      # see load.pl
#       body => 'x');
#   ...
#   in => $container (FcfTest::Container): from in there, where load.pl was put
#   my $n = $load->end;     # { sent, answered, status, lost, why, ... }

use strict;
use warnings;

my $count = 0;

sub start {
    my ($class, %opt) = @_;
    my $self = bless { interval_ms => 1, patience_s => 30, %opt }, $class;
    my $name = 'load-' . ++$count;

    $self->{proc} = FcfTest::Proc->spawn(name => $name, stdin => 1,
        stdout => FcfTest::tmpdir() . "/$name.json",
        argv => [$self->{in} ? $self->{in}->argv_of('perl', 'load.pl')
            : ($^X, FcfTest::root() . '/t/lib/load.pl'), $self->{port},
            $self->{path}, $self->{interval_ms}, $self->{patience_s},
            $self->{again} // 0, $self->{header} // '', $self->{body} // ()]);

    return $self;
}

sub end {
    my ($self) = @_;

    close $self->{proc}{in};
    defined $self->{proc}->wait($self->{patience_s} + 10)
        or die "the load does not end\n";

    return FcfTest::json_decode($self->{proc}->output);
}

1;
