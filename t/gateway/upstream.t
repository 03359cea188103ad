# What stands beside "fcfaas" in an upstream, and how proxy_pass goes there.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $dir = tmpdir();
my $made = system("openssl req -x509 -newkey ec -pkeyopt"
    . " ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=agent"
    . " -keyout $dir/agent.key -out $dir/agent.crt 2>$dir/openssl.log");
is($made, 0, 'a certificate') or BAIL_OUT(slurp("$dir/openssl.log"));

my ($version) = `@{[ FcfTest::Nginx::binary() ]} -v 2>&1` =~ m{/(\d+\.\d+\.\d+)};
my $number = sprintf '%d%03d%03d', split /\./, $version;

my $tls = free_port();
my $proxy = 'proxy_http_version 1.1; proxy_set_header Connection "";';
my $two = $number >= 1029004 ? <<"EOC" : '';
    location ~ ^/two/(?<f_two>[^/]+) {
        fcfaas \$f_two;
        proxy_pass http://functions\$fcfaas_uri;
        proxy_http_version 2;
    }
EOC

my $g = FcfTest::Gateway->start(park_timeout => '2s', agent => <<"EOC", server => <<"EOS");
    listen 127.0.0.1:$tls ssl;
    ssl_certificate $dir/agent.crt;
    ssl_certificate_key $dir/agent.key;
EOC
    location ~ ^/tls/(?<f_tls>[^/]+) {
        fcfaas \$f_tls;
        fcfaas_park_timeout 2s;
        proxy_pass https://functions\$fcfaas_uri;
        $proxy
    }
    location ~ ^/reuse/(?<f_reuse>[^/]+) {
        fcfaas \$f_reuse;
        proxy_pass https://functions\$fcfaas_uri;
        proxy_ssl_session_reuse off;
        $proxy
    }
    $two
EOS

$g->spec('secure');
$g->etcd->instance('secure', port => $tls);
$g->spec('plain');
$g->instance('plain', worker => 'n1-2');
$g->wait_known('instances', 2);

my ($worker) = $g->nginx->workers;

for my $n (1 .. 3) {
    like($g->get("/tls/secure/$n")->{body}, qr{^GET /$n HTTP/1.1\|secure\|},
        "over TLS, $n");
    like($g->get("/reuse/secure/$n")->{body}, qr{^GET /$n HTTP/1.1\|secure\|},
        "over TLS, sessions not reused, $n");
}

my $r = $g->get('/tls/plain/x', timeout => 15);
cmp_ok($r->{status}, '>=', 500, "an instance without TLS: $r->{status}");
like($g->get('/run/plain/x')->{body}, qr{^GET /x }, 'it serves without');

SKIP: {
    skip "nginx $version speaks no HTTP/2 to upstreams", 2 unless $two;

    is($g->get('/two/plain/x')->{status}, 500, 'proxy_http_version 2');
    ok($g->nginx->logged(qr/"proxy_pass" with "proxy_http_version 1.1"/),
        'the remedy is said');
}

is(join(' ', $g->nginx->workers), $worker, 'the worker lives');

sub check {
    my ($upstream) = @_;

    return FcfTest::Nginx->check(<<"    EOC");
    %%MODULE%%
    error_log stderr;
    pid nginx.pid;
    events { }
    http {
        fcfaas_etcd http://127.0.0.1:1;
        fcfaas_redis 127.0.0.1:1;
        upstream functions { $upstream }
        server {
            listen 127.0.0.1:1;
            location / {
                fcfaas hello;
                proxy_pass http://functions;
            }
        }
    }
    EOC
}

my ($ok, $out) = check('keepalive 4; fcfaas;');

if ($number >= 1029007) {
    ok($ok, 'keepalive may stand before it') or diag($out);

} else {
    like($out, qr/must stand first, before "keepalive"/,
        'keepalive may not stand before it');
}

for my $bad ('keepalive', 'keepalive=', 'keepalive=0', 'keepalive=-1',
    'keepalive=x', 'keepalive=1000001', 'keepalive=4 keepalive=4',
    'keepalive=4 keepalive_requests=0', 'keepalive=4 keepalive_time=1x',
    'keepalive=4 keepalive_timeout=0', 'keepalive=4 local', 'keep=4')
{
    ($ok, $out) = check("fcfaas $bad;");
    ok(!$ok, "fcfaas $bad: refused");
    my ($last) = $bad =~ /(\S+)$/;
    like($out, qr/\[emerg\].*invalid parameter "\Q$last\E" in "fcfaas"/,
        "fcfaas $bad: by name");
}

($ok, $out) = check('fcfaas keepalive_requests=4;');
like($out, qr/\[emerg\].*"fcfaas" directive needs "keepalive="/,
    'nothing is kept, but so many requests: refused');

($ok, $out) = check('fcfaas keepalive=4 keepalive_requests=10 '
    . 'keepalive_time=1h keepalive_timeout=1m30s;');
ok($ok, 'all of them') or diag($out);

for my $both ('fcfaas keepalive=4; keepalive 4;', 'fcfaas keepalive=4;') {
    ($ok, $out) = check($both);

    if ($number >= 1029007 || $both !~ /keepalive 4/) {
        ok($ok, $both) or diag($out);

    } else {
        like($out, qr/\[emerg\].*"keepalive" has no use beside "fcfaas keep/,
            "$both: refused");
    }
}

for my $other ('least_conn;', 'ip_hash;', 'hash $uri;', 'random;') {
    ($ok, $out) = check("$other fcfaas;");
    ok(!$ok, "$other before it: refused");
    like($out, qr/\[emerg\].*fcfaas/, "$other before it: by name");
}

SKIP: {
    skip "nginx $version has no sticky", 4 if $number < 1029007;

    for my $upstream ('fcfaas; sticky cookie id;', 'sticky cookie id; fcfaas;')
    {
        ($ok, $out) = check($upstream);
        ok(!$ok, "$upstream: refused");
        like($out, qr/\[emerg\].*fcfaas/, "$upstream: by name");
    }
}

# from what it is stopped: TLS that found none
$g->nginx->expect_complaint(qr/SSL_do_handshake/);
$g->stop;
done_testing;
