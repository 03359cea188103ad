package FcfTest::Installed;

# A container (FcfTest::Container) that packages are installed in, and what
# tests say of it:
#
#   use FcfTest::Installed;
#   my $c = container(packages_of => [@debs], files => [...]);
#       # and quick, unified: see FcfTest::Container
#   does('systemctl restart nginx');    # a test: that it went well
#   my $said = says('pgrep fcfaas');    # whatever it was

use strict;
use warnings;

use Exporter qw(import);
use Test::More;

our @EXPORT = qw(container does says active main_pid agent_ready another
    under_load answers seconds vm_groups deaf);

my $c;


# or all is skipped
sub container {
    my (%opt) = @_;
    my $begun = FcfTest::now();

    $c = eval { FcfTest::Container->start(files => $opt{files},
        quick => $opt{quick}, unified => $opt{unified}, packages => [FcfTest::Packages->needed(
            @{ $opt{packages_of} })]) };
    plan skip_all => "no container with systemd: $1"
        if !$c && $@ =~ /^impossible: (.*)/;
    die $@ unless $c;

    diag(sprintf 'the container is there after %.0f s', FcfTest::now() - $begun);
    return $c;
}


# that many, of a machine that is not emulated
sub seconds { $_[0] * ($c->slow ? 8 : 1) }


# what it says, of a line that must go well
sub does {
    my ($line, $what) = @_;
    my ($status, $said) = $c->run($line);

    is($status, 0, $what // $line) or diag($said);
    return $said;
}


sub says {
    my ($line) = @_;
    my (undef, $said) = $c->run($line);
    chomp $said;
    return $said;
}


sub active { says("systemctl is-active $_[0]") }
sub main_pid { says('systemctl show -P MainPID fcfaas-agent.service') }


sub agent_ready { another('fcfaas-agent', @_) }


# Until the unit is active, with another process.  Both are asked at once: one
# that was just killed may be active still, and its process none.
sub another {
    my ($unit, $than) = @_;

    FcfTest::wait_for(sub {
        my %is = says("systemctl show -p ActiveState -p MainPID $unit.service")
            =~ /^(\w+)=(.*)$/mg;
        $is{ActiveState} eq 'active' && $is{MainPID} != 0
            && $is{MainPID} ne ($than // '');
    }, seconds(60), "another process of $unit");
}


# calls made meanwhile, GETs over kept connections and POSTs, none of which may
# be lost
sub under_load {
    my ($what, $does) = @_;
    my %of = (in => $c, port => 8080, path => '/run/hello');
    my $ms = $c->slow ? 100 : 2;
    my %loads = (
        GET => FcfTest::Load->start(%of, interval_ms => $ms, again => 1),
        POST => FcfTest::Load->start(%of, interval_ms => 10 * $ms,
            body => 'x' x 999));

    FcfTest::wait_for(sub { says('curl -s -o /dev/null -w "%{http_code}" '
        . 'http://127.0.0.1:8080/run/hello') eq '200' }, seconds(60), 'the load');
    $does->();

    for my $method (sort keys %loads) {
        my $n = $loads{$method}->end;
        cmp_ok($n->{sent}, '>', $c->slow ? 1 : 10, "$what: $n->{sent} times $method");
        is($n->{lost} + $n->{sent} - ($n->{status}{200} // 0), 0,
            "$what: none is lost") or diag(FcfTest::json_encode($n));
    }
}


sub answers {
    my ($what) = @_;
    my $said = '';

    eval { FcfTest::wait_for(sub { ($said = says('curl -sS -o /dev/null '
        . '--max-time 9 -w "%{http_code}" http://127.0.0.1:8080/run/hello'))
        eq '200' }, seconds(60), 'an answer') };
    is($said, '200', $what);
}


# process of a VMM => its control group, as the hierarchy that limits memory
# has it
sub vm_groups {
    return says('for p in $(pgrep fcfaas-vmm); do '
        . 'g=$(grep -E ":memory:" /proc/$p/cgroup || grep ^0:: /proc/$p/cgroup);'
        . ' echo "$p ${g##*:}"; done') =~ /^(\d+) (\S+)$/mg;
}

# a process in the VMs' group, which is told of an end as little as Firecracker
sub deaf {
    does('trap "" TERM; sleep 9999 </dev/null >/dev/null 2>&1 & '
        . 'g=$(systemctl show -P ControlGroup fcfaas-vms.service) || exit 1; '
        . 'for at in /sys/fs/cgroup /sys/fs/cgroup/unified '
        . '/sys/fs/cgroup/systemd; do [ ! -d $at$g ] || { mkdir -p $at$g/deaf '
        . '&& echo $! >$at$g/deaf/cgroup.procs && echo it is there; }; done '
        . '| grep there', 'one that is not told of an end');
}

1;
