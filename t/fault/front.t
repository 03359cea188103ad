# The front of a node (packaging/lib/FcfSetup/Tls.pm): who may come, and what a
# gateway hears while there is nobody behind a port.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Front;
use FcfTest::Tls;
use Test::More;

FcfTest::Front::skip_without();

my $tmp = tmpdir();
my ($at, $first, $last) = ('127.0.0.2', 29000, 29063);

FcfTest::Tls::certificates(server => '/O=fcfaas/OU=node',
    gateway => '/O=fcfaas/OU=gateway', node => '/O=fcfaas/OU=node');
FcfTest::Tls::stranger('stranger', '/O=fcfaas/OU=gateway');

my $ns = FcfTest::Netns->new('front')->enter;
my $front = FcfTest::Front->start(node => { address => $at, first => $first,
    last => $last, admin => 29100, roles => ['gateway', 'head'] });

sub ask {
    my ($port, $who, @args) = @_;

    unlink "$tmp/heads";
    my $r = curl('-D', "$tmp/heads", '--cacert', "$tmp/ca.crt", '--resolve',
        "node.fcfaas:$port:$at", defined $who ? ('--cert', "$tmp/$who.crt",
        '--key', "$tmp/$who.key") : (), '-m', 10, @args,
        "https://node.fcfaas:$port/");
    my $heads = peek("$tmp/heads");

    return { %$r, headers => { map { /^(\S+): (.*?)\r?$/ ? (lc $1, $2) : () }
        split /\n/, $heads } };
}

sub gone {
    my ($what, $port, $who, @args) = @_;
    my $r = ask($port, $who, @args);

    is($r->{status}, 503, "$what: 503");
    is($r->{headers}{'x-fcfaas-unsent'}, 'gone', "$what: nobody has seen it");
    is(lc($r->{headers}{connection} // ''), 'close',
        "$what: and the connection is not to be kept");
}

gone('a port that nobody has', $first + 5, 'gateway');
gone('the last of them', $last, 'gateway', '-d', 'x');
spew("$tmp/large", 'x' x 3_000_000);
gone('a large body', $first, 'gateway', '-H', 'Expect:', '--data-binary',
    "\@$tmp/large");
gone('one of unknown length', $first, 'gateway', '-H', 'Expect:', '-H',
    'Transfer-Encoding: chunked', '--data-binary', "\@$tmp/large");

my $vm = FcfTest::Nginx->start(name => 'vm', module => 0, port => $first + 5,
    server => 'location / { return 200 "$request_method\n"; }');

is(ask($first + 5, 'gateway', '-d', 'x')->{body}, "POST\n",
    'the port is a VM\'s now: at once');

for my $who (undef, 'stranger') {
    my $name = $who // 'nobody';
    is(ask($first + 5, $who)->{status}, 0, "$name: not at a VM's port");
    is(ask($first, $who)->{status}, 0, "$name: nor at another");
    is(ask(29100, $who)->{status}, 0, "$name: nor at the admin listener");
}

gone('a certificate of a machine that is no gateway', $first + 5, 'node');

my $admin = FcfTest::Nginx->start(name => 'admin', module => 0, port => 29100,
    server => 'location / { return 200 "admin\n"; }');
is(ask(29100, 'gateway')->{body}, "admin\n", 'the admin listener');
gone('which others do not reach', 29100, 'node');

$vm->stop;
gone('the VM has gone', $first + 5, 'gateway', '-d', 'x');

# another certificate, from now on
FcfTest::Tls::certificate('next', '/O=fcfaas/OU=next');
$front->write(certificate => 'next')->reload;

sub subject {
    return qx(openssl s_client -connect $at:$first -CAfile $tmp/ca.crt \\
        -cert $tmp/gateway.crt -key $tmp/gateway.key </dev/null 2>/dev/null
        | openssl x509 -noout -subject);
}
like(subject(), qr/next/, 'a reload takes other certificates');

$front->stop;
$admin->stop;
done_testing;
