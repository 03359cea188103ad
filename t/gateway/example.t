# nginx.conf.example, and the configuration of make run, as a function and its
# client see them.

use strict;
use warnings;

use lib 't/lib', 'run/lib';
use FcfTest;
use FcfRun qw(%set);
use FcfRun::Conf qw(nginx_conf);
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $redis = FcfTest::Redis->start;
my $agent = FcfTest::Nginx->start(name => 'agent', module => 0,
    server => <<'EOC');
    location = /large {
        add_header X-Large $arg_large;
        return 200 "large\n";
    }
    location / {
        return 200 "$http_host|$http_x_forwarded_for|$http_x_forwarded_proto|$http_x_forwarded_host|$http_x_request_id\n";
    }
EOC
my $large = 'x' x 3000;
my ($redis_port) = $redis->addr =~ /(\d+)$/;

$etcd->spec('hello');
$etcd->instance('hello', port => $agent->port);
spew(tmpdir() . '/token', "secret\n");

sub example {
    my $text = slurp(root() . '/nginx.conf.example');
    my $etcd_port = $etcd->port;

    $text =~ s/^load_module.*$/%%MODULE%%\ndaemon off; user root;/m;
    $text =~ s/build\/(nginx\.pid|error\.log|access\.log)/logs\/$1/g;
    $text =~ s/127\.0\.0\.1:2379/127.0.0.1:$etcd_port/;
    $text =~ s/127\.0\.0\.1:6379/127.0.0.1:$redis_port/;
    $text =~ s/127\.0\.0\.1:8080/127.0.0.1:%%PORT%%/;
    $text =~ s/^http \{/http { proxy_temp_path p; client_body_temp_path b;
        fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;/m;
    return $text;
}

sub make_run {
    my ($port) = @_;
    my $dir = tmpdir() . '/run';

    system('mkdir', '-p', map { "$dir/$_" } qw(log data/nginx)) == 0 or die;
    system('cp', tmpdir() . '/token', "$dir/token") == 0 or die;
    @set{qw(RUN_DIR GATEWAY_PORT ETCD_PORT REDIS_PORT)}
        = ($dir, $port, $etcd->port, $redis_port);

    return nginx_conf() =~ s/^load_module.*$/%%MODULE%%/mr;
}

for my $which ('nginx.conf.example', 'make run') {
    my $port = free_port();
    my $nginx = FcfTest::Nginx->start(name => $which =~ s/\W/-/gr,
        port => $port,
        conf => $which eq 'make run' ? make_run($port) : example());

    my $r;
    wait_for(sub {
        $r = http_get($port, '/run/hello/x', headers => {
            Host => "shop.example:8443", 'X-Forwarded-For' => '10.9.8.7' });
        $r->{status} == 200;
    }, 20, "$which: an answer");

    my ($host, $for, $proto, $fhost, $id) = split /\|/, $r->{body};
    chomp $id;
    is($host, 'shop.example:8443', "$which: Host with its port");
    is($for, '10.9.8.7, 127.0.0.1', "$which: X-Forwarded-For");
    is($proto, 'http', "$which: X-Forwarded-Proto");
    is($fhost, 'shop.example:8443', "$which: X-Forwarded-Host");
    like($id, qr/^req-[0-9a-f]+$/, "$which: X-Request-Id, to the function");
    is($r->{headers}{'x-request-id'}, $id, "$which: and to the client");

    $r = http_send($port, '', raw => "GET /run/hello/x HTTP/1.0\r\n\r\n")
        ->response(10);
    like($r->{body}, qr/^[^|:]+:$port\|/, "$which: no Host: one is made");

    $r = http_get($port, "/run/hello/large?large=$large");
    is($r->{status}, 200, "$which: a large head");
    is($r->{headers}{'x-large'}, $large, "$which: comes whole");

    $r = http_get($port, '/run/nobody');
    is($r->{status}, 404, "$which: an answer of its own");
    like($r->{headers}{'x-request-id'} // '', qr/^req-/,
        "$which: with the request id");
    $nginx->stop;
}

done_testing;
