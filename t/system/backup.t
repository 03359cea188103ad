#!/usr/bin/perl

# Backup and restore as docs/install.md says them, read from there: of all on
# one machine, which is then purged and installed anew; and of etcd alone.
# Functions answer after it, with their secrets, by their versions.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Installed;
use FcfTest::Packages;
use Test::More;

my @debs = FcfTest::Packages->now;
my $c = container(packages_of => [@debs], files => [@debs]);

# the two blocks of commands of that part of docs
my ($part) = slurp(root() . '/docs/install.md')
    =~ /^## Backup and restore\n(.*?)(?:^## |\z)/ms or die 'no such part';
my ($backup, $restore) = map { s/^ {4}//mgr }
    $part =~ /((?:^ {4}\S.*\n(?:^ {4}.*\n)*))/mg;
like($backup, qr/snapshot save/, 'a backup is told');
like($restore, qr/snapshot restore/, 'and what to do with it');

my $install = 'apt-get -q -y --no-install-recommends install ./*.deb 2>&1';
my $names = 'fcfaas fcfaas-agent fcfaas-cli libnginx-mod-http-fcfaas';

sub called {
    my ($name, $what) = @_;
    my $said = '';

    eval { wait_for(sub { ($said = says('curl -sS --max-time 9 -w "%{http_code}"'
        . " http://127.0.0.1:8080/run/$name")) =~ /200\z/ },
        seconds(60), 'an answer') };
    like($said, qr/200\z/, $what);
}

sub of_etcd {
    return says('ETCDCTL_API=3 etcdctl --endpoints http://127.0.0.1:2389 '
        . '--user "root:$(cat /etc/fcfaas/etcd-root.password)" '
        . "get --prefix $_[0]");
}

# of that one which is not deployed anew: its worker id
sub instance {
    my @ids = says('fcfaas ps other --json') =~ /"instance": ?"([^"]+)"/g;
    return join ' ', sort @ids;
}

does($install, 'the packages');
does('fcfaas-setup single --vmm=instant', 'fcfaas-setup');
does('fcfaas deploy /usr/share/doc/fcfaas-cli/examples/hello', 'one');
does('cp -r /usr/share/doc/fcfaas-cli/examples/hello /root/again '
    . '&& echo "# 2" >>/root/again/bootstrap');
does('fcfaas deploy /root/again --name hello', 'its second version');
does('fcfaas deploy /root/again --name other', 'another');
does('echo s3cret | fcfaas secret set other PASSWORD', 'with a secret');
called($_, "$_ answers") for 'hello', 'other';

does($backup, 'the backup, while all runs');
my %before = map { $_ => of_etcd($_) } '/specs/', '/secrets/';
like($before{'/secrets/'}, qr/s3cret|PASSWORD/, 'etcd has something to lose');
is(says('find /var/backups/fcfaas -perm /077'), '', 'nobody else reads it');

subtest 'all is lost' => sub {
    does("apt-get -q -y purge $names 2>&1", 'apt purge');
    does('rm -rf /var/lib/fcfaas /etc/fcfaas');
    does($install, 'the packages, again');
    does($restore, 'the restore');
    is(of_etcd($_), $before{$_}, "$_ is as it was") for sort keys %before;
    called($_, "$_ answers") for 'hello', 'other';
    like(says('fcfaas describe hello'), qr/version 2/, 'by its version');
    does('fcfaas rollback hello', 'and the one before is there');
    called('hello', 'which answers, too');
    does('fcfaas doctor', 'nothing is wrong');
};

subtest 'etcd alone is lost' => sub {
    does($backup, 'a backup');
    my $vm = instance();
    like($vm, qr/\S/, 'an instance runs');
    does('systemctl stop fcfaas-etcd && rm -rf /var/lib/fcfaas/etcd');
    called('hello', 'what is warm is served');
    does($restore, 'the restore');
    called($_, "$_ answers") for 'hello', 'other';
    is(instance(), $vm, 'in the same VM');
    does('fcfaas deploy /root/again --name third', 'what is new is taken');
    called('third', 'and answers');
};

$c->end;
done_testing();
