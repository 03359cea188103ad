package FcfSetup::Ca;

# The small CA of a cluster, by openssl: EC keys on P-256, which never leave
# the machine that they were made on; certificates that are for both ends of a
# connection, since etcd's own gateway is its client.  None has a CommonName:
# etcd would take it for a user.
#
# All functions are given the directory, or the files, that they are about.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use Exporter qw(import);
use FcfSetup::Files qw(slurp put put_anew random_hex);
use FcfSetup::Run qw(must run);
use FcfSetup::Say qw(fail);
use File::Temp;
use MIME::Base64 qw(decode_base64);
use Time::Local qw(timegm);

our @EXPORT_OK = qw(make_ca make_key key csr_of sign fingerprint ends_at
    key_of_csr key_of_certificate chains seal
    unseal temporary);

use constant CA_DAYS => 7300;


# false where there is one; a run that was ended after the key goes on with it
sub make_ca {
    my ($dir) = @_;
    return 0 if -e "$dir/ca.crt";

    make_key("$dir/ca.key");
    put("$dir/ca.crt", scalar must('openssl', 'req', '-x509', '-new', '-key',
        "$dir/ca.key", '-sha256', '-days', CA_DAYS, '-subj',
        '/O=fcfaas/CN=fcfaas CA ' . random_hex(4),
        '-addext', 'basicConstraints=critical,CA:TRUE,pathlen:0',
        '-addext', 'keyUsage=critical,keyCertSign,cRLSign'), 0644);
    return 1;
}


# its group, if it has one, may read it
sub make_key {
    my ($file, $group) = @_;
    return put($file, key(), defined $group ? 0640 : 0600, $group);
}


sub key {
    return scalar must('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt',
        'ec_paramgen_curve:P-256');
}


# it says nothing of names: the CA's machine knows them
sub csr_of {
    my ($key) = @_;
    return scalar must('openssl', 'req', '-new', '-key', $key, '-subj',
        '/O=fcfaas');
}


# a file with that text, gone when what is returned is
sub temporary {
    my ($text) = @_;
    my $file = File::Temp->new(TEMPLATE => 'fcfaas-XXXXXXXX', TMPDIR => 1);

    print {$file} $text;
    $file->flush or fail("cannot write $file: $!");
    return $file;
}


# sign($dir, $csr, role => ..., names => [...], addresses => [...],
# days => ...): the certificate, or undef for what is no request
sub sign {
    my ($dir, $csr, %of) = @_;
    my $asked = temporary($csr);
    my $names = join ',', map({ "DNS:$_" } @{ $of{names} }),
        map { "IP:$_" } @{ $of{addresses} // [] };
    my $ext = temporary(<<"    EOC" =~ s/^ {4}//gmr);
    basicConstraints = critical,CA:FALSE
    keyUsage = critical,digitalSignature,keyAgreement
    extendedKeyUsage = serverAuth,clientAuth
    subjectAltName = $names
    authorityKeyIdentifier = keyid
    subjectKeyIdentifier = hash
    EOC

    # -req checks that whoever asks has the key
    my ($ok, $said) = run('openssl', 'x509', '-req', '-in', "$asked", '-CA',
        "$dir/ca.crt", '-CAkey', "$dir/ca.key", '-set_serial',
        '0x' . random_hex(16) =~ s/^./1/r, '-sha256', '-days',
        $of{days}, '-extfile', "$ext", '-subj', "/O=fcfaas/OU=$of{role}");
    return undef unless $ok;

    my ($certificate) = $said =~ /(-----BEGIN CERTIFICATE-----.*)/s;
    return $certificate;
}


# SHA-256 of the first certificate in that text
sub fingerprint {
    my ($text) = @_;
    my ($in) = ($text // '') =~ /-----BEGIN CERTIFICATE-----\n(.*?)\n-----END/s
        or return '';
    return sha256_hex(decode_base64($in));
}


# seconds since 1970, or undef for what is no certificate
sub ends_at {
    my ($file) = @_;
    my ($ok, $said) = run('openssl', 'x509', '-in', $file, '-noout',
        '-enddate', '-dateopt', 'iso_8601');

    return undef unless $ok && $said =~
        /^notAfter=(\d+)-(\d+)-(\d+) (\d+):(\d+):(\d+)Z/m;
    return timegm($6, $5, $4, $3, $2 - 1, $1);
}


# the public key, as text; undef for what is none
sub key_of_csr {
    my ($csr) = @_;
    return public_key(temporary($csr), 'req', '-verify');
}

sub key_of_certificate {
    my ($certificate) = @_;
    return public_key(temporary($certificate), 'x509');
}

sub public_key {
    my ($file, @how) = @_;
    my ($ok, $said) = run('openssl', @how, '-in', "$file", '-noout',
        '-pubkey');

    return $ok && $said =~ /(-----BEGIN PUBLIC KEY-----.*?-----END)/s
        ? $1 : undef;
}


# whether this CA made that certificate, which holds still
sub chains {
    my ($dir, $certificate) = @_;
    my $file = temporary($certificate);

    return (run('openssl', 'verify', '-CAfile', "$dir/ca.crt", "$file"))[0];
}


# a text that only who has the key of that certificate can read
sub seal {
    my ($text, $certificate) = @_;
    my $in = temporary($text);
    my $to = temporary($certificate);

    return scalar must('openssl', 'cms', '-encrypt', '-binary', '-aes256',
        '-outform', 'PEM', '-in', "$in", "$to");
}

sub unseal {
    my ($sealed, $key, $certificate) = @_;
    my $in = temporary($sealed);
    my $mine = temporary($certificate);
    my ($ok, $said) = run('openssl', 'cms', '-decrypt', '-binary', '-inform',
        'PEM', '-in', "$in", '-inkey', $key, '-recip', "$mine");

    return $ok ? $said : undef;
}

1;
