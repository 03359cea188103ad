# What somebody does to the stores while functions start and roll out, with a
# real agent: nothing is started twice, and nobody waits for a lease.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $s = FcfTest::System->start(vmm => 'instant',
    env => { MAX_VMS => 60 })->up(120);
my $etcd = $s->etcd;
my $specs = 0;

sub image {
    my ($name, %set) = @_;
    spew($s->run_dir . "/functions/$name.img", join '', "fcfaas-instant\n",
        (map { "$_=$set{$_}\n" } sort keys %set), "\n", "\0" x 4096);
}

sub spec {
    my ($name, %spec) = @_;
    $etcd->spec($name, memory_mb => 128, %spec);
    $specs++;
    wait_for(sub { !grep { $_->{specs} < $specs }
        @{ $s->status->{workers} } }, 10, 'the spec to be known');
}

sub slots { $etcd->keys("/functions/$_[0]/slots/") }
sub instances { $etcd->keys("/functions/$_[0]/instances/") }

# all that Redis knows is lost while four boot
image('lost', boot_ms => 4000);
spec('lost', concurrency => 1, max_instances => 20);
my @q = map { http_send($s->port, "/run/lost/$_") } 1 .. 4;
wait_for(sub { slots('lost') == 4 }, 20, 'four slots');
$s->redis->cli('FLUSHALL');
is(scalar(grep { $_->response(60)->{status} == 200 } @q), 4,
    'Redis empty while four boot: all are served');
is(scalar(slots('lost')), 4, 'by four, not more');
is(scalar($s->vmms), 4, 'VMMs');

# a new version declared soon after an instance came up, under load
for my $delay (0, 0.1, 0.3, 1) {
    my $name = 'rolled' . int 10 * $delay;
    image($name, body => 'x');
    spec($name, version => 1);
    is(http_get($s->port, "/run/$name")->{status}, 200, "$name: it is up");
    my $load = FcfTest::Load->start(port => $s->port, path => "/run/$name",
        interval_ms => 5, patience_s => 30);
    select undef, undef, undef, $delay;
    $etcd->spec($name, memory_mb => 128, version => 2);
    wait_for(sub { grep { 2 == (($etcd->get_json($_) // {})->{version} // 0) }
        instances($name) }, 10, "version 2, declared $delay s after");
    my $r = $load->end;
    is($r->{lost}, 0, "$delay s: version 2 comes, and nothing is lost")
        or diag explain $r;
}

# its key is deleted by hand, again and again, and so is its slot
spec('one', max_instances => 1);
image('one');
is(http_get($s->port, '/run/one')->{status}, 200, 'one: it is up');
my ($key) = instances('one');
my ($slot) = slots('one');
my $load = FcfTest::Load->start(port => $s->port, path => '/run/one',
    interval_ms => 5, patience_s => 30);

for my $what ($key, $slot, $key, $slot) {
    $etcd->del($what);
    is(http_get($s->port, '/run/one')->{status}, 200, 'served without it');
    wait_for(sub { $etcd->get($key) && $etcd->get($slot) }, 20,
        'both to be put again');
}

$etcd->del_prefix('/functions/one/');
wait_for(sub { $etcd->get($key) && $etcd->get($slot) }, 20, 'both at once');
my $r = $load->end;
is($r->{lost}, 0, 'nothing is lost') or diag explain $r;
is_deeply([instances('one')], [$key], 'the same one all the while');

# the same while it boots
image('boots', boot_ms => 3000);
spec('boots', max_instances => 1);
my $q = http_send($s->port, '/run/boots');
wait_for(sub { ($slot) = slots('boots') }, 20, 'its slot');
$etcd->del($slot);
is($q->response(30)->{status}, 200, 'its slot deleted while it boots: served');
is(scalar(instances('boots')), 1, 'by one');

is($s->make('stop'), 0, 'make stop');
is($s->proc->wait(60), 0, 'make run ends with 0');

done_testing;
