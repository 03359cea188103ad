#!/usr/bin/perl

# Clones of one snapshot, real guests of the runtime python3, started by the
# agent: they serve at once, at addresses of their own, with different random
# numbers in their first answers, and the right time.  Two, or FCF_CLONES,
# sixteen at a time.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::RealGuest ();
use FcfTest::Standin qw($kernel $initrd);
use AgentHost;
use Test::More;
use Time::HiRes ();

use constant AT_ONCE => 16;

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
    name = socket.gethostname()
    print('this is', name, flush=True)
    return dict(random=random.random(), openssl=ssl.RAND_bytes(8).hex(),
        system=os.urandom(8).hex(), time=time.time(), name=name,
        files=open('/etc/hostname').read() + open('/etc/hosts').read())
END
system(root() . "/vm/mkfunction $dir/code $dir/functions/f.img python3 >&2")
    == 0 or die 'mkfunction';

$etcd->spec('f', runtime => 'python3', memory_mb => 192, max_instances => 50,
    idle_timeout_s => 600, boot_timeout_s => 120);

my $port = free_port();
my $agent = started('a', settings('a', snapshots => 'yes',
    admin => "127.0.0.1:$port",
    vmm_args => '--backend qemu', runtimes => "$images/runtimes",
    kernel => $kernel, initrd => $initrd, max_boots => AT_ONCE,
    vmm_answer_ms => 20000));

our_job('f', 'req-0', 1);
instance('f', 120);
my @up = (answer((instances('f'))[0]));
wait_for(sub { $agent->output =~ /"snapshot of version 1 made/ }, 180,
    'its snapshot');

my ($left, $asked) = ($ENV{FCF_CLONES} // 2, 0);

while ($left > 0) {
    my $n = $left < AT_ONCE ? $left : AT_ONCE;

    push @up, clones($n);
    $left -= $n;
    last if $left == 0;

    my ($booted) = $up[0]{key} =~ m{([^/]+)$};
    kill 'KILL', grep { readlink("/proc/$_/cwd") !~ m{/\Q$booted\E$} }
        vmms('a');
    wait_for(sub { instances('f') == 1 }, 60, 'their end');
}

# sixteen at once may well take longer than twice a boot on two cores, in
# emulation; then they boot, and are as right
my $not = () = $agent->output =~ /not restored/g;
is($not, 0, 'nothing went wrong with them') if !$ENV{FCF_CLONES};
diag("$not of $ENV{FCF_CLONES} were booted, since their restore took too long")
    if $ENV{FCF_CLONES};

for my $what (qw(random openssl system name)) {
    my %different = map { $_->{$what} => 1 } @up;
    is(keys %different, @up, "$what: different in each");
}

is($_->{files} =~ s/ +$//mr,
    "$_->{name}\n127.0.0.1 localhost\n127.0.1.1 $_->{name}\n",
    "its files say so, too: $_->{name}") for @up;

# also what a clone printed
my %lives = map { $_ => 1 } instances('f');
my $printed = sub { http_get($port, '/functions/f/output')->{body} };
ok(eval { wait_for(sub { $printed->() =~ /^this is \Q$_->{name}\E$/m }, 10,
    'its words') }, "what it prints is shown: $_->{name}")
    for grep { $lives{$_->{key}} } @up;

cmp_ok(off($_), '<', 2, "the right time: $_->{name}") for @up[1 .. $#up];

# one that was booted is told once its function is there
wait_for(sub { off(answer($up[0]{key})) < 2 }, 20, 'a booted one to have the right time');

my ($boot, @took) = $agent->output =~ /"registered after (\d+) ms/g;
my @sorted = sort { $a <=> $b } @took;
diag("boot $boot ms, restores $sorted[0] to $sorted[-1] ms, median "
    . $sorted[@sorted / 2]);
cmp_ok($_, '<', $boot, 'sooner than by a boot')
    for @took > 2 ? () : @took;

$agent->kill('TERM')->wait(40);
unlike($agent->output, qr/Sanitizer|runtime error|is not possible/,
    'no fault');
done_testing();


# so many more, which serve beside each other
sub clones {
    my ($n) = @_;
    my %old = map { $_ => 1 } instances('f');

    our_job('f', 'req-' . ++$asked, 1) for 1 .. $n;
    wait_for(sub { instances('f') == $n + keys %old }, 180, "$n more");

    my @new = map { answer($_) } grep { !$old{$_} } instances('f');
    my %place = map { $etcd->get_json($_)->{internal_vm_ip} => 1 }
        instances('f');
    is(keys %place, $n + keys %old, "$n at addresses of their own");

    return @new;
}


# what one says, with its key
sub answer {
    my ($key) = @_;
    my $i = $etcd->get_json($key);
    my $asked = Time::HiRes::time();
    my $r = http_get($i->{proxy_port}, '/', timeout => 60, headers => {
        'X-Fcfaas-Function' => 'f', 'X-Fcfaas-Token' => 'sesame' });

    is($r->{status}, 200, 'it answers');
    return { %{ json_decode($r->{body}) }, key => $key, asked => $asked,
        told => Time::HiRes::time() };
}


# seconds that its clock is before it was asked, or after it had answered:
# sixteen on two cores take their time to say it
sub off {
    my ($a) = @_;
    return $a->{time} < $a->{asked} ? $a->{asked} - $a->{time}
        : $a->{time} > $a->{told} ? $a->{time} - $a->{told} : 0;
}
