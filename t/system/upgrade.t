#!/usr/bin/perl

# The packages of the commit before, installed and set up, are upgraded to
# these, and back, under load: no request is lost, VMs stay, what runs is what
# is installed, and settings that people changed are theirs.
# Some 60 s, and what it takes to build what the commit has changed.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Installed;
use Test::More;

my $none = FcfTest::Packages->no_before;
plan skip_all => "no packages to upgrade from: $none" if $none;

my @new = FcfTest::Packages->now;
my $start = now();
my @old = FcfTest::Packages->before(sub {
    my ($dir) = @_;
    # as if it had other settings by default
    spew("$dir/packaging/$_", slurp("$dir/packaging/$_") . "# before\n")
        for qw(redis.conf nginx/snippet.conf);
});
diag(sprintf 'packages of the commit before: %.0f s', now() - $start);

my $c = container(packages_of => [@new], quick => 1,
    files => [@new, @old, root() . '/t/lib/load.pl']);

my $install = 'apt-get -q -y --no-install-recommends --allow-downgrades '
    . '-o Dpkg::Options::=--force-confold install';

sub version {
    my ($deb) = @_;
    my $said = qx(dpkg-deb -f $deb Version);
    chomp $said;
    return $said;
}

sub names { join ' ', map { './' . s{.*/}{}r } @_ }

sub vms { map { $_ => 1 } split ' ', says('pgrep fcfaas-vmm') }

my $nginx = 'cat /proc/$(cat /run/nginx.pid)/maps | '
    . 'grep -o "ngx_http_fcfaas_module.so.*" | sort -u';

# what is installed runs
sub runs {
    my ($version) = @_;

    is(says("dpkg-query -W -f '\${Version} ' fcfaas fcfaas-agent fcfaas-cli "
        . 'libnginx-mod-http-fcfaas'), join(' ', ($version) x 4) . ' ',
        "the packages are $version");
    is(says('cmp /proc/' . main_pid() . '/exe /usr/sbin/fcfaas-agent && '
        . 'readlink /proc/' . main_pid() . '/exe'), '/usr/sbin/fcfaas-agent',
        'their agent runs');
    is(says('systemctl --failed --no-legend --plain'), '', 'no unit failed');
    is(active($_), 'active', "$_ is active")
        for qw(fcfaas-agent fcfaas-proxy fcfaas-etcd fcfaas-redis nginx);
}

my ($before, $now) = (version($old[0]), version($new[0]));
is(system("dpkg --compare-versions '$now' gt '$before'"), 0,
    "$now is newer than $before");

subtest 'the one before' => sub {
    does("$install " . names(@old) . ' 2>&1', 'apt install');
    does('fcfaas-setup single --vmm=instant');
    does('fcfaas deploy /usr/share/doc/fcfaas-cli/examples/hello');
    answers('a function answers');
    does('sed -i "\$s/.*/# mine/" /etc/nginx/snippets/fcfaas.conf');
    runs($before);
};

sub change {
    my ($what, $version, @debs) = @_;
    my %vms = vms();
    my $pid = main_pid();

    cmp_ok(scalar keys %vms, '>', 0, 'VMs run');
    under_load($what, sub {
        does("$install " . names(@debs) . ' 2>&1', 'apt install');
        agent_ready($pid);
    });
    runs($version);
    my %after = vms();
    is(scalar(grep { !$after{$_} } keys %vms), 0, 'VMs are the same');
    answers('and answer');
}

subtest 'an upgrade' => sub {
    change('upgrade', $now, @new);
    is(says($nginx), 'ngx_http_fcfaas_module.so', 'nginx has their module');
    # once the one before has ended
    ok(eval { wait_for(sub { says('systemctl show -P MainPID nginx.service')
        eq says('cat /run/nginx.pid') }, 60, 'it') }, 'and systemd knows it');
    like(says('tail -n 1 /etc/nginx/snippets/fcfaas.conf'), qr/^# mine$/,
        'settings that were changed are kept');
    is(says('grep -c before /etc/fcfaas/redis.conf'), '0',
        'others are the new ones');
    like(does('fcfaas-setup single'), qr/all is as it was/,
        'fcfaas-setup has nothing to do');
};

subtest 'and back' => sub {
    change('downgrade', $before, @old);
    like(says('tail -n 1 /etc/nginx/snippets/fcfaas.conf'), qr/^# mine$/,
        'settings that were changed are kept');
};

$c->end;
done_testing();
