package FcfTest::Tls;

# Certificates for TLS on 127.0.0.1, in the test's directory.
#
#   FcfTest::Tls::certificates(server => '/O=etcd', client => '/O=fcfaas');
#       # ca.crt ca.key, and by them server.crt server.key client.crt
#       # client.key with these subjects

use strict;
use warnings;

use FcfTest ();
use Test::More ();


sub _run {
    my ($dir, $command) = @_;
    system("cd $dir && ( $command ) 2>>openssl.log") == 0
        or Test::More::BAIL_OUT(FcfTest::slurp("$dir/openssl.log"));
}


sub certificates {
    my (%subject) = @_;
    my $dir = FcfTest::tmpdir();

    _run($dir, 'openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key'
        . ' -out ca.crt -days 2 -subj /CN=test-ca');

    # etcd's own gateway is a client of etcd: each is for both uses
    FcfTest::spew("$dir/ext", "subjectAltName=IP:127.0.0.1\n"
        . "extendedKeyUsage=serverAuth,clientAuth\n");

    for my $name (sort keys %subject) {
        _run($dir, "openssl req -newkey rsa:2048 -nodes -keyout $name.key"
            . " -subj '$subject{$name}' -out $name.csr && openssl x509 -req"
            . " -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial"
            . " -days 2 -extfile ext -out $name.crt");
    }
}

1;
