#!/usr/bin/perl

# How machines join and renew: tokens, the CA, and what is asked of its
# machine, without that machine's nginx (which t/system/several.t has).

use strict;
use warnings;

use lib 't/lib', 'packaging/lib';
use FcfSetup::Ca qw(make_ca make_key csr_of fingerprint key_of_csr ends_at
    key_of_certificate chains unseal);
use FcfSetup::Join;
use FcfSetup::Sign qw(serve answer machine machines);
use FcfSetup::Token qw(new_token read_token outstanding keep_token mac_of
    seconds_of);
use FcfTest;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use Test::More;

my $etc = tmpdir() . '/etc';
my $dir = "$etc/tls";
my $mine = tmpdir();
my $now = time;

mkdir $_ for $etc, $dir, "$dir/tokens", "$dir/machines";
spew("$etc/$_", "the $_\n") for 'token', map { ("etcd-$_.password",
    "redis-$_.password") } qw(agent gateway deploy);
spew("$dir/cluster.json", '{"etcd":"https://10.0.0.1:2389"}');

ok(make_ca($dir), 'a CA');
my $ca = slurp("$dir/ca.crt");
ok(!make_ca($dir), 'is made once');
is(slurp("$dir/ca.crt"), $ca, 'and stays');
is((stat "$dir/ca.key")[2] & 0777, 0600, 'its key is root\'s');

