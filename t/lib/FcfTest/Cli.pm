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
#   my $r = $cli->on_terminal('top', ...);  # {status} and {said}, all of what
#       # a terminal was sent; {on => sub { my ($said, $pid, $tty) = @_; ... }}
#       # as a first argument is called as it comes
#   $cli->refused($what, 2, qr/why/, 'ls', ...);    # three tests: it ends with
#                                   # that (undef: with anything but 0), and
#                                   # says why in one line
#   $cli->conf_path;
#   my $dir = FcfTest::Cli::function($dir, 'exec server');  # made, with a
#                                   # bootstrap of these lines
#   FcfTest::Cli::store($path, $dir, 'more;');  # of an nginx: the location of
#                                   # a store of images at that path
#   FcfTest::Cli::binary();

use strict;
use warnings;

use POSIX ();
use Test::More ();

use constant { TIOCSPTLCK => 0x40045431, TIOCGPTN => 0x80045430 };


sub binary { FcfTest::build_dir() . '/cli/fcfaas' }

sub function {
    my ($dir, @lines) = @_;

    mkdir $dir;
    FcfTest::spew("$dir/bootstrap", join '', map { "$_\n" } '#!/bin/sh', @lines);
    chmod 0755, "$dir/bootstrap";
    return $dir;
}

sub store {
    my ($path, $dir, $more) = @_;

    mkdir $dir;
    return <<"    EOC";
        location ~ "^$path/([0-9a-f]{64}\\.img)\$" {
            alias                  $dir/\$1;
            client_body_temp_path  $dir/.put;
            dav_methods            PUT DELETE;
            create_full_put_path   on;
            @{[$more // '']}
        }
    EOC
}

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


# this process: who runs the command
sub _become {
    my ($self, $opt) = @_;

    chdir $self->{cwd} if defined $self->{cwd};
    delete @ENV{grep { /^FCFAAS_/ } keys %ENV};
    %ENV = (%ENV, HOME => '/nowhere', FCFAAS_CONF => $self->conf_path,
        %{ $self->{env} // {} }, %{ $opt->{env} // {} });

    if (defined $self->{user}) {
        $) = "$self->{user} $self->{user}";
        POSIX::setgid($self->{user});
        POSIX::setuid($self->{user});
    }
}


# Its process: {out} and {err} are files.
sub start {
    my ($self, @args) = @_;
    my $opt = ref $args[0] ? shift @args : {};
    my $base = FcfTest::tmpdir() . "/$self->{name}-" . _count();
    FcfTest::spew("$base.err", '');     # there for who looks at once
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        FcfTest::spew("$base.in", $opt->{in} // '');
        open STDIN, '<', "$base.in" or POSIX::_exit(126);
        open STDOUT, '>', $opt->{to} // "$base.out" or POSIX::_exit(126);
        open STDERR, '>', "$base.err" or POSIX::_exit(126);
        $self->_become($opt);
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

sub on_terminal {
    my ($self, @args) = @_;
    my $opt = ref $args[0] ? shift @args : {};
    my ($locked, $number) = (pack('i', 0), pack('i', 0));

    open my $tty, '+<', '/dev/ptmx' or die "ptmx: $!";
    ioctl $tty, TIOCSPTLCK, $locked or die "TIOCSPTLCK: $!";
    ioctl $tty, TIOCGPTN, $number or die "TIOCGPTN: $!";
    my $path = '/dev/pts/' . unpack 'i', $number;
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        POSIX::setsid();
        open STDIN, '<', $path or POSIX::_exit(126);
        open STDOUT, '>', $path or POSIX::_exit(126);
        open STDERR, '>', $path or POSIX::_exit(126);
        $self->_become($opt);
        exec { binary() } 'fcfaas', @args or POSIX::_exit(127);
    }

    # at its end, with EIO
    my $said = '';
    while (sysread $tty, $said, 65536, length $said) {
        $opt->{on}->($said, $pid, $tty) if $opt->{on};
    }

    waitpid $pid, 0;
    return { status => $? & 127 ? 128 + ($? & 127) : $? >> 8, said => $said };
}

sub refused {
    my ($self, $what, $status, $re, @args) = @_;
    my $r = $self->run(@args);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    defined $status
        ? Test::More::is($r->{status}, $status, "$what: refused")
        : Test::More::isnt($r->{status}, 0, "$what: refused");
    Test::More::like($r->{err}, $re, "$what: told");
    Test::More::is($r->{err} =~ tr/\n//, 1, "$what: in one line")
        or Test::More::diag($r->{err});
    return $r;
}

sub json {
    my ($self, @args) = @_;
    return FcfTest::json_decode($self->ok(@args, '--json')->{out});
}

1;
