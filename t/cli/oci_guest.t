# A container image in a real guest, in software emulation: its own root file
# system, entrypoint, user, directory, environment and port.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Image;
use FcfTest::Pack;
use Test::More;

my $s = FcfTest::System->start(vmm => 'qemu')->up(180);
my $cli = $s->cli;

sub e { goto &FcfTest::Pack::tar_entry }

# what it is, as it sees itself, on each line of a page
my $serve = <<'EOS';
#!/bin/sh
{
    id -u; id -g; pwd; echo "$A|$B|$PORT|$1"; cat /etc/hostname
    stat -c '%a %u' /bin/su; cat /data/lower; ls /data; cat /proc/1/comm
    echo w > /tmp/w && cat /tmp/w; echo w > /srv/w 2>&1 || echo no
} > /tmp/index.html
exec httpd -f -h /tmp -p "$PORT"
EOS

my @base = (FcfTest::Image::busybox(), e('tmp/', type => 5, mode => 01777),
    e('srv/', type => 5, mode => 0755), e('data/', type => 5, mode => 0755),
    e('data/lower', text => "lower\n"), e('data/gone', text => 'x'),
    e('bin/su', mode => 04755, text => 'x'),
    e('etc/passwd', text => "root:x:0:0::/:\nweb:x:33:44::/:\n"));
my @layers = (FcfTest::Image::end(@base), { zip => 'zstd',
    tar => FcfTest::Image::end(e('data/.wh.gone'),
        e('usr/local/bin/serve', mode => 0755, text => $serve)) });
my %config = (Entrypoint => ['serve'], Cmd => ['an argument'], User => 'web',
    WorkingDir => '/srv', Env => ['A=of the image', 'PATH=/usr/local/bin:/bin'],
    ExposedPorts => { '8000/tcp' => {} });
my $dir = FcfTest::Image::layout(tmpdir() . '/image', config => \%config,
    layers => \@layers);

$cli->ok('deploy', "oci:$dir", '--name', 'boxed', '-t', 120);
my @said = split /\n/, $cli->ok('invoke', 'boxed')->{out};
is("@said[0, 1]", '33 44', "the image's user");
is($said[2], '/srv', 'its directory');
is($said[3], 'of the image||8000|an argument',
    'its environment, its port, its arguments');
like($said[4], qr/^local-\d+$/, 'a name of its own');
is($said[5], '4755 0', 'a set-uid file');
is($said[6], 'lower', 'a lower layer');
is($said[7], 'lower', 'without what an upper one hides');
is($said[9], 'w', 'it can write where its user may') or diag("@said");
is($said[10], 'no', 'and nowhere else');
is($s->etcd->get_json('/specs/boxed')->{port}, 8000, 'the port was guessed');

# as root, and another image without /etc or /tmp
delete $config{User};
$dir = FcfTest::Image::layout(tmpdir() . '/bare', config => { %config,
    Env => ['PATH=/usr/local/bin:/bin'] }, layers => [FcfTest::Image::end(
    (grep { !/^etc\// } FcfTest::Image::busybox()),
    e('usr/local/bin/serve', mode => 0755, text => $serve
        =~ s/cat .data.lower; ls .data;//r =~ s/stat.*su;//r))]);
$cli->ok('deploy', "oci:$dir", '--name', 'boxed', '--port', 81, '-t', 120);
@said = split /\n/, $cli->ok('invoke', 'boxed')->{out};
is("@said[0, 1]", '0 0', 'root, where it says no user');
is($said[3], '||81|an argument', '--port decides');
is($cli->json('rollback', 'boxed', '-t', 120)->{version}, 1, 'back');
like($cli->ok('invoke', 'boxed')->{out}, qr/^33\n44\n/, 'to the first');

# one that ends is told as others are
$dir = FcfTest::Image::layout(tmpdir() . '/ends', config => { Cmd => ['sh',
    '-c', 'echo no such luck; exit 3'] }, layers => \@layers);
my $r = $cli->run('deploy', "oci:$dir", '--name', 'ends', '-t', 120);
is($r->{status}, 1, 'one that ends');
like($r->{err}, qr/no such luck\n.*did not come up/s, 'its words are told');

done_testing;
