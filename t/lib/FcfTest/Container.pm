package FcfTest::Container;

# A Debian 12 with a systemd of its own, for tests of what is installed:
# mmdebstrap makes its tree, systemd-nspawn boots it, in namespaces of its own
# and with no network but loopback.  What it writes is in memory and gone with
# it.
#
#   my $why = FcfTest::Container->impossible;    # undef where it can be had
#   my $c = FcfTest::Container->boot(packages => [...], files => [...]);
#   my ($status, $said) = $c->run('systemctl is-active nginx');  # by sh
#   $c->reboot;
#   $c->cut;                                     # as if its power were
#   $c->end;
#
# reboot and end are tests, too: that nothing had to be killed for it.
#
# boot dies with "refused: " and what systemd-nspawn said, if that ends before
# there is a systemd.  "start" then takes a FcfTest::Machine, where FCF_SYSTEMD
# is "qemu" at once:
#
#   my $c = FcfTest::Container->start(packages => [...], files => [...]);
#       # dies with "impossible: " where there is neither, or with
#       # quick => 1, for what would take too long in there, no container
#
# packages: names of Debian's that are in it; the tree of a set of names is
# kept in build/system, so that it is fetched once; the four used last are.
# files: copied to /root.  unified => 1: its control groups are of version 2
# alone, though without the controllers that the host has in version 1.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use FcfTest::Proc;
use File::Path qw(make_path remove_tree);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep);


