# fcfaas runtime: images of runtimes in stores, by digest; versions that are
# made with them, and what becomes of those when another one is pushed.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use FcfTest;
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $tmp = tmpdir();
my $nginx = FcfTest::Nginx->start(
    server => FcfTest::Cli::store('/store', "$tmp/store"));
my $back = FcfTest::Forward->start(to => $etcd->port);
my $store = 'http://127.0.0.1:' . $nginx->port . '/store';
mkdir "$tmp/runtimes";
mkdir "$tmp/functions";
my %conf = (etcd => $etcd->endpoint, runtimes => "$tmp/runtimes",
    gateway => 'http://127.0.0.1:1', functions => "$tmp/functions");
my $cli = FcfTest::Cli->new(cwd => $tmp, conf => { %conf, store => $store });
my @deploy = ('deploy', "$tmp/f", '--no-wait', '--name');
my $img = "$tmp/runtimes/base.img";

# a runtime's image; its digest
sub built {
    my ($text) = @_;
    mkdir $_ for "$tmp/root", "$tmp/root/bin";
    spew("$tmp/root/bin/sh", $text);
    system(root() . "/vm/mkimage $tmp/root $tmp/new >&2") == 0 or die 'mkimage';
    rename "$tmp/new", $img or die $!;
    return sha256_hex(slurp($img));
}

