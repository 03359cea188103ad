package Probe;

# t/unit/contract_probe.c as an object: says what it is told, and keeps the
# copy that a receiver of fcf_sync would have.
#
#   my $p = Probe->new(args...);
#   $p->view;                       # { key => value }, as of the last "end"
#                                   # or single change
#   $p->becomes({ ... }, 5, 'what');
#   $p->state_becomes('live', 5);   # of lines not looked at yet
#   my $reply = $p->ask('get /a');  # "ok ..." or "<code>: <message>"
#   $p->quit;                       # its exit status

use strict;
use warnings;

use FcfTest;
use Test::More ();

my $n = 0;


sub new {
    my ($class, @args) = @_;
    my $name = 'probe' . ++$n;

    my $proc = FcfTest::Proc->spawn(
        argv   => [build_dir() . '/t/unit/contract_probe', @args],
        name   => $name,
        stdout => tmpdir() . "/$name.out",
        stdin  => 1);

    my $self = bless { proc => $proc, tag => 0 }, $class;
    $proc->line_matching(qr/^ready/, 5);
    return $self;
}


sub proc { $_[0]{proc} }


sub view {
    my ($self) = @_;
    my (%view, %list);          # list: of the prefixes that are being listed

    for (split /\n/, $self->{proc}->output) {

        if (/^begin (\S+)/) {
            $list{$1} = {};

        } elsif (/^end (\S+)/) {
            my $list = delete $list{$1};
            delete @view{grep { index($_, $1) == 0 } keys %view};
            @view{keys %$list} = values %$list;

        } elsif (/^put (\S+) (.*)/) {
            my ($key, $value) = ($1, $2);
            my ($in) = grep { index($key, $_) == 0 } keys %list;
            (defined $in ? $list{$in} : \%view)->{$key} = $value;

        } elsif (/^del (\S+)/) {
            my $key = $1;
            die "single change inside a list"
                if grep { index($key, $_) == 0 } keys %list;
            delete $view{$key};
        }
    }

    return \%view;
}


sub _flat { my ($h) = @_; join "\n", map { "$_=$h->{$_}" } sort keys %$h }


sub becomes {
    my ($self, $want, $timeout, $what) = @_;
    my $flat = _flat($want);

    my $ok = eval {
        wait_for(sub { _flat($self->view) eq $flat }, $timeout, $what);
    };

    return Test::More::ok(1, $what) if $ok;
    return Test::More::is_deeply($self->view, $want, $what);
}


sub state_becomes {
    my ($self, $state, $timeout, $what) = @_;
    my $line = eval {
        $self->{proc}->line_matching(qr/^state \Q$state\E:/, $timeout) };

    Test::More::ok($line, $what // "state $state") or Test::More::diag($@);
    return $line;
}


sub tell {
    my ($self, $command) = @_;
    my $tag = 't' . ++$self->{tag};

    $self->{proc}->send("$tag $command\n");
    return $tag;
}


sub reply {
    my ($self, $tag, $timeout) = @_;
    my $reply;

    wait_for(sub {
        ($reply) = $self->{proc}->output =~ /^reply $tag (.*)\n/m;
        defined $reply;
    }, $timeout // 10, "reply $tag");

    return $reply;
}


sub ask {
    my ($self, $command, $timeout) = @_;
    return $self->reply($self->tell($command), $timeout);
}


sub stat {
    my ($self) = @_;
    return { $self->ask('stat') =~ /(\w+)=(\S+)/g };
}


sub quit {
    my ($self) = @_;
    $self->tell('quit');
    my $status = $self->{proc}->wait(10);
    Test::More::is($status, 0, 'ends cleanly, with nothing left in the loop');
}

1;