sub token {
    my ($role, $seconds) = @_;
    my $token = new_token(role => $role // 'node',
        address => '10.0.0.1:8443', fingerprint => fingerprint($ca));
    my ($said) = read_token($token);

    keep_token("$dir/tokens", $said->{id}, { role => $said->{role},
        key => $said->{key}, ends => $now + ($seconds // 3600) });
    return ($said, $token);
}

sub ask {
    my ($what, $asked, $when) = @_;
    return answer($dir, $what, JSON::PP->new->encode($asked), $when // $now);
}

# what a machine asks, signed with its token's key
sub signed {
    my ($token, %asked) = @_;
    my %all = (role => $token->{role}, name => 'node-1',
        address => '10.0.0.2', id => $token->{id}, %asked);
    $all{mac} = mac_of($token->{key}, @all{qw(role name address csr)});
    return \%all;
}

sub key { my ($name) = @_; make_key("$mine/$name"); return "$mine/$name" }

sub refused {
    my ($why, $what, @ask) = @_;
    my ($status, $said) = ask(@ask);
    is($status, 403, "$what: refused");
    like($said->{error} // '', $why, 'with the reason');
}

subtest 'what a token says' => sub {
    my ($said, $token) = token('gateway');
    is($said->{role}, 'gateway', 'a role');
    is($said->{address}, '10.0.0.1:8443', 'where the head is');
    is($said->{fingerprint}, fingerprint($ca), 'which CA it has');
    like($token, qr/^fcf1_[\w-]{80}$/, 'in one word');
    is_deeply((read_token(" $token\n"))[0], $said, 'blanks do no harm');
    unlike(slurp("$dir/tokens/$said->{id}"), qr/\Q@{[substr $token, -20]}/,
        'the head keeps no secret');

    # each character that was mistyped
    my $taken = 0;
    for my $at (5 .. length($token) - 1) {
        my $other = $token;
        substr($other, $at, 1) = substr($other, $at, 1) eq 'A' ? 'B' : 'A';
        $taken++ if defined((read_token($other))[0]);
    }
    is($taken, 0, 'a slip is seen');
    like((read_token($_))[1], qr/mistyped|no token/, 'so is what is cut')
        for substr($token, 0, 40), $token . 'A', 'fcf1_', '', "$token x";
    is(seconds_of('90m'), 5400, 'a span of time');
    is(seconds_of($_), undef, "\"$_\" is none") for '', '1', 'h', '-1h', '1w';
};

my ($first, $csr);

subtest 'a machine joins' => sub {
    my ($token) = token();
    my $key = key('first');
    $csr = csr_of($key);
    my ($status, $said) = ask('join', $first = signed($token, csr => $csr));
    is($status, 200, 'with a token') or diag(explain($said));

    my $certificate = $said->{certificate};
    spew("$mine/first.crt", $certificate);
    ok(chains($dir, $certificate), 'the CA has signed it');
    is(key_of_certificate($certificate), key_of_csr($csr), 'for its key');
    my $text = qx(openssl x509 -in $mine/first.crt -noout -subject \\
        -ext subjectAltName,extendedKeyUsage);
    like($text, qr/DNS:node-1, DNS:node\.fcfaas, IP Address:10\.0\.0\.2\b/,
        'with its names and address');
    unlike($text, qr/CN *=/, 'and no name that etcd takes for a user');
    like($text, qr/Server Auth.*Client Auth/, 'for both ends');
    cmp_ok(abs(ends_at("$mine/first.crt") - $now - 90 * 86400), '<', 10,
        'for 90 days');

    my $given = JSON::PP->new->decode(unseal($said->{sealed}, $key,
        $certificate));
    is_deeply([sort keys %{ $given->{files} }], [qw(etcd-agent.password
        redis-agent.password token)], 'given is what a node needs');
    is($given->{files}{'etcd-agent.password'}, "the etcd-agent.password\n",
        'as it is');
    is(unseal($said->{sealed}, key('other'), $certificate), undef,
        'only its key can read it');
    unlike($said->{sealed}, qr/password/, 'whoever passes it on cannot');

    # the answer was lost
    (my $again, $said) = ask('join', $first);
    is($again, 200, 'who asks again with that key has an answer');
    ok(chains($dir, $said->{certificate}), 'as good');
};

subtest 'who does not join' => sub {
    my $other = csr_of(key('other'));
    my ($used) = grep { $_->{by} } values %{ { outstanding("$dir/tokens",
        $now) } };
    my %used = (id => $first->{id}, key => $used->{key}, role => 'node');

    refused(qr/used already, by node-1/, 'a token twice', 'join',
        signed(\%used, csr => $other, name => 'node-2'));
    refused(qr/not known there/, 'a token of another head', 'join',
        signed({ (token())[0]->%*, id => '0' x 32 }, csr => $other));
    refused(qr/not known there/, 'who knows its id, but not its secret',
        'join', signed({ (token())[0]->%*, key => 'x' }, csr => $other));
    refused(qr/not known there/, 'no id but a path', 'join',
        signed({ (token())[0]->%*, id => '../ca.key' }, csr => $other));
    my ($token) = token();
    refused(qr/not known there/, 'what was changed on its way', 'join',
        { signed($token, csr => $other)->%*, address => '10.0.0.9' });
    refused(qr/was good until \d{4}-\d\d-\d\d/, 'a token that has ended',
        'join', signed((token('node', -1))[0], csr => $other));
    refused(qr/is for a node$/, 'a gateway with a node\'s token', 'join',
        signed({ %$token, role => 'gateway' }, csr => $other));
    refused(qr/node-1 is in the cluster already: .*remove node-1/,
        'a name that another has', 'join', signed($token, csr => $other));
    refused(qr/10\.0\.0\.2 is node-1's address/, 'an address', 'join',
        signed($token, csr => $other, name => 'node-2'));
    for my $name ('', 'a/b', '..', '.x', 'a..b', 'Node', 'etcd.fcfaas',
        "a\n", 'a,DNS:b', 'x' x 64)
    {
        refused(qr/is no name/, 'a name that is none', 'join',
            signed($token, csr => $other, name => $name));
    }
    refused(qr/no address/, "address $_", 'join', signed($token,
        csr => $other, name => 'node-2', address => $_))
        for '', '10.0.0', '10.0.0.256', '10.0.0.1,DNS:x', '::1', '01.1.1.1';
    refused(qr/no request for a certificate/, 'rubbish', 'join',
        signed($token, csr => 'x', name => 'node-2', address => '10.0.0.3'));
    is_deeply([machines($dir)], ['node-1'], 'nobody else is in');
    is((ask('join', signed($token, csr => $other, name => 'node-2',
        address => '10.0.0.3')))[0], 200, 'a refusal has not used the token');
};

# asked with the key of a certificate
sub renewal {
    my ($key, $certificate, $new) = @_;
    my $csr = csr_of($new);
    spew("$mine/csr", $csr);
    return { certificate => $certificate, csr => $csr,
        signature => encode_base64(scalar
            qx(openssl dgst -sha256 -sign $key $mine/csr), '') };
}

subtest 'renewal' => sub {
    my $certificate = slurp("$mine/first.crt");
    my $new = key('second');
    my $asked = renewal("$mine/first", $certificate, $new);
    my ($status, $said) = ask('renew', $asked);

    is($status, 200, 'with the certificate that it has');
    is(key_of_certificate($said->{certificate}), key_of_csr($asked->{csr}),
        'for another key');
    is((ask('renew', $asked))[0], 200,
        'again with the one before, where the answer was lost');
    my $second = $said->{certificate};
    is((ask('renew', renewal($new, $second, key('third'))))[0], 200,
        'with the new one');
    refused(qr/was removed/, 'then no more with the first', 'renew', $asked);

    refused(qr/not signed with/, 'with another key', 'renew',
        renewal("$mine/other", $second, key('fourth')));
    refused(qr/not signed with/, 'with no signature', 'renew',
        { %{ renewal($new, $second, key('fourth')) }, signature => '' });
    refused(qr/no certificate of this cluster/, 'with none', 'renew',
        { %$asked, certificate => '' });

    mkdir "$mine/ca2";
    make_ca("$mine/ca2");
    my $foreign = FcfSetup::Ca::sign("$mine/ca2", csr_of("$mine/other"),
        role => 'node', names => ['node-1'], days => 2);
    refused(qr/no certificate of this cluster/, 'with another CA\'s', 'renew',
        renewal("$mine/other", $foreign, $new));
    refused(qr/no certificate of this cluster/, 'with the CA\'s own',
        'renew', renewal("$mine/ca2/ca.key", slurp("$mine/ca2/ca.crt"), $new));

    unlink "$dir/machines/node-1";
    refused(qr/was removed from the cluster/, 'of a machine that was removed',
        'renew', renewal($new, $second, key('fourth')));
};

subtest 'as nginx passes it on' => sub {
    my $http = sub {
        my ($text) = @_;
        open my $in, '<', \$text;
        open my $out, '>', \(my $said = '');
        serve($in, $out, $dir);
        return $said;
    };
    my $body = JSON::PP->new->encode(signed((token())[0], csr => $csr,
        name => 'node-9', address => '10.0.0.9'));

    like($http->("POST /fcfaas/setup/join HTTP/1.0\r\nHost: x\r\n"
        . 'Content-Length: ' . length($body) . "\r\n\r\n$body"),
        qr/^HTTP\/1\.0 200 .*\r\n\r\n\{"ca":/s, 'a request');
    like($http->($_), qr/^HTTP\/1\.0 400 .*"that is no request"/s, 'none')
        for '', "GET / HTTP/1.0\r\n\r\n",
        "POST /fcfaas/setup/join HTTP/1.0\r\nContent-Length: 9\r\n\r\n{}",
        "POST /fcfaas/setup/join HTTP/1.0\r\nContent-Length: 2\r\n\r\n[]",
        "POST /fcfaas/setup/none HTTP/1.0\r\nContent-Length: 2\r\n\r\n{}",
        "POST /fcfaas/setup/join HTTP/1.0\r\nContent-Length: 99999\r\n\r\n{}",
        "POST /fcfaas/setup/join HTTP/1.0\r\nContent-Length: 13\r\n\r\n"
            . '{"name":[{}]}';
};

subtest 'what is forgotten' => sub {
    my $all = keys %{ { outstanding("$dir/tokens", $now) } };
    cmp_ok($all, '>', 3, 'tokens are kept');
    is(keys %{ { outstanding("$dir/tokens", $now + 9 * 86400) } }, 0,
        'a week after their end they are not');
    is_deeply([glob "$dir/tokens/*"], [], 'nor is a file');
};

done_testing();
