# fcfaas deploy: what becomes an image, and which: checks, archives that
# somebody else made, and the same bytes for the same input.  Nothing runs
# here but etcd.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Pack;
use IO::Socket::UNIX;
use POSIX ();
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $tmp = tmpdir();
my $images = "$tmp/images";
my $runtimes = root() . '/build/vm/runtimes';

sub make_dir { mkdir $_[0] or die "$_[0]: $!"; return $_[0] }

make_dir($images);
chown 65534, 65534, $images;
make_dir("$tmp/tmp");
chown 65534, 65534, "$tmp/tmp";
my $cli = FcfTest::Cli->new(user => 65534, cwd => $tmp,
    env => { TMPDIR => "$tmp/tmp" }, conf => {
    etcd => $etcd->endpoint, functions => $images, runtimes => $runtimes });

# a function: path => text, [mode, text], or \'target' of a link
my $n = 0;
sub function {
    my (%files) = @_;
    my $dir = make_dir("$tmp/f" . ++$n);

    %files = (bootstrap => [0755, "#!/bin/sh\n"], %files);

    for my $path (sort keys %files) {
        my $it = $files{$path} // next;
        my @up = split m{/}, $path;
        pop @up;
        mkdir join '/', $dir, @up[0 .. $_] for 0 .. $#up;

        if (ref $it eq 'SCALAR') {
            symlink $$it, "$dir/$path" or die "$path: $!";
        } else {
            my ($mode, $text) = ref $it ? @$it : (0644, $it);
            spew("$dir/$path", $text);
            chmod $mode, "$dir/$path";
        }
    }

    return $dir;
}

sub deploy { return $cli->run('deploy', '--no-wait', '--json', @_) }

sub digest {
    my $r = deploy(@_);
    is($r->{status}, 0, "deploy @_") or diag($r->{err});
    return FcfTest::json_decode($r->{out} || '{}')->{sha256};
}

sub refused {
    my ($what, $re, @args) = @_;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return $cli->refused($what, undef, $re, 'deploy', '--no-wait', '--json',
        @args, '--name', 'bad');
}

my @good = (
    bootstrap => [0755, "#!/bin/sh\nexec ./bin/serve\n"],
    'bin/serve' => [0775, "#!/bin/sh\n"], 'data/a b' => 'x' x 5000,
    'data/deep/er/empty' => '', 'link' => \'data/a b', 'up/l' => \'../data',
    "\x{e4}\x{f6}.txt" => 'umlauts', 'dangles' => \'nowhere',
);


subtest 'the same bytes' => sub {
    my $dir = function(@good);
    my $first = digest($dir, '--name', 'same');

    like($first, qr/^[0-9a-f]{64}$/, 'a digest');
    is((split ' ', `sha256sum $images/$first.img`)[0], $first,
        'it is the digest of the image that lies there');
    is(sprintf('%o', (stat "$images/$first.img")[2] & 0777), '644',
        'which everybody can read');

    utime 1, 1, $dir, glob "$dir/*";
    chmod 0755, "$dir/bin/serve", "$dir/data";
    is(digest($dir, '--name', 'same'), $first, 'other times and rights');
    is(digest('f1', '--name', 'same'), $first, 'a relative path');

    my $again = function(reverse_pairs(@good));
    is(digest("$again/", '--name', 'same'), $first, 'a copy, a "/" at the end');
    is($cli->json({ env => { SOURCE_DATE_EPOCH => 1e9 } }, 'deploy', $dir,
        '--name', 'same', '--no-wait')->{sha256}, $first,
        'SOURCE_DATE_EPOCH');

    system(root() . '/vm/mkimage', $dir, "$tmp/made.img") == 0 or die;
    is((split ' ', `sha256sum $tmp/made.img`)[0], $first,
        'and vm/mkimage makes the same');

    rename $dir, "$tmp/with blanks" or die;
    is(digest('with blanks', '--name', 'same'), $first, 'a name with blanks');

    my %entries = FcfTest::Pack::entries("$tmp/with blanks");
    my $tar = FcfTest::Pack::tar(%entries);

    for (['a.tar', $tar], ['a.tar.gz', FcfTest::Pack::gz($tar)],
        ['a.zip', FcfTest::Pack::zip(%entries)])
    {
        my ($name, $bytes) = @$_;
        spew("$tmp/$name", $bytes);
        is(digest($name, '--name', 'same'), $first, $name);
    }

    system("xz -k $tmp/a.tar && zstd -q -k $tmp/a.tar") == 0 or die;
    is(digest($_, '--name', 'same'), $first, $_) for 'a.tar.xz', 'a.tar.zst';
    is(scalar(() = glob "$images/*.img"), 1, 'one image for all of them');
    is_deeply([grep { !/\.img$/ } map { glob "$images/$_" } '*', '.new*'], [],
        'and nothing else is left there');
    is($etcd->get_json('/specs/same')->{version}, 1,
        'nor is the same again another version');
};


