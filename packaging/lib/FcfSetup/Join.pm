package FcfSetup::Join;

# A machine asks the head for its certificate: with a token at first, with the
# certificate it has from then on.  Its key stays here, and the head is known
# by its CA before anything is asked.

use strict;
use warnings;

use Exporter qw(import);
use FcfSetup::Ca qw(key csr_of fingerprint unseal temporary chains);
use FcfSetup::Files qw(slurp put put_anew);
use FcfSetup::Run qw(run must);
use FcfSetup::Say qw(fail did wrote);
use FcfSetup::Token qw(read_token mac_of);
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use POSIX qw(uname);
use Time::Local qw(timegm);

our @EXPORT_OK = qw(join_head renew token_given own_name own_address
    default_address is_own cluster_of self_of);

use constant CLOCK_S => 60;

my $json = JSON::PP->new->canonical->utf8;
my %month = map { (qw(Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec))[$_]
    => $_ } 0 .. 11;


# what --join names: the token, or "@file", or "-" for the standard input
sub token_given {
    my ($text) = @_;

    if ($text eq '-') {
        $text = <STDIN> // fail('--join -: nothing was said');
    } elsif ($text =~ /^\@(.+)/) {
        $text = slurp($1) // fail("cannot read $1: $!");
    }

    my ($token, $why) = read_token($text);
    fail($why) if defined $why;
    return $token;
}


sub own_name {
    return lc((uname())[1]) =~ s/[^a-z0-9.-]/-/gr =~ s/^[^a-z0-9]+//r
        =~ s/[^a-z0-9]+\z//r;
}


# the one that packets to there come from
sub own_address {
    my ($to) = @_;
    my ($ok, $said) = run('ip', '-4', '-o', 'route', 'get', $to);

    fail("no route leads to $to") unless $ok;
    return $said =~ / src (\S+)/ ? $1 : fail("ip route get $to: $said");
}


# where others reach this machine, if that can be known
sub default_address {
    my ($ok, $said) = run('ip', '-4', '-o', 'route', 'get', '192.0.2.1');
    return $1 if $ok && $said =~ / via .* src (\S+)/;

    my @own = grep { !/^127\./ } own_addresses();
    fail('which address others reach this machine at cannot be found out: '
        . '--address=' . (@own ? join ' or ', @own : 'ADDRESS')) if @own != 1;
    return $own[0];
}

# but for those of guests' bridges
sub own_addresses {
    return grep { defined } map { / fc-/ ? undef : / inet ([\d.]+)/ }
        split /\n/, must('ip', '-4', '-o', 'addr');
}

sub is_own {
    my ($address) = @_;

    fail("$address is no address of this machine")
        unless grep { $_ eq $address } own_addresses();
    fail("$address: others cannot reach it") if $address =~ /^127\./;
    return $address;
}


# Key and certificate are one file, machine.pem, so that no reader finds two
# that do not fit; a key that is asked for is machine.next until it is there.

# join_head($dir, token => ..., role => ..., name => ..., address => ...,
# into => where the files go that the role needs): afterwards the directory has
# the certificate, the CA and cluster.json.
sub join_head {
    my ($dir, %of) = @_;
    my $token = $of{token};

    fail("the token is for a $token->{role}: fcfaas-setup $token->{role} "
        . '--join') if $token->{role} ne $of{role};
    know_head($dir, $token);
    next_key($dir);

    my %asked = (id => $token->{id}, role => $of{role}, name => $of{name},
        address => $of{address}, csr => csr_of("$dir/machine.next"));
    $asked{mac} = mac_of($token->{key}, @asked{qw(role name address csr)});

    my $said = ask($dir, $token->{address}, 'join', \%asked);
    take_ca($dir, $said->{ca});
    take($dir, $of{into}, $said);
    did("joined the cluster at $token->{address} as $of{name}, "
        . "$of{address}");
}


# as it was, if it has been asked for before
sub next_key {
    my ($dir) = @_;
    put_anew("$dir/machine.next", key(), 0600) unless -e "$dir/machine.next";
}


# with a new key, that the one before speaks for
sub renew {
    my ($dir, $etc) = @_;

    next_key($dir);
    my $csr = csr_of("$dir/machine.next");
    my $text = temporary($csr);
    my $signature = must('openssl', 'dgst', '-sha256', '-sign',
        "$dir/machine.pem", "$text");

    my $head = cluster_of($dir)->{head};
    my $said = ask($dir, $head, 'renew', { csr => $csr,
        certificate => certificate_in(slurp("$dir/machine.pem")),
        signature => encode_base64($signature, '') });
    take_ca($dir, $said->{ca});
    return take($dir, $etc, $said);
}


