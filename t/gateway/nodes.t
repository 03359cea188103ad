# fcfaas_nodes and fcfaas_node: compute nodes, for people who look.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(workers => 1, server => <<'EOC',
        location = /nodes { fcfaas_nodes; }
        location ~ ^/node/(?<node_id>[^/]+)(?<rest>/.*)$ {
            fcfaas_node $node_id;
            proxy_pass http://$fcfaas_node_admin$rest;
            proxy_set_header Authorization "Bearer open";
        }
EOC
    agent => 'location /admin/ { return 200 "$http_authorization $request"; }');

my %node = (address => '10.0.0.5', admin => '127.0.0.1:' . $g->agent_port,
    cpu => 4, memory_mb => 1024, cpu_free => 3, memory_mb_free => 896,
    vms => 1, agent_version => '1.2.3', vmm_version => 'v1.14',
    state => 'ready');

sub nodes {
    my $r = $g->get('/nodes', timeout => 10);
    is($r->{status}, 200, 'an answer');
    return json_decode($r->{body});
}

sub node { my ($name, %but) = @_;
    $g->etcd->put("/workers/$name", json_encode({ %node, %but })) }

my $r = $g->get('/nodes');
is($r->{headers}{'content-type'}, 'application/json', 'JSON');
is_deeply(json_decode($r->{body})->{nodes}, [], 'there are none');
is($g->get('/node/a/admin/x')->{status}, 404, 'none to be asked');
is($g->get('/nodes', method => 'POST')->{status}, 405, 'only to be read');
is($g->get('/nodes', method => 'HEAD')->{body}, '', 'HEAD has no body');

node('a');
node('b', state => 'ill', reason => "no \"disk\" <b>left</b>", admin => '');
$g->etcd->put('/workers/c', 'no JSON');
$g->etcd->put('/workers/d/more', json_encode(\%node));

my $all;
wait_for(sub { $all = json_decode($g->get('/nodes')->{body});
    @{ $all->{nodes} } == 2 }, 5, 'both');
is($all->{error}, '', 'no error');
cmp_ok($all->{age_ms}, '>=', 0, 'an age');
my ($a, $b) = @{ $all->{nodes} };
is_deeply($a, { (map { $_ => $node{$_} } grep { $_ ne 'address' } keys %node),
    node_id => 'a', reason => '', admin => JSON::PP::true }, 'what one has');
is($b->{reason}, 'no "disk" <b>left</b>', 'why one is ill');
ok(!$b->{admin}, 'it cannot be asked');

subtest 'one is asked' => sub {
    my $get = sub { $g->get("/node/$_[0]", %{ $_[1] // {} }, timeout => 10) };
    wait_for(sub { $get->('a/admin/x')->{status} == 200 }, 5, 'an answer');
    # newer ones than Debian's ask by HTTP/1.1 unless they are told
    like($get->('a/admin/x?q=1')->{body},
        qr{^Bearer open GET /admin/x HTTP/1\.[01]$}, 'by its path') for 1 .. 4;
    is($get->('b/admin/x')->{status}, 404, 'not one without a listener');
    is($get->('z/admin/x')->{status}, 404, 'nor one that is none');
    is($get->('a/admin/x', { method => $_ })->{status}, 405, "no $_")
        for qw(POST DELETE);
};

# a node's agent says where it is asked: not what, nor of whom
subtest 'an address that is more than one' => sub {
    my $port = $g->agent_port;
    my %bad = (path => "127.0.0.1:$port/admin/y?",
        line => "127.0.0.1:$port/admin/y HTTP/1.1\r\nA: b",
        user => "a\@127.0.0.1:$port");

    node("bad-$_", admin => $bad{$_}) for sort keys %bad;
    node('late');
    wait_for(sub { $g->get('/node/late/admin/x', timeout => 10)->{status}
        == 200 }, 5, 'what was put after them');
    is($g->get("/node/bad-$_/admin/x", timeout => 10)->{status}, 404,
        "$_: is not asked") for sort keys %bad;
    $g->etcd->del("/workers/$_") for 'late', map { "bad-$_" } keys %bad;
    wait_for(sub { @{ nodes()->{nodes} } == 2 }, 5, 'they go');
};

subtest 'many at once, and some leave' => sub {
    my @q = map { $g->send('/nodes') } 1 .. 20;
    $_->close for @q[0 .. 9];
    is(scalar(grep { $_->response(10)->{status} == 200 } @q[10 .. 19]), 10,
        'each is answered');
};

subtest 'etcd is away' => sub {
    $g->etcd->stop;
    wait_for(sub { json_decode($g->get('/nodes', timeout => 10)->{body})
        ->{error} }, 20, 'that to be told');
    for (1 .. 4) {
        my $all = nodes();
        is($all->{error}, 'etcd does not answer', 'why') if $all->{error};
        is(scalar @{ $all->{nodes} }, 2, 'what was known is told')
            if $all->{age_ms} >= 0;
    }
    my $r = $g->get('/node/a/admin/x', timeout => 10);
    is($r->{status}, 200, 'and a node can be asked');
};

subtest 'workers that have never seen it' => sub {
    $g->nginx->reload;
    my ($all, $r);
    wait_for(sub { $all = json_decode($g->get('/nodes', timeout => 10)
        ->{body}); $all->{age_ms} == -1 }, 20, 'one of them');
    is($all->{error}, 'etcd does not answer', 'say why');
    is_deeply($all->{nodes}, [], 'that they know none');
    wait_for(sub { $r = $g->get('/node/a/admin/x', timeout => 10);
        $r->{status} != 200 }, 20, 'the workers before to leave');
    is($r->{status}, 503, 'nor where one is');
};

$g->stop;
done_testing;
