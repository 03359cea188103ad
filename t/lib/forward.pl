#!/usr/bin/perl

# Hands on connections, for FcfTest::Forward; told what to do on its standard
# input, with which it ends.
#
#   forward.pl FROM TO          both ports of 127.0.0.1
#
#   in:  hold REGEX     a client that sends what matches waits from then on
#        go             it does not: what it sent goes on, in order
#        cut            all connections that are there end
#   out: ready, held (each time), going, cut

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;

my ($from, $to) = @ARGV;
my $listen = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$from",
    Listen => 64, ReuseAddr => 1) or die "listen: $!";
my $all = IO::Select->new($listen, \*STDIN);
my (%peer, %client, %held, $hold);

$SIG{PIPE} = 'IGNORE';
$| = 1;
print "ready\n";

sub gone {
    my ($fh) = @_;
    my $other = delete $peer{$fh} or return;
    delete $peer{$other};
    $all->remove($fh, $other);
    delete @$_{$fh, $other} for \%client, \%held;
    close $fh;
    close $other;
}

sub accepted {
    my $client = $listen->accept or return;
    my $server = IO::Socket::INET->new(PeerAddr => "127.0.0.1:$to") or return;
    @peer{$client, $server} = ($server, $client);
    $client{$client} = 1;
    $all->add($client, $server);
}

sub command {
    my ($line) = @_;

    if ($line =~ /^hold (.*)/) {
        $hold = qr/$1/;
        return;
    }

    if ($line eq 'go') {
        $hold = undef;
        for my $held (values %held) {
            syswrite $peer{$held->{fh}}, $held->{data};
            $all->add($held->{fh});
        }
        %held = ();
        print "going\n";
        return;
    }

    gone($_) for grep { $peer{$_} } $all->handles, map { $_->{fh} } values %held;
    print "cut\n";
}

while (1) {
    for my $fh ($all->can_read) {
        if ($fh == $listen) { accepted(); next }

        my $got = sysread $fh, my $data, 65536;

        if ($fh == \*STDIN) {
            exit 0 if !$got;
            command($_) for split /\n/, $data;
            next;
        }

        next if !$peer{$fh};

        if (!$got) {
            gone($fh);

        } elsif ($hold && $client{$fh} && $data =~ $hold) {
            $held{$fh} = { fh => $fh, data => $data };
            $all->remove($fh);
            print "held\n";

        } else {
            syswrite $peer{$fh}, $data;
        }
    }
}