# Who answered has a certificate of the CA that is known here, and says which
# other comes, or which goes.
sub take_ca {
    my ($dir, $text) = @_;
    return if !defined $text || fingerprint($text) eq ''
        || $text eq slurp("$dir/ca.crt");

    put_anew("$dir/ca.crt", $text, 0644);
    wrote("$dir/ca.crt");
}


# The token says which CA; one that stands there already must be the same.
sub know_head {
    my ($dir, $token) = @_;
    my ($body, $heads) = curl($token->{address}, 'ca', '--insecure');

    clock_is_right($heads, $token->{address});
    fail("the CA of $token->{address} is not that of the token: another "
        . 'machine answers there')
        if fingerprint(certificate_in($body)) ne $token->{fingerprint};
    fail("$dir/ca.crt is of another cluster: remove what fcfaas-setup wrote "
        . 'for that first (apt purge fcfaas)')
        if -e "$dir/ca.crt"
        && fingerprint(slurp("$dir/ca.crt")) ne $token->{fingerprint};

    # the token says nothing of any that stands behind it
    put("$dir/ca.crt", certificate_in($body), 0644);
}


# certificates hold from and until a time
sub clock_is_right {
    my ($heads, $address) = @_;
    my ($d, $m, $y, $H, $M, $S) = $heads
        =~ /^Date: \w+, (\d+) (\w+) (\d+) (\d+):(\d+):(\d+) GMT/mi or return;
    my $off = time - timegm($S, $M, $H, $d, $month{$m}, $y);

    fail(sprintf 'this machine\'s clock is %d s %s that of %s: set it '
        . '(timedatectl)', abs $off, $off < 0 ? 'behind' : 'before', $address)
        if abs $off > CLOCK_S;
}


sub ask {
    my ($dir, $address, $what, $asked) = @_;
    my $file = temporary($json->encode($asked));
    my ($body, $heads, $status) = curl($address, $what, '--cacert',
        "$dir/ca.crt", '--data-binary', "\@$file", '-H',
        'Content-Type: application/json');
    my $said = eval { $json->decode($body) } // {};

    fail("$address: " . ($said->{error} // "status $status"))
        if $status != 200;
    return $said;
}


# (body, heads, status)
sub curl {
    my ($address, $what, @argv) = @_;
    my $heads = temporary('');
    my ($ok, $said) = run('curl', '-sS', '--noproxy', '*', '--max-time', 30,
        '--connect-timeout', 10, '-D', "$heads", @argv,
        "https://$address/fcfaas/setup/$what");

    if (!$ok) {
        chomp $said;
        fail("cannot reach the head at $address: "
            . $said =~ s/^curl: \(\d+\) //r);
    }

    my $text = slurp("$heads");
    my ($status) = $text =~ m{^HTTP/\S+ (\d+)};
    return ($said, $text, $status // 0);
}


# What was answered becomes what is used, last the certificate, by which it is
# seen that all is there.
sub take {
    my ($dir, $etc, $said) = @_;
    my $certificate = $said->{certificate} // '';
    my $text = unseal($said->{sealed} // '', "$dir/machine.next",
        $certificate);
    my $given = eval { $json->decode($text // '') };

    fail('what the head answered cannot be read with this machine\'s key')
        unless $given && chains($dir, $certificate);
    for my $name (sort keys %{ $given->{files} }) {
        next if $name !~ /^[a-z.-]+$/
            || (slurp("$etc/$name") // '') eq $given->{files}{$name};
        put_anew("$etc/$name", $given->{files}{$name}, 0600);
        wrote("$etc/$name");
    }

    put_anew("$dir/cluster.json", $json->encode($given->{cluster}) . "\n",
        0644);
    put_anew("$dir/machine.pem", $certificate . slurp("$dir/machine.next"),
        0600);
    wrote("$dir/machine.pem");
    unlink "$dir/machine.next";
}


sub certificate_in {
    my ($text) = @_;
    return $text =~ /(-----BEGIN CERTIFICATE-----.*?-----END CERT\S+-----\n)/s
        ? $1 : '';
}


# what this machine's certificate says of it
sub self_of {
    my ($dir) = @_;
    my ($ok, $said) = run('openssl', 'x509', '-in', "$dir/machine.pem",
        '-noout', '-subject', '-nameopt', 'RFC2253', '-ext',
        'subjectAltName');
    fail("$dir/machine.pem: $said") unless $ok;

    my ($role) = $said =~ /OU=(\w+)/;
    my ($address) = $said =~ /IP Address:([\d.]+)/;
    return { role => $role // '', address => $address // '' };
}


sub cluster_of {
    my ($dir) = @_;
    return eval { $json->decode(slurp("$dir/cluster.json")) };
}

1;
