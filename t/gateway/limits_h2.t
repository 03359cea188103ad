# fcfaas_park_limit and fcfaas_park_limit_total hold for HTTP/2: with bodies,
# without, and with bodies that come later; in the phase and in the balancer.
# Workers leave with such connections open.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

use constant { CONNECTIONS => 4, STREAMS => 50 };

my $port = free_port();
my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '60s',
    location => 'fcfaas_park_limit 1;', http => <<'EOC', server => <<"EOD");
    fcfaas_park_limit_total 2;
    proxy_cache_path cache keys_zone=c:1m;
    # for which nginx keeps a connection that its client keeps
    lingering_timeout 100ms;
EOC
    listen 127.0.0.1:$port http2;

    @{[ FcfTest::Gateway::balancer('fcfaas_park_limit 1;') ]}
EOD
$g->spec($_) for qw(one two three);

my %request = (
    'no body'     => sub { $_[0]->request($_[1]) },
    'a body'      => sub { $_[0]->request($_[1], method => 'POST',
        body => 'x' x 500) },
    'a late body' => sub { $_[0]->request($_[1], method => 'POST',
        open => 1) },
);

# on each connection, in turn: [connection, stream]
sub all {
    my ($open, $path) = @_;
    my @c = map { FcfTest::Http2->new($port) } 1 .. CONNECTIONS;
    return map { my $c = $_; map { [$c, $request{$open}->($c, $path)] }
        1 .. STREAMS } @c;
}

sub reload {
    my @old = $g->nginx->workers;
    $g->nginx->reload;
    return @old;
}

sub gone {
    my @old = @_;
    return eval { wait_for(sub { !grep { !is_gone($_) } @old }, 20, 'them') };
}

sub refused { $g->status->{outcomes}{429} }

for my $where ('/run', '/balancer') {
    for my $what (sort keys %request) {
        my $name = "$where, $what";
        my $before = refused();
        my @one = all($what, "$where/one");

        # to come to the balancer takes the body
        my @late = $what eq 'a late body' ? @one : ();
        my $come = sub { $_->[0]->data($_->[1], 'x' x 500, 1)
            for splice @late };
        $come->() if $where eq '/balancer';

        ok(eval { wait_for(sub { refused() - $before == @one - 1 }, 20,
            'all but one') }, "$name: all but one of " . @one
            . ' are refused') or diag(refused() - $before);
        is($g->parked, 1, "$name: one waits");
        $come->();

        my @two = all('no body', "$where/two");
        ok(eval { wait_for(sub { refused() - $before == @one + @two - 2 },
            20, 'all but one') }, "$name: and one for another function")
            or diag(refused() - $before);
        is($g->parked, 2, "$name: two wait");
        is($g->get('/run/three')->{status}, 429, "$name: in all");

        # the old workers keep what waits, and leave with it
        my @old = reload();
        $g->instance($_) for qw(one two);

        my %status;
        $status{ $_->[0]->response($_->[1], 20)->{status} }++ for @one, @two;
        is_deeply(\%status, { 200 => 2, 429 => @one + @two - 2 },
            "$name: two are served, over a reload");
        ok(gone(@old), "$name: and the old workers leave");

        $g->etcd->no_instance($_, 'n1-1') for qw(one two);
        $g->wait_known('instances', 0);
        ok(eval { $g->wait_quiet; 1 }, "$name: nothing is left of them")
            or diag($@);
    }
}

# they leave without a word, in the middle of it
for my $where ('/run', '/balancer') {
    my @q = map { all($_, "$where/one") } sort keys %request;
    ok(eval { $g->wait_parked(1); 1 }, "$where: one waits");
    my @old = reload();
    $_->[0]->close for @q;
    ok(gone(@old), "$where: left by all, the old workers leave");
    ok(eval { $g->wait_quiet; 1 }, "$where: nothing is left of them")
        or diag($@);
}

$g->stop;
done_testing;
