# fcfaas deploy of container images: layers merged as engines do it, owners and
# rights kept, what cannot run or is hostile refused in a line.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Image;
use FcfTest::Pack;
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $tmp = tmpdir();
my $images = "$tmp/images";

for ($images, "$tmp/tmp", "$tmp/in") {
    mkdir $_ or die;
    chown 65534, 65534, $_;
}

my $cli = FcfTest::Cli->new(user => 65534, cwd => $tmp,
    env => { TMPDIR => "$tmp/tmp" }, conf => { etcd => $etcd->endpoint,
    functions => $images, runtimes => '/nowhere' });
my $n = 0;

sub e { goto &FcfTest::Pack::tar_entry }

sub image {
    my (%opt) = @_;
    return 'oci:' . FcfTest::Image::layout("$tmp/in/i" . ++$n,
        config => { Cmd => ['run'], Env => ['PATH=/bin'] }, %opt);
}

sub layer { FcfTest::Image::end(@_) }
my @run = (e('bin/', type => 5, mode => 0755), e('bin/run', mode => 0755,
    text => 'x'));

sub deploy { $cli->run('deploy', '--no-wait', '--json', @_) }

my $img;

sub good {
    my ($what, @args) = @_;
    my $r = deploy('--name', 'good', @args);

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is($r->{status}, 0, $what) or diag($r->{err});
    my $sha = FcfTest::json_decode($r->{out} || '{}')->{sha256} // 'none';
    $img = "$images/$sha.img";
    return $sha;
}

sub refused {
    my ($what, $re, @args) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $cli->refused($what, undef, $re, 'deploy', '--no-wait', '--json',
        @args, '--name', 'bad');
}

# "mode owner path" of each, and what a file holds
sub listing {
    return map { s{^(\S+) (\S+) .*? squashfs-root}{$1 $2 }r =~ s/ +/ /gr }
        grep { m{squashfs-root/} } split /\n/, `unsquashfs -lln $img`;
}

sub has { my ($line) = @_; return scalar grep { $_ eq $line } listing() }
sub named { my ($path) = @_; return scalar grep { m{ \Q$path\E(?: |$)} }
    listing() }
sub content { my ($path) = @_; return `unsquashfs -cat $img $path` }
sub program { FcfTest::json_decode(content('.fcfaas/image.json')) }


# layers over layers
my @first = (layer(@run, e('etc/', type => 5, mode => 0755),
    e('etc/passwd', text => "root:x:0:0::/:/bin/sh\nweb:x:33:44::/:/bin/sh\n"),
    e('etc/group', text => "root:x:0:\nstaff:x:50:web\n"),
    e('bin/su', mode => 04755, text => 'su', uid => 0),
    e('home/', type => 5, mode => 0700, uid => 33, gid => 44),
    e('home/mine', mode => 0640, uid => 33, gid => 44, text => 'mine'),
    e('data/', type => 5, mode => 01777), e('data/a', text => 'a1'),
    e('data/b', text => 'b1'), e('data/sub/', type => 5),
    e('data/sub/deep', text => 'deep'), e('old', text => 'the original'),
    e('linked', type => 1, link => 'old'), e('lib', type => 2, link =>
    'usr/lib'), e('usr/', type => 5, mode => 0755),
    e('usr/lib/', type => 5, mode => 0755), e('abs', type => 2,
    link => '/etc/passwd'), e('up', type => 2, link => '../../../etc'),
    e('pipe', type => 6, mode => 0600), e('capable', mode => 0755,
    text => 'cap', xattr => { 'user.note' => 'hello' })));

my @layers = (@first, { zip => 'zstd', tar => layer(
        e('data/.wh.a'), e('data/c', text => 'c2'), e('.wh.old'),
        e('lib/libx.so', text => 'through a link'),
        e('etc/', type => 5, mode => 0750)) },
    { zip => 'none', tar => layer(e('data/sub/', type => 5, mode => 0711),
        e('data/sub/.wh..wh..opq'), e('data/sub/new', text => 'new'),
        e('./bin/run', mode => 0755, text => 'y'), e('.wh.nothing')) });

