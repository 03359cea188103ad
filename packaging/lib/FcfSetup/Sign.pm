package FcfSetup::Sign;

# The CA's machine is asked for certificates: by machines that join, with a
# token, and by those that are in, with the one they have.  nginx takes the
# connection, and systemd starts one of this for each request
# (fcfaas-sign.socket); neither of them is trusted with a token or a password.
#
# What it knows is in its directory: the CA, tokens/<id>, machines/<name>, and
# cluster.json, which all that join are given.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use FcfSetup::Ca qw(sign chains seal key_of_csr key_of_certificate
    temporary);
use FcfSetup::Files qw(slurp put_anew);
use FcfSetup::Run qw(run);
use FcfSetup::Token qw(outstanding keep_token mac_of);
use Fcntl qw(:flock);
use JSON::PP ();
use MIME::Base64 qw(decode_base64);
use POSIX qw(strftime);

our @EXPORT_OK = qw(serve answer machine machines set_machine is_name
    DAYS);

use constant { MAX => 32768, DAYS => 90 };

my $json = JSON::PP->new->canonical->utf8;


# one request of HTTP, as nginx passes it on
sub serve {
    my ($in, $out, $dir) = @_;
    my ($length, $path) = (0);

    while (my $line = <$in>) {
        $path //= $line =~ m{^POST (/\S*) HTTP/1\.[01]\r?\n} ? $1 : '';
        $length = $1 if $line =~ /^Content-Length: *(\d{1,9})\r?$/i;
        last if $line =~ /^\r?\n/;
    }

    my $body = '';
    read $in, $body, $length if $length <= MAX;
    my ($status, $said) = $length > 0 && length $body == $length
        ? answer($dir, ($path // '') =~ m{([^/]*)$}, $body, time)
        : (400, { error => 'that is no request' });
    my $text = $json->encode($said) . "\n";

    print {$out} "HTTP/1.0 $status .\r\nContent-Type: application/json\r\n",
        'Content-Length: ', length $text, "\r\n\r\n", $text;
    return $status;
}


# (status, what is answered)
sub answer {
    my ($dir, $what, $body, $now) = @_;
    my %does = (join => \&joins, renew => \&renews);
    my $asked = eval { $json->decode($body) };

    return (400, { error => 'that is no request' })
        unless ref $asked eq 'HASH' && $does{$what}
        && !grep { !defined || ref } values %$asked;

    # one at a time: a token is good for one
    open my $lock, '<', $dir or return (500, { error => "$dir: $!" });
    flock $lock, LOCK_EX;
    my ($said, $why) = $does{$what}->($dir, $asked, $now);
    return defined $why ? (403, { error => $why }) : (200, $said);
}


sub joins {
    my ($dir, $asked, $now) = @_;
    my ($name, $csr, $key, $why) = ($asked->{name} // '',
        $asked->{csr} // '');

    (my $token, $why) = token_of($dir, $asked, $now);
    return (undef, $why) if defined $why;
    return (undef, "\"$name\" is no name: letters, digits, \"-\" and \".\"")
        unless is_name($name);
    return (undef, 'that is no address') unless is_ip($asked->{address});
    return (undef, 'that is no request for a certificate')
        unless defined($key = key_of_csr($csr));

    my $by = sha256_hex($key);
    return (undef, "the token was used already, by $token->{name}: each "
        . 'machine needs its own')
        if defined $token->{by} && $token->{by} ne $by;

    my $had = machine($dir, $name);
    return (undef, "$name is in the cluster already: if that machine is gone, "
        . "fcfaas-setup remove $name on the head")
        if $had && !grep { $_ eq $key } @{ $had->{keys} };
    my ($other) = grep { $_ ne $name && machine($dir, $_)->{address}
        eq $asked->{address} } machines($dir);
    return (undef, "$asked->{address} is $other\'s address")
        if defined $other;

    keep_token("$dir/tokens", $asked->{id}, { %$token, by => $by,
        name => $name });
    return signed_for($dir, $csr, $now, { name => $name, keys => [$key],
        address => $asked->{address}, role => $token->{role} });
}


sub token_of {
    my ($dir, $asked, $now) = @_;
    my %known = outstanding("$dir/tokens", $now);
    my $token = $known{ $asked->{id} // '' };
    my $unknown = 'the token is not known there: it is of another head, or '
        . 'was taken back';

    return (undef, $unknown) unless $token;
    # an id says nothing of the secret
    return (undef, $unknown) unless ($asked->{mac} // '') eq
        mac_of($token->{key}, map { $asked->{$_} // '' }
            qw(role name address csr));
    return (undef, sprintf 'the token was good until %s: make another '
        . '(fcfaas-setup token)', strftime('%F %T UTC', gmtime $token->{ends}))
        if $token->{ends} < $now;
    return (undef, "the token is for a $token->{role}")
        if $token->{role} ne ($asked->{role} // '');

    return ($token, undef);
}


# What has a certificate of ours asks with its key.  The key before is good,
# too, until the new one has been used: an answer may be lost.
sub renews {
    my ($dir, $asked, $now) = @_;
    my ($certificate, $csr) = map { $_ // '' } @$asked{qw(certificate csr)};
    my $key = key_of_certificate($certificate);

    return (undef, 'that is no certificate of this cluster, or it has ended: '
        . 'join again, with a token')
        unless defined $key && chains($dir, $certificate);

    my ($name) = grep { grep { $_ eq $key } @{ machine($dir, $_)->{keys} } }
        machines($dir);
    return (undef, 'this machine was removed from the cluster')
        unless defined $name;

    my $new = key_of_csr($csr);
    return (undef, 'the request is not signed with the certificate\'s key')
        unless defined $new
        && verified($csr, decode_base64($asked->{signature} // ''), $key);

    return signed_for($dir, $csr, $now, { %{ machine($dir, $name) },
        name => $name, keys => [$new, $new eq $key ? () : $key] });
}


sub verified {
    my ($text, $signature, $key) = @_;
    my @files = map { temporary($_) } $text, $signature, "$key PUBLIC KEY-----\n";

    return (run('openssl', 'dgst', '-sha256', '-verify', "$files[2]",
        '-signature', "$files[1]", "$files[0]"))[0];
}


# the answer for a machine that may have it
sub signed_for {
    my ($dir, $csr, $now, $machine) = @_;
    my $certificate = sign($dir, $csr, role => $machine->{role}, days => DAYS,
        names => [$machine->{name}, "$machine->{role}.fcfaas",
            @{ $machine->{names} // [] }],
        addresses => [$machine->{address}])
        // return (undef, 'that is no request for a certificate');

    $machine->{ends} = $now + DAYS * 86400;
    set_machine($dir, $machine);
    return { certificate => $certificate, ca => slurp("$dir/ca.crt"),
        sealed => seal($json->encode(given($dir, $machine->{role})),
            $certificate) };
}


# what a machine of that role is given besides: settings and secrets
sub given {
    my ($dir, $role) = @_;
    my $of = $role eq 'node' ? 'agent' : 'gateway';
    my $etc = $dir =~ s{/[^/]+$}{}r;

    return { cluster => $json->decode(slurp("$dir/cluster.json") // '{}'),
        files => { map { $_ => slurp("$etc/$_") } 'token',
            "etcd-$of.password", "redis-$of.password" } };
}


sub is_name { $_[0] =~ /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?\z/
    && $_[0] !~ /\.\./ && $_[0] !~ /\.fcfaas$/ }

sub is_ip { 4 == grep { /^(?:0|[1-9]\d{0,2})$/ && $_ < 256 }
    split /\./, $_[0] // '', -1 }

sub machines { return map { m{([^/]+)$} } sort glob "$_[0]/machines/*" }

sub machine {
    my ($dir, $name) = @_;
    return eval { $json->decode(slurp("$dir/machines/$name")) };
}

sub set_machine {
    my ($dir, $machine) = @_;
    put_anew("$dir/machines/$machine->{name}", $json->encode($machine) . "\n",
        0600);
}

1;
