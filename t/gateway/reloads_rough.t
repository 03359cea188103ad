# Reloads that nobody would wish for, under load: one behind the other, while
# workers have half a list, over a configuration that is none, and with a worker
# killed in the middle of its list.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $dir = tmpdir() . '/state';
mkdir $dir;
chmod 0777, $dir;

# etcd behind a port that holds back what a test wants to be late
my $port = free_port();
my $g = FcfTest::Gateway->start(workers => 2, park_timeout => '60s',
    etcd_url => "http://127.0.0.1:$port",
    http => 'keepalive_requests 1000000;'
        . "fcfaas_state_file $dir/registry interval=1s;");
my $etcd = FcfTest::Forward->start(to => $g->etcd->port, port => $port);
my $specs = 3000;

$g->etcd->put_many(map { ["/specs/f-$_", '{}'] } 1 .. $specs);
$g->instance('f-1');
$g->wait_known('specs', $specs, 120);
$g->ready('f-1');
wait_for(sub { FcfTest::Gateway::saved("$dir/registry") eq "$specs 1" }, 60,
    'the state file');

my $master = $g->nginx->proc->pid;
my $load;

sub children {
    my @pids = split ' ', slurp("/proc/$master/task/$master/children");
    return @pids;
}

sub load {
    $load = FcfTest::Load->start(port => $g->port, path => '/run/f-1',
        interval_ms => 4, again => 3);
}

# all are new and know all, and nothing was lost meanwhile
sub fine {
    my ($what) = @_;
    wait_for(sub { my @w = $g->nginx->workers; @w == 2 && @w == children() },
        30, 'old workers to leave');
    $g->seen(60);
    my $n = $load->end;
    is("$n->{lost} lost, " . join(' ', keys %{ $n->{status} }), '0 lost, 200',
        "$what: each of $n->{sent} is served") or diag(explain($n));
    load();
}

load();

# each of three generations begins while that before it has half a list
$etcd->hold_list('/specs/');

for (1 .. 3) {
    $g->nginx->reload;
    $etcd->held(30);
}

$etcd->go;
fine('lists that never ended');

# each signal as soon as the one before is obeyed, long before its workers are
# there
my ($again, $started) = (qr/#\d+: reconfiguring$/, qr/: start worker process /);
my ($n, $before) = map { scalar $g->nginx->logged($_) } $again, $started;

for (1 .. 5) {
    $g->nginx->proc->kill('HUP');
    $n++;
    wait_for(sub { $g->nginx->logged($again) == $n }, 30, 'a reload');
}

wait_for(sub { $g->nginx->logged($started) == $before + 10 }, 30,
    'five pairs of workers');
fine('one behind the other');

# no configuration at all: the workers of before serve on
my $conf = slurp($g->nginx->conf_file);
my @workers = $g->nginx->workers;
spew($g->nginx->conf_file, $conf =~ s/fcfaas_etcd/fcfaas_etcd nowhere/r);
$g->nginx->expect_complaint(qr/\[emerg\].*nowhere/);
$g->nginx->proc->kill('HUP');
wait_for(sub { $g->nginx->logged(qr/\[emerg\].*nowhere/) }, 10, 'it to be told');
is("@{[ $g->nginx->workers ]}", "@workers", 'the workers are those of before');
spew($g->nginx->conf_file, $conf);
$g->nginx->reload;
fine('over a bad configuration');

# a worker that is killed in its list; what it served is cut
$etcd->hold_list('/specs/');
$g->nginx->reload;
$etcd->held(30);
my ($victim) = $g->nginx->workers;
$g->nginx->expect_complaint(qr/exited on signal 9/);
kill 'KILL', $victim;
wait_for(sub { my @w = $g->nginx->workers;
    @w == 2 && !grep { $_ == $victim } @w }, 30, 'one in its place');
$etcd->go;
fine('one killed in its list');

$load->end;
$g->wait_quiet;
pass('nothing is counted any more');
$g->stop;
done_testing;
