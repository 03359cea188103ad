# etcd over TLS with a client certificate, whose files only root may read,
# while the workers are somebody else.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Tls;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

my $dir = tmpdir();
chmod 0755, $dir;

FcfTest::Tls::certificates(server => '/O=server', client => '/O=client');
chmod 0600, map { "$dir/$_" } qw(ca.crt client.crt client.key);

my ($port, $peer) = (free_port(), 'http://127.0.0.1:' . free_port());
my $url = "https://127.0.0.1:$port";
my $etcd = FcfTest::Proc->spawn(name => 'etcd-tls', argv => ['etcd',
    '--name', 'test', '--data-dir', "$dir/tls.data",
    '--listen-client-urls', $url, '--advertise-client-urls', $url,
    '--listen-peer-urls', $peer, '--initial-advertise-peer-urls', $peer,
    '--initial-cluster', "test=$peer", '--client-cert-auth',
    '--trusted-ca-file', "$dir/ca.crt", '--cert-file', "$dir/server.crt",
    '--key-file', "$dir/server.key"]);
my $redis = FcfTest::Redis->start;

my $nginx = FcfTest::Nginx->start(name => 'gateway', conf => <<"EOC");
    %%MODULE%%
    daemon off;
    user nobody nogroup;
    pid logs/nginx.pid;
    error_log logs/error.log info;
    events { }
    http {
        access_log off;
        client_body_temp_path client_body;
        proxy_temp_path proxy;
        fastcgi_temp_path fastcgi;
        uwsgi_temp_path uwsgi;
        scgi_temp_path scgi;
        fcfaas_etcd $url ca=$dir/ca.crt cert=$dir/client.crt
            key=$dir/client.key;
        fcfaas_redis @{[ $redis->addr ]};
        server {
            listen 127.0.0.1:%%PORT%%;
            location = /status { fcfaas_status; }
        }
    }
EOC

sub state {
    my $r = http_get($nginx->port, '/status');
    return json_decode($r->{body})->{workers}[0]{etcd}{state};
}

wait_for(sub { state() eq 'live' }, 30, 'the registry to be live');
pass('live, with files that workers cannot read');

my ($worker) = $nginx->workers;
is((stat "/proc/$worker")[4], scalar getpwnam('nobody'), 'which are nobody');

# another connection, later
$etcd->pause;
wait_for(sub { state() ne 'live' }, 30, 'etcd to be missed');
$etcd->resume;
wait_for(sub { state() eq 'live' }, 30, 'the registry to be live again');
pass('and a later connection too');

my ($ok, $out) = FcfTest::Nginx->check(<<"EOC");
    %%MODULE%%
    error_log stderr;
    pid nginx.pid;
    events { }
    http { fcfaas_etcd $url ca=$dir/ext; }
EOC
ok(!$ok, 'not a certificate: refused');
like($out, qr/\[emerg\].*"fcfaas_etcd": "[^"]*ext" holds nothing in PEM/,
    'by name');
($ok, $out) = FcfTest::Nginx->check(<<"EOC");
    %%MODULE%%
    error_log stderr;
    pid nginx.pid;
    events { }
    http { fcfaas_etcd $url ca=/no/such/file; }
EOC
like($out, qr/\[emerg\].*cannot open "\/no\/such\/file"/, 'no such file');

$nginx->stop;
done_testing;
