#!/usr/bin/perl

# The small kernel (make -C vm kernel), where it has been built: what its image
# is, and guests on it, with devices found by ACPI and by the command line.
# "make test-kernel" builds it, and runs the guests' other tests on it too.

use strict;
use warnings;

BEGIN { $ENV{FCF_KERNEL} = 'small' }

use lib 't/lib';
use FcfTest;
use FcfTest::RealGuest;
use FcfTest::Standin qw($kernel qemus);
use Test::More;

plan skip_all => 'it has not been built: make -C vm kernel' unless -e $kernel;

my $build = root() . '/vm/kernel/build';

image_is();
asked_for();
again();

SKIP: {
    skip no_guest(), 1 if no_guest();
    lay_guest_network('kernel');

    my $function = "$images/functions/hello.img";
    by_command_line($function);
    by_acpi($function);
}

done_testing();


# ELF for x86-64 with the note by which a VMM starts it, and nothing to strip
sub image_is {
    my $head = slurp($kernel, 64);

    is(unpack('a4 C', $head), "\x7fELF", 'ELF');
    is(unpack('x4 C', $head), 2, 'of 64 bits');
    is(unpack('x18 S<', $head), 62, 'for x86-64');

    my $notes = qx{readelf -nW $kernel 2>&1};
    like($notes, qr/^\s*Xen\s.*0x00000012/m, 'the PVH entry is noted');
    unlike(qx{readelf -SW $kernel}, qr/\.symtab|\.debug/, 'stripped');
    cmp_ok(-s $kernel, '<', 40e6, 'Firecracker reads all of it at a start');
}


# what no guest would tell by its absence before a user meets it
sub asked_for {
    my $text = slurp(root() . '/vm/kernel/microvm.config');

    like($text, qr/^CONFIG_$_=y$/m, "CONFIG_$_")
        for qw(VIRTIO_MMIO_CMDLINE_DEVICES ACPI X86_MPPARSE EXT4_FS SQUASHFS
            EROFS_FS OVERLAY_FS IP_PNP VMGENID HW_RANDOM_VIRTIO KVM_GUEST);
    unlike($text, qr/^CONFIG_MODULES=y/m, 'no modules');
}


# the same inputs: nothing is built, and it is the same file; others: another
sub again {
    my $out = tmpdir() . '/again';
    my $said = qx{$build $images/kernels $out cached 2>&1};

  SKIP: {
        skip 'it was built of other inputs', 1 if $? != 0;
        like($said, qr/ as it was built before$/m, 'built once');
        is(system('cmp', '-s', $out, $kernel), 0, 'the same');
    }

    my $dir = tmpdir() . '/other';
    mkdir $dir or die $!;
    spew("$dir/build", slurp($build));
    spew("$dir/microvm.config", slurp(root() . '/vm/kernel/microvm.config')
        . "CONFIG_IPV6=y\n");
    like(qx{sh $dir/build $images/kernels $out cached 2>&1},
        qr/ has not been built with this configuration$/m,
        'another configuration is another kernel');
}


sub by_command_line {
    my ($function) = @_;
    my $vm = boot($function);
    close reach($vm, 80);

    is(request('/')->{status}, 200, 'one vCPU: it serves');
    like(qemu_of($vm), qr/acpi=off/, 'without ACPI');
    stop($vm);
}


sub by_acpi {
    my ($function) = @_;
    my $vm = boot($function, vcpus => 2);
    close reach($vm, 80);

    is(request('/')->{status}, 200, 'two vCPUs: it serves');
    like(qemu_of($vm), qr/acpi=on/, 'with ACPI');
    stop($vm);
}


# the command line of a stand-in's QEMU
sub qemu_of {
    my ($pid) = qemus($_[0]);

    return $pid ? peek("/proc/$pid/cmdline") : '';
}