my $sha = good('an image of three layers', image(layers => \@layers));
my $second = time;
wait_for(sub { time > $second + 1 }, 5, 'the clock to go on');
is(good('again', image(layers => \@layers)), $sha, 'the same bytes');
ok(has('drwxrwxrwt 0/0 /data'), 'a directory with its mode');
ok(!named('/data/a'), 'a file that a whiteout hides');
is(content('data/b'), 'b1', 'one that is still there');
is(content('data/c'), 'c2', 'one of the layer that hides');
ok(!named('/data/sub/deep'), 'an opaque directory hides what is below');
is(content('data/sub/new'), 'new', 'but what its own layer has');
ok(has('drwx--x--x 0/0 /data/sub'), 'with its new mode');
ok(!named('/old'), 'the original of a hard link is hidden');
is(content('linked'), 'the original', 'the link has the contents still');
is(content('bin/run'), 'y', 'a file that is replaced');
is(content('usr/lib/libx.so'), 'through a link', 'a path through a link');
ok(has('lrwxrwxrwx 0/0 /lib -> usr/lib') || named('/lib'), 'the link stays');
ok(has('-rwsr-xr-x 0/0 /bin/su'), 'set-uid');
ok(has('drwx------ 33/44 /home'), 'owners');
ok(has('-rw-r----- 33/44 /home/mine'), 'of files too');
ok(has('drwxr-x--- 0/0 /etc'), 'attributes of a later layer');
ok(named('/pipe'), 'a fifo');
ok(!grep({ /\.wh\./ } listing()), 'no whiteout is left');
system("cd $tmp && rm -rf x && unsquashfs -quiet -no-progress -d x $img capable >$tmp/unsquashfs.log 2>&1");
is(FcfTest::Image::xattr("$tmp/x/capable", 'user.note'), 'hello',
    'extended attributes');
is_deeply(program(), { argv => ['run'], file => '/bin/run',
    env => ['PATH=/bin'], cwd => '/', uid => 0, gid => 0 }, 'what is run');
my $spec = $etcd->get_json('/specs/good');
is($spec->{runtime}, 'oci', 'it is its own runtime');
ok(!exists $spec->{port}, 'no port is said');

# what the configuration says
my $conf = 0;

sub configured {
    my ($what, %config) = @_;
    good($what, '--name', 'c' . ++$conf, image(layers => [@layers],
        config => \%config));
    return program();
}

my $p = configured('all of it', Entrypoint => ['/bin/run', '-x'],
    Cmd => ['a b', ''], WorkingDir => '/srv/app', User => 'web',
    Env => ['A=1', 'B='], ExposedPorts => { '9000/tcp' => {}, '8080' => {},
    '53/udp' => {} });
is_deeply($p, { argv => ['/bin/run', '-x', 'a b', ''], file => '/bin/run',
    env => ['A=1', 'B='], cwd => '/srv/app', uid => 33, gid => 44 }, 'is kept');
ok(named('/srv/app'), 'a directory to work in is made');
is($etcd->get_json("/specs/c$conf")->{port}, 8080,
    'the lowest TCP port is the guess');
is(configured('a number', Cmd => ['run'], User => '12')->{gid}, 0,
    'a user that nobody has');
is_deeply([@{ configured('both', Cmd => ['run'], User => 'web:staff') }
    {qw(uid gid)}], [33, 50], 'user and group by name');
is_deeply([@{ configured('both', Cmd => ['run'], User => '7:8') }
    {qw(uid gid)}], [7, 8], 'by number');
is(configured('relative', Cmd => ['./run'], WorkingDir => '/bin')->{file},
    '/bin/./run', 'a program below the working directory');
is(configured('no PATH', Entrypoint => ['run'])->{file}, '/bin/run',
    'the usual PATH');

