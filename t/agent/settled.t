#!/usr/bin/perl

# What becomes of a job in "pending" once its instance is in etcd: it stays
# for those who have not seen the revision of that put.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

AgentHost::begin('settled');
image('hello');

my $agent = started('a', settings('a'));
# whatever Redis is told, as long as it is
$redis->cli('CONFIG', 'SET', 'slowlog-max-len', 10000);
$redis->cli('CONFIG', 'SET', 'slowlog-log-slower-than', 0);

$etcd->spec('hello');
our_job('hello', 'req-hello', 1);
my ($key) = instance('hello');
my $revision = json_decode($etcd->ctl('get', '-w', 'json', $key))
    ->{kvs}[0]{mod_revision};
ok($revision, "its instance is there since revision $revision");

wait_for(sub { grep { "@{ $_->[3] }" =~ / req-hello 2000 \Q$revision\E$/ }
    @{ $redis->cli('SLOWLOG', 'GET', 10000) } }, 10,
    'its job to be settled with that revision');
pass('its job is settled with that revision');

ok($agent->stop, 'it ends');
done_testing();
