package FcfTest::Cli;

# Runs fcfaas, the command, as people do: with a settings file of the test's,
# in a directory of the test's, without any variable of this environment.
#
#   my $cli = FcfTest::Cli->new(
#       name => 'fcfaas',           # of its settings file
#       conf => { etcd => $etcd->endpoint, ... },
#       cwd  => $dir,
#       user => 65534,              # whose rights it has
#       env  => { TMPDIR => $dir },
#   );
#   my $r = $cli->run('ls', '--json');      # {status} {out} {err}
#   $cli->run({ in => 'text', env => { FCFAAS_ETCD => ... } }, 'invoke', ...);
#   $cli->ok('scale', 'f', '--min', 1);     # dies unless it ended with 0
#   $cli->json('ls');               # what it said, decoded
#   $cli->conf_path;
#   FcfTest::Cli::binary();

use strict;
use warnings;

use POSIX ();


sub binary { FcfTest::build_dir() . '/cli/fcfaas' }

sub new {
    my ($class, %opt) = @_;
    my $self = bless { name => 'fcfaas', conf => {}, %opt }, $class;

    # whoever it is finds its settings
    chmod 0755, FcfTest::tmpdir() if defined $self->{user};

    FcfTest::spew($self->conf_path, join '',
        map { "$_ = $self->{conf}{$_}\n" } sort keys %{ $self->{conf} });
    return $self;
}

sub conf_path { FcfTest::tmpdir() . "/$_[0]{name}.conf" }

{
    my $count = 0;
    sub _count { ++$count }
}


# Its process: {out} and {err} are files.
sub start {
    my ($self, @args) = @_;
    my $opt = ref $args[0] ? shift @args : {};
    my $base = FcfTest::tmpdir() . "/$self->{name}-" . _count();
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        FcfTest::spew("$base.in", $opt->{in} // '');
        open STDIN, '<', "$base.in" or POSIX::_exit(126);
        open STDOUT, '>', $opt->{to} // "$base.out" or POSIX::_exit(126);
        open STDERR, '>', "$base.err" or POSIX::_exit(126);
        chdir $self->{cwd} if defined $self->{cwd};
        delete @ENV{grep { /^FCFAAS_/ } keys %ENV};
        %ENV = (%ENV, HOME => '/nowhere', FCFAAS_CONF => $self->conf_path,
            %{ $self->{env} // {} }, %{ $opt->{env} // {} });

        if (defined $self->{user}) {
            $) = "$self->{user} $self->{user}";
            POSIX::setgid($self->{user});
            POSIX::setuid($self->{user});
        }

        exec { binary() } 'fcfaas', @args or POSIX::_exit(127);
    }

    return { pid => $pid, base => $base };
}

sub end {
    my ($self, $started) = @_;

    waitpid $started->{pid}, 0;
    return {
        status => $? & 127 ? 128 + ($? & 127) : $? >> 8,
        out => -e "$started->{base}.out"
            ? FcfTest::slurp("$started->{base}.out") : '',
        err => FcfTest::slurp("$started->{base}.err"),
    };
}

sub run {
    my ($self, @args) = @_;
    return $self->end($self->start(@args));
}

sub ok {
    my ($self, @args) = @_;
    my $r = $self->run(@args);

    $r->{status} == 0 or die "fcfaas @args: status $r->{status}\n$r->{err}";
    return $r;
}

sub json {
    my ($self, @args) = @_;
    return FcfTest::json_decode($self->ok(@args, '--json')->{out});
}

1;
