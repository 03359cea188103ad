# Which jobs are asked for, besides those of who waits.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Socket::INET;
use Test::More;

my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '20s',
    server => <<'EOC');
    location ~ ^/any/(?<function_id>[^/]+) {
        fcfaas $function_id;
        fcfaas_declared off;
        fcfaas_cpu 2;
        fcfaas_memory 256;
        proxy_pass http://functions$fcfaas_uri;
    }
EOC

# min_instances, without a request
$g->spec('always', min_instances => 2);
my @jobs = map { $g->redis->take_job(5) } 1, 2;
is(join(' ', map { $_->{function_id} // 'none' } @jobs), 'always always',
    'two of min_instances are asked for');
wait_for(sub { $g->status->{jobs}{not_needed} >= 2 }, 10,
    'being told that no more are needed');
is(scalar $g->redis->jobs, 0, 'and no third');

$g->instance('always', worker => "n1-$_") for 1, 2;
$g->wait_known('instances', 2);
$g->redis->cli('DEL', '{queue:vm_provision}:pending:always');
$g->etcd->lose_instance('always', 'n1-2');
my $job = $g->redis->take_job(5);
is($job && $job->{function_id}, 'always', 'one that vanished is replaced');
$g->etcd->del('/specs/always');
$g->etcd->no_instance('always', 'n1-1');
$g->wait_known('specs', 0);

# a version without an instance
$g->spec('new', version => 1);
$g->instance('new', worker => 'n1-3', version => 1);
$g->wait_known('instances', 1);
$g->redis->cli('FLUSHALL');
$g->ready('new');
is(scalar $g->redis->jobs, 0, 'warm: nobody is asked');
$g->etcd->spec('new', version => 2);
wait_for(sub { $g->get('/run/new')->{status} == 200 && $g->redis->jobs }, 5,
    'a job for the new version');
is($g->get('/run/new')->{status}, 200, 'the old one serves on');
($job) = $g->redis->jobs;
is($job->{version}, 2, 'the job is for the new one');
is(scalar $g->redis->jobs, 1, 'one job');

# the same where the first answer is "not needed", for a boot of the old one
# that is still pending, and nobody calls any more
$g->redis->cli('ZADD', '{queue:vm_provision}:pending:new',
    1000 * (time + 60), 'req-old');
$g->redis->cli('DEL', 'queue:vm_provision');
my $revision = $g->etcd->spec('new', version => 3);
wait_for(sub {
    !grep { $_->{etcd}{revision} < $revision } @{ $g->status->{workers} }
}, 10, 'version 3 to be known');
my $denied = $g->status->{jobs}{not_needed};
wait_for(sub { $g->status->{jobs}{not_needed} > $denied }, 10,
    'being told that there is no need');
is(scalar $g->redis->jobs, 0, 'a boot is pending: no job');
$g->redis->cli('DEL', '{queue:vm_provision}:pending:new');
$job = $g->redis->take_job(10);
is($job && "$job->{function_id} $job->{version}", 'new 3',
    'once it is not, one for the new version, though nobody calls');

# not declared: what the location says, before and after a reload
$g->redis->cli('DEL', 'queue:vm_provision');
my $q = $g->send('/any/surprise');
$job = $g->redis->take_job(5);
is("$job->{function_id} $job->{cpu} $job->{memory_mb}", 'surprise 2 256',
    'undeclared: CPU and memory of the location');
$g->instance('surprise', worker => 'n1-4');
is($q->response(5)->{status}, 200, 'undeclared: served');

$g->nginx->reload;
$g->wait_known('instances', 2);
$g->instance('surprise', worker => 'n1-4', state => 'draining');
$g->redis->cli('DEL', '{queue:vm_provision}:pending:surprise');
# served until that is known
wait_for(sub {
    $q = $g->send('/any/surprise');
    wait_for(sub { $q->answered || $g->parked }, 5, 'it to end or to wait');
    !$q->answered;
}, 10, 'the draining to be known');
wait_for(sub { $job = $g->redis->take_job(1);
    $job && $job->{function_id} eq 'surprise' }, 10, 'its job');
is("$job->{cpu} $job->{memory_mb}", '2 256', 'and after a reload');
$g->instance('surprise', worker => 'n1-4');
is($q->response(5)->{status}, 200, 'undeclared: served again');

# a function that is removed while a request is inside its instance
$g->redis->cli('FLUSHALL');
my $mute = IO::Socket::INET->new(Listen => 8, LocalAddr => '127.0.0.1');
$g->spec('going');
$g->etcd->instance('going', worker => 'n1-5', port => $mute->sockport);
$g->wait_known('instances', 3);
$q = $g->send('/run/going');
$mute->timeout(5);
my $inside = $mute->accept;
ok($inside, 'a request is inside');
$g->etcd->del('/specs/going');
$g->wait_known('specs', 1);
close $mute;
$g->etcd->lose_instance('going', 'n1-5');
is($q->response(5)->{status}, 404, 'removed under a request: 404');
is(scalar(grep { $_->{function_id} eq 'going' } $g->redis->jobs), 0,
    'and nobody is asked for a new one');

$g->stop;
done_testing;
