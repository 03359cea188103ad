# A key that vanished is no proof of death: the instance's port is asked.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Socket::INET;
use Test::More;

my $slow = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1');
$slow->timeout(10);
my $g = FcfTest::Gateway->start(park_timeout => '20s', agent => <<"EOC");
    location /slow/ { proxy_pass http://127.0.0.1:@{[ $slow->sockport ]}; }
EOC

sub inside {
    my ($n) = @_;
    return map { $slow->accept or die "accept: $!" } 1 .. $n;
}

sub let_go {
    for my $c (@_) {
        # what is left unread would reset the connection
        my ($head, $length) = ('', 0);

        while ($head !~ /\r\n\r\n(.*)\z/s || length $1 < $length) {
            sysread $c, $head, 65536, length $head or last;
            ($length) = $head =~ /^Content-Length: (\d+)/mi ? $1 : 0;
        }

        print $c "HTTP/1.0 200 OK\r\n\r\nserved\n";
        close $c;
    }
}

# etcd stands still, and the leases of its keys end
my $lease = $g->etcd->lease(2);
$g->spec('frozen');
$g->instance('frozen', lease => $lease);
$g->wait_known('instances', 1);

my @q = map {
    $g->send("/run/frozen/slow/$_", $_ & 1 ? () : (method => 'POST',
        body => 'x'))
} 1 .. 6;
my @c = inside(6);

$g->etcd->pause;
select undef, undef, undef, 3;          # the time is what ends a lease
$g->etcd->resume;
$g->wait_known('instances', 0, 20);
wait_for(sub { $g->nginx->logged(qr/its port answers: kept/) }, 10, 'a probe');

is($g->get('/run/frozen/x')->{status}, 200, 'it serves on meanwhile');
is($g->status->{requests}{cold}, 0, 'nothing is cold');
ok(!(grep { $_->answered } @q), 'requests inside go on');
let_go(@c);
is(scalar(grep { $_->response(5)->{body} eq "served\n" } @q), 6,
    'and are served');
is(scalar $g->agent->served(qr{/slow/}, 6), 6, 'each was sent once');

# the agent puts it again
$g->instance('frozen');
$g->wait_known('instances', 1);
is($g->get('/run/frozen/x')->{status}, 200, 'and when it is back');
is(scalar $g->redis->jobs, 0, 'nobody was asked');

# one that is gone indeed: what is inside fails or goes elsewhere, at once
my $dying = IO::Socket::INET->new(Listen => 64, LocalAddr => '127.0.0.1');
$g->spec('dying');
$g->etcd->instance('dying', worker => 'd-1', port => $dying->sockport);
$g->wait_known('instances', 2);
my $get = $g->send('/run/dying/x');
my $post = $g->send('/run/dying/x', method => 'POST', body => 'x');
$dying->timeout(5);
@c = map { scalar $dying->accept } 1, 2;
ok(@c == 2, 'two are inside');
close $dying;
$g->etcd->lose_instance('dying', 'd-1');
is($post->response(5)->{status}, 502, 'POST: 502');
my $job = $g->redis->take_job(5);
is($job && $job->{function_id}, 'dying', 'a new one is asked for');
$g->instance('dying', worker => 'd-2');
is($get->response(5)->{status}, 200, 'GET: served by that');

# an orphan whose port is another function's by now says so, and goes
$g->spec('moved', max_instances => 1);
my $agent = FcfTest::Nginx->start(name => 'moved', module => 0,
    port => free_port(), server => <<'EOC');
    location / { add_header X-Fcfaas-Unsent wrong-function always; return 503; }
EOC
$g->etcd->instance('moved', worker => 'm-1', port => $agent->port);
$g->wait_known('instances', 3);
$g->etcd->lose_instance('moved', 'm-1');
wait_for(sub { $g->nginx->logged(qr/"moved" .* kept/) }, 10, 'a probe');
my $q = $g->send('/run/moved/x');
wait_for(sub { $g->nginx->logged(qr/"moved" at .* gone: it says so/) }, 5,
    'it to go');
$g->instance('moved', worker => 'm-2');
is($q->response(5)->{status}, 200, 'served by another');
$agent->stop;

# an orphan whose port closes is noticed without a request
$agent = FcfTest::Nginx->start(name => 'closes', module => 0,
    port => free_port());
$g->spec('closes');
$g->etcd->instance('closes', worker => 'c-1', port => $agent->port);
$g->wait_known('instances', 4);
$g->etcd->lose_instance('closes', 'c-1');
wait_for(sub { $g->nginx->logged(qr/"closes" .* kept/) }, 10, 'a probe');
$agent->stop;
wait_for(sub { $g->nginx->logged(qr/"closes" at .* gone: its port refuses/) },
    5, 'it to go');
pass('one that closes later');

# a reload meanwhile, and the end, leave nothing behind
$g->etcd->lose_instance('frozen', 'n1-1');
wait_for(sub { 2 == (() = $g->nginx->logged(qr{"frozen" .* kept})) }, 10,
    'one more');
$g->nginx->reload;
$g->stop;
done_testing;