sub reverse_pairs {
    my (@list) = @_;
    return map { @list[$_, $_ + 1] } map { $_ * 2 } reverse 0 .. $#list / 2;
}


subtest 'bootstrap' => sub {
    my $elf = slurp('/bin/true');
    my $arm = $elf;
    substr $arm, 18, 2, pack 'v', 183;
    my $small = $elf;
    substr $small, 4, 1, "\1";
    my $loader = $elf =~ s{/lib64/ld-linux-x86-64\.so\.2}
        {/lib64/ld-nowhere-6-64.so.2}r;

    refused('none', qr/there is no bootstrap in it: what is the runtime "base"/,
        function(bootstrap => undef));
    refused('not executable', qr/bootstrap: is not executable: chmod \+x/,
        function(bootstrap => "#!/bin/sh\n"));
    refused('CR', qr/first line ends in CR.*sed/,
        function(bootstrap => [0755, "#!/bin/sh\r\nexit\r\n"]));
    refused('no script', qr/neither an ELF program nor a script/,
        function(bootstrap => [0755, "exit\n"]));
    refused('empty', qr/neither an ELF program nor a script/,
        function(bootstrap => [0755, '']));
    refused('a directory', qr/bootstrap: is not a file/,
        function(bootstrap => undef, 'bootstrap/x' => ''));
    refused('ARM', qr/bootstrap: is ARM aarch64; guests are x86-64/,
        function(bootstrap => [0755, $arm]));
    refused('32 bits', qr/guests are x86-64/,
        function(bootstrap => [0755, $small]));
    refused('cut off', qr/cut off in its ELF header/,
        function(bootstrap => [0755, substr $elf, 0, 40]));
    refused('loader', 
        qr{its loader, /lib64/ld-nowhere\S+, is not in the runtime "base"},
        function(bootstrap => [0755, $loader]));
    refused('interpreter', qr{its interpreter, /usr/bin/perl, is not in the},
        function(bootstrap => [0755, "#!/usr/bin/perl -w\n"]));
    refused('relative', qr{names no absolute path: "#!sh"},
        function(bootstrap => [0755, "#! sh\n"]));

    digest(function(bootstrap => [0755, $elf]), '--name', 'elf');
    digest(function(bootstrap => [0755, "#! /usr/bin/env sh\n"]),
        '--name', 'env');
    digest(function(bootstrap => \'bin/go', 'bin/go' => [0755, "#!/bin/sh"]),
        '--name', 'linked');

    refused('no such runtime', qr/there is no runtime "perl" in/,
        function(), '--runtime', 'perl');
    my $far = FcfTest::Cli->new(name => 'far', conf => { functions => $images,
        etcd => $etcd->endpoint, runtimes => '/nowhere' });
    is($far->run('deploy', function(bootstrap => [0755, "#!/usr/bin/perl\n"]),
        '--no-wait', '--runtime', 'perl')->{status}, 0,
        'what is not to be seen from here is not judged');
};


subtest 'handlers' => sub {
    my $rt = make_dir("$tmp/runtimes");
    symlink "$runtimes/base.img", "$rt/$_.img" for 'snake', 'base';
    spew("$rt/snake.entries", "handler.sn\nmain.sn\n");
    spew("$rt/snake.prepare", "#!/bin/sh\n"
        . "[ -e \"\$2\" ] && echo made >\"\$1\"/made\n", 0755);
    chmod 0755, $rt, "$rt/snake.prepare";

    my @args = ('--runtimes', $rt, '--runtime', 'snake');
    my $dir = function(bootstrap => undef, 'main.sn' => 'hiss');
    my $sha = digest($dir, '--name', 'snake', @args);

    ok(! -e "$dir/made", 'the source stays as it is');
    like(`unsquashfs -ls -d '' $images/$sha.img`, qr{^/made$}m,
        'the runtime has prepared its copy');
    refused('none', qr/no bootstrap in it, nor any of handler\.sn, main\.sn:/,
        function(bootstrap => undef, 'x.sn' => ''), @args);

    spew("$rt/snake.prepare", "#!/bin/sh\necho not so >&2\nexit 1\n", 0755);
    refused('prepare fails', qr/snake\.prepare: not so/, $dir, @args);

    # what runtimes of the tree say of themselves
    for my $runtime (qw(python3 node)) {
        is(slurp("$runtimes/$runtime.entries"),
            slurp(root() . "/vm/runtimes/$runtime/entries"),
            "$runtime: its entries lie beside its image");
    }
    ok(-x "$runtimes/python3.prepare", 'and what prepares code');
};


