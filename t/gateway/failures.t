# What a failure does, and what is told of it.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $dir = tmpdir();
my $g = FcfTest::Gateway->start(park_timeout => '8s', agent => <<"EOC", server => <<'EOS');
    location ~ ^/drain/ {
        if (-f $dir/draining) {
            add_header X-Fcfaas-Unsent draining always;
            return 503;
        }

        return 200 "back\n";
    }
EOC
    location ~ ^/any/(?<f_any>[^/]+) {
        fcfaas $f_any;
        fcfaas_declared off;
        proxy_pass http://functions$fcfaas_uri;
    }

    location ~ ^/open/(?<f_open>[^/]+) {
        fcfaas $f_open;
        fcfaas_park_timeout 2s;
        fcfaas_error_details on;
        proxy_pass http://functions$fcfaas_uri;
    }

    location ~ ^/page/(?<f_page>[^/]+) {
        fcfaas $f_page;
        error_page 404 =200 /sorry;
        proxy_pass http://functions$fcfaas_uri;
    }

    location = /sorry { return 200 "sorry\n"; }

    location ~ ^/outer/(?<f_outer>[^/]+) {
        fcfaas $f_outer;
        proxy_pass http://functions$fcfaas_uri;

        location ~ \.txt$ { return 200 "a file\n"; }
        location ~ \.fn$ { proxy_pass http://functions$fcfaas_uri; }
    }
EOS
my $etcd = $g->etcd;

sub fail_job {
    my ($id, $job, %failure) = @_;

    $g->redis->cli('ZREM', "{queue:vm_provision}:pending:$id",
        $job->{request_id});
    $etcd->failure($id, $job->{request_id}, error => 'boot_failed', %failure);
}

# a function that never starts: told at once, and starts are spaced
$g->spec('never', concurrency => 1, max_instances => 40);
my @q = map { $g->send("/open/never/$_") } 1 .. 20;
my $start = now();
my ($boots, $told) = (0, 0);

while (now() - $start < 6) {
    my $job = $g->redis->take_job(0.2);

    if ($job) {
        $boots++;
        fail_job('never', $job, message => "port 80 refused\n"
            . '2026/01/01 00:00:00 [alert] 1#1: forged');
    }

    $told ||= now() - $start if !grep { !$_->answered } @q;

    # somebody calls again and again
    if ($told && !(grep { !$_->answered } @q)) {
        push @q, $g->send('/open/never/again');
    }
}

my @r = map { $_->response(10) } @q;
ok($told, 'all were told') and cmp_ok($told, '<', 4, 'soon');
is(scalar(grep { $_->{status} != 502 } @r[0 .. 19]), 0, 'with 502');
like($r[0]{body}, qr/"error":"boot_failed".*port 80 refused/, 'and the reason');
cmp_ok($boots, '<', 60, "$boots boots");
my $forged = $g->nginx->logged(qr/^2026\/01\/01/);
is($forged, 0, 'a guest makes no lines of the log');
$g->nginx->expect_complaint(qr/did not start.*forged|boot_failed.*forged/);
my $r = $g->get('/run/never/x');
is($r->{status}, 502, 'who calls meanwhile is told at once');
unlike($r->{body}, qr/port 80/, 'without details, by default');
like($r->{body}, qr/"request_id":"req-/, 'but with the request id');

# the best reason known goes into the 504
$g->spec('slow', concurrency => 1, max_instances => 4);
my $q = $g->send('/open/slow/x');
my $job = $g->redis->take_job(5);
$etcd->put('/functions/slow/slots/0', { worker_id => 'n1-9', version => 1,
    request_id => 'req-other' });
fail_job('slow', $job, error => 'not_ready', message => 'port 80 was silent');
$r = $q->response(10);
is($r->{status}, 504, 'one is still starting: 504');
like($r->{body}, qr/port 80 was silent/, 'with the best reason known');
$etcd->del('/functions/slow/slots/0');

# "draining" in an answer is believed for a while, not for ever
$g->spec('drain', max_instances => 1);
$g->instance('drain', worker => 'd-1');
$g->wait_known('instances', 1);
spew("$dir/draining", '');
$q = $g->send('/run/drain/drain/x');
wait_for(sub { $g->status->{balancer}{unsent} }, 5, 'an answer of draining');
unlink "$dir/draining";
is($q->response(7)->{body}, "back\n", 'tried again when etcd says nothing');

# declared or not
$q = $g->send('/any/stray/x');
wait_for(sub { $job = $g->redis->take_job(1);
    $job && $job->{function_id} eq 'stray' }, 5, 'a job');
$g->instance('stray', worker => 's-1');
is($q->response(5)->{status}, 200, 'fcfaas_declared off: served');
is($g->get('/run/stray/x')->{status}, 404, 'on: 404, though it runs');
is($g->get('/any/stray/x')->{status}, 200, 'off: still');
$etcd->no_instance('stray', 's-1');
$g->wait_known('instances', 1);

# names are forgotten when nobody waits
my @names = map { $g->send("/any/name-$_/x") } 1 .. 30;
$g->wait_parked(30);
my %wanted = map { ("name-$_" => 1) } 1 .. 30;
wait_for(sub {
    my $j = $g->redis->take_job(1) or return 0;
    fail_job($j->{function_id}, $j, error => 'no_image', message => 'none')
        if $wanted{$j->{function_id}};
    delete $wanted{$j->{function_id}};
    return !%wanted;
}, 20, 'a job for each');
is(scalar(grep { $_->response(10)->{status} == 502 } @names), 30, 'no image');
$g->spec('last');
wait_for(sub { $g->status->{workers}[0]{functions} <= 5 }, 15,
    'the names to be forgotten');
pass('names are forgotten');

# an error_page takes the header along
$r = $g->get('/page/nobody/x');
is("$r->{status} $r->{body}", "200 sorry\n", 'error_page');
is($r->{headers}{'x-fcfaas-error'}, undef, 'without X-Fcfaas-Error');

# nested locations without a proxy_pass do not wait for a function
is($g->get('/outer/last/x.txt')->{body}, "a file\n", 'a nested location');
$g->instance('last', worker => 'l-1');
$g->wait_known('instances', 2);
like($g->get('/outer/last/x.fn')->{body}, qr{^GET /x\.fn }, 'and one with');

# the queue's key holds something else: told at once, and well again
$g->redis->cli('DEL', 'queue:vm_provision');
$g->redis->cli('SET', 'queue:vm_provision', 'a string');
$g->spec('queued');
$start = now();
$r = $g->get('/run/queued/x');
is($r->{status}, 503, 'Redis refuses: 503');
is($r->{headers}{'x-fcfaas-error'}, 'redis_unavailable', 'with the reason');
cmp_ok(now() - $start, '<', 4, 'at once');
$g->redis->cli('DEL', 'queue:vm_provision');
$q = $g->send('/run/queued/x');
wait_for(sub { $job = $g->redis->take_job(1);
    $job && $job->{function_id} eq 'queued' }, 5, 'a job, when it is well');
$g->instance('queued', worker => 'q-1');
is($q->response(5)->{status}, 200, 'well again');

# a version that is declared while an older job still counts as pending
$g->spec('early', version => 1);
$q = $g->send('/run/early/x');
wait_for(sub { $job = $g->redis->take_job(1);
    $job && $job->{function_id} eq 'early' }, 5, 'a job');
$g->instance('early', worker => 'e-1', version => 1);
is($q->response(5)->{status}, 200, 'version 1');
$etcd->spec('early', version => 2);
wait_for(sub { $g->status->{jobs}{not_needed} }, 5, 'being told: not needed');
$g->redis->cli('ZREM', '{queue:vm_provision}:pending:early',
    $job->{request_id});
wait_for(sub { $job = $g->redis->take_job(1);
    $job && $job->{function_id} eq 'early' && $job->{version} == 2 }, 5,
    'a job for version 2, without a request');
pass('rolled out');

$g->stop;
done_testing;
