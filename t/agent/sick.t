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
full_disk();

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

    my ($started, $failed);
    wait_for(sub {
        my @keys = $etcd->keys('/functions/');
        $started = grep { m{/instances/} } @keys;
        $failed = grep { m{/failures/} } @keys;
        $started + $failed >= N;
    }, 120, 'each to have an outcome');

    is($started, N, 'eighty started');
    is($failed, 0, 'none failed');
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
                $w->{state} eq 'ill' && $w }, 10, 'it to say so');
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
