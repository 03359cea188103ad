# Clients of HTTP/3: served, parked and served, uploads, limits; and those that
# leave while they wait, in the phase and in the balancer.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Http3;
use FcfTest::Tls;
use Test::More;

my $lacks = FcfTest::Http3::lacks();
plan skip_all => $lacks if $lacks;

FcfTest::Tls::certificates(server => '/CN=server');

my $dir = tmpdir();
my $port = free_port();
my $g = FcfTest::Gateway->start(park_timeout => '60s', http => <<'EOC',
    client_max_body_size 2m;
    fcfaas_park_limit_total 20;
    proxy_cache_path cache keys_zone=c:1m;
EOC
    agent => 'client_max_body_size 2m;', server => <<"EOC");
    listen 127.0.0.1:$port quic;
    ssl_certificate $dir/server.crt;
    ssl_certificate_key $dir/server.key;
    ssl_protocols TLSv1.3;

    @{[ FcfTest::Gateway::balancer() ]}
EOC

sub connection { FcfTest::Http3->new($port, "$dir/ca.crt") }

sub cold {
    $g->etcd->no_instance('hello', 'n1-1');
    $g->wait_known('instances', 1);
}

$g->spec($_) for qw(hello warm);
$g->warm('warm');

my $c = connection();
my $r = $c->response($c->request('/run/warm/x%20y?a=1'));
is($r->{status}, 200, 'warm');
like($r->{body}, qr{^GET /x%20y\?a=1 HTTP/1.1\|warm\|secret}, 'as it was sent');
is($c->response($c->request('/run/nobody'))->{status}, 404, 'not declared');
$r = $c->response($c->request('/run/warm', method => 'HEAD'));
is("$r->{status} $r->{length}", '200 0', 'HEAD');
is($c->response($c->request('/run/warm', method => 'POST',
    length => 1_000_000), 20)->{status}, 200, 'an upload');

my %request = (
    'headers only'   => [],
    'with a body'    => [method => 'POST', length => 1000],
    'a large body'   => [method => 'POST', length => 1_000_000],
    'half a body'    => [method => 'POST', length => 40000, open => 1],
);

my %leave = (
    cancel => sub { $_[0]->cancel($_) for @{ $_[1] } },
    close  => sub { $_[0]->close },
);

for my $where ('/run', '/balancer') {
    for my $what (sort keys %request) {

        # only when all of it has come does it go to the balancer
        next if $where eq '/balancer' && $what eq 'half a body';

        for my $how (sort keys %leave) {
            my $name = "$where, $what, $how";
            my $kept = $c->request("$where/hello/kept");
            my $d = connection();
            my @s = map { $d->request("$where/hello/x", @{ $request{$what} }) }
                1 .. 3;

            $g->wait_parked(4, 20);
            $leave{$how}->($d, \@s);
            ok(eval { $g->wait_parked(1); 1 }, "$name: their places are free");
            is($c->response($c->request('/run/warm'))->{status}, 200,
                "$name: others are served");

            if ($how eq 'cancel') {
                is($d->response($d->request('/run/warm'))->{status}, 200,
                    "$name: so is the next one of the connection");
                $d->close;
            }

            $g->warm('hello');
            is($c->response($kept)->{status}, 200,
                "$name: who stayed is served");
            cold();
            ok(eval { $g->wait_quiet; 1 }, "$name: nothing is left of them")
                or diag($@);
        }
    }
}

# who waits goes on when the rest of the body comes
for my $where ('/run', '/balancer') {
    my @s = map { $c->request("$where/hello", @{ $request{$_} }) }
        'headers only', 'with a body', 'half a body';
    $g->wait_parked($where eq '/run' ? 3 : 2);
    $c->data($s[2], 1000, 1);
    $g->wait_parked(3);
    $g->warm('hello');
    is(join(' ', map { $c->response($_)->{status} } @s), '200 200 200',
        "$where: parked and served");
    cold();
}

# limits
my @s = map { $c->request('/run/hello', @{ $request{
    ('headers only', 'with a body', 'half a body')[$_ % 3] } }) } 1 .. 50;
wait_for(sub { $g->status->{outcomes}{429} == 30 }, 20, 'the rest');
is($g->parked, 20, 'twenty wait, of fifty');
$c->data($s[$_ - 1], 1000, 1) for grep { $_ % 3 == 2 } 1 .. 50;
$g->warm('hello');
my %status;
$status{ $c->response($_)->{status} }++ for @s;
is_deeply(\%status, { 200 => 20, 429 => 30 }, 'and are served');

# a reload keeps what waits
cold();
my $s = $c->request('/run/hello', method => 'POST', length => 1000);
$g->wait_parked(1);
my ($old) = $g->nginx->workers;
$g->nginx->reload;
$g->warm('hello');
is($c->response($s)->{status}, 200, 'parked over a reload');
ok(eval { wait_for(sub { is_gone($old) }, 20, 'it') }, 'the old worker leaves');

$g->stop;
done_testing;
