#!/usr/bin/perl

# nginx.conf.example and agent.conf.example run as they are, with etcd and
# Redis on their default ports: in a network namespace and a mount namespace
# of the test's own, so that the host is not touched.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

use constant { SYS_unshare => 272, CLONE_NEWNS => 0x20000 };
use constant { LIB => '/usr/lib/fcfaas', RUN => '/run/fcfaas' };

my $module = root() . '/build/nginx/ngx_http_fcfaas_module.so';
-e $module or BAIL_OUT("$module is missing: make nginx");

my $dir = tmpdir();
my $test = $$;
my $ns = FcfTest::Netns->new('examples')->enter;
syscall(SYS_unshare, CLONE_NEWNS) == 0 or die "unshare: $!";
mount('--make-rprivate', '/');
mount('-t', 'tmpfs', 'none', '/var/lib');

# those that have to be there to be mounted upon
my @made = grep { mkdir } LIB, RUN;
mount('-t', 'tmpfs', 'none', $_) for LIB, RUN;
END { system('umount', $_), rmdir for $$ == $test ? @made : () }

mkdir $_ or die "$_: $!" for '/var/lib/nginx', '/var/lib/fcfaas',
    '/var/lib/fcfaas/functions', LIB . '/runtimes', "$dir/build",
    "$dir/build/nginx";
symlink $module, "$dir/build/nginx/ngx_http_fcfaas_module.so" or die $!;
spew(LIB . "/$_", 'x') for qw(vmlinux initrd);
spew(LIB . '/runtimes/base.img', "\0" x 4096);
spew('/var/lib/fcfaas/functions/hello.img', "fcfaas-instant\n\n" . "\0" x 4096);

sub mount { system('mount', @_) == 0 or die "mount @_\n" }

my $etcd = FcfTest::Etcd->start(port => 2379, peer => 2380);
my $redis = FcfTest::Redis->start(port => 6379);

# the stand-in is what this host surely has; all else is the file's
my $agent = FcfTest::Proc->spawn(name => 'agent', grace => 40, argv => [
    build_dir() . '/agent/fcfaas-agent',
    '--conf=' . root() . '/agent.conf.example',
    '--vmm=' . build_dir() . '/vm/vmm/fcfaas-vmm',
    '--vmm_args=--backend instant',
    # the user that the package makes
    '--proxy_user=61234']);
$agent->line_matching(qr/"msg":"ready: /, 20);
pass('agent.conf.example runs');

my $nginx = FcfTest::Proc->spawn(name => 'nginx', stop => 'QUIT', argv => [
    'nginx', '-p', "$dir/", '-c', root() . '/nginx.conf.example',
    '-g', 'daemon off;']);
FcfTest::show_log_on_failure("$dir/build/error.log");
wait_for(sub {
    $nginx->alive or die 'nginx ended: ' . $nginx->output;
    curl('http://127.0.0.1:8080/fcfaas/status')->{status} == 200;
}, 10, 'nginx');
pass('nginx.conf.example runs');

is(curl('http://127.0.0.1:8080/run/hello')->{status}, 404,
    'a function that is not declared');
$etcd->put('/specs/hello', '{"memory_mb":128,"concurrency":32}');
wait_for(sub { curl('http://127.0.0.1:8080/run/hello')->{status} != 404 }, 10,
    'the gateway to know it');

my $r = curl('http://127.0.0.1:8080/run/hello/a%20b?x=1');
is($r->{status}, 200, 'a declared one');
like($r->{body}, qr{^GET /a%20b\?x=1}, 'answers');

ok($nginx->stop, 'nginx ends');
is(join('', grep { /\[(?:alert|emerg)\]/ }
    split /^/, slurp("$dir/build/error.log")), '', 'without alerts');
ok($agent->stop, 'the agent ends');
unlike($ns->run('ip', '-o', 'link'), qr/fc-bridge0|fctap/, 'and its network');

done_testing();
