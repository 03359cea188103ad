# What is known of a boot that goes on when somebody's time is up.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '3s',
    server => <<'EOS');
    location ~ ^/open/(?<f_open>[^/]+) {
        fcfaas $f_open;
        fcfaas_park_timeout 3s;
        fcfaas_error_details on;
        proxy_pass http://functions$fcfaas_uri;
    }
EOS
my ($etcd, $redis) = ($g->etcd, $g->redis);

sub slot {
    my ($id, $k, $request) = @_;
    $etcd->put("/functions/$id/slots/$k", { worker_id => "$id-$k",
        request_id => $request, version => 1 });
}

sub so_far {
    my ($id, $name, $message, %more) = @_;
    $etcd->failure($id, $name, error => 'not_ready', booting => 1,
        message => $message, %more);
}

# asked by a client whose time ends while it boots
$g->spec('slow', max_instances => 3);
my @q = map { $g->send('/open/slow') } 1 .. 8;
my $plain = $g->send('/run/slow');
my $job = $redis->take_job(5);
slot('slow', 0, $job->{request_id});
slot('slow', 1, 'req-other');
so_far('slow', "$job->{request_id}.boot", 'port 80 refuses connections, 1 s');
so_far('slow', "$job->{request_id}.boot",
    "port 80 refuses connections, 2 s; console: \na line of mine");

for my $r (map { $_->response(10) } @q) {
    is("$r->{status} $r->{headers}{'x-fcfaas-error'}", '504 park_timeout',
        'it boots all the while: 504');
    like($r->{body}, qr/refuses connections, 2 s; .*mine/,
        'with the latest that is known');
}

my $r = $plain->response(10);
is($r->{status}, 504, '504');
like($r->{body}, qr/takes no connections yet"/, 'in words without details');
unlike($r->{body}, qr/mine/, 'and nothing of the guest');
is(scalar $redis->jobs, 0, 'what was said has ended no boot');

# also for who comes only then
like($g->get('/open/slow')->{body}, qr/refuses connections, 2 s/,
    'who comes later is told the same');

# that boot ends well or not: nothing of it is told any more
$etcd->del('/functions/slow/slots/0');
$redis->cli('DEL', '{queue:vm_provision}:pending:slow');
$r = $g->get('/open/slow');
is($r->{status}, 504, 'another one boots');
unlike($r->{body}, qr/refuses/, 'of which nothing is known');

# what is said of boots that are not there, or nonsense, changes nothing
so_far('slow', $_, 'nonsense') for '.boot', 'boot', 'req-none.boot',
    ('x' x 60) . '.boot', 'req-other', "$job->{request_id}.boot";
so_far('slow', 'req-other.boot', 'x', booting => $_) for 2, -1, '1', [];
$r = $g->get('/open/slow');
is($r->{status}, 504, 'one still boots');
unlike($r->{body}, qr/nonsense/, 'and nothing is known of it');
so_far('slow', 'req-other.boot', 'said');
like($g->get('/open/slow')->{body}, qr/: said"/, 'until it is said');

# an instance of another worker that is ready: that is the reason, not the boot
my $guest = FcfTest::Guest->new;
$g->instance('slow', worker => 'slow-9', port => $guest->port,
    concurrency => 1);
$g->wait_known('instances', 1);
my $in = $g->send('/run/slow/in');
my $inside = $guest->take;
$r = $g->get('/open/slow');
is($r->{status}, 504, 'full');
like($r->{body}, qr/no instance became free/, 'and that is what is said');
undef $inside;

# new workers hear of it when it is said again
$etcd->del('/functions/slow/instances/slow-9');
$in->response(10);
$g->nginx->reload;
$g->wait_known('specs', 1, 20);
my $q = $g->send('/open/slow');
so_far('slow', 'req-other.boot', 'said again');
like($q->response(10)->{body}, qr/said again/, 'after a reload too');

$g->nginx->expect_complaint(qr/failure: booting: /);
$g->stop;
done_testing;
