#!/usr/bin/perl

# "make deb": the four packages, by what is in them, what they need, what
# lintian says, and what systemd says of their units.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

delete @ENV{grep { /^(?:MAKE|MFLAGS|V$|B$|DESTDIR|PREFIX)/ } keys %ENV};
chdir root() or die "chdir: $!";

for my $program (qw(dh lintian dpkg-buildpackage)) {
    plan skip_all => "$program is not installed (run/deps test)"
        unless on_path($program);
}

my $start = now();
my $said = qx(flock build make -s V=release targets 2>&1)
    . qx(packaging/deb 2>&1);
is($?, 0, 'the packages are built') or BAIL_OUT($said);
diag(sprintf 'built in %.0f s', now() - $start);

my %deb = map { m{/([\w-]+)_} => $_ } glob 'build/deb/*.deb';
my @names = qw(fcfaas fcfaas-agent fcfaas-cli libnginx-mod-http-fcfaas);
is_deeply([sort keys %deb], \@names, 'these four');

sub field {
    my ($name, $field) = @_;
    my $text = qx(dpkg-deb -f $deb{$name} $field);
    chomp $text;
    return $text;
}

# path => mode and owner
sub content {
    my ($name) = @_;
    return map { m{^(\S+) (\S+) .* \.(/\S*[^/\s])(?: -> .*)?$}
        ? ($3 => "$1 $2") : () } split /\n/, qx(dpkg-deb -c $deb{$name});
}

my %has = (
    'libnginx-mod-http-fcfaas' => [qw(
        /usr/lib/nginx/modules/ngx_http_fcfaas_module.so
        /usr/share/nginx/modules-available/mod-http-fcfaas.conf
        /usr/lib/tmpfiles.d/fcfaas-gateway.conf
        /etc/nginx/snippets/fcfaas.conf)],
    'fcfaas-agent' => [qw(/usr/sbin/fcfaas-agent /usr/sbin/fcfaas-proxy
        /usr/lib/fcfaas/vmlinux /usr/lib/fcfaas/initrd
        /usr/lib/fcfaas/fcfaas-vmm /usr/lib/fcfaas/fcfaas-jailer
        /usr/lib/fcfaas/runtimes/base.img
        /lib/systemd/system/fcfaas-agent.service
        /lib/systemd/system/fcfaas-proxy.service
        /lib/systemd/system/fcfaas-vms.service
        /usr/lib/sysusers.d/fcfaas-proxy.conf
        /usr/share/man/man8/fcfaas-agent.8.gz)],
    'fcfaas-cli' => [qw(/usr/bin/fcfaas /usr/share/man/man1/fcfaas.1.gz
        /usr/share/bash-completion/completions/fcfaas
        /usr/share/doc/fcfaas-cli/examples/hello/bootstrap)],
    'fcfaas' => [qw(/usr/sbin/fcfaas-setup /etc/fcfaas/redis.conf
        /lib/systemd/system/fcfaas-etcd.service
        /lib/systemd/system/fcfaas-redis.service
        /lib/systemd/system/fcfaas-front.service
        /lib/systemd/system/fcfaas-sign.socket
        /lib/systemd/system/fcfaas-sign@.service
        /lib/systemd/system/fcfaas-renew.timer)],
);

my %where;
for my $name (@names) {
    my %content = content($name);
    is(join(' ', grep { !$content{$_} } @{ $has{$name} }), '',
        "$name: has its files");
    is(join(' ', grep { $content{$_} !~ m{ root/root$} } keys %content), '',
        'which are root\'s');
    is(join(' ', grep { $content{$_} =~ /^-....w|^-.......w|^-..s|^-.....s/ }
        keys %content), '', 'none is writable by others, or has rights');
    push @{ $where{$_} }, $name for grep { $content{$_} !~ /^d/ }
        keys %content;
}
is(join(' ', grep { @{ $where{$_} } > 1 } sort keys %where), '',
    'no file is in two');

like(field('libnginx-mod-http-fcfaas', 'Depends'), qr/\bnginx-abi-[\d.]+-\d+/,
    'the module is for the nginx that it was built for');
like(field('fcfaas', 'Depends'), qr/\b\Q$_\E\b/, "fcfaas needs $_")
    for qw(nginx openssl curl libnginx-mod-stream);
# a node has no etcd of its own
like(field('fcfaas', 'Recommends'), qr/\b\Q$_\E\b/, "and recommends $_")
    for qw(fcfaas-agent fcfaas-cli libnginx-mod-http-fcfaas etcd-server
    redis-server);
like(field('fcfaas-agent', 'Built-Using'), qr/^linux \(= \S+\)$/,
    'the source of the guests\' kernel is named');
is(qx(dpkg-deb -I $deb{fcfaas} conffiles), "/etc/fcfaas/redis.conf\n",
    'settings are kept over upgrades');
is(qx(dpkg-deb -I $deb{'libnginx-mod-http-fcfaas'} conffiles),
    "/etc/nginx/snippets/fcfaas.conf\n", 'so are the gateway\'s');

my $lintian = qx(lintian --allow-root build/deb/*.changes 2>&1);
is($lintian, '', 'lintian says nothing');

# each override has its reason before it
for my $file (glob 'packaging/debian/*.lintian-overrides') {
    my $why = 0;
    for (split /\n/, slurp($file)) {
        $why = 1 if /^# \w/;
        ok($why, "$file: explained: $_") unless /^#/;
        $why = 0 unless /^#/;
    }
}

# units, as they are installed, with the programs that they start
my $root = tmpdir() . '/root';
system('dpkg-deb', '-x', $deb{$_}, $root) for @names;
my %most = ('fcfaas-agent' => 4.0, 'fcfaas-proxy' => 2.0,
    'fcfaas-etcd' => 2.0, 'fcfaas-redis' => 2.0, 'fcfaas-front' => 2.7,
    'fcfaas-sign@' => 2.0);

for my $name (sort keys %most) {
    my $unit = "$root/lib/systemd/system/$name.service";
    my ($exposure) = qx(systemd-analyze security --offline=true --no-pager \\
        $unit 2>&1) =~ /Overall exposure level.*: ([\d.]+)/;
    cmp_ok($exposure // 10, '<=', $most{$name}, "$name: exposure");
}

for my $unit (glob "$root/lib/systemd/system/*.service") {
    my @said = grep { !/is not executable|man .* not found/ }
        split /\n/, qx(systemd-analyze verify --man=no $unit 2>&1);
    is(join("\n", grep { /fcfaas/ } @said), '', "$unit: verified");
}

done_testing();
