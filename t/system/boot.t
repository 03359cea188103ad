#!/usr/bin/perl

# The packages in a Debian with a systemd of its own, as a user has them: from
# apt install to an answer, restarts and kills under load, a reboot, removal
# and purge.  Guests are the instant stand-in's: what is shown is around them.
# Some 70 s, and 30 more where the container's Debian is fetched first; of the
# packages of t/system/deb.t, or "make test-system", where they are there.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Installed;
use Test::More;

my @debs = FcfTest::Packages->now;
my $c = container(packages_of => [@debs],
    files => [@debs, root() . '/t/lib/load.pl']);

# what fcfaas-setup does not do, before it has done anything
sub refusals {
    for (['fcfaas-setup', 512, qr/^fcfaas-setup single/],
        ['fcfaas-setup single --vmm=other', 512, qr/^fcfaas-setup single/],
        ['setpriv --reuid=nobody fcfaas-setup single', 256,
            qr/must be root/],
        ['touch /root/once; fcfaas-setup single --vmm=instant', 256,
            qr/etcdctl user list failed: .*deadline/s],
        ['chmod -x /usr/bin/etcdctl; fcfaas-setup single; r=$?; '
            . 'chmod +x /usr/bin/etcdctl; exit $r', 256,
            qr/apt install etcd-client/])
    {
        my ($line, $expect, $why) = @$_;
        my ($status, $said) = $c->run($line);
        is($status, $expect, "$line: refused");
        like($said, $why, 'with the reason');
    }

    is(active('fcfaas-agent'), 'inactive', 'no agent was started');
}

# Sees the arguments of all processes, as anybody may, each time that etcdctl
# is run, and where /root/once is fails once; what is returned looks for
# passwords in them.
sub watch_etcdctl {
    does('mv /usr/bin/etcdctl /usr/bin/etcdctl.real && printf "%s\n" '
        . q{'#!/bin/sh' 'cat /proc/[0-9]*/cmdline >>/root/args 2>/dev/null' }
        . q{'if rm /root/once 2>/dev/null; then' }
        . q{'echo "Error: context deadline exceeded"; exit 1; fi' }
        . q{'exec /usr/bin/etcdctl.real "$@"' }
        . '>/usr/bin/etcdctl && chmod +x /usr/bin/etcdctl');

    return sub {
        does('mv /usr/bin/etcdctl.real /usr/bin/etcdctl');
        isnt(says('grep -a -c -- --interactive=false /root/args'), '0',
            'etcd\'s users are made');
        is(says('grep -a -o -F "$(cat /etc/fcfaas/*.password)" /root/args'),
            '', 'with no password among arguments');
    };
}

# a line of shell that is refused with one line of reason
sub refused {
    my ($line, $why, $what) = @_;
    my ($status, $said) = $c->run($line);

    is($status, 256, "$what: refused");
    like($said, qr/^fcfaas-setup: $why\n\z/, 'in one line');
}

# it runs with no network but loopback, and with too little room
sub no_room {
    my $with = sub { "mount -t tmpfs -o size=$_[1] tmpfs $_[0]; "
        . "fcfaas-setup single --vmm=instant; r=\$?; umount $_[0]; exit \$r" };

    refused($with->('/var/lib/fcfaas', '8m'), qr{/var/lib/fcfaas has 8 MB }
        . qr{left; etcd, images and VMs need 256 at least}, 'little room');
    refused($with->('/etc/fcfaas', '8k'), qr{cannot write /etc/fcfaas/\S+: }
        . qr{No space left on device}, 'none');
    refused('flock /etc/fcfaas fcfaas-setup single --vmm=instant',
        'another fcfaas-setup runs', 'two at once');
}

# killed as soon as it has come to that file
sub killed_at {
    my ($file) = @_;

    does('fcfaas-setup single --vmm=instant >/dev/null 2>&1 & '
        . "until [ -e $file ]; do kill -0 \$! || exit 1; done; kill -9 \$!",
        "killed once $file is there");
}

sub obstacles {
    for (['firecracker', 'firecracker is not on PATH'],
        ['qemu', 'packages are missing: apt install qemu-system-x86'],
        ['auto', 'packages are missing: apt install qemu-system-x86'])
    {
        my ($vmm, $why) = @$_;
        refused("fcfaas-setup single --vmm=$vmm", $vmm eq 'firecracker'
            ? "--vmm=firecracker: $why" : $why, "--vmm=$vmm");
    }
    is(says('ls /etc/fcfaas'), 'redis.conf', 'before anything is written');
    no_room();
    killed_at($_) for qw(/etc/fcfaas/store.token /etc/fcfaas/etcd.yml);
    refusals();
    killed_at($_)
        for qw(/etc/fcfaas/agent.conf /etc/nginx/sites-enabled/fcfaas);
}

