# Subrequests that nginx begins behind all of its phases: a cached answer made
# anew in the background, and the parts of a "slice".  They wait like others,
# with names and ids of their own.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $slices = `@{[ FcfTest::Nginx::binary() ]} -V 2>&1` =~ /http_slice_module/;
my $dir = tmpdir();
my $file = join '', map { sprintf "%07d\n", $_ } 1 .. 8;
spew("$dir/file", $file);
chmod 0755, $dir;

my $pass = <<'EOC';
        fcfaas_park_timeout 10s;
        proxy_pass http://functions$fcfaas_uri;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header X-Request-Id $fcfaas_request_id;
        proxy_cache c;
EOC
my $slice = !$slices ? '' : <<"EOC";
    location /slice/ {
        slice 16;
        fcfaas sliced strip=1;
        proxy_set_header Range \$slice_range;
        proxy_cache_key \$uri\$slice_range;
        proxy_cache_valid 200 206 1h;
        $pass
    }
EOC
my $g = FcfTest::Gateway->start(park_timeout => '10s', http =>
    'proxy_cache_path cache keys_zone=c:1m;', server => <<"EOC",
    location /cached/ {
        fcfaas cached strip=1;
        proxy_cache_valid 200 1s;
        proxy_cache_use_stale updating;
        proxy_cache_background_update on;
        add_header X-Cache \$upstream_cache_status;
        $pass
    }
    $slice
EOC
    agent => <<"EOC");
    location /file { root $dir; }
    location /id { return 200 "\$request_uri \$http_x_request_id"; }
EOC

$g->spec($_) for qw(cached sliced);

sub cached {
    my $r = $g->get('/cached/id/x%20y');
    return "$r->{status} $r->{headers}{'x-cache'} $r->{body}";
}

subtest 'in the background' => sub {
    $g->warm('cached');
    like(cached(), qr{^200 MISS /id/x%20y req-\w+$}, 'an answer');
    my ($first) = cached() =~ /(req-\w+)$/;
    wait_for(sub { cached() !~ / HIT / }, 10, 'it to be old');
    wait_for(sub { cached() =~ / HIT / }, 10, 'it to be made anew');
    like(cached(), qr{ /id/x%20y req-\w+$}, 'of the same path');
    unlike(cached(), qr/$first/, 'by another request');

    # cold
    $g->etcd->no_instance('cached', 'n1-1');
    $g->wait_known('instances', 0);
    wait_for(sub { cached() !~ / HIT / }, 10, 'it to be old');
    $g->wait_parked(1);
    like(cached(), qr/^200 UPDATING /, 'cold: others have the old one');
    my $job = $g->redis->take_job(10);
    is($job && $job->{function_id}, 'cached', 'it is asked for');
    $g->instance('cached');
    wait_for(sub { cached() =~ / HIT / }, 10, 'it to be made anew');
    ok(eval { $g->wait_quiet; 1 }, 'nothing is left') or diag($@);

    # none is declared any more
    wait_for(sub { cached() !~ / HIT / }, 10, 'it to be old');
    $g->etcd->del('/specs/cached');
    $g->wait_known('specs', 1);
    is($g->get('/cached/id/x%20y')->{status}, 404, 'not declared: 404');
    ok(eval { $g->wait_quiet; 1 }, 'nothing is left') or diag($@);
};

subtest 'slices' => sub {
    plan skip_all => 'nginx was built without --with-http_slice_module'
        if !$slices;

    my $q = $g->send('/slice/file');
    $g->wait_parked(1);
    $g->instance('sliced', concurrency => 1);
    my $r = $q->response(10);
    is("$r->{status} $r->{body}", "200 $file", 'all of them');
    my $n = $g->status->{outcomes}{passed};
    $r = $g->get('/slice/file', headers => { Range => 'bytes=20-40' });
    is("$r->{status} $r->{body}", '206 ' . substr($file, 20, 21), 'some');
    is($g->status->{outcomes}{passed}, $n, 'which are cached');

    # one of them is not, and has to wait for the only slot
    system 'rm', '-rf', glob $g->nginx->dir . '/cache/*';
    my @q = map { $g->send('/slice/file') } 1 .. 5;
    is(join('', map { $_->response(10)->{body} } @q), $file x 5,
        'five at once');
    ok(eval { $g->wait_quiet; 1 }, 'nothing is left') or diag($@);
};

$g->stop;
done_testing;
