# Several Redis addresses: the one that is master and serves is used, also when
# that becomes another one; replicas are real.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib", "$FindBin::Bin/lib";
use FcfTest;
use Probe;
use Test::More;

my $n = 0;


sub redis { FcfTest::Redis->start(name => 'redis' . ++$n, @_) }

sub replica_of {
    my ($master, @more) = @_;
    my $r = redis(password => $master->{password}, @more,
        args => ['--replicaof', '127.0.0.1', $master->port]);
    wait_for(sub { $r->cli('ROLE')->[3] eq 'connected' }, 10,
        'the replica to have all');
    return $r;
}

sub both { map { ('--redis', $_->addr) } @_ }

sub becomes {
    my ($p, $redis, $what) = @_;
    ok(eval { wait_for(sub {
        my $stat = $p->stat;
        $stat->{connected} && $stat->{redis} eq $redis->addr;
    }, 10, $what) }, $what) or diag($p->proc->output);
}

# of its standard error, which is one with what it prints
sub logged {
    my ($p, $re) = @_;
    return grep { $_ =~ $re } split /\n/, slurp($p->proc->log);
}


subtest 'the master dies, its replica is promoted' => sub {
    my $master = redis(password => 'pass-word');
    my $replica = replica_of($master);
    my $p = Probe->new(both($replica, $master), '--redis-password',
        'pass#word');
    like($p->ask('redis PING'), qr/WRONGPASS.*; .*WRONGPASS/,
        'a wrong password: what each of them says');
    $p->quit;
    $master->stop;
    $replica->stop;

    $master = redis(password => 'pass-word');
    $replica = replica_of($master);
    $p = Probe->new(both($replica, $master), '--redis-password', 'pass-word');
    becomes($p, $master, 'not the replica that is named first');

    my $tag = $p->tell('block 60000 BLMOVE q t RIGHT LEFT 50');
    wait_for(sub { $master->cli('INFO', 'clients') =~ /blocked_clients:1/ }, 5,
        'BLMOVE to block');
    $master->stop('KILL');
    like($p->reply($tag), qr/^unavailable: /, 'what waited there fails');
    like($p->ask('redis PING'), qr/^unavailable: .*is a slave, not the master/,
        'no master: said of the replica');
    $replica->cli('REPLICAOF', 'NO', 'ONE');
    becomes($p, $replica, 'promoted: used');
    is($p->ask('redis LPUSH q job'), 'ok 1', 'and takes commands');

    $master->start_again;
    $master->cli('REPLICAOF', '127.0.0.1', $replica->port);
    is($p->ask('redis LPUSH q job'), 'ok 2', 'the old one comes as replica');
    is($p->stat->{redis}, $replica->addr, 'and is left alone');
    $p->quit;
    $_->stop for $master, $replica;
};


subtest 'they change places' => sub {
    my $master = redis();
    my $replica = replica_of($master);
    my $p = Probe->new(both($master, $replica));
    my ($pend, $demand) = map { "{queue:vm_provision}:$_:f" }
        qw(pending demand);
    # so many wait, for instances that take one at once
    my $ask = "script ask 3 $pend queue:vm_provision $demand "
        . 'req-%d job-%d gateway %d 1 0 10 0 60000 60000 0 , ,';
    is($p->ask(sprintf $ask, 1, 1, 1), 'ok 1', 'asked at the first');
    wait_for(sub { $replica->cli('LLEN', 'queue:vm_provision') }, 5,
        'the job to be copied');

    my $change = sub {
        my ($old, $new) = @_;
        $new->cli('REPLICAOF', 'NO', 'ONE');
        $old->cli('REPLICAOF', '127.0.0.1', $new->port);
    };
    $change->($master, $replica);
    is($p->ask(sprintf $ask, 2, 2, 2), 'ok 1',
        'a script that the old master refuses is run by the new one');
    is($replica->cli('LLEN', 'queue:vm_provision'), 2, 'once');
    becomes($p, $replica, 'which is used from then on');

    my $tag = $p->tell('block 60000 BLMOVE none t RIGHT LEFT 50');
    wait_for(sub { $replica->cli('INFO', 'clients') =~ /blocked_clients:1/ },
        5, 'BLMOVE to block');
    wait_for(sub { $master->cli('ROLE')->[3] eq 'connected' }, 10, 'in step');
    $change->($replica, $master);
    like($p->reply($tag), qr/^unavailable: .*UNBLOCKED/,
        'what was blocked at the old master fails');
    becomes($p, $master, 'and goes on at the new one');
    is($p->ask('redis SET a b'), 'ok OK', 'which takes it');
    $p->quit;
    $_->stop for $master, $replica;
};


