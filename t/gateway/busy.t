# Instances that are full or in doubt: who waits keeps its place, and nothing
# turns in circles meanwhile.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Socket::INET;
use Test::More;

my $slow = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 5,
    LocalPort => free_port(), Proto => 'tcp') or die "listen: $!";
my $slow_port = $slow->sockport;
my $flag = tmpdir() . '/flag';

my $g = FcfTest::Gateway->start(park_timeout => '30s', agent => <<"EOC");
    location ~ ^/(busy|gone)/ {
        if (-f $flag) {
            add_header X-Fcfaas-Unsent \$1 always;
            return 503;
        }

        return 200 "\$request_uri\\n";
    }

    location /slow/ {
        if (-f $flag) {
            add_header X-Fcfaas-Unsent gone always;
            return 503;
        }

        proxy_pass http://127.0.0.1:$slow_port;
    }
EOC

# first come, first served, over many attempts
$g->spec('one', concurrency => 1);
$g->instance('one', concurrency => 1);
$g->wait_known('instances', 1);
spew($flag, '');

my @q;

for my $n (1 .. 5) {
    push @q, $g->send("/run/one/busy/$n");
    wait_for(sub { $g->status->{outcomes}{passed} + $g->parked >= $n }, 5,
        "request $n");
}

wait_for(sub { $g->status->{balancer}{unsent} >= 8 }, 20,
    'eight answers of "busy"');
unlink $flag;
is(scalar(grep { $_->response(10)->{status} == 200 } @q), 5, 'all are served');

my $served = qr{GET /busy/(\d+) HTTP/1\.\d" 200};
my @order = map { $_ =~ $served } $g->agent->served($served, 5);
is_deeply(\@order, [1 .. 5], 'in the order in which they came');

# while one request tries an instance that is in doubt
$g->spec('two');
$g->instance('two', worker => 'n1-2');
$g->wait_known('instances', 2);
spew($flag, '');
my $probe = $g->send('/run/two/slow/');
wait_for(sub { $g->status->{balancer}{unsent} >= 10 }, 20, 'doubt');
unlink $flag;
my $c = $slow->accept or die "accept: $!";
my $other = $g->send('/run/two/busy/');
$g->wait_parked(1);

my ($pid) = $g->nginx->workers;

sub switches {
    my $status = slurp("/proc/$pid/status");
    my ($n) = $status =~ /^voluntary_ctxt_switches:\s+(\d+)/m;
    return $n;
}

# a second of it: nothing to wait for but the time
my $before = switches();
select undef, undef, undef, 1;
cmp_ok(switches() - $before, '<', 300, 'the worker sleeps meanwhile');

print $c "HTTP/1.0 200 OK\r\n\r\n";
close $c;
is($_->response(5)->{status}, 200, 'both are served') for $probe, $other;

# no room for another instance: that is not asked in a circle
$g->spec('three', concurrency => 1);
$g->instance('three', worker => 'n1-3', concurrency => 1);
$g->wait_known('instances', 3);
my $held = $g->send('/run/three/slow/');
$c = $slow->accept or die "accept: $!";
$g->redis->cli('DEL', 'queue:vm_provision');
my $waits = $g->send('/run/three/busy/');
my $end = now() + 4;
my $jobs = 0;

while ((my $left = $end - now()) > 0) {
    my $job = $g->redis->take_job($left) or last;
    next if $job->{function_id} ne 'three';

    $jobs++;
    $g->redis->cli('ZREM', '{queue:vm_provision}:pending:three',
        $job->{request_id});
    $g->etcd->failure('three', $job->{request_id}, error => 'no_capacity',
        message => 'no node has room');
}

cmp_ok($jobs, '>=', 2, 'asked again');
cmp_ok($jobs, '<=', 5, 'once in a while only');
print $c "HTTP/1.0 200 OK\r\n\r\n";
close $c;
is($_->response(5)->{status}, 200, 'both are served') for $held, $waits;

$g->stop;
done_testing;
