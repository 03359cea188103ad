#!/usr/bin/perl

# Another CA, by the steps of docs/install.md, read from there: between any two
# commands of them each machine takes each other's certificate.  Without their
# nginx and systemd, which t/system/several.t has.

use strict;
use warnings;

use lib 't/lib', 'packaging/lib';
use FcfSetup::Ca qw(make_ca key csr_of sign fingerprint temporary);
use FcfSetup::Join;
use FcfSetup::Renew qw(endings);
use FcfSetup::Sign qw(answer DAYS);
use FcfSetup::Token qw(new_token read_token keep_token);
use FcfTest;
use JSON::PP ();
use Test::More;

my $etc = tmpdir() . '/etc';
my $dir = "$etc/tls";
my $json = JSON::PP->new;
my %at = (head => $dir, map { ($_ => tmpdir() . "/$_") } qw(node gateway));

mkdir $_ for $etc, @at{qw(head node gateway)}, "$dir/tokens",
    "$dir/machines";
spew("$etc/$_", "the $_\n") for 'token', map { ("etcd-$_.password",
    "redis-$_.password") } qw(agent gateway);
spew("$dir/cluster.json", '{"head":"10.0.0.1:8443"}');
make_ca($dir);

sub certificate { (slurp($_[0]) =~ /(-----BEGIN CERT.*?-----END CERT\S+\n)/s)[0] }

sub accepts {
    my ($who, $certificate) = @_;
    my $file = temporary($certificate);
    return system('openssl verify -no-CApath -no-CAstore -CAfile '
        . "$at{$who}/ca.crt $file >/dev/null 2>&1") == 0;
}

sub all_know_all {
    my ($when) = @_;
    my @not = grep { my ($who, $whom) = split / /;
        !accepts($who, certificate("$at{$whom}/machine.pem")) }
        map { my $who = $_; map { "$who $_" } sort keys %at } sort keys %at;
    is("@not", '', "$when: each takes each other's certificate");
}

sub head_renew {
    my $key = key();
    my $in = temporary($key);
    spew("$dir/machine.pem", sign($dir, csr_of("$in"), role => 'head',
        days => DAYS, names => ['head.fcfaas'], addresses => ['10.0.0.1'])
        . $key);
}

# the head, as it is asked; and what another in its place might say besides
my $more = '';
{
    no warnings 'redefine';
    *FcfSetup::Join::clock_is_right = sub { };
    *FcfSetup::Join::curl = sub {
        my ($address, $what, %args) = @_ % 2 ? (@_, undef) : @_;
        return (slurp("$dir/ca.crt") . $more, '', 200) if $what eq 'ca';

        my ($ca, $file) = @args{'--cacert', '--data-binary'};
        ok(system("openssl verify -CAfile $ca $dir/machine.pem >/dev/null 2>&1")
            == 0, "$what: the head is known");
        my ($status, $said) = answer($dir, $what, slurp($file =~ s/^@//r),
            time);
        return ($json->encode($said), '', $status);
    };
}

sub joins {
    my ($role, $address) = @_;
    my $token = new_token(role => $role, address => '10.0.0.1:8443',
        fingerprint => fingerprint(slurp("$dir/ca.crt")));
    my ($said) = read_token($token);

    keep_token("$dir/tokens", $said->{id}, { role => $role,
        key => $said->{key}, ends => time + 3600 });
    FcfSetup::Join::join_head($at{$role}, token => $said, role => $role,
        name => "$role-1", address => $address, into => tmpdir());
}

head_renew();
mkdir tmpdir() . '/evil';
make_ca(tmpdir() . '/evil');
$more = slurp(tmpdir() . '/evil/ca.crt');
joins(node => '10.0.0.2');
joins(gateway => '10.0.0.3');
is(slurp("$at{node}/ca.crt"), slurp("$dir/ca.crt"),
    'who joins knows the CA of its token, and nobody else\'s');
all_know_all('at first');
my %before = map { $_ => certificate("$at{$_}/machine.pem") } keys %at;

# what ends soon
sub days { my ($n) = @_; return time + $n * 86400 }
is_deeply([endings($at{node}, time)], [], 'nothing ends soon');
my @ends = endings($at{node}, days(DAYS - 20));
is(scalar @ends, 1, 'a certificate');
like($ends[0], qr{machine\.pem, ends on \d{4}-\d\d-\d\d: fcfaas-setup renew},
    'when it ends, and what to do');
@ends = endings($at{node}, days(7000));
like($ends[0], qr/certificate, .* has ended on/, 'one that has ended');
like($ends[1], qr/the CA .*ca\.crt, ends on .*The CA itself/, 'the CA');
is_deeply([endings(tmpdir() . '/none', time)], [], 'where there is none');

# the commands
my ($part) = slurp(root() . '/docs/install.md')
    =~ /^### The CA itself\n(.*?)^##/ms or die 'no such part';
my ($make, $steps) = map { s{/etc/fcfaas/tls}{$dir}gr }
    $part =~ /^```\n(.*?)^```/msg;
my @steps = split /\n/, $steps;
is(scalar @steps, 3, 'three steps');

sub does {
    my ($line) = @_;
    my $said = qx(set -e; umask 077; $line 2>&1);
    is($?, 0, $line =~ s/\n.*//sr) or diag($said);
}

does($make);
is((stat "$dir/next.key")[2] & 0777, 0600, 'its key is root\'s');
my $next = fingerprint(slurp("$dir/next.crt"));

for my $n (1 .. 3) {
    does($steps[$n - 1]);
    all_know_all("step $n");
    head_renew();
    all_know_all("step $n, the head");
    for my $who (qw(node gateway)) {
        FcfSetup::Join::renew($at{$who}, tmpdir());
        all_know_all("step $n, $who");
    }
    is(slurp("$at{node}/ca.crt"), slurp("$dir/ca.crt"),
        "step $n: the CA went along");
}

is(fingerprint(slurp("$at{gateway}/ca.crt")), $next, 'it is the other CA');
is((stat "$dir/$_")[2] & 0777, /key/ ? 0600 : 0644, "$_: who may read it")
    for 'ca.crt', 'ca.key';
for my $who (sort keys %at) {
    is(join(' ', grep { accepts($who, $before{$_}) } sort keys %before), '',
        "$who takes none of the CA before");
}
is_deeply([glob "$dir/{next,before}.*"], [], 'nothing of it is left');

done_testing();
