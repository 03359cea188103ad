# etcd endpoints to which a connection is begun and never made: the next one
# is taken, and a descriptor that is closed meanwhile is not watched any more.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Socket::INET;
use Test::More;

# Its queue is full, so that the kernel drops who comes.
my $full = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1,
    LocalPort => free_port(), Proto => 'tcp') or die "listen: $!";
my @fill = map {
    IO::Socket::INET->new(PeerAddr => '127.0.0.1', Blocking => 0,
        PeerPort => $full->sockport)
} 1 .. 4;

my $etcd = FcfTest::Etcd->start;
my $redis = FcfTest::Redis->start;

$etcd->spec('hello');

my $nginx = FcfTest::Nginx->start(workers => 2, http => <<"EOC",
    fcfaas_etcd http://127.0.0.1:@{[ $full->sockport ]}
        @{[ $etcd->endpoint ]};
    fcfaas_redis @{[ $redis->addr ]};
    upstream functions { fcfaas; keepalive 16; }
EOC
    server => <<'EOC');
    location ~ ^/run/(?<function_id>[^/]+) {
        fcfaas $function_id;
        proxy_pass http://functions$fcfaas_uri;
    }
EOC

# both workers
my $live = qr/the registry is live/;
wait_for(sub { $nginx->logged($live) >= 2 }, 30, 'the second endpoint');
pass('the second endpoint is taken');

# both endpoints, again and again, beside connections that come and go
$etcd->pause;
wait_for(sub { $nginx->logged(qr/etcd.*timed out/i) >= 6 }, 60,
    'some tries');
$etcd->resume;

my $n = $nginx->logged($live);
wait_for(sub { http_get($nginx->port, '/run/nobody')->{status} == 404 }, 10,
    'an answer');
is(http_get($nginx->port, '/run/nobody')->{status}, 404, 'it knows all');

# in the middle of connecting
$etcd->pause;
wait_for(sub { $nginx->logged(qr/etcd.*timed out/i) >= 8 }, 60,
    'some more');
$nginx->stop('TERM');
$etcd->resume;

done_testing;
