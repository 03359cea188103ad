# Certificates between a gateway and nodes that one side does not take: caller,
# log and, where details are on, answer are told whose it is and why.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Front;
use FcfTest::Tls;
use Test::More;

FcfTest::Front::skip_without();

my $gateways = '/O=fcfaas/OU=gateway';

FcfTest::Tls::certificates(server => '/O=fcfaas/OU=node',
    gateway => $gateways);
FcfTest::Tls::ended('old', $gateways);
FcfTest::Tls::ended('old-node', '/O=fcfaas/OU=node');
FcfTest::Tls::stranger('stranger', $gateways);

my ($first, $last) = (28200, 28203);
my $ns = FcfTest::Netns->new('certs')->enter;

sub front {
    my ($n, $certificate) = @_;
    return FcfTest::Front->start(name => "front-$n", certificate =>
        $certificate, node => { address => "127.0.0.$n", first => $first,
        last => $last, roles => ['gateway'] });
}

my %front = (1 => front(11, 'server'), 2 => front(12, 'old-node'),
    3 => front(13, 'stranger'));
my $locations = join '', map {
    my $tls = $front{1}->gateway($_);
    <<"    EOC";
    location ~ ^/$_/(?<f_$_>[^/]+) {
        fcfaas \$f_$_;
        fcfaas_park_timeout 15s;
        fcfaas_error_details on;
        proxy_pass https://functions\$fcfaas_uri;
        $tls
    }
    EOC
} qw(gateway old stranger);
my $quiet = $front{1}->gateway('old');
my $g = FcfTest::Gateway->start(server => <<"EOC");
    $locations
    location ~ ^/quiet/(?<f_quiet>[^/]+) {
        fcfaas \$f_quiet;
        proxy_pass https://functions\$fcfaas_uri;
        $quiet
    }
EOC

# "mine-1" is node n-1's, and so on
sub instance {
    my ($id, $n, $port) = @_;
    $g->spec($id);
    $g->etcd->instance($id, worker => "n-$n-7", worker_ip => "127.0.0.1$n",
        port => $port);
}
instance("mine-$_", $_, $first) for 1 .. 3;
instance('none', 1, $last);
instance('good', 1, $first + 1);
$g->wait_known('instances', 5);
my $vm = FcfTest::Nginx->start(name => 'vm', module => 0, port => $first + 1,
    server => 'location / { return 200 "well\n"; }');

sub told {
    my ($what, $r, $status, $text) = @_;

    is("$r->{status} $r->{headers}{'x-fcfaas-error'}", $status, "$what: $status");
    like($r->{body}, qr/$text/, "$what: why");
    $text =~ s/\\+"/"/g;
    wait_for(sub { $g->nginx->logged(qr/\[error\].*$text/) }, 10,
        "$what: the log");
}

# the last of them, on the status page
sub kept {
    my ($what, %of) = @_;
    my $kept = $g->status->{refused_certificate};

    cmp_ok(delete $kept->{age_ms}, '<', 60000, "$what: age");
    like(delete $kept->{why}, delete $of{why}, "$what: why");
    is_deeply($kept, \%of, "$what: whose, and where");
}

ok(!exists $g->status->{refused_certificate}, 'none was refused yet');
$g->get('/old/mine-1/x');
kept('ours', whose => 'gateway', node => 'n-1',
    address => "127.0.0.11:$first", why => qr/^certificate has expired$/);
is($g->get('/gateway/good/x')->{status}, 200, 'with another all is well');
ok(!exists $g->status->{refused_certificate}, 'and nothing is told any more');

# of none of these anybody answers
my %late = map { $_ => $g->send("/gateway/$_/x") } qw(mine-2 mine-3 none);

# ours
my %why = (old => 'certificate has expired',
    stranger => 'unable to get local issuer certificate');
for my $who (sort keys %why) {
    for my $method (qw(GET POST)) {
        my $r = $g->send("/$who/mine-1/x", method => $method,
            $method eq 'POST' ? (body => 'x') : ())->response(10);
        told("$who, $method", $r, '502 certificate',
            'node \\\\?"n-1\\\\?" at 127.0.0.11:\d+: it refuses this gateway\'s '
            . "certificate: $why{$who}");
    }
}

my $r = $g->get('/quiet/mine-1/x');
is("$r->{status} $r->{headers}{'x-fcfaas-error'}", '502 certificate',
    'without details: the reason\'s name');
unlike($r->{body}, qr/expired|127\.0/, 'and no more');

# theirs
for my $n (2, 3) {
    told("node n-$n", $late{"mine-$n"}->response(30), '504 park_timeout',
        "node \\\\?\"n-$n\\\\?\" at 127.0.0.1$n:\\d+: its certificate is refused: "
        . ('', '', $why{old}, 'unable to \w+.* certificate')[$n]);
}

my $n = $g->status->{refused_certificate}{node} eq 'n-2' ? 2 : 3;
kept('theirs', whose => 'node', node => "n-$n", address => "127.0.0.1$n:$first",
    why => qr/^(?:certificate has expired|unable to \w+.* certificate)$/);

# taken by both
$r = $late{none}->response(30);
is("$r->{status} $r->{headers}{'x-fcfaas-error'}", '504 park_timeout',
    'nobody is behind the port');
unlike($r->{body}, qr/certificate/, 'and that is no matter of certificates');

$g->stop;
$vm->stop;
$_->stop for values %front;
done_testing;
