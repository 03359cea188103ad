# The Redis client through Redis' troubles, and the scripts.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use FcfTest;
use Probe;
use Test::More;


sub connected {
    my ($p, $timeout, $what) = @_;

    my $ok = eval { wait_for(sub { $p->stat->{connected} }, $timeout,
        'a connection') };
    ok($ok, $what // 'connected');
}


subtest 'redis comes and goes' => sub {
    my $port = free_port();
    my $p = Probe->new('--redis', "127.0.0.1:$port");

    like($p->ask('redis PING'), qr/^unavailable: .*refused/i,
        'down at the start: fails at once, with the reason');

    my $redis = FcfTest::Redis->start(port => $port);
    connected($p, 5, 'started: connected within the backoff');
    is($p->ask('redis PING'), 'ok PONG', 'and used');
    like($p->ask('redis NOSUCH'), qr/^refused: .*unknown command/,
        'an error reply is a refusal in its words');

    # killed with a command under way
    my $tag = $p->tell('block 20000 BLMOVE q t RIGHT LEFT 15');
    wait_for(sub { $redis->cli('INFO', 'clients') =~ /blocked_clients:1/ }, 5,
        'BLMOVE to block');
    $redis->stop('KILL');
    like($p->reply($tag, 5), qr/^unavailable: /,
        'killed: what was under way fails');
    $redis->start_again;
    connected($p, 5, 'started: connected again');
    is($p->stat->{redis_reconnects}, 1, 'and counted');

    # stopped in its tracks
    $redis->pause;
    my $from = now();
    like($p->ask('redis LPUSH q job'), qr/^timeout: /, 'SIGSTOP: timeout');
    cmp_ok(now() - $from, '<', 3, 'by our deadline');
    cmp_ok(now() - $from, '>=', 1.9, 'not before');
    $redis->resume;
    connected($p, 8, 'SIGCONT: connected again');
    is($p->ask('redis PING'), 'ok PONG', 'and used');
    is($redis->cli('LLEN', 'q'), 1, 'a lost answer means "maybe done"');

    # a blocking command has its own deadline
    $redis->cli('DEL', 'q');
    $tag = $p->tell('block 10000 BLMOVE q t RIGHT LEFT 8');
    wait_for(sub { $redis->cli('INFO', 'clients') =~ /blocked_clients:1/ }, 5,
        'BLMOVE to block');
    $redis->cli('LPUSH', 'q', 'late');
    is($p->reply($tag), 'ok late', 'BLMOVE waits and gets');
    is($p->ask('block 5000 BLMOVE q t RIGHT LEFT 1'), 'ok nil',
        'BLMOVE ends by itself');

    # scripts are gone after FLUSH: EVAL instead
    is($p->ask('script extend 1 pend r1 1000'), 'ok 0', 'by digest');
    $redis->cli('SCRIPT', 'FLUSH');
    is($p->ask('script extend 1 pend r1 1000'), 'ok 0', 'NOSCRIPT: by text');

    # freed with commands under way
    $tag = $p->tell('block 20000 BLMOVE q t RIGHT LEFT 15');
    $p->ask('free-redis');
    like($p->reply($tag, 5), qr/^canceled: /, 'freed: canceled');
    $p->quit;
    $redis->stop;
};


subtest 'which one is master' => sub {
    my $master = FcfTest::Redis->start(name => 'master');
    my $replica = FcfTest::Redis->start(name => 'replica', args =>
        ['--replicaof', '127.0.0.1', $master->port]);

    my $p = Probe->new('--redis', $replica->addr, '--redis', $master->addr);
    is($p->ask('redis SET a b'), 'ok OK', 'a command waits for the search');
    is($p->stat->{redis}, $master->addr, 'the master was found');

    # they change places
    $replica->cli('REPLICAOF', 'NO', 'ONE');
    $master->cli('REPLICAOF', '127.0.0.1', $replica->port);
    like($p->ask('redis SET a c'), qr/^unavailable: .*READONLY/,
        'the old master refuses');
    connected($p, 5);
    is($p->ask('redis SET a d'), 'ok OK', 'and the new one is found');
    is($p->stat->{redis}, $replica->addr, 'it is the other');
    $p->quit;
    $_->stop for $master, $replica;
};


subtest 'password, database, unix socket' => sub {
    my $path = tmpdir() . '/redis.sock';
    my $redis = FcfTest::Redis->start(name => 'auth',
        args => ['--unixsocket', $path]);
    $redis->cli('ACL', 'SETUSER', 'gate', 'on', '>secret', '~*', '+@all');

    my $p = Probe->new('--redis', "unix:$path", '--redis-user', 'gate',
        '--redis-password', 'secret', '--db', 3);
    is($p->ask('redis ACL WHOAMI'), 'ok gate', 'the user');
    $p->ask('redis SET here 1');
    is($redis->cli('EXISTS', 'here'), 0, 'not in database 0');
    $p->quit;

    $p = Probe->new('--redis', $redis->addr, '--redis-user', 'gate',
        '--redis-password', 'wrong');
    like($p->ask('redis PING'), qr/^auth: .*AUTH: .*WRONGPASS/,
        'a wrong password is named');
    $p->quit;
    $redis->stop;
};


subtest 'scripts' => sub {
    my $redis = FcfTest::Redis->start(name => 'scripts');
    my $p = Probe->new('--redis', $redis->addr);
    my ($q, $pend) = ('queue:vm_provision', '{queue:vm_provision}:pending:f');
    my ($taken, $dead, $nodes) = map { "{queue:vm_provision}:$_" }
        'taken:n1', 'dead', 'nodes';

    my $demand = '{queue:vm_provision}:demand:f';

    # gateway, waiting, concurrency, least, max, live
    my $ask = sub {
        my ($id, $job, @numbers) = @_;
        return "script ask 3 $pend $q $demand $id $job @numbers 60000 5000"
            . ' 0 , ,';
    };

    # many ask for one
    my @tags = map { $p->tell($ask->("req-$_", "job-$_", 'g', 0, 1, 1, 9, 0)) }
        1 .. 50;
    my @got = map { $p->reply($_) } @tags;
    is(scalar(grep { $_ eq 'ok 1' } @got), 1, '50 asks with wanted 1: one');
    is($redis->cli('LLEN', $q), 1, 'one job');
    is($redis->cli('ZCARD', $pend), 1, 'one pending');
    is($p->ask($ask->('r2', 'job-x', 'g', 0, 1, 2, 9, 1)), 'ok 0',
        'a live one counts');
    is($p->ask($ask->('r2', 'job-y', 'g', 0, 1, 2, 9, 0)), 'ok 1',
        'two wanted: one more');
    is_deeply($redis->cli('LRANGE', $q, 0, -1), ['job-y', 'job-1'],
        'pushed at the left');
    cmp_ok($redis->cli('PTTL', $pend), '>', 50000, 'the key ends by itself');

    # what is overdue is purged
    $redis->cli('DEL', $pend);
    $redis->cli('ZADD', $pend, 1, 'old');
    is($p->ask("script extend 1 $pend old 1000"), 'ok 0', 'overdue: gone');
    is($p->ask($ask->('new', 'job-z', 'g', 0, 1, 1, 9, 0)), 'ok 1',
        'overdue does not count');
    is_deeply($redis->cli('ZRANGE', $pend, 0, -1), ['new'], 'and is purged');

    # who waits is added up over gateways, for as long as each says so
    $redis->cli('DEL', $pend);
    $redis->cli('HSET', $demand, 'old', '9:1', 'bad', 'x', 'far',
        '9:99999999999999');
    my $n = 0;
    my $more = sub { my ($gateway, @numbers) = @_; ++$n;
        $p->ask($ask->("r-$n", "j-$n", $gateway, @numbers)) };
    my @asked = map { $more->('g1', 5, 2, 0, 9, 0) } 1 .. 4;
    is("@asked", 'ok 1 ok 1 ok 1 ok 0', 'five wait, two in each: three jobs');
    is_deeply($redis->cli('HKEYS', $demand), ['g1'],
        'what is overdue, or not ours, goes');
    is($more->('g2', 1, 2, 0, 9, 0), 'ok 0', 'one more has room in these');
    is($more->('g2', 2, 2, 0, 9, 0), 'ok 1', 'not two');
    is($more->('g1', 5, 2, 0, 9, 0), 'ok 0', 'the first has enough of them');
    is($more->('g1', 50, 2, 0, 5, 1), 'ok 0', 'never beyond max');
    is($more->('g1', 50, 2, 0, 6, 1), 'ok 1', 'up to it');
    is($more->('g1', 0, 2, 0, 9, 0), 'ok 0', 'nobody waits any more');
    is_deeply($redis->cli('HKEYS', $demand), ['g2'], 'which is told');
    $redis->cli('DEL', $pend);
    is($more->('g1', 7, 0, 0, 9, 3), 'ok 1', 'no limit: one job for all');
    is($more->('g2', 7, 0, 0, 9, 3), 'ok 0', 'of both');
    cmp_ok($redis->cli('PTTL', $demand), '<=', 5000, 'that key ends too');
    $redis->cli('DEL', $pend);
    is($p->ask($ask->('new', 'job-z', 'g', 0, 1, 1, 9, 0)), 'ok 1', 'as before');

    # extend and settle
    my $score = $redis->cli('ZSCORE', $pend, 'new');
    is($p->ask("script extend 1 $pend new 120000"), 'ok 1', 'extended');
    cmp_ok($redis->cli('ZSCORE', $pend, 'new'), '>', $score + 50000,
        'by so much');
    is($p->ask("script extend 1 $pend nobody 1000"), 'ok 0', 'unknown: no');
    is($redis->cli('ZSCORE', $pend, 'nobody'), undef, 'and not added');
    is($p->ask("script settle 1 $pend new 2000"), 'ok 1', 'settled');
    cmp_ok($redis->cli('ZSCORE', $pend, 'new'), '<', $score, 'for less');
    is($p->ask("script settle 1 $pend other 2000"), 'ok 1', 'unknown: added');
    is($p->ask("script settle 1 $pend $_ 0"), 'ok 1') for 'new', 'other';
    is($redis->cli('EXISTS', $pend), 0, 'settled with 0: removed');

    # settled with the revision of its instance: pending for who is behind
    my $seen = sub {
        my ($revision, $boots, $others, @numbers) = @_; ++$n;
        return $p->ask("script ask 3 $pend $q $demand r-$n j-$n @numbers"
            . " 60000 5000 $revision $boots $others");
    };
    $redis->cli('DEL', $pend, $demand);
    is($p->ask("script settle 1 $pend up 2000 70"), 'ok 1', 'with a revision');
    is_deeply($redis->cli('ZRANGE', $pend, 0, -1), ['up@70'], 'kept with it');
    is($seen->(69, ',', ',', 'g:1', 1, 1, 0, 1, 0), 'ok 0',
        'pending for who has not seen it');
    is($seen->(70, ',', ',', 'g:1', 1, 1, 0, 2, 1), 'ok 1',
        'not beside the instance that it has become');

    # boots that etcd knows of are under way, whatever became of their ids
    $redis->cli('FLUSHALL');
    is($seen->(0, 'b1,b2', ',', 'g:1', 2, 1, 0, 9, 0), 'ok 0',
        'two wait, two boot, after a loss');
    is($seen->(0, 'b1,b2', ',', 'g:1', 3, 1, 0, 9, 0), 'ok 1', 'three wait');
    is($seen->(0, 'b1,b2', ',', 'g:1', 9, 1, 0, 3, 0), 'ok 0', 'up to max');
    $redis->cli('DEL', $pend);
    $redis->cli('ZADD', $pend, $redis->cli('TIME')->[0] * 1000 + 50000, $_)
        for 'b1', 'b2';
    is($seen->(0, 'b1,b2', ',', 'g:1', 2, 1, 0, 9, 0), 'ok 0', 'counted once');
    is($seen->(0, 'b1,b2', ',', 'g:1', 3, 1, 0, 9, 0), 'ok 1', 'each');

    # those of another version do not serve this one, nor those who wait there
    $redis->cli('DEL', $pend, $demand);
    $redis->cli('ZADD', $pend, $redis->cli('TIME')->[0] * 1000 + 50000, 'b1');
    is($seen->(0, 'b1', ',', 'g:1', 1, 1, 0, 9, 0), 'ok 0', 'one boots');
    is($seen->(0, ',', 'b1', 'g:2', 1, 1, 0, 1, 0), 'ok 0', 'at max: no more');
    is($seen->(0, ',', 'b1', 'g:2', 1, 1, 0, 9, 0), 'ok 1',
        'another version: one for it');
    is($seen->(0, ',', 'b1', 'g:2', 1, 1, 0, 9, 0), 'ok 0',
        'and no more for who waits for the first');
    $redis->cli('DEL', $pend, $demand);

    # a dead node's jobs come back in order, and before the others
    $redis->cli('DEL', $q);
    $redis->cli('LPUSH', $q, 'j1', 'j2', 'j3');
    $redis->cli('SADD', $nodes, 'n1', 'n2');
    $redis->cli('LMOVE', $q, $taken, 'RIGHT', 'LEFT') for 1 .. 2;
    is($p->ask("script giveback 3 $taken $q $nodes n1"), 'ok 2', 'two given');
    is_deeply([map { $redis->cli('RPOP', $q) } 1 .. 3], ['j1', 'j2', 'j3'],
        'oldest first');
    is_deeply($redis->cli('SMEMBERS', $nodes), ['n2'], 'the node is forgotten');
    is($p->ask("script giveback 3 $taken $q $nodes n1"), 'ok 0', 'none left');

    # restore and bury
    $redis->cli('LPUSH', $taken, 'a', 'b');
    is($p->ask("script restore 2 $taken $q a a2"), 'ok 1', 'given back');
    is($p->ask("script restore 2 $taken $q a a2"), 'ok 0', 'once');
    is_deeply($redis->cli('LRANGE', $q, 0, -1), ['a2'], 'as changed');
    is($p->ask("script bury 2 $taken $dead b bad\"job 2"), 'ok 1', 'buried');
    is($redis->cli('EXISTS', $taken), 0, 'nothing taken any more');
    is_deeply(json_decode($redis->cli('LINDEX', $dead, 0)),
        { reason => 'bad"job', job => 'b' }, 'with the reason');
    $p->ask("script bury 2 $taken $dead x$_ why 2") for 1 .. 3;
    is($redis->cli('LLEN', $dead), 2, 'bounded');
    $p->quit;
    $redis->stop;
};

done_testing();
