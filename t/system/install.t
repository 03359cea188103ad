#!/usr/bin/perl

# "make install": what it puts where, that a second run changes nothing but
# what was built anew, and other places than the usual ones.

use strict;
use warnings;

use lib 't/lib', 'packaging/lib';
use File::Find;
use FcfSetup::Conf;
use FcfTest;
use Test::More;

# of the make that runs the tests, which says another variant
delete @ENV{grep { /^(?:MAKE|MFLAGS|V$|B$|DESTDIR|PREFIX)/ } keys %ENV};
chdir root() or die "chdir: $!";

my $dir = tmpdir() . '/a root';

# path => mode and size, of all files below
sub below {
    my ($root) = @_;
    my %found;

    find({ no_chdir => 1, wanted => sub {
        my ($mode, $size) = (lstat)[2, 7];
        $found{ substr $_, length $root } = sprintf '%o %d', $mode, $size
            unless -d;
    } }, $root) if -d $root;

    return \%found;
}

# t/system/deb.t runs make, too, in the same directories
sub make {
    my $said = qx(flock build make -s @_ 2>&1);
    return ($?, $said);
}

# (status, what it said)
sub install {
    my ($part, %env) = @_;
    local @ENV{keys %env} = values %env;
    my $said = qx(packaging/install $part 2>&1);

    return ($?, $said);
}

my ($status, $said) = make('V=release', 'install', "DESTDIR='$dir'");
is($status, 0, 'below a directory whose name has a blank') or diag($said);

my $first = below($dir);
my @want = map { "/usr/local/$_" } qw(bin/fcfaas sbin/fcfaas-agent
    sbin/fcfaas-proxy lib/fcfaas/fcfaas-vmm lib/fcfaas/fcfaas-jailer
    lib/fcfaas/vmlinux lib/fcfaas/initrd lib/fcfaas/runtimes/base.img
    lib/nginx/modules/ngx_http_fcfaas_module.so
    lib/systemd/system/fcfaas-agent.service
    lib/systemd/system/fcfaas-proxy.service
    lib/systemd/system/fcfaas-vms.service
    lib/systemd/network/80-fcfaas.link lib/sysusers.d/fcfaas-proxy.conf
    lib/tmpfiles.d/fcfaas-agent.conf lib/tmpfiles.d/fcfaas-gateway.conf
    share/bash-completion/completions/fcfaas share/man/man1/fcfaas.1
    share/man/man1/fcfaas-deploy.1 share/man/man8/fcfaas-agent.8
    share/man/man8/fcfaas-proxy.8 share/doc/fcfaas/README.md
    share/doc/fcfaas/docs/operate.md share/fcfaas/ui/index.html
    share/doc/fcfaas/examples/monitoring/alerts.yml
    sbin/fcfaas-setup share/man/man8/fcfaas-setup.8
    share/fcfaas/lib/FcfSetup/Conf.pm share/fcfaas/lib/FcfSetup/Ports.pm
    share/fcfaas/lib/FcfSetup/Tls.pm lib/systemd/system/fcfaas-front.service
    lib/systemd/system/fcfaas-etcd.service
    lib/systemd/system/fcfaas-redis.service
    share/doc/fcfaas-agent/examples/agent.conf
    share/doc/fcfaas-cli/examples/hello/bootstrap
    share/doc/libnginx-mod-http-fcfaas/examples/nginx.conf);
push @want, '/etc/nginx/snippets/fcfaas.conf', '/etc/fcfaas/redis.conf';

is(join(' ', grep { !$first->{$_} } @want), '', 'all parts are there');
is(join(' ', grep { !m{^/usr/local/|^/etc/(?:nginx/snippets|fcfaas)/} } keys %$first),
    '', 'and nothing elsewhere');
like($first->{'/usr/local/sbin/fcfaas-agent'} // '', qr/^100755 /,
    'programs can be run');
is(join(' ', grep { $first->{$_} =~ /^\d+[2367]\d? / || $first->{$_}
    !~ /^100(?:644|755) / } keys %$first), '', 'others may read, not write');