subtest 'from packages to an answer' => sub {
    my $start = now();
    my $free = says('df -Pk / | awk "END { print \$4 }"');

    does('apt-get -q -y --no-install-recommends install ./*.deb 2>&1',
        'apt install');
    isnt(active($_), 'active', "$_ waits for settings")
        for qw(fcfaas-agent fcfaas-proxy fcfaas-etcd fcfaas-redis);
    is(active('nginx'), 'active', 'nginx runs, with the module');

    # refused late, some have made etcd's users
    my $unwatched = watch_etcdctl();
    obstacles() unless $c->slow;
    my $said = does('fcfaas-setup single --vmm=instant', 'fcfaas-setup');
    $unwatched->();
    like($said, qr{^\s+/etc/fcfaas/fcfaas\.conf$}m, 'says what it wrote');
    like($said, qr{^\s+reloaded nginx\.service$}m, 'and did');

    does('fcfaas deploy /usr/share/doc/fcfaas-cli/examples/hello',
        'fcfaas deploy');
    like(does('curl -sS -i http://127.0.0.1:8080/run/hello', 'curl'),
        qr{^HTTP/1.1 200 }, 'answers');
    is(says('curl -s -o /dev/null -w "%{http_code}" '
        . "http://127.0.0.1:8080/fcfaas/$_"), '200', "$_ is served")
        for qw(ui/ status metrics nodes);
    like(says('curl -s http://127.0.0.1:8080/fcfaas/nodes'),
        qr/"error":"".*"nodes":\[\{/, 'with this node among the nodes');
    # the unit leaves the agent what it needs
    is(says('cat /proc/sys/net/ipv4/ip_forward'), '1', 'guests are routed');
    is(says('journalctl -u fcfaas-agent -o cat | grep -i '
        . '-e "not permitted" -e "denied"'), '', 'and nothing is refused');
    diag(sprintf 'from packages to an answer: %.1f s, %d MB of disk',
        now() - $start,
        ($free - says('df -Pk / | awk "END { print \$4 }"')) / 1024);
};

subtest 'once more' => sub {
    my $state = 'find /etc /var/lib/fcfaas -newer /root/mark -type f '
        . '! -path "*/etcd/*" ! -path "*/agent/*" ! -path "*/gateway/*"';
    my $pid = main_pid();

    says('touch /root/mark');
    like(does('fcfaas-setup single', 'a second run'),
        qr/all is as it was/, 'changes nothing');
    is(says($state), '', 'no file');
    is(says('find /etc/fcfaas /etc/nginx -name "*.new"'), '',
        'none is left of what was killed');
    is(main_pid(), $pid, 'no service');
    like(does('fcfaas-setup doctor'), qr/nothing is wrong/, 'all is well');
};

!$c->slow && subtest 'after a run that failed' => sub {
    my $bad = '/etc/nginx/conf.d/bad.conf';

    does('rm /etc/nginx/sites-enabled/fcfaas && systemctl reload nginx '
        . "&& echo 'no_such_directive;' >$bad");
    my ($status, $said) = $c->run('fcfaas-setup single');
    is($status, 256, 'nginx does not take what it is given');
    like($said, qr/no_such_directive/, 'which is told');

    does("rm $bad");
    like(does('fcfaas-setup single', 'the next run'),
        qr/^\s+reloaded nginx\.service$/m, 'does what is left');
    is(says('curl -s -o /dev/null -w "%{http_code}" '
        . 'http://127.0.0.1:8080/run/hello'), '200', 'and functions answer');
};

!$c->slow && subtest 'a port that is taken' => sub {
    for (['fcfaas-agent', 9180, 'agent.conf'], ['fcfaas-etcd', 2389, 'etcd.yml'])
    {
        my ($unit, $port, $file) = @$_;
        my $hold = "perl -MIO::Socket::INET -e '\$s = IO::Socket::INET->new("
            . "LocalAddr => q(127.0.0.1:$port), Listen => 1, ReuseAddr => 1) "
            . "or die; fork and exit; print qq(\$\$\\n); close STDOUT; "
            . "close STDERR; sleep'";
        does("systemctl stop $unit");
        my $pid = says($hold);
        refused('fcfaas-setup single', qr{127\.0\.0\.1:$port, which }
            . qr{/etc/fcfaas/$file names, is in use by perl, process $pid: .*},
            $unit);
        does("kill $pid");
        like(does('fcfaas-setup single'), qr/started $unit\.service/,
            'then it goes on');
    }
};

subtest 'who may what' => sub {
    is(says('find /etc/fcfaas -name "*password*" -perm /077; '
        . 'find /etc/fcfaas -name "*token*" -perm /077'), '',
        'secrets are root\'s alone');
    like(says('curl -s -X POST http://127.0.0.1:2389/v3/kv/range -d '
        . q('{"key":"Lw==","range_end":"MA=="}')), qr/user name is empty/,
        'etcd wants a user');
    like(says('redis-cli -s /run/fcfaas-redis/redis.sock ping'),
        qr/NOAUTH/, 'so does Redis');
    my $gateway = 'redis-cli -s /run/fcfaas-redis/redis.sock --no-auth-warning'
        . ' --user gateway --pass $(cat /etc/fcfaas/redis-gateway.password)';
    like(says("$gateway config get dir"), qr/NOPERM/, 'which rule nothing');
    like(says("$gateway set other 1"), qr/NOPERM/, 'and have their keys');
    like(says('ETCDCTL_API=3 etcdctl --command-timeout=60s '
        . '--endpoints http://127.0.0.1:2389 '
        . '--user gateway:$(cat /etc/fcfaas/etcd-gateway.password) '
        . 'get --prefix /secrets/'), qr/permission denied/,
        'gateways see no secrets');
};

!$c->slow && subtest 'a runtime for all nodes' => sub {
    my $deploy = 'fcfaas deploy /usr/share/doc/fcfaas-cli/examples/hello';
    like(does('fcfaas runtime push base'), qr/^base: \w{12}\.\.\. from now on/m,
        'is pushed');
    like(does($deploy), qr/hello: the same code, for its runtime base is \w{12}/,
        'the next version has it');
    like(says('fcfaas-agent --check'), qr/base is pinned for .*which is here$/m,
        'which the agent may see');
    does('fcfaas runtime rm base');
    like(does($deploy), qr/runtime base is each node's own now/, 'and no more');

    # as set up before there were such keys
    my $etcdctl = 'ETCDCTL_API=3 etcdctl --endpoints http://127.0.0.1:2389 '
        . '--user root:$(cat /etc/fcfaas/etcd-root.password)';
    does("$etcdctl role revoke-permission --prefix $_ /runtimes/")
        for qw(agent deploy);
    like(says('fcfaas runtime push base'), qr/permission denied/,
        'who may not, does not');
    does($deploy);
    like(does('fcfaas-setup single'),
        qr{^\s+let etcd's user deploy readwrite /runtimes/$}m,
        'another run of fcfaas-setup sees to it');
    does('fcfaas runtime push base && fcfaas runtime rm base');
};

# of control groups of version 2, or 1: what is set, and the most it may be
my %limits = ('memory.max' => 1 << 30, 'memory.limit_in_bytes' => 1 << 30,
    'pids.max' => 1000, 'cpu.weight' => 10000, 'cpu.shares' => 262144);

sub limited {
    my (@groups) = @_;

    # as systemd-nspawn mounts hierarchies of version 1, whose limits are shown
    # by t/agent/cgroup.t
    SKIP: {
        skip 'no control groups can be made in here', 1
            unless ($c->run('grep -qE "^cgroup2? /sys/fs/cgroup(/memory)? '
                . 'cgroup2? rw" /proc/mounts'))[0] == 0;
        _limited(@groups);
    }
}

sub _limited {
    my (@groups) = @_;
    is(scalar(grep { !m{/system\.slice/fcfaas-vms\.service/[^/]+$} } @groups),
        0, 'VMs are in groups of their own, and not the agent\'s');

    my ($version) = says('journalctl -u fcfaas-agent -o cat | '
        . 'grep -o "limits by cgroup version [0-9]:.*" | tail -n 1')
        =~ /version (\d): memory cpu pids/;
    ok($version, 'VMs have limits, by cgroups of version ' . ($version // '?'));

    my %is;
    for (split /\n/, says('find /sys/fs/cgroup -path '
        . '"*/system.slice/fcfaas-vms.service/vm-*/*" '
        . '-type f \\( ' . join(' -o ', map { "-name $_" } sort keys %limits)
        . ' \\) -exec grep -H . {} +'))
    {
        my ($name, $value) = m{([^/]+):(\S+)$};
        push @{ $is{$name} }, $value;
    }

    for my $name (($version // 1) == 2 ? qw(memory.max cpu.weight pids.max)
        : qw(memory.limit_in_bytes cpu.shares pids.max))
    {
        my @of = @{ $is{$name} // ['none'] };
        is(scalar(grep { !/^\d+$/ || $_ > $limits{$name} } @of), 0,
            "$name: @of");
    }
}

subtest 'the agent is restarted' => sub {
    my %vms = vm_groups();
    my @vms = keys %vms;
    cmp_ok(scalar @vms, '>', 0, 'VMs run');
    limited(values %vms);

    under_load('restart', sub {
        my $pid = main_pid();
        does('systemctl restart fcfaas-agent');
        agent_ready($pid);
    });
    under_load('kill -9', sub {
        my $pid = main_pid();
        does("kill -9 $pid");
        agent_ready($pid);
    });
    # others may have come, with the load
    my %now = vm_groups();
    is(scalar(grep { ($now{$_} // '') ne $vms{$_} } @vms), 0,
        'its VMs are the same, where they were');
};

subtest 'the proxy is killed' => sub {
    my $pid = says('systemctl show -P MainPID fcfaas-proxy.service');

    does("kill -9 $pid");
    # what was in it is lost; what comes once the next is there is not
    another('fcfaas-proxy', $pid);
    answers('and calls go through the next');
    is(says('curl -s -o /dev/null -w "%{http_code}\n" '
        . '"http://127.0.0.1:8080/run/hello?[1-200]" | sort | uniq -c')
        =~ s/^\s+//r, '200 200', 'all of them');
};

!$c->slow && subtest 'one that hangs' => sub {
    says('mkdir -p /run/systemd/system/fcfaas-agent.service.d; printf '
        . q('[Service]\nWatchdogSec=2\n') . ' >/run/systemd/system/'
        . 'fcfaas-agent.service.d/t.conf; systemctl daemon-reload; '
        . 'systemctl restart fcfaas-agent');
    agent_ready();
    under_load('watchdog', sub {
        my $pid = main_pid();
        does("kill -STOP $pid");
        agent_ready($pid);
    });
    says('rm -r /run/systemd/system/fcfaas-agent.service.d; '
        . 'systemctl daemon-reload; systemctl restart fcfaas-agent');
    agent_ready();
};

subtest 'a reboot' => sub {
    my $vms = says('pgrep -c fcfaas-vmm');

    cmp_ok($vms, '>', 0, 'VMs run');
    deaf();
    $c->reboot;
    answers('what was deployed answers again');
    is(says('systemctl --failed --no-legend --plain'), '', 'no unit failed');
    # a gateway's workers try etcd again in their time
    eval { wait_for(sub { ($c->run('fcfaas-setup doctor'))[0] == 0 }, seconds(60),
        'the doctor') };
    like(does('fcfaas-setup doctor'), qr/nothing is wrong/, 'all is well');
    like(does('fcfaas-setup single'), qr/all is as it was/,
        'and as it was set up');
};

# what is there of it, but for what is named
my $left = q(pgrep -l fcfaas; ip -o link | grep -e fctap -e fc-bridge; )
    . q(nft list tables | grep -i -e fcf -e fc_; )
    . q(find /sys/fs/cgroup -name '*fcfaas*' 2>/dev/null; )
    . q(ls -d /run/fcfaas* /etc/nginx/sites-enabled/fcfaas 2>/dev/null; )
    . q(find /etc/systemd -name '*fcfaas*'; ss -xlt | grep -e fcfaas -e 2389 );

subtest 'removal' => sub {
    isnt(says($left), '', 'it is seen while it runs');
    does('apt-get -q -y remove fcfaas fcfaas-agent fcfaas-cli '
        . 'libnginx-mod-http-fcfaas 2>&1', 'apt remove');
    wait_for(sub { says('pgrep -l fcfaas') eq '' }, seconds(60), 'all to have ended');
    # the last control groups go after what was in them
    eval { wait_for(sub { says($left) eq '' }, seconds(60), 'nothing to be left') };
    is(says($left), '', 'nothing runs');
    is(active('nginx'), 'active', 'nginx does');
    does('nginx -t', 'and takes its settings');
    is(says('ls /etc/fcfaas/agent.conf'), '/etc/fcfaas/agent.conf',
        'settings are there');
};

subtest 'purge' => sub {
    # as a killed run leaves them
    does('touch /etc/fcfaas/trial.conf /etc/fcfaas/token.new '
        . '/etc/nginx/sites-available/fcfaas.new');
    does('apt-get -q -y purge fcfaas fcfaas-agent fcfaas-cli '
        . 'libnginx-mod-http-fcfaas 2>&1', 'apt purge');
    is(says('find / -xdev -name "*fcfaas*" ! -path "/root/*" '
        . '! -path "/proc/*" ! -path "/var/lib/systemd/*" '
        . '! -path "/var/log/*" 2>/dev/null'), '', 'no file is left');
    is(says('getent passwd fcfaas-proxy; getent group fcfaas-proxy'), '',
        'nor a user');
    is(active('nginx'), 'active', 'nginx runs');
};

$c->end;
done_testing();
