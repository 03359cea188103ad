# Clients of HTTP/2 that leave while they wait: in the phase and in the
# balancer, one stream of several or the whole connection.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $port = free_port();
my $g = FcfTest::Gateway->start(park_timeout => '60s', http =>
    'proxy_cache_path cache keys_zone=c:1m;', server => <<"EOC");
    listen 127.0.0.1:$port http2;

    @{[ FcfTest::Gateway::balancer() ]}
EOC
$g->spec($_) for qw(hello warm);
$g->warm('warm');

my %request = (
    'headers only'   => [],
    'with a body'    => [method => 'POST', body => 'x' x 1000],
    'a large body'   => [method => 'POST', body => 'x' x 60000],
    'half a body'    => [method => 'POST', body => 'x' x 40000, open => 1],
);

my %leave = (
    cancel       => sub { $_[0]->cancel($_) for @{ $_[1] } },
    goaway       => sub { $_[0]->goaway; $_[0]->close },
    close        => sub { $_[0]->close },
    reset        => sub { $_[0]->reset },
    'half close' => sub { $_[0]->half_close },
);

for my $where ('/run', '/balancer') {
    for my $what (sort keys %request) {

        # only when all of it has come does it go to the balancer
        next if $where eq '/balancer' && $what eq 'half a body';

        for my $how (sort keys %leave) {
            my $name = "$where, $what, $how";
            my $stays = FcfTest::Http2->new($port);
            my $kept = $stays->request('/balancer/hello/kept');
            my $c = FcfTest::Http2->new($port);

            # flow control: a connection takes 64 KB at once
            my $n = $what =~ /large|half/ ? 1 : 3;
            my @s = map { $c->request("$where/hello/x", @{ $request{$what} }) }
                1 .. $n;

            $g->wait_parked($n + 1);
            $leave{$how}->($c, \@s);
            ok(eval { $g->wait_parked(1); 1 }, "$name: their places are free");

            # the same connection, or another one, goes on
            my $next = $how eq 'cancel' ? $c : FcfTest::Http2->new($port);
            is($next->response($next->request('/run/warm/next'))->{status},
                200, "$name: the next one is served");

            $g->warm('hello');
            is($stays->response($kept)->{status}, 200,
                "$name: who stayed is served");
            $g->etcd->no_instance('hello', 'n1-1');
            $g->wait_known('instances', 1);
            ok(eval { $g->wait_quiet; 1 }, "$name: nothing is left of them")
                or diag($@);
        }
    }
}

$g->stop;
done_testing;