sub images {
    my ($dir) = @_;
    my @names = sort map { m{([^/]+)\.img$} } glob(($dir // "$tmp/store")
        . '/*.img');
    return @names;
}

sub has { my ($sha, $dir) = @_; return -e ($dir // "$tmp/store") . "/$sha.img" }
sub spec { $etcd->get_json("/specs/$_[0]") }
sub short { substr $_[0], 0, 12 }

FcfTest::Cli::function("$tmp/f", '# one');
my ($first, $second, $third);

pushed();
pins();
upgrade();
rollback_();
environment();
pruned();
twice();
meanwhile();
unpinned();
directory();
mistakes();
prefixed();
roles();
done_testing;


sub pushed {
    is_deeply($cli->json('runtime', 'ls'), [], 'none at first');
    $first = built('first');
    my $r = $cli->ok('runtime', 'push', 'base');
    is($r->{out}, 'base: ' . short($first) . "... from now on, for what is "
        . "deployed\n", 'push says what it is');
    like($r->{err}, qr/^fcfaas: \Q$store\E: has it now, 4 KB$/m,
        'and where it went');
    is(sha256_hex(slurp("$tmp/store/$first.img")), $first, 'there it is');
    my $key = $etcd->get_json('/runtimes/base');
    is_deeply([@$key{qw(sha256 size where)}], [$first, length slurp($img),
        [$store]], 'etcd says which, and where');
    is($key->{deployed}{source}, $img, 'and of what it was made');
    is($cli->ok('runtime', 'push', 'base')->{out}, 'base: unchanged, still '
        . short($first) . "...\n", 'again: unchanged');
    is($cli->json('runtime', 'push', 'base')->{state}, 'unchanged', 'as JSON');
    unlink "$tmp/store/$first.img";
    like($cli->ok('runtime', 'push', 'base')->{out}, qr/unchanged/, 'one that the '
        . 'store has lost');
    ok(has($first), 'is there again');
    is_deeply($cli->json('runtime', 'ls'), [{ name => 'base',
        sha256 => $first, size => 4096, where => [$store],
        current => JSON::PP::true, versions => [] }], 'ls');
}

sub pins {
    $etcd->spec('hand', runtime => 'base');
    my $r = $cli->ok(@deploy, 'fn');
    is_deeply(spec('fn')->{runtime_image}, { sha256 => $first, size => 4096,
        where => [$store] }, 'a deploy pins it');
    is_deeply($etcd->get_json('/specs/fn/versions/1')->{runtime_image},
        spec('fn')->{runtime_image}, 'in the version, too');
    like($cli->ok('describe', 'fn')->{out}, qr/^runtime +base\nruntime image +(?#
        )sha256 $first, 4096 bytes$/m, 'describe says so');
    is_deeply($cli->json('describe', 'fn')->{runtime_stores},
        { $store => 'has it' }, 'and that the store has it');
    is_deeply($cli->json('runtime', 'ls')->[0]{versions}, ['fn@1'],
        'ls names the version');
    like($cli->ok('runtime', 'ls')->{out}, qr/^base +${\ short($first) } +4 KB +(?#
        )yes +\Q$store\E +fn\@1$/m, 'for people');
    is($cli->ok(@deploy, 'fn')->{out}, "fn: unchanged, still version 1\n",
        'unchanged');

    # a machine that lacks it needs none, as long as it is pushed
    rename $img, "$img.away" or die $!;
    is($cli->ok(@deploy, 'fn')->{out}, "fn: unchanged, still version 1\n",
        'also where the runtime is not');
    $cli->refused('one that is neither here nor pushed', 1, qr/exotic/, @deploy,
        'x', '--runtime', 'exotic');
    rename "$img.away", $img or die $!;
}

# the same code, another runtime
sub upgrade {
    $second = built('second');
    is($cli->ok(@deploy, 'fn')->{out}, "fn: unchanged, still version 1\n",
        'one that is only built changes nothing');
    $cli->ok('runtime', 'push', 'base');
    is(spec('fn')->{runtime_image}{sha256}, $first, 'nor does a push by itself');
    my $r = $cli->ok(@deploy, 'fn');
    like($r->{out}, qr/^fn: version 2 is current/, 'a deploy rolls it out');
    my ($is, $was) = (short($second), short($first));
    like($r->{err}, qr/^fcfaas: fn: the same code, for its runtime base is (?#
        )another now, $is\.\.\. after $was\.\.\.$/m, 'and says why');
    is(spec('fn')->{runtime_image}{sha256}, $second, 'with the new one');
    is(spec('fn')->{code}{sha256}, $etcd->get_json('/specs/fn/versions/1')
        ->{code}{sha256}, 'of the same code');
    ok(has($_), 'both are in the store') for $first, $second;
    is_deeply([map { [@$_{qw(sha256 versions)}, $_->{current} ? 1 : 0] }
        @{ $cli->json('runtime', 'ls') }], [[$second, ['fn@2'], 1],
        [$first, ['fn@1'], 0]], 'ls has both');
}

sub rollback_ {
    $cli->ok('rollback', 'fn', '--no-wait');
    is(spec('fn')->{runtime_image}{sha256}, $first,
        'a rollback is back to the runtime, too');
    is($cli->json(@deploy, 'fn')->{version}, 2, 'deploy: forward again');
    is(spec('fn')->{runtime_image}{sha256}, $second, 'with its own');
}

# what is set for a version changes nothing else of it
sub environment {
    $third = built('third');
    $cli->ok('runtime', 'push', 'base');
    $cli->ok('env', 'fn', 'set', 'A=b', '--no-wait');
    is(spec('fn')->{version}, 3, 'a variable makes a version');
    is(spec('fn')->{runtime_image}{sha256}, $second, 'of the runtime it had');
    like($cli->ok(@deploy, 'fn')->{err}, qr/the same code, for its runtime/,
        'the next deploy has the new one');
    is(spec('fn')->{runtime_image}{sha256}, $third, 'which is so');
}

# only what nothing names goes
sub pruned {
    ok(has($_), 'all three are there') for $first, $second, $third;
    FcfTest::Cli::function("$tmp/f", "# $_"), $cli->ok(@deploy, 'fn')
        for 1 .. 9;
    ok(!$etcd->get("/specs/fn/versions/$_"), "version $_ is gone") for 1 .. 3;
    ok(!has($_), 'and with them the runtimes that only they had')
        for $first, $second;
    ok(has($third), 'one that versions and the key name stays');
    $cli->ok('rm', 'fn');
    ok(has($third), 'one that the key names alone, too');
    is_deeply([images()], [$third], 'nothing else');

    my $fourth = built('fourth');
    $cli->ok('runtime', 'push', 'base');
    is_deeply([images()], [$fourth], 'one that was pushed over goes');
    $cli->ok(@deploy, 'fn');
    built('fifth');
    $cli->ok('runtime', 'push', 'base');
    ok(has($fourth), 'unless a version has it');
    $cli->ok('runtime', 'rm', 'base');
    is($etcd->get('/runtimes/base'), undef, 'rm');
    ok(has($fourth), 'leaves what versions have');
    $cli->ok('rm', 'fn');
    is_deeply([images()], [], 'in the end there is none');
}

# the same bytes as another's
sub twice {
    my $sha = built('twice');
    spew("$tmp/runtimes/twin.img", slurp($img));
    $cli->ok('runtime', 'push', $_) for 'base', 'twin';
    $cli->ok('runtime', 'rm', 'twin');
    ok(has($sha), 'two runtimes of one image: it stays for the other');
}

# who is faster
sub meanwhile {
    $back->hold('POST /v3/kv/txn');
    my $deploy = $cli->start(@deploy, 'fn', '--etcd', $back->url);
    $back->held(20);
    my $old = $etcd->get_json('/runtimes/base')->{sha256};
    my $new = built('meanwhile');
    $cli->ok('runtime', 'push', 'base');
    ok(!has($old), 'pushed over, and gone, while a deploy has it');
    $back->go;
    my $r = $cli->end($deploy);
    is($r->{status}, 1, 'no version of it is made');
    like($r->{err}, qr/^fcfaas: fn: its runtime base was pushed meanwhile: (?#
        )deploy it again$/m, 'which is told');
    is_deeply([$etcd->keys('/specs/fn')], [], 'there is none');

    my $slow = built('slow');
    $back->hold('POST /v3/kv/txn');
    my $push = $cli->start('runtime', 'push', 'base', '--etcd', $back->url);
    $back->held(20);
    my $fast = built('fast');
    $cli->ok('runtime', 'push', 'base');
    $back->go;
    $r = $cli->end($push);
    is($r->{status}, 1, 'of two pushes one hears that it lost');
    like($r->{err}, qr/base: somebody else pushed it/, 'in a line');
    is($etcd->get_json('/runtimes/base')->{sha256}, $fast, 'the other holds');
    ok(!has($slow), 'and nothing of the other is left');
}

# after rm all is as it was before there was such a key
sub unpinned {
    $cli->ok(@deploy, 'fn');
    ok(spec('fn')->{runtime_image}, 'pinned');
    $cli->ok('runtime', 'rm', 'base');
    like($cli->ok(@deploy, 'fn')->{err}, qr/the same code, for its runtime base (?#
        )is each node's own now, after \w{12}/, 'and no more');
    ok(!exists spec('fn')->{runtime_image}, 'by its name alone');
    $cli->ok('runtime', 'push', 'base');
    like($cli->ok(@deploy, 'fn')->{err}, qr/the same code, for its runtime base (?#
        )is \w{12}\.\.\. now, after each node's own/, 'and again');
    $cli->ok('rm', 'fn');
    $cli->ok('runtime', 'rm', 'base');
    is_deeply([images()], [], 'nothing is left');
}

# without a store
sub directory {
    my $here = FcfTest::Cli->new(name => 'here', cwd => $tmp, conf => \%conf);
    my $sha = built('here');
    $here->ok('runtime', 'push', 'base');
    ok(has($sha, "$tmp/functions"), 'in the directory of functions');
    is($etcd->get_json('/runtimes/base')->{where}, undef, 'of no store');
    $here->ok(@deploy, 'fn');
    is(spec('fn')->{runtime_image}{sha256}, $sha, 'pinned as well');
    $here->ok('rm', 'fn');
    $here->ok('runtime', 'rm', 'base');
    is_deeply([images("$tmp/functions")], [], 'and gone');
}

sub mistakes {
    my @push = ('runtime', 'push');
    $cli->refused('no such file', 1, qr/nothing\.img: No such file/, @push, 'base',
        "$tmp/nothing.img");
    $cli->refused('none of that name', 1, qr/exotic\.img: No such file/, @push,
        'exotic');
    $cli->refused('a directory', 1, qr/is no file$/, @push, 'base', $tmp);
    $cli->refused('an empty one', 1, qr/is empty$/, @push, 'base',
        spew("$tmp/empty", ''));
    my $whole = root() . '/build/vm/runtimes/base.img';
    my $half = spew("$tmp/half", substr slurp($whole), 0, 100000);
    $cli->refused('half of one', 1, qr/is not whole: \Q$half\E cannot be read/,
        @push, 'base', $half);
    $cli->refused('no name', 2, qr/runtime "\.\.\/x": cannot be a name/, @push,
        '../x', $img);
    $cli->refused('that of container images', 2, qr/"oci": cannot/, @push,
        'oci', $img);
    $cli->refused('nothing to do', 2, qr/usage: fcfaas runtime/, 'runtime');
    $cli->refused('something else', 2, qr/usage: fcfaas runtime push RUNTIME/,
        'runtime', 'pull', 'base');
    $cli->refused('none to remove', 1, qr/base: is not pushed/, 'runtime', 'rm',
        'base');
    $cli->refused('for people to set', 2, qr/runtime_image: is not for people/,
        @deploy, 'fn', '--spec', '{"runtime_image":{}}');
    is_deeply([$etcd->keys('/runtimes/'), images()], [], 'nothing is made');

    $etcd->put('/runtimes/base', { sha256 => 'x' });
    $cli->refused('a key that is not valid', 1, qr{/runtimes/base: is not (?#
        )valid; fcfaas runtime rm base removes it: runtime: sha256: bad},
        'runtime', 'push', 'base');
    is($cli->run(@deploy, 'fn')->{status}, 1, 'nor is anything made with it');
    $cli->ok('runtime', 'rm', 'base');
}

sub prefixed {
    my $other = FcfTest::Cli->new(name => 'other', cwd => $tmp, conf => {
        %conf, store => $store, prefix => '/b' });
    $other->ok('runtime', 'push', 'base');
    is_deeply([$etcd->keys('/b/runtimes/')], ['/b/runtimes/base'],
        'below the prefix');
    is_deeply([$etcd->keys('/runtimes/')], [], 'and nowhere else');
    $other->ok(@deploy, 'fn');
    ok($etcd->get_json('/b/specs/fn')->{runtime_image}, 'a deploy finds it');
    $other->ok('rm', 'fn');
    $other->ok('runtime', 'rm', 'base');
}

# roles of before there were such keys
sub roles {
    my $auth = FcfTest::Etcd->start(name => 'auth');
    my $root = sub { $auth->ctl(@_) };
    plan_roles($root);
    spew("$tmp/password", "pw\n");
    my %may = (%conf, etcd => $auth->endpoint, store => $store,
        etcd_password_file => "$tmp/password");
    my $op = FcfTest::Cli->new(name => 'op', cwd => $tmp,
        conf => { %may, etcd_user => 'op' });
    my $old = FcfTest::Cli->new(name => 'old', cwd => $tmp,
        conf => { %may, etcd_user => 'old' });

    my $sha = built('roles');
    $op->ok('runtime', 'push', 'base');
    $old->refused('who may not', 4, qr/permission denied/, 'runtime', 'push',
        'base');
    my $r = $old->ok(@deploy, 'fn');
    like($r->{err}, qr/fn: its runtime base is each node's own: what is (?#
        )pushed may not be read: .*permission denied/, 'who may not read them '
        . 'deploys as before');
    $old->ok('rm', 'fn');
    is_deeply([images()], [$sha], 'and removes code, but no runtime');
    $op->ok(@deploy, 'fn');
    $op->ok('runtime', 'rm', 'base');
    $r = $old->run('rm', 'fn');
    ok(has($sha), 'nor one that may be pushed');
    like($r->{err}, qr/old images stay: .*permission denied/, 'which is told');
}

sub plan_roles {
    my ($ctl) = @_;

    for ([op => '/runtimes/', '/specs/'], [old => '/specs/']) {
        my ($user, @keys) = @$_;
        $ctl->('user', 'add', "$user:pw");
        $ctl->('role', 'add', $user);
        $ctl->('role', 'grant-permission', '--prefix', $user, 'readwrite', $_)
            for @keys, '/secrets/';
        $ctl->('user', 'grant-role', $user, $user);
    }
    $ctl->('user', 'add', 'root:pw');
    $ctl->('user', 'grant-role', 'root', 'root');
    $ctl->('auth', 'enable');
}
