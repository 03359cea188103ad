# Instances behind TLS of their node's, which takes connections for ports that
# no instance has (packaging/lib/FcfSetup/Tls.pm).

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Front;
use FcfTest::Tls;
use Test::More;

FcfTest::Front::skip_without();
FcfTest::Tls::certificates(server => '/O=fcfaas/OU=node',
    gateway => '/O=fcfaas/OU=gateway');
FcfTest::Tls::stranger('other', '/O=fcfaas/OU=gateway');

my ($at, $first, $last) = ('127.0.0.3', 28000, 28015);
my $ns = FcfTest::Netns->new('tls')->enter;
my $front = FcfTest::Front->start(node => { address => $at, first => $first,
    last => $last, roles => ['gateway'] });
my $tls = $front->gateway;
my $other = $front->gateway('other');
my $g = FcfTest::Gateway->start(park_timeout => '20s',
    http => 'upstream strangers { fcfaas; }', server => <<"EOC");
    location ~ ^/tls/(?<f_tls>[^/]+) {
        fcfaas \$f_tls;
        fcfaas_park_timeout 20s;
        proxy_pass https://functions\$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        add_header X-Attempts \$fcfaas_attempts always;
        $tls
    }
    location ~ ^/fresh/(?<f_fresh>[^/]+) {
        fcfaas \$f_fresh;
        fcfaas_park_timeout 20s;
        proxy_pass https://strangers\$fcfaas_uri;
        proxy_set_header Connection close;
        $tls
    }
    location ~ ^/other/(?<f_other>[^/]+) {
        fcfaas \$f_other;
        fcfaas_park_timeout 500ms;
        proxy_pass https://strangers\$fcfaas_uri;
        $other
    }
EOC

sub instance {
    my ($n, $port) = @_;
    $g->etcd->instance('hello', worker => "n$n-1", worker_ip => $at, port => $port);
}

my @vm = map {
    FcfTest::Nginx->start(name => "vm-$_", module => 0, port => $first + $_,
        http => 'keepalive_requests 1000000;', server => <<"    EOS")
        location / { return 200 "vm-$_ \$request \$connection\\n"; }
    EOS
} 1, 2;

$g->spec('hello', concurrency => 0);
instance(1, $first + 1);
$g->wait_known('instances', 1);

my @said = map { $g->get('/tls/hello/a')->{body} } 1 .. 20;
is(scalar(grep { m{^vm-1 GET /a HTTP/1.1} } @said), 20, 'served over TLS');
is(scalar(keys %{{ map { /(\d+)$/ ? ($1 => 1) : () } @said }}), 1,
    'over one connection');

# a session of a node's is good for all of its instances, until it is reloaded
sub reused {
    my ($port) = @_;
    my $before = () = $front->connections;
    my @now;

    $g->etcd->instance('fresh', worker => "f$port-1", worker_ip => $at,
        port => $port);
    $g->wait_known('instances', 2);
    is($g->get('/fresh/fresh/x')->{status}, 200, 'over a new connection');
    $g->etcd->no_instance('fresh', "f$port-1");
    $g->wait_known('instances', 1);
    wait_for(sub { @now = $front->connections; @now > $before }, 10,
        'its end in the log');
    return $now[$before];
}
$g->spec('fresh');
my ($one, $two) = ($first + 1, $first + 2);
is(reused($one), "$one .", 'a whole handshake');
is(reused($one), "$one r", 'then a session');
is(reused($two), "$two r", 'for the next instance, too');
$front->reload;
is(reused($two), "$two .", 'the front is another');
is(reused($one), "$one r", 'and has a session again');

# many who begin at once make it slow: to begin again would make it slower
kill 'STOP', $front->workers;
my @slow = map { $g->send("/tls/hello/slow-$_", keepalive => 1) } 1 .. 8;
select undef, undef, undef, 2.5;        # the time is what counts
kill 'CONT', $front->workers;
@said = map { $_->response(10) } @slow;
is(join(' ', map { "$_->{status} $_->{headers}{'x-attempts'}" } @said),
    join(' ', ('200 1') x 8), 'TLS has more time than a connection');

# in etcd still, but nobody listens
$g->spec('dead', concurrency => 0);
$g->etcd->instance('dead', worker => 'n2-1', worker_ip => $at,
    port => $first + 9);
$g->wait_known('instances', 2);
my $post = $g->send('/tls/dead/b', method => 'POST', body => 'x' x 40000);
wait_for(sub { $g->nginx->logged(qr/"dead" was not sent to .*: gone/) }, 10,
    'the front to say that nobody is there');
$g->etcd->instance('dead', worker => 'n3-1', worker_ip => $at,
    port => $first + 2);
like($post->response(10)->{body}, qr{^vm-2 POST /b },
    'a POST to a port that nobody has was not sent');
$g->etcd->no_instance('dead', "n$_-1") for 2, 3;
$g->wait_known('instances', 1);

is($g->get('/other/hello/c')->{status}, 502,
    'a gateway of another CA reaches nobody');

$g->redis->cli('FLUSHALL');

# without a word: kept as a last resort while somebody answers
$g->etcd->lose_instance('hello', 'n1-1');
$g->wait_known('instances', 0);
wait_for(sub { $g->nginx->logged(qr/its port answers: kept/) }, 10, 'a probe');
my $start = now();

my $served = 0;

while (now() - $start < 11) {
    $served++ if $g->get('/tls/hello/d')->{status} == 200;
    select undef, undef, undef, 0.5;    # the time is what would end it
}
cmp_ok($served, '>', 10, 'requests are served');
ok(!$g->nginx->logged(qr/"hello" at .* is gone/), 'it has answered: kept');
wait_for(sub { $g->nginx->logged(qr/"hello" at .* is gone: only its node's/) },
    20, 'the end of one that is not heard of');
pass('but not for ever, since its port takes connections in any case');
is(scalar $g->redis->jobs, 0, 'nobody was asked for that');

my $q = $g->send('/tls/hello/e', method => 'POST', body => 'x');
my $job = $g->redis->take_job(5);
is($job && $job->{function_id}, 'hello', 'who comes then asks for another');
instance(4, $first + 2);
like($q->response(10)->{body}, qr/^vm-2 POST/, 'and gets it');

$g->stop;
$_->stop for @vm;
$front->stop;
done_testing;