good('a port of ours', '--name', 'ported', '--port', 81, image(layers =>
    [@layers], config => { Cmd => ['run'], ExposedPorts => { '80/tcp' => {} } }));
is($etcd->get_json('/specs/ported')->{port}, 81, '--port decides');

# which image
my $two = image(layers => [@layers], tag => 'here');
good('by its tag', "$two:here");
refused('another tag', qr/no image with the tag there/, "$two:there");
refused('no layout', qr{oci:/nowhere: .*No such file}, 'oci:/nowhere');

# what cannot run
sub bad {
    my ($what, $re, %opt) = @_;
    refused($what, $re, image(layers => [@layers], %opt));
}

bad('another machine', qr/is for linux on arm64; guests are Linux on amd64/,
    arch => 'arm64');
bad('nothing to run', qr/neither an entrypoint nor a command/, config => {});
bad('a program that is not there', qr{"none", which it is to run, is in no directory of its PATH, /bin},
    config => { Cmd => ['none'], Env => ['PATH=/bin'] });
bad('one that is no program', qr{"/etc/passwd".*no executable},
    config => { Cmd => ['/etc/passwd'] });
bad('a user that is not there', qr/its user "nemo" is neither/,
    config => { Cmd => ['run'], User => 'nemo' });
bad('a shell string', qr/Cmd is no list of strings/,
    config => { Cmd => 'run' });
bad('an odd variable', qr/Env has something that is no NAME=value/,
    config => { Cmd => ['run'], Env => ['A'] });
bad('layers that lack', qr/has 3 layers, and 2 are in its configuration/,
    more => sub { pop @{ $_[1]{rootfs}{diff_ids} } });
bad('another layer', qr/what is in it has another digest/,
    more => sub { $_[1]{rootfs}{diff_ids}[1] = 'sha256:' . '0' x 64 });
bad('a foreign layer', qr/a layer is of a kind that is not known/,
    more => sub { $_[0]{layers}[0]{mediaType} =~ s/layer/layer.nondistributable/ });
bad('a size that is not its', qr/is not what its digest and size say/,
    more => sub { $_[0]{layers}[0]{size}++ });
bad('an artifact', qr/is no container image, but "x"/,
    more => sub { $_[0]{config}{mediaType} = 'x' });
refused('--runtime', qr/a container image is its own/, '--runtime', 'base',
    image(layers => [@layers]));

# hostile ones
sub hostile {
    my ($what, $re, @entries) = @_;
    refused($what, $re, image(layers => [layer(@run), layer(@entries)]));
}

hostile('a path up', qr/"a\/\.\.\/\.\.\/b": leads out .* by "\.\."/,
    e('a/../../b', text => 'x'));
hostile('a device', qr/"null": is a device/, e('null', type => 3));
hostile('a hard link out', qr/leads out/, e('h', type => 1,
    link => '../../etc/shadow'));
hostile('a hard link to nothing', qr/is a hard link to no file/,
    e('h', type => 1, link => 'nothing'));
hostile('a hard link to a directory', qr/is a hard link to no file/,
    e('h', type => 1, link => 'bin'));
hostile('a file below a file', qr/no directory/, e('bin/run/x', text => 'x'));
hostile('links in a circle', qr/too many links/, e('a', type => 2,
    link => 'b'), e('b', type => 2, link => 'a'), e('a/x', text => 'x'));
hostile('our own name', qr/has "\/\.fcfaas", which is for us/,
    e('.fcfaas/x', text => 'x'));
hostile('a link of our name to nowhere', qr/has "\/.fcfaas", which is for us/,
    e('.fcfaas', type => 2, link => '/nowhere'));
bad('a directory to work in of our name', qr/has "\/.fcfaas", which is for us/,
    config => { Cmd => ['/bin/run'], WorkingDir => '/.fcfaas/app' });
