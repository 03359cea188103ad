#!/usr/bin/perl

# Two agents on one queue, one of them on a host that can start no VM, each
# time for another reason.  The sick one fails fast and is free at once, so
# that it would win most of the jobs; none may fail for it.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use AgentHost;
use Test::More;

use constant N => 80;

AgentHost::begin('sick');
AgentHost::private_mounts();

my $good = started('g', settings('g', bridge_address => '172.16.0.1/24',
    log_level => 'info'));
my $round = 0;

image($_) for map { function($_) } 1 .. N;
mkdir "$dir/none";

program('silent', "exec sleep 1000\n");
program('garbage', "echo no VMM; exit 3\n");
program('mute', "exec perl -MIO::Socket::UNIX -e '\n"
    . "my \$s = IO::Socket::UNIX->new(Local => \$ARGV[1], Listen => 9);\n"
    . "sleep 1000' -- \"\$\@\"\n");

sick('the VMM exits at once', qr/VMM/, vmm => '/bin/false');
sick('the VMM says something else and ends', qr/no VMM/,
    vmm => "$dir/garbage");
sick('the VMM never opens its socket', qr/no API socket|no answer/,
    vmm => "$dir/silent");
sick('the VMM never answers', qr{no API socket|no answer}, vmm => "$dir/mute");
sick('its images are missing', undef, functions => "$dir/none");
sick('the directory of its images is gone', qr/functions/,
    functions => "$dir/nowhere");
spew("$dir/no-kernel", 'x');
sick('its kernel is gone', qr/no-kernel/, kernel => "$dir/no-kernel");
sick('advertise is not on this host', qr/listening|10\.9\.9\.9/,
    advertise => '10.9.9.9');

# guests run there, and that is all
mkdir "$dir/$_" for qw(broken panics);
spew("$dir/broken/base.img", "fcfaas-instant\nfail=panic\n\n" . "\0" x 4096);
spew("$dir/panics/" . function($_) . '.img', slurp("$dir/broken/base.img"))
    for 1 .. N;
sick('its runtime is broken', qr/the guest ended/, runtimes => "$dir/broken",
    functions => "$dir/panics");
$ns->run('nft', 'add table bridge cut; add chain bridge cut in { type filter '
    . 'hook input priority 0; policy accept; }; add rule bridge cut in '
    . 'iifname "tx*" drop');
sick('its guests are not reached', qr/not reached over the bridge/,
    boot_timeout_s => 2);
$ns->run('nft', 'delete table bridge cut');

no_proxy();
full_disk();
the_function();

done_testing();


sub function { sprintf 's%02d', $_[0] }

sub program {
    my ($name, $text) = @_;
    spew("$dir/$name", "#!/bin/sh\n$text");
    chmod 0755, "$dir/$name";
}

# eighty functions asked for at once, and what became of them
sub eighty {
    $round++;
    our_job(function($_), "req-$round-$_", 0) for 1 .. N;

    my ($started, @failed);
    wait_for(sub {
        my @keys = $etcd->keys('/functions/');
        $started = grep { m{/instances/} } @keys;
        @failed = grep { m{/failures/} } @keys;
        $started + @failed >= N;
    }, 120, 'each to have an outcome');

    is($started, N, 'eighty started');
    is(scalar(@failed), 0, 'none failed')
        or diag(map { "$_: " . $etcd->get($_) . "\n" } @failed);
}

sub none_left {
    kill 'KILL', vmms('g');
    wait_for(sub { !vmms('g') && !vm_dirs('g')
        && !$etcd->keys('/functions/') }, 60, 'all to be gone');
}

sub sick {
    my ($what, $reason, %how) = @_;

    subtest $what => sub {
        my $bad = started('x', settings('x',
            bridge_address => '172.17.0.1/24', log_level => 'info', %how));

        unlink "$dir/no-kernel";
        eighty();

        if ($reason) {
            my $worker = wait_for(sub {
                my $w = $etcd->get_json('/workers/x');
                $w->{state} eq 'ill' && $w }, 40, 'it to say so');
            like($worker->{reason}, $reason, 'the sick one says why');
            $bad->line_matching(qr/this node is ill.*$reason/, 5);
        }

        is($etcd->get_json('/workers/g')->{state}, 'ready',
            'the other is well');
        is(scalar($etcd->keys('/functions/')), 2 * N, 'a slot for each');
        ok($bad->stop, 'it ends');
        is(scalar(vmms('x')), 0, 'no VMM of it is left');
        none_left();
    };
}

