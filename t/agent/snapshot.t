#!/usr/bin/perl

# Pause, resume and snapshots on the VMM stand-in, with both backends: what
# the agent would do, in its order, and what is refused.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Standin;
use Socket;
use Test::More;

lay_network('snapshot');
$ns->run(qw(ip tuntap add dev tap1 mode tap));
$ns->run(qw(ip link set tap1 master br0));
$ns->run(qw(ip link set tap1 up));

my $dir = tmpdir();
my %files = (snapshot_path => "$dir/state", mem_file_path => "$dir/memory");
my $file = spew("$dir/some", 'not looked into');
my $qemu = on_path('qemu-system-x86_64');

instant_life();
instant_wakes();
refusals();

SKIP: {
    skip 'no QEMU', 1 unless $qemu;
    qemu_life();
}

done_testing();


sub patch { call($_[0], 'PATCH', $_[1], json_encode($_[2])) }
sub state_of { json_decode(call($_[0], 'GET', '/')->{body})->{state} }


# it takes no connection, or does not answer on one
sub silent {
    my $r = eval { guest_get('/', timeout => 1) };
    ok(!$r || !$r->{status}, $_[0]);
}


sub load {
    my ($vm, %with) = @_;

    return put($vm, '/snapshot/load', snapshot_path => "$dir/state",
        mem_backend => { backend_type => 'File',
            backend_path => "$dir/memory" }, %with);
}


sub life {
    my ($vm, $backend) = @_;

    is(patch($vm, '/vm', { state => 'Paused' })->{status}, 204, 'paused');
    is(state_of($vm), 'Paused', 'as it says');
    silent('it does not answer');
    is(patch($vm, '/vm', { state => 'Resumed' })->{status}, 204, 'resumed');
    is(guest_get('/', timeout => 20)->{status}, 200, 'it answers again');

    is(put($vm, '/snapshot/create', %files)->{status}, 400,
        'no snapshot of a running machine');
    patch($vm, '/vm', { state => 'Paused' });
    for ('', ' again') {
        is(fault(put($vm, '/snapshot/create', %files,
            snapshot_type => 'Diff')), '204 ', "a snapshot$_");
    }
    cmp_ok(-s "$dir/memory", '>=', 128 << 20, 'as long as the memory');
    cmp_ok((stat "$dir/memory")[12] * 512, '<', 100 << 20, 'and sparse');
    is(put($vm, '/snapshot/create', %files, mem_file_path => '/none/m')
        ->{status}, 400, 'a file that cannot be made');
    is(fault(put($vm, '/snapshot/create', %files)), '204 ', 'and one more');
    is(patch($vm, '/vm', { state => 'Resumed' })->{status}, 204, 'resumed');
    is(guest_get('/', timeout => 20)->{status}, 200, 'it lives on');
    is(fault(patch($vm, '/drives/function', { drive_id => 'function',
        rate_limiter => { bandwidth => { size => 1000000,
            refill_time => 100 } } })), '204 ', 'a drive is updated');
    is(fault(patch($vm, '/network-interfaces/eth0', { iface_id => 'eth0',
        rx_rate_limiter => { ops => { size => 1000, refill_time => 100 } } })),
        '204 ', 'an interface too');
    like(fault(patch($vm, '/drives/x', { drive_id => 'x' })),
        qr/no drive x/, 'not one that is not there');
    quit($vm);

    # two clones, one after the other, on another TAP

    my $other = [{ iface_id => 'eth0', host_dev_name => 'tap1' }];

    $vm = vmm(backend => $backend);
    is(put($vm, '/serial', serial_out_path => $vm->{console})->{status}, 204,
        'a clone has a console of its own');
    my $t = now();
    is(fault(load($vm, network_overrides => $other, resume_vm => \1)),
        '204 ', 'it is loaded') or return;
    is(state_of($vm), 'Running', 'and runs');
    is(guest_get('/', timeout => 20)->{status}, 200, 'it answers');
    diag(sprintf '%s: %.0f ms from the load to the answer', $backend,
        1000 * (now() - $t));
    like(fault(load($vm)), qr/after starting/, 'another load is refused');
    quit($vm);

    $vm = vmm(backend => $backend);
    is(fault(load($vm, network_overrides => $other)), '204 ',
        'another, paused');
    is(state_of($vm), 'Paused', 'as it says');
    silent('it does not answer');
    is(patch($vm, '/vm', { state => 'Resumed' })->{status}, 204, 'resumed');
    is(guest_get('/', timeout => 20)->{status}, 200, 'it does');
    stop($vm);
}


sub instant_life { life(instant(), 'instant') }