subtest 'what is in a directory' => sub {
    my $dir = function();
    POSIX::mkfifo("$dir/pipe", 0644);
    refused('a fifo', qr/pipe: is a device, socket or fifo/, $dir);

    $dir = function();
    my $socket = IO::Socket::UNIX->new(Local => "$dir/s", Listen => 1) or die;
    refused('a socket', qr/\bs: is a device, socket or fifo/, $dir);

    refused('a file that cannot be read', qr/secret: cannot be read: Permiss/,
        function(secret => [0600, 'x']));
    refused('an absolute link', qr{l: is a link out of the directory, to /etc},
        function(l => \'/etc/passwd'));
    refused('a link out', qr{a/l: is a link out .*, to \.\./\.\./x},
        function('a/l' => \'../../x'));
    refused('a link out by another', qr{is a link out of the directory},
        function('a/b/c/down' => \'../../../a', 'l' => \'a/b/c/down/../../images'));
    refused('not there', qr{nowhere: No such file}, "$tmp/nowhere");
    refused('a device', qr{/dev/null: is neither a directory nor an archive},
        '/dev/null');
    refused('no archive', qr/it must be a directory, a zip, or a tar/,
        function(x => 'text') . '/x');
};


subtest 'archives of strangers' => sub {
    my %ok = (bootstrap => [0755, "#!/bin/sh\n"]);
    my $i = 0;

    my $try = sub {
        my ($what, $re, $bytes, $ending) = @_;
        my $path = "$tmp/evil" . ++$i . ($ending // '.tar');
        spew($path, $bytes);
        refused($what, $re, $path);
    };
    my $tar = \&FcfTest::Pack::tar;
    my $entry = \&FcfTest::Pack::tar_entry;

    for my $pack ([tar => $tar, '.tar'], [zip => \&FcfTest::Pack::zip, '.zip'])
    {
        my ($kind, $make, $ending) = @$pack;
        $try->("$kind: up", qr/leads out of the archive by "\.\."/,
            $make->(%ok, '../evil' => 'x'), $ending);
        $try->("$kind: up inside", qr/leads out/,
            $make->(%ok, 'a/../../evil' => 'x'), $ending);
        $try->("$kind: absolute", qr/"\/tmp\/evil": is an absolute path/,
            $make->(%ok, '/tmp/evil' => 'x'), $ending);
        $try->("$kind: a link out", qr/is a link out of the directory/,
            $make->(%ok, l => \'../../etc'), $ending);
        $try->("$kind: nothing", qr/nothing in it|must be a directory/,
            $make->(), $ending);
    }

    ok(! -e "$tmp/evil" && ! -e '/tmp/evil', 'and nothing was written');

    my $made = "$tmp/through";
    mkdir $made, 0777;
    $try->('through a link', qr/"l\/x": |"l": is there twice/,
        $entry->('l', type => 2, link => $made)
        . $entry->('l/x', text => 'x') . $tar->(%ok));
    ok(! -e "$made/x", 'and nothing went there');
    $try->('a file below a file', qr/"bootstrap\/x"/,
        $entry->('bootstrap', mode => 0755, text => "#!/bin/sh\n")
        . $entry->('bootstrap/x', text => 'x') . "\0" x 1024);
    $try->('twice', qr/"a": is there twice/,
        $entry->('a', text => 'x') . $entry->('a', text => 'y') . $tar->(%ok));
    $try->('a device', qr/"d": is a device/,
        $entry->('d', type => 3) . $tar->(%ok));
    $try->('a fifo', qr/"p": is a device, socket or fifo/,
        $entry->('p', type => 6) . $tar->(%ok));
    $try->('a hard link out', qr/leads out|absolute/,
        $entry->('h', type => 1, link => '../../etc/passwd') . $tar->(%ok));
    $try->('a hard link to nothing', qr/"h": is a link to no file/,
        $entry->('h', type => 1, link => 'none') . $tar->(%ok));
    $try->('cut off', qr/Truncated/i,
        substr($entry->('a', text => 'x' x 5000), 0, 3000));
    $try->('a bomb by ratio', qr/"zeros": grows to more than 200 times/,
        FcfTest::Pack::gz($entry->('zeros', text => "\0" x 80e6)), '.tar.gz');
    $try->('a bomb by ratio, zip', qr/"zeros": grows to more than 200 times/,
        FcfTest::Pack::zip(%ok, zeros => "\0" x 80e6), '.zip');
    $try->('a bomb by count', qr/holds more than 200000 files/,
        FcfTest::Pack::gz($entry->('d/', type => 5) x 200_001), '.tar.gz');
    $try->('a long name', qr/too long a name/,
        $entry->('././@LongLink', type => 'L', text => 'a/' x 3000 . "\0")
        . $entry->('a', text => 'x') . $tar->(%ok));

    is_deeply([glob "$tmp/tmp/*"], [], 'no temporary directory is left');
    is($etcd->get('/specs/bad'), undef, 'nothing is declared');
};


subtest 'specs' => sub {
    my $dir = function();
    my @r = (['{"memory":1}', qr/memory: there is no such field; did you mean memory_mb\?/],
        ['{"version":7}', qr/version: is not for people/],
        ['[1]', qr/--spec \[1\]: is not a JSON object/],
        ['{', qr/is not a JSON object: /],
        ['{"cpu":"x"}', qr/^fcfaas: spec: cpu: not an integer$/]);

    refused("a spec of $_->[0]", $_->[1], $dir, '--spec', $_->[0]) for @r;
    refused('a number', qr/--memory x: must be/, $dir, '--memory', 'x');
    refused('too little memory', qr/memory_mb 39: .* alone need 40, and 80 /,
        $dir, '--memory', 39);
    refused('a share of nothing', qr/no version yet/, $dir, '--percent', 10);

    my $r = $cli->run('deploy', '/');
    is($r->{status}, 2, 'no name');
    like($r->{err}, qr/--name gives another/, 'is told');

    $etcd->put('/specs/kept', { version => 6, memory_mb => 64, hint => 'x',
        max_instances => 3 });
    digest($dir, '--name', 'kept', '--cpu', 2, '--spec', '{"port":8080}');
    my $spec = $etcd->get_json('/specs/kept');
    is_deeply([@$spec{qw(version previous memory_mb max_instances cpu port
        hint)}], [7, 6, 64, 3, 2, 8080, 'x'], 'what was said before stays');
    is($etcd->get_json('/specs/kept/versions/6')->{memory_mb}, 64,
        'what was declared by hand can be gone back to');
    ok($etcd->get_json('/specs/kept/versions/7')->{deployed}{by}, 'who made it');

    digest($dir, '--name', 'kept', '--memory', 64 + $_) for 1 .. 12;
    my @left = sort { $a <=> $b } map { (split m{/})[-1] }
        $etcd->keys('/specs/kept/versions/');
    is_deeply(\@left, [10 .. 19], 'the last ten versions stay, older ones go');
};


subtest 'where images go' => sub {
    my $dir = function(big => join '', map { chr rand 256 } 1 .. 300_000);

    refused('no directory', qr{functions = "/nowhere": .*No such file},
        $dir, '--functions', '/nowhere');
    refused('not ours', qr{functions = "/usr": .*Permission denied},
        $dir, '--functions', '/usr');

    my $full = make_dir("$tmp/full");
    system('mount', '-t', 'tmpfs', '-o', 'size=64k,mode=777', 'full', $full)
        == 0 or die 'mount';
    refused('a full disk', qr/No space left/, $dir, '--functions', $full);
    is_deeply([map { glob "$full/$_" } '*', '.n*'], [], 'nothing is left');
    system 'umount', $full;

    # one that is damaged is made anew
    my $sha = digest($dir, '--name', 'damaged');
    spew("$images/$sha.img", 'rubbish');
    digest($dir, '--name', 'damaged');
    cmp_ok(-s "$images/$sha.img", '>', 300_000, 'a damaged image is replaced');
};

done_testing;