sub no_proxy {
    subtest 'its proxy ends, and cannot be started any more' => sub {
        link build_dir() . '/agent/fcfaas-proxy', "$dir/proxy-x"
            or system('cp', build_dir() . '/agent/fcfaas-proxy',
                "$dir/proxy-x") == 0 or die 'cp';
        my $bad = started('x', settings('x', proxy => "$dir/proxy-x",
            bridge_address => '172.17.0.1/24', log_level => 'info'));
        my ($proxy) = grep { (readlink("/proc/$_/exe") // '')
            eq "$dir/proxy-x" } map { m{/proc/(\d+)$} } glob '/proc/[0-9]*';

        unlink "$dir/proxy-x";
        kill 'KILL', $proxy;
        eighty();
        is(scalar(vmms('x')), 0, 'none of them where nobody serves it');

        # with nobody else there who waits is told
        $good->pause;
        our_job(function(1), 'req-alone', 0);
        wait_for(sub { $etcd->get_json('/workers/x')->{state} eq 'ill' }, 30,
            'it to say so');
        $good->resume;
        like($etcd->get_json('/workers/x')->{reason}, qr/no proxy/, 'and why');

        system('cp', build_dir() . '/agent/fcfaas-proxy', "$dir/proxy-x");
        wait_for(sub { $etcd->get_json('/workers/x')->{state} eq 'ready' },
            40, 'it to be well again');
        ok($bad->stop, 'it ends');
        none_left();
    };
}

# told apart from a node that fails every function
sub the_function {
    subtest 'a function that comes up nowhere' => sub {
        my $other = started('x', settings('x',
            bridge_address => '172.17.0.1/24', log_level => 'info'));
        image('panics', fail => 'panic');

        our_job('panics', 'req-panics', 0);
        like(failure('panics', 'req-panics')->{message}, qr/Kernel panic/,
            'is told, and how');

        # a guest has come up since on whichever node takes the next
        our_job(function($_), "req-up-$_", 0) for 1 .. 20;
        wait_for(sub { grep({ m{/instances/} } $etcd->keys('/functions/'))
            == 20 && vmms('g') && vmms('x') }, 30, 'VMs on both');
        my $before = () = ($good->output . $other->output)
            =~ /another node may try/g;
        our_job('panics', 'req-panics2', 0);
        ok(failure('panics', 'req-panics2'), 'and then at once');
        is(scalar(() = ($good->output . $other->output)
            =~ /another node may try/g), $before, 'by the first that tried');
        is($etcd->get_json("/workers/$_")->{state}, 'ready', "$_ is well")
            for qw(g x);
        ok($other->stop, 'it ends');
        none_left();
    };
}

sub full_disk {
    mkdir "$dir/run-x";
    system('mount', '-t', 'tmpfs', '-o', 'size=1m,mode=700', 'none',
        "$dir/run-x") == 0
        or die "mount";

    subtest 'its disk is full' => sub {
        my $port = free_port();
        my $bad = started('x', settings('x', admin => "127.0.0.1:$port",
            bridge_address => '172.17.0.1/24', log_level => 'info'));

        open my $fh, '>', "$dir/run-x/filler" or die $!;
        1 while syswrite $fh, 'x' x 4096;

        eighty();
        wait_for(sub { $etcd->get_json('/workers/x')->{state} eq 'ill' }, 10,
            'it to say so');
        like($etcd->get_json('/workers/x')->{reason}, qr/No space/, 'and why');
        like(http_get($port, '/healthz')->{body}, qr/ill: .*No space/,
            'to who asks for its health, too');
        like(http_get($port, '/metrics')->{body}, qr/^fcfaas_agent_ill 1$/m,
            'and in metrics');

        close $fh;
        unlink "$dir/run-x/filler";
        wait_for(sub { $etcd->get_json('/workers/x')->{state} eq 'ready' },
            40, 'it to be well again');
        is($etcd->get_json('/workers/x')->{reason}, undef, 'with no reason');
        ok($bad->stop, 'it ends');
        none_left();
    };

    system('umount', "$dir/run-x");
}
