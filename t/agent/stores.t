#!/usr/bin/perl

# An agent whose etcd wants TLS, a client certificate, user and password, and
# whose Redis wants a password and has a replica: it serves, and goes on when
# etcd forgets all tokens and when the replica becomes the master.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Tls;
use AgentHost;
use Test::More;

plan skip_all => 'needs root' if $> != 0;

AgentHost::begin('stores');
image($_) for map { "f$_" } 1 .. 9;
$_->stop for $etcd, $redis;

FcfTest::Tls::certificates(server => '/O=server', client => '/O=client');
spew("$dir/$_->[0]", "$_->[1]\n") for ['etcd.pw', 'etcd-s3cret'],
    ['redis.pw', 'redis-s3cret'], ['wrong.pw', 'wr0ng-s3cret'];
chmod 0600, glob "$dir/*.pw $dir/*.key";

my $tls = free_port();
$etcd = FcfTest::Etcd->start(name => 'etcd-tls', args => [
    '--client-cert-auth', '--trusted-ca-file', "$dir/ca.crt",
    '--cert-file', "$dir/server.crt", '--key-file', "$dir/server.key"],
    also => ["https://127.0.0.1:$tls"]);
$etcd->auth('etcd-s3cret');
$redis = FcfTest::Redis->start(name => 'redis-pw', password => 'redis-s3cret',
    args => ['--unixsocket', "$dir/redis.sock"]);
my $replica = FcfTest::Redis->start(name => 'replica',
    password => 'redis-s3cret',
    args => ['--replicaof', '127.0.0.1', $redis->port]);
wait_for(sub { $replica->cli('ROLE')->[3] eq 'connected' }, 10,
    'the replica to be in step');

my %stores = (
    etcd => 'https://127.0.0.1:' . free_port() . " https://127.0.0.1:$tls",
    etcd_ca => "$dir/ca.crt", etcd_cert => "$dir/client.crt",
    etcd_key => "$dir/client.key", etcd_user => 'root',
    etcd_password_file => "$dir/etcd.pw",
    redis => $replica->addr . " unix:$dir/redis.sock",
    redis_password_file => "$dir/redis.pw", redis_db => 0);

my $agent = started('a', settings('a', %stores));
pass('it starts, with an endpoint and an address that are no use');

sub serves {
    my ($function, $what) = @_;
    job($function, "req-$function");
    my ($key, $i) = eval { instance($function, 20) };
    ok($key, $what) or return diag($@);
    is(call($function, $i->{proxy_port})->{status}, 200, "$what: and serves");
}

serves('f1', 'a job');
my ($held) = instances('f1');

$etcd->stop;
$etcd->start_again;
$etcd->call('/v3/kv/range', { key => FcfTest::Etcd::_b64('x') });
serves('f2', 'etcd has forgotten all tokens');
is((instances('f1'))[0], $held, 'what it had registered stays');

wait_for(sub { ($replica->cli('INFO', 'replication')
    =~ /slave_repl_offset:(\d+)/)[0] == ($redis->cli('INFO', 'replication')
    =~ /master_repl_offset:(\d+)/)[0] }, 10, 'the replica to be in step');
$redis->stop('KILL');
$replica->cli('REPLICAOF', 'NO', 'ONE');
($redis, my $old) = ($replica, $redis);
serves('f3', 'the replica became the master');

unlike(slurp($agent->log), qr/s3cret/, 'no password in its log');
$agent->stop;

# a wrong password
my $wrong = agent('b', settings('b', %stores,
    redis_password_file => "$dir/wrong.pw"));
$wrong->line_matching(qr/WRONGPASS/, 20);
my $count = sub { $redis->cli('INFO', 'errorstats')
    =~ /errorstat_WRONGPASS:count=(\d+)/ ? $1 : 0 };
my $from = $count->();
wait_for(sub { $count->() > $from + 4 }, 30, 'it to try again');
is(scalar(grep { /"msg":"redis .*WRONGPASS/ && !/"debug"/ }
    split /\n/, slurp($wrong->log)), 1,
    'a wrong password is said in one line');
unlike(slurp($wrong->log), qr/s3cret/, 'without it');
$wrong->stop;

done_testing();
