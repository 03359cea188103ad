#!/usr/bin/perl

# Two clones of one snapshot, real guests of the runtime python3, started by
# the agent: they serve at once, at addresses of their own, with different
# random numbers in their first answers, and the right time.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::RealGuest ();
use AgentHost;
use Test::More;
use Time::HiRes ();

my $why = FcfTest::RealGuest::no_guest();
plan skip_all => $why if $why;

my $images = root() . '/build/vm';
is(system("cd @{[root()]} && make -s build/vm/runtimes/python3.img >&2"), 0,
    'the image is made') or do { done_testing(); exit };

AgentHost::begin('clone');
mkdir "$dir/code" or die $!;
spew("$dir/code/handler.py", <<'END');
import os, random, socket, ssl, time
first = random.random(), ssl.RAND_bytes(8)

def handle(request):
    return dict(random=random.random(), openssl=ssl.RAND_bytes(8).hex(),
        system=os.urandom(8).hex(), time=time.time(),
        name=socket.gethostname())
END
system(root() . "/vm/mkfunction $dir/code $dir/functions/f.img python3 >&2")
    == 0 or die 'mkfunction';

$etcd->spec('f', runtime => 'python3', memory_mb => 192, max_instances => 5,
    idle_timeout_s => 600, boot_timeout_s => 120);

my $agent = started('a', settings('a', snapshots => 'yes',
    vmm_args => '--backend qemu', runtimes => "$images/runtimes",
    kernel => "$images/vmlinux", initrd => "$images/initramfs.img",
    vmm_answer_ms => 20000));

our_job('f', 'req-0', 1);
instance('f', 120);
my @up = (answer((instances('f'))[0]));
wait_for(sub { $agent->output =~ /"snapshot of version 1 made/ }, 180,
    'its snapshot');

our_job('f', "req-$_", 1) for 1, 2;
wait_for(sub { instances('f') == 3 }, 60, 'two more');
unlike($agent->output, qr/not restored/, 'nothing went wrong with them');

my %old = map { $_->{key} => 1 } @up;
push @up, map { answer($_) } grep { !$old{$_} } instances('f');

for my $what (qw(random openssl system name ip)) {
    my %different = map { $_->{$what} => 1 } @up;
    is(keys %different, 3, "$what: different in each");
}

cmp_ok(abs($_->{time} - $_->{now}), '<', 2, "the right time: $_->{name}")
    for grep { !$old{ $_->{key} } } @up;

# one that was booted is told once its function is there
wait_for(sub { my $a = answer($up[0]{key}); abs($a->{time} - $a->{now}) < 2 },
    20, 'a booted one to have the right time');

my @took = $agent->output =~ /"registered after (\d+) ms/g;
diag("boot $took[0] ms, restores @took[1, 2] ms");
cmp_ok($_, '<', $took[0], 'sooner than by a boot') for @took[1, 2];

$agent->kill('TERM')->wait(40);
unlike($agent->output, qr/Sanitizer|runtime error|is not possible/,
    'no fault');
done_testing();


# what one says, with its key and address
sub answer {
    my ($key) = @_;
    my $i = $etcd->get_json($key);
    my $r = http_get($i->{proxy_port}, '/', timeout => 60, headers => {
        'X-Fcfaas-Function' => 'f', 'X-Fcfaas-Token' => 'sesame' });

    is($r->{status}, 200, 'it answers');
    return { %{ json_decode($r->{body}) }, key => $key,
        ip => $i->{internal_vm_ip}, now => Time::HiRes::time() };
}