my $unit = slurp("$dir/usr/local/lib/systemd/system/fcfaas-agent.service");
like($unit, qr{^ExecStart=/usr/local/sbin/fcfaas-agent --conf=/etc/fcfaas/}m,
    'the unit starts what is installed');
like(slurp("$dir/usr/local/share/doc/fcfaas-agent/examples/agent.conf"),
    qr{^kernel = /usr/local/lib/fcfaas/vmlinux$}m, 'so say the settings');

# what others have installed is where they put it
like(slurp("$dir/usr/local/sbin/fcfaas-setup"), qr{\A#!/usr/bin/perl$}m,
    'Perl is the system\'s');
like(qx('$dir/usr/local/sbin/fcfaas-setup' help 2>&1), qr/^fcfaas-setup single/,
    'and fcfaas-setup runs, with its module');
for (['etcd', '/usr/bin/etcd'], ['redis', '/usr/bin/redis-server']) {
    my ($name, $path) = @$_;
    like(slurp("$dir/usr/local/lib/systemd/system/fcfaas-$name.service"),
        qr{^ExecStart=$path }m, "so is $path");
}

# what people have changed is theirs
my $snippet = "$dir/etc/nginx/snippets/fcfaas.conf";
spew($snippet, "# mine\n");
my $conf = "$dir/usr/local/share/doc/fcfaas/README.md";
spew($conf, "old\n");
($status, $said) = make('V=release', 'install', "DESTDIR='$dir'");
is($status, 0, 'once more') or diag($said);
my $second = below($dir);
is(slurp($snippet), "# mine\n", 'settings that are there stay');
delete $_->{'/etc/nginx/snippets/fcfaas.conf'} for $first, $second;
is_deeply($second, $first, 'all else is as before');

# another prefix
($status, $said) = make('V=release', 'install', 'PREFIX=/opt/fc',
    'SYSCONFDIR=/opt/fc/etc', "DESTDIR='$dir/2'");
is($status, 0, 'PREFIX and SYSCONFDIR') or diag($said);
my $other = below("$dir/2");
is(join(' ', grep { !m{^/opt/fc/} } keys %$other), '', 'all is below it');

for my $file (grep { m{/(?:systemd|sysusers\.d|examples/\w+\.conf|man8)} }
    keys %$other)
{
    unlike(slurp("$dir/2$file"), qr{(?<!/opt/fc)/(?:usr/(?:s?bin|lib)/fcfaas
        |etc/fcfaas)\b}x, "$file names no other place");
}

# what a browser's requests for the page lead to: as in the example, which says
# no more to nodes than they need
sub page {
    my ($conf) = @_;
    my ($found) = $conf =~ m{^( *)location ~ "\^/fcfaas/nodes/.*?^\1\}}ms
        ? $& : '';
    return $found =~ s/#.*//gr =~ s/\s+/ /gr;
}

my $page = page(slurp('nginx.conf.example'));
like($page, qr/proxy_set_header Authorization "";/, 'an example of the page');
is(page(FcfSetup::Conf::site_conf(
    etcd => 'http://127.0.0.1:1', port => 80)), $page,
    'fcfaas-setup writes the same');

# refusals, before anything is written
my $none = "$dir/3";

for (['PREFIX', '/opt/my own', qr{"/opt/my own": a path of}],
    ['PREFIX', 'opt', qr{"opt" must begin with "/"}],
    ['SYSCONFDIR', '/etc;reboot', qr{"/etc;reboot": a path of}],
    ['B', 'build/nowhere', qr{build/nowhere/\S+ is missing: make}])
{
    my ($name, $value, $why) = @$_;
    my @said = install('cli', DESTDIR => $none, $name => $value);
    isnt($said[0], 0, "$name=$value is refused");
    like($said[1], $why, 'with the reason');
}

my @said = install('everything', DESTDIR => $none);
isnt($said[0], 0, 'a part that there is not');
like($said[1], qr/there is no part "everything"/, 'is named');
is_deeply(below($none), {}, 'nothing was written');

# a part is that package, no more
is((install('cli', DESTDIR => $none, B => 'build/release'))[0], 0, 'a part');
is(join(' ', grep { /agent|proxy|nginx|systemd/ } keys %{ below($none) }), '',
    'has nothing of the others');

done_testing();