sub start {
    my ($class, @how) = @_;
    my %how = @how;
    my $why = ($ENV{FCF_SYSTEMD} // '') eq 'qemu' ? 'FCF_SYSTEMD=qemu'
        : $class->impossible;

    if (!$why) {
        my $c = eval { $class->boot(@how) };
        return $c if $c;
        die $@ unless $@ =~ /^refused: /;
        $why = $@ =~ s/\s+/ /gr;
    }

    my $none = $how{quick} ? 'too slow in QEMU' : FcfTest::Machine->impossible;
    die "impossible: $why; $none\n" if $none;
    Test::More::diag("in QEMU: $why");
    return FcfTest::Machine->boot(@how);
}


# whether time in it is long
sub slow { 0 }


# one line, or undef
sub impossible {
    return 'not root' if $> != 0;
    return '/dev/net/tun is missing' unless -e '/dev/net/tun';

    for my $program (qw(mmdebstrap systemd-nspawn nsenter)) {
        return "$program is not installed (run/deps test)"
            unless FcfTest::on_path($program);
    }

    my $said = qx(unshare --mount --net --pid --fork true 2>&1);
    return $? == 0 ? undef : "no namespaces here: $said";
}


# the tree, made or taken out of its archive; dies with mmdebstrap's words
sub tree {
    my ($class, @packages) = @_;
    my $root = FcfTest::root();
    my $dir = FcfTest::tmpdir() . '/tree';
    my $name = substr sha256_hex(join ' ', sort @packages), 0, 16;
    my $archive = "$root/build/system/$name.tar";

    remove_tree($dir);
    make_path("$root/build/system", $dir);

    if (!-e $archive) {
        # what it makes it knows by the name's end
        my $new = "$root/build/system/new-$name.tar";
        my $said = qx(mmdebstrap --variant=apt --quiet --include=@{[join ',',
            qw(systemd systemd-sysv dbus), @packages]} bookworm \\
            '$new' 2>&1);
        die "mmdebstrap: $said\n" if $? != 0;
        rename $new, $archive or die "$archive: $!\n";
    }

    utime undef, undef, $archive;
    _prune("$root/build/system");
    system('tar', '-xf', $archive, '-C', $dir) == 0 or die "tar failed\n";
    return $dir;
}


# Another set of names makes another tree of 300 MB.  One that others make now
# is not touched for an hour.
sub _prune {
    my ($in) = @_;
    my @kept = sort { -M $a <=> -M $b } grep { !m{/new-} } glob "$in/*.tar";

    unlink @kept[4 .. $#kept], grep { -M > 1 / 24 } glob "$in/new-*.tar";
}


sub boot {
    my ($class, %opt) = @_;
    my $dir = $class->tree(@{ $opt{packages} });
    my $self = bless { dir => $dir, files => $opt{files},
        unified => $opt{unified} }, $class;

    $self->_fill;
    $self->_boot;

    return $self;
}


sub _fill {
    my ($self) = @_;

    FcfTest::spew("$self->{dir}/etc/hosts", "127.0.0.1 localhost\n");
    make_path("$self->{dir}/var/log/journal");
    system('cp', $_, "$self->{dir}/root/") == 0 or die "cp $_ failed\n"
        for @{ $self->{files} // [] };
}


sub _boot {
    my ($self) = @_;
    my $said = '';

    $self->{proc} = FcfTest::Proc->spawn($self->_nspawn);
    $self->_outlived;

    FcfTest::wait_for(sub {
        $self->{init} //= $self->_child;
        die 'refused: ' . FcfTest::slurp($self->{proc}->log)
            if !$self->{init} && !$self->{proc}->alive;
        (undef, $said) = $self->run('systemctl is-system-running')
            if $self->{init};
        $said =~ /^(?:running|degraded)/;
    }, 120, sub { "systemd to have booted, which says $said" });
}


# A test that dies kills systemd-nspawn, after a while, but not what is in it.
sub _outlived {
    my ($self) = @_;
    return if $self->{seen}++;

    FcfTest::at_end(sub {
        my $init = $self->{init} // return;
        my $groups = FcfTest::peek("/proc/$init/cgroup");

        if ($groups =~ m{/$self->{group}/}) {
            kill 'KILL', $init;
            FcfTest::wait_for(sub { FcfTest::is_gone($init) }, 60, 'its end');
        }
        $self->_ungroup;
    });
}


# In control groups of its own: those of another container, or what is left of
# one that was killed, are not this one's.
my @hierarchies = grep { -e "$_/cgroup.procs" }
    map { "/sys/fs/cgroup$_" } '', '/unified', '/systemd';
my $containers = 0;

sub _nspawn {
    my ($self, @network) = @_;
    my $group = $self->{group} //= "fcf-$$-" . ++$containers;
    my @groups = map { "$_/$group" } @hierarchies;

    # of version 2 a group has what the one above lets it
    return (name => 'nspawn', env => { $self->{unified}
        ? (SYSTEMD_NSPAWN_UNIFIED_HIERARCHY => 1) : () }, argv => ['sh', '-c', 'for c in memory cpu pids io; '
        . "do for d in @hierarchies; do [ ! -e \$d/cgroup.subtree_control ] || "
        . 'echo +$c >$d/cgroup.subtree_control; done; done 2>/dev/null; '
        . "for d in @groups; do mkdir -p \$d && echo \$\$ >\$d/cgroup.procs; "
        . 'done; exec "$@"', 'sh', 'systemd-nspawn', '--quiet', '--boot',
        '--directory', $self->{dir}, @network ? @network : '--private-network',
        "--machine=$group", '--capability=all', '--bind=/dev/net/tun',
        '--register=no', '--keep-unit', '--console=pipe']);
}


# What process 1 asks for by "systemctl reboot" is done here: systemd-nspawn,
# in a unit of others, ends and leaves it to that.
sub reboot {
    my ($self) = @_;

    $self->_told_to('reboot');
    $self->_boot;
}


# What was written is there still, what ran was killed between any two steps.
sub cut {
    my ($self) = @_;

    kill 'KILL', $self->{init};
    $self->_gone('cut');
    $self->_boot;
}


sub _told_to {
    my ($self, $what) = @_;

    $self->_gone("systemctl $what: " . $self->_tell($what));
    $self->_was_quick($what, $self->_journal);
}


# what its end is like stands in the journal behind that
use constant TOLD => 'fcf-test: told to';

sub _tell {
    my ($self, $line) = @_;
    my ($status, $said) = $self->run("echo '@{[TOLD]} $line' | "
        . "systemd-cat -t fcf-test; systemctl $line");

    return 'status ' . ($status >> 8) . " $said";
}


sub _was_quick {
    my ($self, $what, @journal) = @_;
    my $end = (split TOLD, join '', @journal)[-1] // '';
    my @slow = $end =~ /systemd\[1\]: (.*(?:timed out|still around).*)/g;

    Test::More::is(join("\n", @slow), '', "$what: nothing had to be killed");
}


# Units have 90 seconds to stop, and systemd-shutdown as many again for what was
# in none.  What took so long is told.
sub _gone {
    my ($self, $why) = @_;

    if (!eval { FcfTest::wait_for(sub { !$self->{proc}->alive }, 240,
        'its end') })
    {
        my $waited = $@;
        my (undef, $there) = $self->run('timeout 20 sh -c "systemctl list-jobs;'
            . ' ps -eo pid,ppid,stat,wchan:24,cgroup,args"');
        my @last = $self->_journal;
        splice @last, 0, -40 if @last > 40;
        die "$waited$why\n$there", @last;
    }

    delete $self->{init};
}


# of its last boot, as seen from here
sub _journal {
    my ($self) = @_;
    return qx(journalctl -q --no-pager -D '$self->{dir}/var/log/journal' -b 0 \
        -o short-monotonic 2>&1);
}


# its process 1, as seen from here
sub _child {
    my ($self) = @_;
    my $pid = $self->{proc}->pid;

    # one that is there for a moment may be gone before it is looked at
    for (split ' ', FcfTest::peek("/proc/$pid/task/$pid/children")) {
        return $_ if FcfTest::peek("/proc/$_/comm") eq "systemd\n";
    }
    return undef;
}


# (status, what it said) of a line of shell in there; nothing there takes that
# long
use constant PATIENCE => 900;

sub run {
    my ($self, $line) = @_;
    my $log = FcfTest::tmpdir() . '/run.log';

    unlink $log;
    my $proc = FcfTest::Proc->spawn(name => 'run', log => $log, show => 0,
        argv => [$self->argv($line)]);
    my $status = $proc->wait(PATIENCE)
        // die "no end after @{[PATIENCE]} s: $line\n" . $proc->output;

    return ($status, $proc->output);
}


sub argv {
    my ($self, $line) = @_;
    return $self->argv_of('sh', '-c', $line);
}


# the same of a program, in /root
sub argv_of {
    my ($self, @argv) = @_;

    return ('nsenter', '-t', $self->{init}, '-m', '-u', '-i', '-n', '-p',
        '-r', '-w/', 'env', '-i', '-C', '/root',
        'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root',
        'LC_ALL=C.UTF-8', 'DEBIAN_FRONTEND=noninteractive', @argv);
}


# as a user would: then nothing of it is left
sub end {
    my ($self) = @_;

    $self->_told_to('poweroff');
    $self->_ungroup;
}


# What systemd-nspawn leaves behind: groups, since no service manager has them,
# and a directory that it does not remove in memory.
sub _ungroup {
    my ($self) = @_;

    rmdir "/run/systemd/nspawn/propagate/$self->{group}";
    for my $group (map { "$_/$self->{group}" } @hierarchies) {
        rmdir for reverse sort split /\n/, qx(find $group -type d 2>/dev/null);
    }
}

1;
