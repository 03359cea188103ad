package FcfTest::Front;

# The front of a machine, as fcfaas-setup writes it (FcfSetup::Tls): Debian's
# nginx with its stream module.
#
#   FcfTest::Front::skip_without();             # the file, where that is not
#   my $f = FcfTest::Front->start(name => 'front', netns => $ns,
#       dir => $dir_of_its_sockets, certificate => 'server',
#       log_level => 'warn',        # then connections are not written down
#       node => {...}, redis => [...]);         # as of front_conf()
#   $f->gateway;                    # directives of a gateway's locations
#   $f->connections;                # a line for each that has ended
#   $f->reload; $f->proc; $f->workers; $f->log; $f->stop;
#
# Certificates are those of FcfTest::Tls: <name>.crt and <name>.key.

use strict;
use warnings;

use FcfTest ();
use Test::More ();

use lib FcfTest::root() . '/packaging/lib';
use FcfSetup::Tls qw(front_conf gateway_tls);

my $module = '/usr/lib/nginx/modules/ngx_stream_module.so';


sub skip_without {
    Test::More::plan(skip_all => "$module is not there") if !-e $module;
}


sub start {
    my ($class, %opt) = @_;
    my $self = bless { name => 'front', certificate => 'server',
        log_level => 'info', %opt },
        $class;

    $self->{dir} //= FcfTest::tmpdir() . "/$self->{name}";
    mkdir $self->{dir};
    $self->write;
    $self->{proc} = FcfTest::Proc->spawn(name => $self->{name},
        netns => $self->{netns}, stop => 'TERM',
        argv => ['nginx', '-e', 'stderr', '-c', "$self->{dir}/front.conf"]);
    FcfTest::show_log_on_failure($self->log, 25);
    $self->_await;

    return $self;
}


# its settings, anew
sub write {
    my ($self, %opt) = @_;

    %$self = (%$self, %opt);
    FcfTest::spew("$self->{dir}/front.conf", front_conf(
        run => $self->{dir}, module => $module, user => 'root',
        $self->_files, map { $_ => $self->{$_} } qw(node redis))
        =~ s/^(error_log stderr) warn/$1 $self->{log_level}/mr
        =~ s/^stream \{\K/$self->_log_format/mer);

    return $self;
}


# one line for each connection that has ended
sub _log_format {
    my ($self) = @_;
    return '' if $self->{log_level} ne 'info';
    return "\n    log_format tls '\$server_port \$ssl_session_reused';\n"
        . "    access_log $self->{dir}/tls.log tls;\n";
}

# "29001 r": one whose TLS session was known already, on this port
sub connections {
    my ($self) = @_;
    return split /\n/, FcfTest::slurp("$self->{dir}/tls.log");
}


sub _files {
    my ($self, $name) = @_;
    my $of = FcfTest::tmpdir() . '/' . ($name // $self->{certificate});

    return (ca => FcfTest::tmpdir() . '/ca.crt', certificate => "$of.crt",
        key => "$of.key");
}


sub gateway {
    my ($self, $certificate) = @_;
    return gateway_tls($self->_files($certificate // 'gateway'));
}


sub _await {
    my ($self) = @_;

    FcfTest::wait_for(sub {
        $self->{proc}->alive or die "the front ended at start:\n"
            . FcfTest::tail_of($self->log, 10);
        scalar $self->workers;
    }, 20, 'the front');
}


sub proc { $_[0]{proc} }
sub log  { $_[0]{proc}->log }
sub stop { $_[0]{proc}->stop }


sub workers { FcfTest::Nginx::workers($_[0]) }


sub reload {
    my ($self) = @_;
    return FcfTest::Nginx::reload($self);
}

1;
