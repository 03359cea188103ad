#!/usr/bin/perl

# "kernel" takes another ELF: Debian's kernel and the small one, where it has
# been built, boot as they are; a file that is no kernel is refused with the
# reason, before anybody waits for a guest.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::RealGuest;
use Test::More;

plan skip_all => no_guest() if no_guest();

my $ns = FcfTest::Netns->new('kern')->enter;
my $vm = root() . '/build/vm';
my $n = 0;

# what a trial says, and whether it went well
sub trial {
    my ($kernel, $initrd) = @_;
    my $dir = tmpdir() . '/' . ++$n;

    mkdir $dir or die $!;
    my $proc = FcfTest::Proc->spawn(name => "trial-$n", argv => [
        build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null', '--trial',
        '--trial-timeout=60', '--node_id=x', "--kernel=$kernel",
        '--initrd=' . ($initrd // "$vm/initramfs.img"),
        '--vmm=' . build_dir() . '/vm/vmm/fcfaas-vmm',
        '--vmm_args=--backend qemu', "--state_dir=$dir/state",
        "--run_dir=$dir/run"]);
    my $status = $proc->wait(90) // die 'the trial does not end';
    return ($status, $proc->output);
}

my @kernels = grep { -e $_->[0] } (["$vm/vmlinux", "$vm/initramfs.img"],
    ["$vm/vmlinux-small", "$vm/initramfs-small.img"]);

for (@kernels) {
    my ($status, $said) = trial(@$_);
    is($status, 0, "$_->[0] boots") or diag($said);
    like($said, qr/a guest booted/, 'and it says so');
}

for (['/bin/true', qr/PVH ELF Note|no kernel/], ['/etc/passwd', qr/ELF/],
    ['/nonexistent', qr/No such file/])
{
    my ($file, $why) = @$_;
    my $began = now();
    my ($status, $said) = trial($file);
    isnt($status, 0, "$file does not");
    like($said, $why, 'and the reason is told');
    cmp_ok(now() - $began, '<', 30, 'at once');
}

done_testing();
