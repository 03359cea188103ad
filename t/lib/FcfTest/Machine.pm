package FcfTest::Machine;

# What FcfTest::Container is, in a virtual machine: the same tree, and Debian's
# kernel, booted by QEMU in software emulation, for hosts where systemd-nspawn
# is refused.  Slow: half a minute and more until systemd is there.  Its control
# groups are of version 2 alone, whatever the host's are.
#
# Programs in it are started over serial ports (t/lib/guest_run.pl), so that it
# has no network but loopback.

use strict;
use warnings;

use FcfTest::Proc;
use File::Basename qw(basename);

our @ISA = qw(FcfTest::Container);

# programs that can run in it at one time
use constant PORTS => 5;

# a tree of its own, with what boots
use constant KERNEL => qw(linux-image-cloud-amd64);


sub slow { 1 }


# one line, or undef
sub impossible {
    return 'not root' if $> != 0;

    for my $program (qw(mmdebstrap qemu-system-x86_64 mke2fs)) {
        return "$program is not installed (run/deps test)"
            unless FcfTest::on_path($program);
    }

    return undef;
}


sub boot {
    my ($class, %opt) = @_;
    my $dir = $class->tree(KERNEL, @{ $opt{packages} });
    my $self = bless { dir => $dir, files => $opt{files} }, $class;

    $self->_fill;
    $self->_unit;
    $self->_image;
    $self->_boot;

    return $self;
}


# that runs what tests ask for
sub _unit {
    my ($self) = @_;
    my $units = "$self->{dir}/etc/systemd/system";
    my $root = FcfTest::root();

    system('cp', "$root/t/lib/guest_run.pl", "$self->{dir}/root/") == 0
        or die "cp failed\n";
    FcfTest::spew("$units/fcf-run\@.service", <<'    EOC' =~ s/^ {4}//gmr);
    [Unit]
    DefaultDependencies=no
    After=local-fs.target
    [Service]
    ExecStart=/usr/bin/perl /root/guest_run.pl /dev/virtio-ports/fcf.%i
    Restart=always
    EOC

    system('mkdir', '-p', "$units/sysinit.target.wants");
    symlink '../fcf-run@.service',
        "$units/sysinit.target.wants/fcf-run\@$_.service" for 0 .. PORTS - 1;
}


sub _image {
    my ($self) = @_;
    my $dir = $self->{dir};

    ($self->{kernel}) = glob "$dir/boot/vmlinuz-*";
    ($self->{initrd}) = glob "$dir/boot/initrd.img-*";
    for (qw(kernel initrd)) {
        my $to = FcfTest::tmpdir() . "/machine.$_";
        rename $self->{$_}, $to or die "$self->{$_}: $!\n";
        $self->{$_} = $to;
    }

    $self->{image} = FcfTest::tmpdir() . '/machine.img';
    my $said = qx(mke2fs -q -t ext4 -d '$dir' '$self->{image}' 3G 2>&1);
    die "mke2fs: $said\n" if $? != 0;
    system('rm', '-rf', $dir);
}


sub _boot {
    my ($self) = @_;
    my $said = '';
    my $at = $self->{ports} = FcfTest::tmpdir() . '/machine';

    mkdir $at;
    unlink glob "$at/*";
    $self->{proc} = FcfTest::Proc->spawn(name => 'machine', argv => [
        qw(qemu-system-x86_64 -nodefaults -no-user-config -display none
        -M q35 -cpu max -smp 2 -m 2048 -no-reboot),
        '-accel', 'tcg,thread=multi',
        '-kernel', $self->{kernel}, '-initrd', $self->{initrd},
        '-append', 'root=/dev/vda rw console=ttyS0 quiet panic=-1 '
            . 'systemd.unified_cgroup_hierarchy=1 mitigations=off',
        '-drive', "if=virtio,format=raw,cache=unsafe,file=$self->{image}",
        '-device', 'virtio-rng', '-serial', 'stdio',
        '-device', 'virtio-serial,max_ports=16',
        map { ('-chardev', "socket,id=p$_,server=on,wait=off,path=$at/port.$_",
            '-device', "virtserialport,chardev=p$_,name=fcf.$_") }
            0 .. PORTS - 1 ]);

    FcfTest::wait_for(sub {
        die 'QEMU ended: ' . FcfTest::slurp($self->{proc}->log)
            unless $self->{proc}->alive;
        (undef, $said) = $self->run('systemctl is-system-running')
            if -e "$at/port.0";
        $said =~ /^(?:running|degraded)/;
    }, 600, 'systemd to have booted');
}


sub argv_of {
    my ($self, @argv) = @_;
    return ($^X, FcfTest::root() . '/t/lib/guest_exec.pl', $self->{ports},
        @argv);
}


sub _ended {
    my ($self, $what) = @_;
    my $said = $self->_tell("$what --no-block");

    FcfTest::wait_for(sub { !$self->{proc}->alive }, 300, "its $what: $said");
}


sub reboot {
    my ($self) = @_;

    $self->_ended('reboot');
    $self->_boot;
    $self->_was_quick('reboot',
        ($self->run('journalctl -q --no-pager -b -1'))[1]);
}


sub end { $_[0]->_ended('poweroff') }

1;
