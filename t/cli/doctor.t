# fcfaas doctor: a healthy system is told as that, and whatever is wrong by
# name, with its remedy.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use POSIX ();
use Test::More;

my $s = FcfTest::System->start(vmm => 'instant')->up(180);
my $etcd = $s->etcd;
my $cli = $s->cli;

# what it finds: status, and findings of a kind by "part name"
sub doctor {
    my (@args) = @_;
    my $r = $cli->run('doctor', '--json', @args);
    my %said = (status => $r->{status}, ok => {}, note => {}, wrong => {});

    for (@{ FcfTest::json_decode($r->{out}) }) {
        push @{ $said{$_->{finding}}{"$_->{part} $_->{name}"} },
            "$_->{says}: $_->{remedy}";
    }
    return \%said;
}

sub finds {
    my ($what, $how, $name, $re, $said) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok((grep { $_ =~ $re } @{ $said->{$how}{$name} // [] }),
        "$what: $how of $name") or diag(explain($said));
    is($said->{status}, 1, "$what: status") if $how eq 'wrong';
}

# an agent's admin listener, as far as it is asked
sub admin {
    my ($ahead, $status) = @_;

    return FcfTest::Peer->start(sub { { status => $status, body => '[]',
        headers => [POSIX::strftime('Date: %a, %d %b %Y %H:%M:%S GMT',
            gmtime(time + $ahead))] } })->address;
}

my $lease = $etcd->lease(600);

sub node {
    my ($id, %more) = @_;

    $etcd->put("/workers/$id", { address => '10.0.0.1', admin => '', cpu => 8,
        cpu_free => 8, memory_mb => 1000, memory_mb_free => 1000, vms => 0,
        agent_version => '0.1.0', state => 'ready', %more }, $lease);
}


# healthy
my $r = $cli->run('doctor');
is($r->{status}, 0, 'a healthy system') or diag($r->{out}, $r->{err});
is($r->{err}, "fcfaas: nothing is wrong\n", 'is told as that');
cmp_ok($r->{out} =~ tr/\n//, '<', 24, 'in one screen');
like($r->{out}, qr/^ok +$_ /m, "its $_")
    for qw(fcfaas etcd redis gateway node functions);
unlike($r->{out}, qr/^(?:WRONG|note)/m, 'and nothing else');


# what does not answer
my $nowhere = 'http://127.0.0.1:1';

my $said = doctor('--etcd', $nowhere);
finds('etcd is down', 'wrong', "etcd $nowhere",
    qr/^does not answer: .*setting etcd/, $said);
ok(!$said->{ok}{'functions -'}, 'what it would say is not guessed');

finds('one endpoint of two', 'wrong', "etcd $nowhere", qr/does not answer/,
    doctor('--etcd', $etcd->endpoint . " $nowhere"));
finds('Redis is down', 'wrong', 'redis 127.0.0.1:1',
    qr/^does not answer: .*setting redis/, doctor('--redis', '127.0.0.1:1'));
finds('the gateway is down', 'wrong', "gateway $nowhere/run",
    qr/^does not answer: .*setting gateway/,
    doctor('--gateway', "$nowhere/run"));

my $other = $s->url('/elsewhere');
finds('no gateway there', 'wrong', "gateway $other",
    qr/no function can be called there: status 404/,
    doctor('--gateway', $other));

# certificates
sub gateway {
    my ($whose, $s) = @_;
    my $status = FcfTest::json_encode({ workers => [], refused_certificate => {
        whose => $whose, node => 'n-1', address => '10.0.0.5:30000',
        why => 'certificate has expired', age_ms => $s * 1000 } });

    return FcfTest::Peer->start(sub { { body => $_[0] eq '/fcfaas/status'
        ? $status : '{"error":"bad_name"}' } })->url . '/run';
}

finds('a node\'s certificate', 'note', 'node n-1', 
    qr/^its certificate was refused 599 s ago, by the gateway, 10\.0\.0\.5:30000: /,
    doctor('--gateway', gateway('node', 599)));
my $gateway = gateway('gateway', 1);
finds('a gateway\'s certificate', 'wrong', "gateway $gateway",
    qr/was refused 1 s ago, by node n-1, .*has expired: fcfaas-setup renew/,
    doctor('--gateway', $gateway));
is_deeply([sort keys %{ doctor('--gateway', gateway('node', 601))->{note} }],
    [], 'one that was refused long ago is not told');


finds('another prefix', 'wrong', 'nodes -', qr/there is none.*fcfaas-agent/,
    doctor('--prefix', '/other'));


# nodes
node('old', agent_version => '0.0.9');
node('new', agent_version => '0.2.0');
node('full', cpu_free => 0, vms => 8);
node('ill', state => 'ill', reason => 'no disk');
node('drains', state => 'draining');
node('gone', admin => '127.0.0.1:1');
node('early', admin => admin(-30, '200 OK'));
node('late', admin => admin(30, '200 OK'));
node('odd', admin => admin(0, '500 Oops'));
node('locked', admin => admin(0, '401 Unauthorized'));
$etcd->put('/workers/stale', { address => '10.0.0.1', cpu => 8, cpu_free => 8,
    memory_mb => 1000, memory_mb_free => 1000 });
$etcd->put('/workers/garbage', '[', $lease);

$said = doctor();
finds('an older agent', 'note', 'node old', qr/version 0\.0\.9.*upgrade it/,
    $said);
finds('a newer one', 'note', 'node new', qr/upgrade this command/, $said);
finds('a full node', 'note', 'node full', qr/is full: 8 VMs.*fcfaas scale/,
    $said);
finds('one that drains', 'note', 'node drains', qr/drains.*resume/, $said);
finds('without a listener', 'note', 'node old', qr/no admin listener/, $said);
finds('an ill one', 'wrong', 'node ill', qr/is ill.*no disk.*--check/, $said);
finds('one that is gone', 'wrong', 'node gone',
    qr/does not answer: .*10 s/, $said);
finds('a clock behind', 'wrong', 'node early', qr/(?:29|3[0-3]) s behind/,
    $said);
finds('a clock ahead', 'wrong', 'node late', qr/(?:2[6-9]|3[01]) s ahead.*chrony/,
    $said);
finds('an odd answer', 'wrong', 'node odd', qr/status 500/, $said);
finds('another token', 'wrong', 'node locked',
    qr/refuses us.*admin_token_file/, $said);
finds('a key for ever', 'wrong', 'node stale',
    qr{under no lease.*etcdctl del /workers/stale}, $said);
finds('garbage', 'wrong', 'node garbage', qr/not valid/, $said);
ok(!$said->{wrong}{'nodes -'}, 'there is room on others');

$etcd->del("/workers/$_") for qw(ill gone early late odd locked
    stale garbage);
is(doctor()->{status}, 0, 'notes alone are nothing wrong');

$etcd->put('/other/workers/full', { address => '10.0.0.1', cpu => 8,
    cpu_free => 0, memory_mb => 1000, memory_mb_free => 1000 }, $lease);
finds('no room anywhere', 'wrong', 'nodes -', qr/none has room/,
    doctor('--prefix', '/other'));


# the alarm is the cluster's, whichever endpoint answers
my %alarm = (memberID => '0', alarm => 'NOSPACE');
$etcd->call('/v3/maintenance/alarm', { action => 'ACTIVATE', %alarm });
finds('a full etcd', 'wrong', 'etcd ' . $etcd->endpoint,
    qr/alarm NOSPACE: it takes no writes: etcdctl/,
    doctor('--etcd', "$nowhere " . $etcd->endpoint));
$etcd->call('/v3/maintenance/alarm', { action => 'DEACTIVATE', %alarm });


# functions
$etcd->put('/specs/lost', { version => 3, code => { sha256 => 'ab' x 32,
    size => 1 } });
my $store = $s->url('/fcfaas/store');
$etcd->put('/specs/none', { version => 4, code => { sha256 => 'cd' x 32,
    size => 1, where => [$store] } });
$etcd->put('/specs/bad', '{"memory_mb":"x"}');
$etcd->put('/specs/runs', { version => 5, runtime_image => {
    sha256 => 'ef' x 32, size => 1, where => [$store] } });
$etcd->put('/functions/lost/slots/0', { worker_id => 'n-1', version => 3 });
$etcd->put('/functions/bad/failures/req-1', { error => 'boot_failed',
    message => 'no such luck', node_id => 'n', version => 1 }, $lease);

$said = doctor();
finds('a missing image', 'wrong', 'function lost',
    qr/image of version 3 is not there: .*abab\.img.*deploy.*rollback/, $said);
finds('one that no store has', 'wrong', 'function none',
    qr/image of version 4 is not there: \Q$store\E:/, $said);
finds('a spec that is none', 'wrong', 'function bad',
    qr/not valid.*memory_mb/, $said);
finds('a runtime that no store has', 'wrong', 'function runs',
    qr/image of the runtime base of version 5 is not there: \Q$store\E:/, $said);
finds('a slot for ever', 'wrong', 'function lost',
    qr{/functions/lost/slots/0 is under no lease.*etcdctl del}, $said);
finds('a failure', 'note', 'function bad',
    qr/did not start on n .*boot_failed: no such luck/, $said);
$etcd->del('/specs/runs');

# runtimes
$etcd->put('/runtimes/base', { sha256 => 'ab' x 32, size => 1,
    where => [$store] });
$etcd->put('/runtimes/none', '{}');
$said = doctor();
finds('one that is pushed, and gone', 'wrong', 'runtime base',
    qr/its image is not there: \Q$store\E: fcfaas runtime push$/, $said);
finds('another one here', 'note', 'runtime base',
    qr/base\.img is another, \w{12}\.\.\., than what is pushed, (?:ab){6}\.\.\./,
    $said);
finds('one that is none', 'wrong', 'runtime none',
    qr/is not valid, .*sha256: missing/, $said);
$etcd->del("/runtimes/$_") for qw(base none);
$cli->ok('runtime', 'push', 'base');
ok(!grep { /^runtime/ } map { keys %{ $said->{$_} } } qw(note wrong),
    'a good one') if $said = doctor();
$cli->ok('runtime', 'rm', 'base');


# Redis
my $queue = '127.0.0.1:' . $s->redis->port;
$s->redis->cli('LPUSH', '{queue:vm_provision}:dead', 'x');
finds('dead jobs', 'note', "redis $queue", qr/1 jobs.*LRANGE/,
    doctor());
$s->redis->cli('DEL', '{queue:vm_provision}:dead');
$s->redis->cli('SET', '{queue:vm_provision}:dead', 'x');
finds('a key of another type', 'wrong', "redis $queue",
    qr/cannot be used: .*WRONGTYPE/, doctor());
$s->redis->cli('DEL', '{queue:vm_provision}:dead');

# nobody else is to be refused meanwhile
my $redis = FcfTest::Redis->start;
$redis->cli('CONFIG', 'SET', 'requirepass', 'right');
my $address = '127.0.0.1:' . $redis->port;

finds('no password', 'wrong', "redis $address",
    qr/refuses us: .*redis_password_file/, doctor('--redis', $address));
finds('a wrong one', 'wrong', "redis $address",
    qr/refuses us: .*redis_password_file/, doctor('--redis', $address,
    '--redis-password-file', do { spew(tmpdir() . '/p', "wrong\n", 0600);
    tmpdir() . '/p' }));

done_testing;
