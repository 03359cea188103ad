#!/usr/bin/perl

# A machine whose power is cut while packages are installed and while
# fcfaas-setup runs: the same command, said again, goes on; and once it serves,
# it does so again by itself.  (What was written is there still: that of a disk
# which lost some is not shown.)  Its control groups are of version 2, where its
# end waits for all that is in those of VMs.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Installed;
use Test::More;

my @debs = FcfTest::Packages->now;
my $c = container(packages_of => [@debs], files => [@debs], quick => 1,
    unified => 1);

my $install = 'apt-get -q -y --no-install-recommends install ./*.deb';
my $setup = 'fcfaas-setup single --vmm=instant';

# the line runs until the other is true
sub cut_when {
    my ($line, $until) = @_;

    does("$line >/dev/null 2>&1 & until $until; do kill -0 \$! || exit 1; done",
        "$line: cut when $until");
    $c->cut;
}

subtest 'apt install' => sub {
    cut_when($install, 'grep -q -x "Status: install ok unpacked" '
        . '/var/lib/dpkg/status || [ -e /usr/sbin/fcfaas-agent.dpkg-new ]');
    # as apt-get itself says
    does("dpkg --configure -a; $install 2>&1", 'goes on');
    is(says('dpkg --audit'), '', 'and all is installed');
};

subtest 'fcfaas-setup' => sub {
    cut_when($setup, $_) for '[ -e /etc/fcfaas/etcd.yml ]',
        'systemctl -q is-active fcfaas-etcd', '[ -e /etc/fcfaas/agent.conf ]';
    does($setup, 'goes on');
    like(does($setup), qr/all is as it was/, 'and then has nothing to do');
    is(says('find /etc/fcfaas /etc/nginx -name "*.new"'), '', 'nothing is left');
};

subtest 'while it serves' => sub {
    does('fcfaas deploy /usr/share/doc/fcfaas-cli/examples/hello');
    answers('a function answers');
    $c->cut;
    answers('and again');
    is(says('systemctl --failed --no-legend --plain'), '', 'no unit failed');
};

subtest 'told to reboot' => sub {
    deaf();
    $c->reboot;
    answers('a function answers');
    is(says('systemctl --failed --no-legend --plain'), '', 'no unit failed');
};

$c->end;
done_testing();
