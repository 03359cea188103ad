package FcfTest::Tls;

# Certificates for TLS on 127.0.0.1, in the test's directory.
#
#   FcfTest::Tls::certificates(server => '/O=etcd', client => '/O=fcfaas');
#       # ca.crt ca.key, and by them server.crt server.key client.crt
#       # client.key with these subjects, for 127.0.0.1, node.fcfaas and
#       # head.fcfaas
#   FcfTest::Tls::certificate($name, $subject);     # one more
#   FcfTest::Tls::ended($name, $subject);           # one that is over
#   FcfTest::Tls::stranger($name, $subject);        # of another CA

use strict;
use warnings;

use FcfTest ();
use Test::More ();

# as fcfaas-setup has them
my $new_key = '-newkey ec -pkeyopt ec_paramgen_curve:P-256';


sub _run {
    my ($dir, $command) = @_;
    system("cd $dir && ( $command ) 2>>openssl.log") == 0
        or Test::More::BAIL_OUT(FcfTest::slurp("$dir/openssl.log"));
}


sub certificates {
    my (%subject) = @_;

    _ca('ca');
    certificate($_, $subject{$_}) for sort keys %subject;
}


sub _ca {
    my ($ca) = @_;

    _run(FcfTest::tmpdir(), "openssl req -x509 $new_key -nodes -keyout"
        . " $ca.key -out $ca.crt -days 2 -subj /CN=test-$ca");
}


# etcd's own gateway is a client of etcd: each is for both uses
sub certificate {
    my ($name, $subject, $ca, $days) = @_;
    my $dir = FcfTest::tmpdir();

    $ca //= 'ca';
    $days //= 2;
    FcfTest::spew("$dir/ext",
        "subjectAltName=IP:127.0.0.1,DNS:node.fcfaas,DNS:head.fcfaas\n"
        . "extendedKeyUsage=serverAuth,clientAuth\n");
    _run($dir, "openssl req $new_key -nodes -keyout $name.key"
        . " -subj '$subject' -out $name.csr && openssl x509 -req"
        . " -in $name.csr -CA $ca.crt -CAkey $ca.key -CAcreateserial"
        . " -days $days -extfile ext -out $name.crt");
}


sub ended {
    my ($name, $subject) = @_;
    certificate($name, $subject, 'ca', -1);
}


sub stranger {
    my ($name, $subject) = @_;
    _ca('other-ca');
    certificate($name, $subject, 'other-ca');
}

1;
