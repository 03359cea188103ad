# Directives of several levels: what http says holds in servers and locations
# that say nothing, what a server says holds instead; and so for a location.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my %port = map { $_ => free_port() } qw(http server location);
my $location = '
    fcfaas $function_id;
    proxy_pass http://functions$fcfaas_uri;
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $http_connection;
    add_header X-Version $fcfaas_version always;
';

# twice: a server's own, and a location's own where the server says otherwise
my $own = '
    fcfaas_park_timeout 300ms;
    fcfaas_park_limit 2;
    fcfaas_declared on;
    fcfaas_error_details off;
    fcfaas_sticky "";
    fcfaas_upgrade_timeout 1h;
';
my $size = 'fcfaas_declared off; fcfaas_cpu 5; fcfaas_memory 96;';

my $g = FcfTest::Gateway->start(park_timeout => '60s', agents => 2,
    http => <<"EOH");
    fcfaas_park_timeout 60s;
    fcfaas_park_limit 1;
    fcfaas_declared off;
    fcfaas_cpu 3;
    fcfaas_memory 64;
    fcfaas_error_details on;
    fcfaas_sticky \$server_name;
    fcfaas_upgrade_timeout 300ms;

    server {
        listen 127.0.0.1:$port{http};
        server_name same;
        location ~ ^/run/(?<function_id>[^/]+) { $location }
    }
    server {
        listen 127.0.0.1:$port{server};
        $own
        location ~ ^/run/(?<function_id>[^/]+) { $location }
        location ~ ^/size/(?<function_id>[^/]+) { $size $location }
    }
    server {
        listen 127.0.0.1:$port{location};
        $size
        fcfaas_park_timeout 50s;
        location ~ ^/run/(?<function_id>[^/]+) { $own $location }
        location ~ ^/size/(?<function_id>[^/]+) { $location }
    }
EOH

my $etcd = $g->etcd;
my @own = ('server', 'location');

sub ask { my ($level, $path, %opt) = @_;
    return http_send($port{$level}, $path, %opt) }

sub job {
    my ($name) = @_;
    my $job;
    wait_for(sub { $job = $g->redis->take_job(1) }, 10, "a job: $name");
    return $job;
}

sub error { my ($q) = @_; my $r = $q->response(20);
    return "$r->{status} " . ($r->{headers}{'x-fcfaas-error'} // '') }

# fcfaas_park_timeout, fcfaas_park_limit
$g->spec($_) for qw(one two three);
my $long = ask('http', '/run/one');
$g->wait_parked(1);
is(error(ask('http', '/run/one')), '429 park_limit', 'limit of http');

for my $level (@own) {
    like(error(ask($level, '/run/two')), qr/^50[34] /, "timeout of a $level");
    ok(!$long->answered, 'while that of http is longer');
}
$long->close;
$g->wait_parked(0);

for my $level (@own) {
    my $held = ask('http', '/run/three');
    $g->wait_parked(1);
    isnt(error(ask($level, '/run/three')), '429 park_limit',
        "limit of a $level");
    $held->close;
    $g->wait_parked(0);
}

# fcfaas_declared, fcfaas_cpu, fcfaas_memory
$g->redis->cli('FLUSHALL');
my $q = ask('http', '/run/nobody');
my $job = job('http');
is("$job->{cpu} $job->{memory_mb}", '3 64', 'size of http');
$q->close;
$g->wait_parked(0);

for my $level (@own) {
    is(error(ask($level, '/run/nobody')), '404 unknown_function',
        "declared, of a $level");
    $g->redis->cli('FLUSHALL');
    $q = ask($level, "/size/$level");
    $job = job($level);
    is("$job->{cpu} $job->{memory_mb}", '5 96', "size of a $level");
    $q->close;
    $g->wait_parked(0);
}

# fcfaas_error_details
for my $level ('http', @own) {
    $g->spec("bad-$level");
    $q = ask($level, "/run/bad-$level");
    $job = job($level);
    $g->redis->cli('ZREM', "{queue:vm_provision}:pending:bad-$level",
        $job->{request_id});
    $etcd->failure("bad-$level", $job->{request_id}, error => 'no_image',
        message => 'in /some/place');
    my $r = $q->response(10);
    my $shown = $r->{body} =~ m{/some/place} ? 'shown' : 'hidden';
    is("$r->{status} $shown", $level eq 'http' ? '502 shown' : '502 hidden',
        "details of $level");
}

# fcfaas_sticky
$etcd->spec('roll', version => 1, $etcd->traffic(1 => 50, 2 => 50));
$etcd->instance('roll', worker => "n1-$_", version => $_,
    port => $g->agent_port($_ - 1)) for 1, 2;
$g->wait_known('instances', 2);

for my $level ('http', @own) {
    my %seen;
    $seen{ ask($level, '/run/roll')->response->{headers}{'x-version'} }++
        for 1 .. 50;
    is(scalar keys %seen, $level eq 'http' ? 1 : 2, "sticky of $level");
}

# fcfaas_upgrade_timeout
my $guest = FcfTest::Guest->new;
$g->spec('ws');
$g->instance('ws', port => $guest->port);
$g->wait_known('instances', 3);

my %upgraded = map {
    my $q = ask($_, '', raw => "GET /run/ws HTTP/1.1\r\nHost: a\r\n"
        . "Connection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    my $c = $guest->take;
    $c->print("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
        . "Connection: upgrade\r\n\r\n");
    is($q->response->{status}, 101, "upgraded by $_");
    ($_ => [$q, $c]);
} @own, 'http';

ok($upgraded{http}[1]->closed, 'idle time of http');
for my $level (@own) {
    my ($q, $c) = @{ $upgraded{$level} };
    $c->print('still there');
    ok($q->until(sub { $_[0] =~ /still there/ }), "idle time of a $level");
    $q->close;
}

$g->stop;
done_testing;