subtest 'one that loads its data' => sub {
    my $redis = redis(persist => 1, loading => 1);
    $redis->cli('MSET', map { ("key$_" => 'x' x 100) } $_ * 50 .. $_ * 50 + 49)
        for 1 .. 40;
    $redis->cli('BGREWRITEAOF');
    wait_for(sub { (glob "$redis->{dir}/appendonlydir/*.2.base.rdb")[0] }, 10,
        'it to be written anew');
    $redis->stop;
    $redis->{args} = ['--key-load-delay', 5000,
        '--loading-process-events-interval-bytes', 1024];
    $redis->start_again;
    my $p = Probe->new(both($redis));
    like($p->ask('redis GET key60'), qr/^unavailable: .*LOADING/,
        'is not taken for one that serves');
    is($p->stat->{connected}, 0, 'though its ROLE is master');
    $redis->stop('KILL');
    $redis->{args} = [];
    $redis->start_again;
    becomes($p, $redis, 'it is once it has loaded');
    like($p->ask('redis GET key60'), qr/^ok x+$/, 'with its data');
    $p->quit;
    $redis->stop;
};


subtest 'the master is silent' => sub {
    my $master = redis();
    my $replica = replica_of($master);
    my $p = Probe->new('--redis', $master->addr, '--redis', $replica->addr);
    becomes($p, $master, 'the master');
    $master->pause;
    like($p->ask('redis PING'), qr/^timeout: /, 'stopped: nothing in time');
    $replica->cli('REPLICAOF', 'NO', 'ONE');
    becomes($p, $replica, 'the promoted one is used');
    $p->quit;
    $master->resume;
    $_->stop for $master, $replica;
};


subtest 'unix sockets' => sub {
    my @path = map { tmpdir() . "/r$_.sock" } 1, 2;
    my $master = redis(args => ['--unixsocket', $path[0]]);
    my $replica = redis(args => ['--unixsocket', $path[1], '--replicaof',
        '127.0.0.1', $master->port]);
    my $p = Probe->new('--redis', "unix:$path[1]", '--redis', "unix:$path[0]",
        '--redis', 'unix:' . tmpdir() . '/none');
    is($p->ask('redis SET a b'), 'ok OK', 'the master is found');
    is($p->stat->{redis}, "unix:$path[0]", 'by its path');
    $p->quit;
    $_->stop for $master, $replica;
};


subtest 'what is said' => sub {
    my $redis = redis(password => 'right');
    my $p = Probe->new(both($redis), '--redis-password', 'wr0ng-secret');
    like($p->ask('redis PING'), qr/^auth: .*AUTH: WRONGPASS/,
        'a wrong password');

    # some rounds more
    my $tries = sub { $redis->cli('INFO', 'stats')
        =~ /total_connections_received:(\d+)/ ? $1 : die 'no count' };
    my $from = $tries->();
    wait_for(sub { $tries->() > $from + 3 }, 15, 'it to be tried again');
    is(scalar(logged($p, qr/WRONGPASS/)), 1, 'is said once');
    is(scalar(logged($p, qr/wr0ng-secret/)), 0, 'and not shown');

    $redis->cli('CONFIG', 'SET', 'requirepass', 'wr0ng-secret');
    $redis->{password} = 'wr0ng-secret';
    becomes($p, $redis, 'put right: connected');
    $p->quit;

    $redis->cli('ACL', 'SETUSER', 'few', 'on', '>x', '~*', '-@all', '+ping');
    $p = Probe->new(both($redis), '--redis-user', 'few', '--redis-password',
        'x');
    like($p->ask('redis PING'), qr/^unavailable: .*ROLE: NOPERM/,
        'a right that is missing is named');
    $p->quit;
    $redis->stop;
};

done_testing();
