#!/usr/bin/perl

# A VMM that is told nothing for a while starts its QEMU ahead, which waits for
# a snapshot's machine: it is the one that goes on, and where it cannot another
# does.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Standin;
use Test::More;

plan skip_all => 'no QEMU' unless on_path('qemu-system-x86_64');

lay_network('qemu-ahead');

my $dir = tmpdir();
my %files = (snapshot_path => "$dir/state", mem_file_path => "$dir/memory");

# one whose QEMU has come to where it waits
sub ahead {
    my $vm = vmm(backend => 'qemu');
    my $pid;

    wait_for(sub {
        ($pid) = qemus($vm);
        $pid && waits_ahead($pid);
    }, 20, 'a QEMU that waits');
    return ($vm, $pid);
}

sub load {
    my ($vm, %with) = @_;

    return fault(put($vm, '/snapshot/load', snapshot_path => "$dir/state",
        mem_backend => { backend_type => 'File',
            backend_path => "$dir/memory" }, resume_vm => \1, %with));
}

sub answers {
    my ($what) = @_;
    is(guest_get('/', timeout => 60)->{status}, 200, $what);
}

sub boots {
    my ($vm, %opt) = @_;

    is(configure($vm, initrd => $initrd, %opt,
        function => "$images/functions/hello.img"), '', 'configured');
    is(fault(put($vm, '/entropy')), '204 ', 'entropy') if $opt{limit};
    is(start($vm)->{status}, 204, 'started');
    wait_for(sub { tcp(80, Timeout => 0.3) }, 90, 'the guest\'s port');
}

# a machine with all that the agent gives one, and a limiter for each drive
my $vm = vmm(backend => 'qemu');
boots($vm, limit => { bandwidth => { size => 10 << 20, refill_time => 100 },
    ops => { size => 1000, refill_time => 100 } });
call($vm, 'PATCH', '/vm', json_encode({ state => 'Paused' }));
is(fault(put($vm, '/snapshot/create', %files)), '204 ', 'a snapshot');
quit($vm);

($vm, my $pid) = ahead();
is(load($vm), '204 ', 'loaded');
is_deeply([qemus($vm)], [$pid], 'by the QEMU that waited, and no other');
answers('it answers');
ok(!-e "$vm->{sock}.qemu", 'and what it waited at is gone');
stop($vm);
no_qemu($vm, 'it ends as any other');

($vm, $pid) = ahead();
kill 'KILL', $pid;
wait_for(sub { !qemus($vm) }, 10, 'its end');
is(load($vm), '204 ', 'loaded, where the one that waited has died');
answers('by another');
quit($vm);

# it does not read, and is not waited for
($vm, $pid) = ahead();
unlink "$vm->{sock}.qemu" or die $!;
is(load($vm), '204 ', 'loaded, where it cannot be told');
ok(!grep({ $_ == $pid } qemus($vm)), 'by another');
answers('which answers');
quit($vm);

($vm, $pid) = ahead();
my $memory = spew("$dir/short", 'x');
like(load($vm, mem_backend => { backend_type => 'File',
    backend_path => $memory }), qr/shorter/, 'a load that is refused');
exits($vm, 1, 'ends the VMM');
no_qemu($vm, 'and the one that waited');

# what is no stream is told as ever
($vm, $pid) = ahead();
truncate spew("$dir/zero", 'x'), 128 << 20 or die $!;
like(load($vm, mem_backend => { backend_type => 'File',
    backend_path => "$dir/zero" }), qr/QEMU ended/,
    'a memory file that is none');
exits($vm, 1, 'ends the VMM, too');

($vm, $pid) = ahead();
boots($vm);
ok(!grep({ $_ == $pid } qemus($vm)), 'a boot takes another');
answers('which answers');
quit($vm);
no_qemu($vm, 'none is left');

($vm, $pid) = ahead();
quit($vm);
no_qemu($vm, 'ended while it waits: none is left');
ok(!-e "$vm->{sock}.qemu", 'nor what it waited at');

done_testing;