hostile('a name of nothing', qr/hides no name/, e('.wh...'));
refused('a bomb', qr/grows to more than 200 times its size/,
    image(layers => [layer(@run, e('zeros', text => "\0" x (100 << 20)))]));
refused('half a layer', qr/layer \w+\.\.\.: /, image(layers =>
    [layer(@run), substr layer(e('long', text => 'x' x 5000)), 0, 2000]));
is_deeply([grep { -d } glob "$tmp/tmp/*"], [], 'nothing is left in TMPDIR');
ok(!-e "$tmp/in/x", 'nor elsewhere');

# from a directory to an image and back
spew("$tmp/in/bootstrap", "#!/bin/sh\n");
chmod 0755, "$tmp/in/bootstrap";
mkdir "$tmp/dir";
rename "$tmp/in/bootstrap", "$tmp/dir/bootstrap";
is($cli->run('deploy', "$tmp/dir", '--name', 'good', '--no-wait')->{status}, 0,
    'a directory after an image');
ok(!exists $etcd->get_json('/specs/good')->{runtime}, 'has a runtime again');

for (['fcfaas.json', 'node'], ['--spec', 'python3', '--spec',
    '{"runtime":"python3"}'])
{
    my ($what, $runtime, @args) = @$_;
    good('an image once more', image(layers => \@layers));
    spew("$tmp/dir/fcfaas.json", '{"runtime":"node"}');
    is($cli->run('deploy', "$tmp/dir", '--name', 'good', '--no-wait', @args)
        ->{status}, 0, 'and a directory');
    is($etcd->get_json('/specs/good')->{runtime}, $runtime,
        "has the runtime that $what says");
}

like($cli->run({ env => { PATH => '/nowhere' } }, 'deploy',
    'docker-archive:x.tar')->{err},
    qr/^fcfaas: docker-archive:x\.tar: skopeo is not installed/m,
    'skopeo is not there');

# by skopeo: an archive, and a registry
SKIP: {
    skip 'no skopeo', 5 unless on_path('skopeo');
    my @plain = map { ref ? $_->{tar} : $_ } @layers;
    my $dir = substr image(layers => \@plain), 4;
    system("skopeo copy -q --insecure-policy oci:$dir:v1 docker-archive:$tmp/in/app.tar:app:1") == 0
        or die 'skopeo';
    good('docker-archive', "docker-archive:$tmp/in/app.tar");
    is(content('linked'), 'the original', 'has all of it');
    my $r = deploy("docker-archive:$tmp/in/app.tar");
    is(FcfTest::json_decode($r->{out})->{name}, 'app', 'is called as its file');
    isnt(deploy("docker-archive:$tmp/dir/bootstrap")->{status}, 0,
        'an archive that is none');

    skip 'no docker-registry', 4 unless on_path('docker-registry');
    my $port = free_port();
    spew("$tmp/registry.yml", <<"    EOC");
version: 0.1
storage: { filesystem: { rootdirectory: $tmp/registry } }
http: { addr: 127.0.0.1:$port }
    EOC
    my $registry = FcfTest::Proc->spawn(name => 'registry',
        argv => ['docker-registry', 'serve', "$tmp/registry.yml"]);
    wait_for(sub { eval { http_get($port, '/v2/')->{status} } // 0 }, 20,
        'the registry');
    system("skopeo copy -q --insecure-policy --dest-tls-verify=false oci:$dir:v1 docker://127.0.0.1:$port/team/app:2") == 0
        or die 'skopeo';
    is(good('docker://', '--plain-http', "docker://127.0.0.1:$port/team/app:2"),
        $sha, 'the same bytes as from its layout');
    $r = deploy('--plain-http', "docker://127.0.0.1:$port/team/none:2");
    isnt($r->{status}, 0, 'one that the registry has not');
    like($r->{err}, qr{docker://127\.0\.0\.1:$port/team/none:2: skopeo: .*(?:unknown|not found)}i, 'is told');
}

done_testing;
