package FcfSetup::Ports;

# Who listens where on this machine.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Say qw(fail);
use IO::Socket::INET;

our @EXPORT_OK = qw(is_free free_port user_of must_be_free);


# whether "address:port" is there to listen on
sub is_free {
    my ($address) = @_;
    return defined IO::Socket::INET->new(LocalAddr => $address,
        Proto => 'tcp', Listen => 1, ReuseAddr => 1);
}


# the first of these ports that is free on all of the addresses, or undef
sub first_free {
    my ($addresses, @ports) = @_;

    for my $port (@ports) {
        return $port unless grep { !is_free("$_:$port") } @$addresses;
    }

    return undef;
}


# "name, process 12", or undef where that is not to be known
sub user_of {
    my ($address) = @_;
    my ($port) = $address =~ /(\d+)$/ or return undef;
    my $said = qx(ss -Hltnp "sport = :$port" 2>/dev/null) // '';
    my ($name, $pid) = $said =~ /"([^"]*)",pid=(\d+)/ or return undef;

    return "$name, process $pid";
}


# the first of these that nobody listens on, at an address or several
sub free_port {
    my ($what, $addresses, @ports) = @_;

    return first_free(ref $addresses ? $addresses : [$addresses], @ports)
        // fail("$what: all ports from $ports[0] to $ports[-1] are in use");
}


# what a service that does not run yet is to listen on, as that file says
sub must_be_free {
    my ($address, $file) = @_;
    return if is_free($address);

    my $who = user_of($address);
    fail("$address, which $file names, is in use"
        . (defined $who ? " by $who" : '')
        . ': end that, or write another port there');
}

1;
