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

my $conf = <<"EOC";
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
my $nginx = FcfTest::Nginx->start(name => 'gateway', conf => $conf);

# of the worker that is there now
sub state {
    my ($pid) = $nginx->workers;
    my $r = http_get($nginx->port, '/status');
    my ($w) = grep { $_->{pid} == $pid } @{ json_decode($r->{body})->{workers} };
    return $w ? $w->{etcd}{state} : 'none';
}

sub reconnects {
    $etcd->pause;
    wait_for(sub { state() ne 'live' }, 30, 'etcd to be missed');
    $etcd->resume;
    wait_for(sub { state() eq 'live' }, 30, 'the registry to be live again');
}

wait_for(sub { state() eq 'live' }, 30, 'the registry to be live');
pass('live, with files that workers cannot read');

my ($worker) = $nginx->workers;
is((stat "/proc/$worker")[4], scalar getpwnam('nobody'), 'which are nobody');

reconnects();
pass('and a later connection too');

# a reload reads them anew, as root, and nobody needs them afterwards
rename "$dir/client.$_", "$dir/next.$_" for qw(crt key);
$nginx->config(conf => $conf =~ s/client\.(crt|key)/next.$1/gr)->reload;
wait_for(sub { state() eq 'live' }, 30, 'a new worker to be live');
rename "$dir/next.$_", "$dir/away.$_" for qw(crt key);
reconnects();
pass('after a reload too, whatever became of the files');

# one that cannot be read stops the reload, not what serves
my ($before) = $nginx->workers;
$nginx->expect_complaint(qr/cannot open ".*next\.crt"/);
$nginx->proc->kill('HUP');
wait_for(sub { $nginx->logged(qr/\[emerg\].*cannot open ".*next\.crt"/) }, 10,
    'the reload to be refused');
is(($nginx->workers)[0], $before, 'a reload without them: refused');
is(state(), 'live', 'what serves goes on');

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