# what a guest does around a snapshot, and how it may fail
sub instant_wakes {
    my $to = '172.16.0.7';
    my $reseeds = { ok => JSON::PP::true, reseeds => JSON::PP::true };
    my %wake = (op => 'wake', ms => 1000, data => 'c2VlZA==',
        address => $to, mac => '06:00:ac:10:00:07');
    my $other = [{ iface_id => 'eth0', host_dev_name => 'tap1' }];

    # the clone of one whose image says so
    my $clone = sub {
        my ($how) = @_;
        my $vm = instant($how =~ /=/ ? $how : "clone=$how");
        is_deeply(op(tcp(1024), { op => 'snapshot' }), $reseeds,
            "$how: asked before");
        patch($vm, '/vm', { state => 'Paused' });
        put($vm, '/snapshot/create', %files);
        quit($vm);
        $vm = vmm();
        my $r = load($vm, network_overrides => $other, resume_vm => \1);
        return $r->{status} == 204 ? $vm : fault($r);
    };

    my $vm = $clone->('well');
    my $sock = tcp(1024);
    like(op($sock, { %wake, address => 'x' })->{error}, qr/address/,
        'a place that is none');
    is_deeply(op($sock, \%wake), $reseeds, 'it wakes');
    is(wait_for(sub { eval { http_get(80, '/', host => $to, netns => $ns,
        timeout => 1)->{status} } }, 10, 'its new address'), 200,
        'and answers at its new address');
    silent('not at the old one');
    quit($vm);

    $vm = instant('forgets=1');
    is_deeply(op(tcp(1024), { op => 'snapshot' })->{reseeds}, JSON::PP::false,
        'one that does not seed anew says so');
    quit($vm);
    $vm = instant('young=1');
    is_deeply(op(tcp(1024), { op => 'snapshot' }),
        { %$reseeds, young => JSON::PP::true }, 'a young one says so, too');
    quit($vm);
    $vm = instant('clone=none');
    like(op(tcp(1024), { op => 'snapshot' })->{error}, qr/clone=none/,
        'one that is to have none');
    quit($vm);

    like($clone->('fail=load'), qr/fail=load/, 'one that cannot be loaded');
    $vm = $clone->('deaf');
    $sock = tcp(1024);
    send_op($sock, \%wake);
    is(read_frame($sock, 0.5), undef, 'a silent one');
    quit($vm);
    $vm = $clone->('refuses');
    like(op(tcp(1024), \%wake)->{error}, qr/clone=refuses/, 'one that refuses');
    quit($vm);
    $vm = $clone->('ends');
    send_op(tcp(1024), \%wake);
    exits($vm, 0, 'one that ends instead');
    $vm = $clone->('lost');
    is_deeply(op(tcp(1024), \%wake), $reseeds, 'one that answers');
    is(eval { http_get(80, '/', host => $to, netns => $ns, timeout => 1)
        ->{status} }, undef, 'and is not heard of any more');
    quit($vm);
}


# a state that another QEMU saved; the process ends as after any failed load
sub another_qemu {
    mkdir "$dir/bin" or die $!;
    symlink $qemu, "$dir/bin/qemu-system-x86_64" or die $!;
    my $clone = sub { vmm(backend => 'qemu',
        env => { PATH => "$dir/bin:$ENV{PATH}" }) };
    my $other = [{ iface_id => 'eth0', host_dev_name => 'tap1' }];

    # reverse ARP, by which QEMU tells switches where a guest has come to
    my $from = $ns->in(sub {
        socket(my $s, 17, SOCK_RAW, unpack 'S', pack 'n', 0x8035)
            or die "socket: $!";
        return $s;
    });
    my $vm = $clone->();
    is(fault(load($vm, network_overrides => $other,
        resume_vm => JSON::PP::true)), '204 ',
        'the same QEMU by another name');
    is(guest_get('/', timeout => 20)->{status}, 200, 'a clone that answers');
    ok(!defined recv($from, my $frame, 256, MSG_DONTWAIT),
        'nobody is told of its template\'s MAC address');
    quit($vm);
    unlink "$dir/bin/qemu-system-x86_64";
    spew("$dir/bin/qemu-system-x86_64", "#!/bin/sh\nexec $qemu \"\$@\"\n");
    chmod 0755, "$dir/bin/qemu-system-x86_64";
    $vm = $clone->();
    like(fault(load($vm, network_overrides => $other)),
        qr{of the backend qemu/\d, \d+ bytes of \d+, this is qemu/\d, },
        'another QEMU loads nothing of it');
    exits($vm, 1, 'and its process ends');
}


sub qemu_life {
    my $vm = vmm(backend => 'qemu');
    is(configure($vm, initrd => $initrd,
        function => "$images/functions/hello.img"), '', 'configured');
    is(start($vm)->{status}, 204, 'started');
    wait_for(sub {
        die "the guest ended\n" . slurp($vm->{console}) if !$vm->{proc}->alive;
        tcp(80, Timeout => 0.3);
    }, 90, 'the guest\'s port');
    life($vm, 'qemu');
    another_qemu();
}


# what ends the process, as the real one's does, and what does not
sub refusals {
    my $ends = sub {
        my ($want, $what, %with) = @_;
        my $vm = vmm();
        like(fault(load($vm, %with)), $want, $what);
        exits($vm, 1, 'which ends it');
    };

    my $vm = vmm();
    put($vm, '/machine-config', vcpu_count => 1, mem_size_mib => 128);
    like(fault(load($vm)), qr/not allowed after configuring/, 'too late');
    is(state_of($vm), 'Not started', 'and it lives on');
    like(fault(load($vm, mem_file_path => 'x')), qr/only one of/, 'two forms');
    quit($vm);

    $ends->(qr{none: No such file}, 'no state', snapshot_path => 'none');
    $ends->(qr{none: No such file}, 'no memory', mem_backend => {
        backend_type => 'File', backend_path => 'none' });
    $ends->(qr/shorter than the memory/, 'less memory', mem_backend => {
        backend_type => 'File', backend_path => $file });
    $ends->(qr/Uffd is not supported/, 'Uffd', mem_backend => {
        backend_type => 'Uffd', backend_path => $file });
    $ends->(qr/it is none of ours/, 'no state file',
        snapshot_path => spew("$dir/alien", 'x' x 4096));
    $ends->(qr/no interface eth7/, 'an interface that is not there',
        network_overrides => [{ iface_id => 'eth7', host_dev_name => 'tap1' }]);
    $ends->(qr/"tap9": No such device/, 'a TAP that is not there',
        network_overrides => [{ iface_id => 'eth0', host_dev_name => 'tap9' }]);

    my $state = slurp("$dir/state");
    substr($state, 200, 1) ^= "\x01";
    $ends->(qr/CRC64 validation failed/, 'damage',
        snapshot_path => spew("$dir/damaged", $state));
}
