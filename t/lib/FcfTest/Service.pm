package FcfTest::Service;

# A program under a small service manager (t/lib/service.pl), which starts it
# again whenever it ends, as systemd does with Restart=always.
#
#   my $s = FcfTest::Service->start(
#       argv => [...], name => 'agent',
#       watchdog_ms => 2000,        # 0: none
#       restart_ms => 0,            # how long it waits before
#   );
#   $s->ready(20);                  # waits for the next "ready"; its pid
#   $s->pid;                        # of the one that runs; undef: none does
#   $s->kill('KILL');               # the one that runs; returns its pid
#   $s->restart;                    # SIGTERM, then started again
#   $s->event(qr/^watchdog/, 10);   # waits for an event
#   $s->count(qr/^started/);        # how often there was one
#   $s->stop;                       # for good
#   $s->output;                     # what all of them wrote

use strict;
use warnings;

sub start {
    my ($class, %opt) = @_;
    my $self = bless { name => 'service', watchdog_ms => 0, restart_ms => 0,
        %opt }, $class;
    my $dir = FcfTest::tmpdir();

    $self->{events} = "$dir/$self->{name}.events";
    $self->{proc} = FcfTest::Proc->spawn(
        name => $self->{name}, stdin => 1, grace => 70,
        stdout => $self->{events}, log => "$dir/$self->{name}.log",
        argv => [$^X, FcfTest::root() . '/t/lib/service.pl',
            "$dir/$self->{name}.notify", $self->{watchdog_ms},
            $self->{restart_ms}, 'sh', '-c', 'exec "$@" >&2', 'sh',
            @{ $self->{argv} }],
    );

    return $self;
}

sub ready {
    my ($self, $timeout) = @_;
    my ($pid) = $self->event(qr/^ready/, $timeout // 20) =~ /(\d+)/;
    return $pid;
}

sub event { $_[0]{proc}->line_matching($_[1], $_[2] // 10) }

sub count {
    my ($self, $re) = @_;
    return scalar grep { /$re/ } split /\n/, $self->{proc}->output;
}

sub pid {
    my ($self) = @_;
    my ($last) = $self->{proc}->output =~ /.*^(\w+ \d+)/ms or return undef;
    return $last =~ /^exited/ ? undef : ($last =~ /(\d+)/)[0];
}

sub kill {
    my ($self, $sig) = @_;
    my $pid = $self->pid or return undef;
    CORE::kill($sig, $pid);
    return $pid;
}

sub restart { $_[0]{proc}->send("restart\n"); return $_[0] }
sub log     { $_[0]{proc}->log }
sub output  { FcfTest::peek($_[0]->log) }
sub alive   { $_[0]{proc}->alive }

sub stop {
    my ($self) = @_;
    $self->{proc}->send("stop\n") if $self->{proc}->alive;
    return defined $self->{proc}->wait(70);
}

1;
