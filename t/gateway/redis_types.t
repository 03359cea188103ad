# Keys in Redis that hold something else than they should: what is ours is put
# right, the queue is not ours and its trouble told at once, in all workers.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $g = FcfTest::Gateway->start(workers => 4, park_timeout => '60s');
my $redis = $g->redis;
my ($queue, $n) = ('queue:vm_provision', 0);

my %make = (
    string => sub { $redis->cli('SET', $_[0], 'x') },
    list   => sub { $redis->cli('LPUSH', $_[0], 'x') },
    set    => sub { $redis->cli('SADD', $_[0], 'x') },
    hash   => sub { $redis->cli('HSET', $_[0], 'x', 'y') },
    zset   => sub { $redis->cli('ZADD', $_[0], 'inf', 'x', '-inf', 'y', 1e300,
        'z', 17, "a\@b\@3") },
    stream => sub { $redis->cli('XADD', $_[0], '*', 'a', 'b') },
);

sub cold_starts {
    my ($id, $what) = @_;
    my $q = $g->send("/run/$id");
    my $job;
    wait_for(sub { $job = $redis->take_job(1);
        $job && $job->{function_id} eq $id }, 10, "$what: a job");
    $g->instance($id, worker => $id);
    is($q->response(20)->{status}, 200, "$what: started");
    $g->etcd->no_instance($id, $id);
}

for my $type (sort keys %make) {
    for my $key (qw(pending demand)) {
        my $id = 'f' . ++$n;
        $g->spec($id);
        $make{$type}->("{queue:vm_provision}:$key:$id");
        cold_starts($id, "$key is a $type");
    }
}

# of the right type, with whatever in it
my $id = 'f' . ++$n;
$g->spec($id);
my $demand = "{queue:vm_provision}:demand:$id";
$redis->cli('HSET', $demand, '', '', 'a:1', '1:', 'b:1', ':1', 'c:1',
    '9' x 400 . ':' . '9' x 400, 'd:1', "\0\xff", 'e:1', '-1:1', 'f:1',
    '1e9:1e30', 'g', '5:' . 1e3 * (time + 60));
my $pending = "{queue:vm_provision}:pending:$id";
$redis->cli('ZADD', $pending, 1e3 * (time + 60), $_)
    for '@0', '@', "x\@" . '9' x 400, "\0\xff\@0";
my $q = $g->send("/run/$id");
wait_for(sub { $g->status->{jobs}{not_needed} || $redis->jobs }, 10,
    'an answer of the script');
$redis->cli('DEL', $pending);
cold_starts($id, 'garbage in demand and pending');
is($q->response(20)->{status}, 200, 'for both');

# the queue's: all are told, wherever they wait, and it is well again after
for my $type (sort grep { $_ ne 'list' } keys %make) {
    my $id = 'f' . ++$n;
    $g->spec($id);
    $redis->cli('DEL', $queue);
    $make{$type}->($queue);
    my @q = map { $g->send("/run/$id") } 1 .. 12;
    my @r = map { $_->response(10) } @q;
    is(scalar(grep { $_->{status} == 503
        && $_->{headers}{'x-fcfaas-error'} eq 'redis_unavailable' } @r), 12,
        "the queue is a $type: all are told why");
    is($redis->cli('TYPE', $queue), $type, 'it is left as it is');
    is($redis->cli('EXISTS', "{queue:vm_provision}:pending:$id"), 0,
        'nothing is pending');
    $redis->cli('DEL', $queue);
    cold_starts($id, 'well again');
}

# whatever else it refuses: told as that, not as a Redis that is away
my %refuse = (
    'no replicas'    => [[qw(CONFIG SET min-replicas-to-write 3)]],
    'no rights'      => [[qw(ACL SETUSER default -lpush)]],
    'a new password' => [[qw(CONFIG SET requirepass new)],
        [qw(CLIENT KILL TYPE normal)]],
);
my %again = (
    'no replicas'    => [qw(CONFIG SET min-replicas-to-write 0)],
    'no rights'      => [qw(ACL SETUSER default +lpush)],
    'a new password' => ['CONFIG', 'SET', 'requirepass', ''],
);

for my $what (sort keys %refuse) {
    my $id = 'f' . ++$n;
    my $killed = @{ $refuse{$what} } > 1;
    my %before = map { $_->{pid} => $_->{redis}{reconnects} }
        @{ $g->status->{workers} };
    $g->spec($id);
    $redis->cli(@$_) for @{ $refuse{$what} };
    my $r = $g->get("/run/$id", timeout => 20);
    is($r->{status}, 503, "$what: refused");
    like($r->{body}, qr/"redis_unavailable","message":"[^"]*Redis refuses/,
        "$what: not away");
    $redis->cli(@{ $again{$what} });

    # "connected" is of a worker's last tick, a second ago at most: it may
    # still be the connection that was killed since
    wait_for(sub { !grep { !$_->{redis}{connected} || ($killed
            && $_->{redis}{reconnects} == $before{$_->{pid}}) }
        @{ $g->status->{workers} } }, 10, 'the workers to be connected');
    cold_starts($id, "$what: well again");
}

$g->nginx->expect_complaint(qr/cannot ask for instances: .*WRONGTYPE/);
$g->stop;
done_testing;
