# Stores: nginx takes images from whoever has the token; what is wrong with one
# is told in a line, and what is right with another is enough.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;

use constant { SYS_unshare => 272, CLONE_NEWNS => 0x20000, SYS_prctl => 157 };

my $etcd = FcfTest::Etcd->start;
my $tmp = tmpdir();
my $small = "$tmp/small";

mkdir $small;
syscall(SYS_unshare, CLONE_NEWNS) == 0 or die "unshare: $!";
system('mount', '--make-rprivate', '/') == 0 or die 'mount';
system('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', $small) == 0
    or die 'mount';
FcfTest::at_end(sub { system('umount', '-l', $small) });

spew("$tmp/users", "fcfaas:{PLAIN}sesame\n");
spew("$tmp/token", "sesame\n");
spew("$tmp/other", "thistle\n");

sub location {
    my ($dir, $max) = @_;
    return FcfTest::Cli::store($dir, $dir, <<"    EOC");
            client_max_body_size   $max;

            limit_except GET {
                auth_basic            store;
                auth_basic_user_file  $tmp/users;
            }
    EOC
}

my $nginx = FcfTest::Nginx->start(server => location("$tmp/one", '100m')
    . location("$tmp/two", '100m') . location("$tmp/strict", '1m')
    . location("$small/full", '100m'));
my $url = 'http://127.0.0.1:' . $nginx->port;
my ($one, $two) = ("$url$tmp/one", "$url$tmp/two");
my %conf = (etcd => $etcd->endpoint, functions => '/nowhere',
    runtimes => '/nowhere', store_token_file => "$tmp/token");
my $cli = FcfTest::Cli->new(cwd => $tmp, conf => { %conf,
    store => "$one $two" });

sub source {
    my ($text, $bytes) = @_;
    FcfTest::Cli::function("$tmp/f", "# $text");
    open my $f, '>', "$tmp/f/data" or die $!;
    my $piece = join '', map { chr rand 256 } 1 .. 1000;
    print $f $piece for 1 .. ($bytes // 1000) / 1000;
    close $f;
    return "$tmp/f";
}

sub deploy { return $cli->run('deploy', '--no-wait', '--json', @_) }

sub images {
    my ($dir) = @_;
    my @names = map { m{([^/]+)\.img$} } glob "$dir/*.img";
    return join ' ', sort @names;
}

sub stores { return FcfTest::json_decode($cli->ok('describe', $_[0], '--json')
    ->{out})->{stores} }

# one line, with that status
sub refused {
    my ($what, $status, $re, @args) = @_;
    my $bytes = $what =~ /^no / ? 1000 : 2_000_000;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $cli->refused($what, $status, $re, 'deploy', '--no-wait', '--json',
        source($what, $bytes), '--name', 'bad', @args);
    is_deeply([$etcd->keys('/specs/bad')], [], "$what: nothing is in etcd");
}


# both have it, whole, and the version says so
my $r = deploy(source('first'), '--name', 'fn');
is($r->{status}, 0, 'deploy') or diag($r->{err});
my $sha = FcfTest::json_decode($r->{out})->{sha256};
is((split ' ', `sha256sum $tmp/one/$sha.img`)[0], $sha, 'one store has it');
is((split ' ', `sha256sum $tmp/two/$sha.img`)[0], $sha, 'and the other');
like($r->{err}, qr{^fcfaas: \Q$one\E: has it now, \d+ KB$}m, 'which is told');
is_deeply($etcd->get_json('/specs/fn')->{code}{where}, [$one, $two],
    'the version says where');
is_deeply(stores('fn'), { $one => 'has it', $two => 'has it' },
    'describe has looked');
is(scalar $nginx->served(qr/"PUT /, 2), 2, 'one PUT each');
like(deploy("$tmp/f", '--name', 'fn')->{out}, qr/unchanged/, 'again');
is(scalar $nginx->served(qr/"PUT /, 2), 2, 'nothing is sent that is there');

# one of them has lost it: the same deploy mends that
unlink "$tmp/two/$sha.img";
is_deeply(stores('fn'), { $one => 'has it', $two => 'lacks it' },
    'one lacks it: describe says so');
spew("$tmp/two/$sha.img", 'half');
is(stores('fn')->{$two}, 'lacks it', 'or has half of it');
deploy("$tmp/f", '--name', 'fn');
is(stores('fn')->{$two}, 'has it', 'the same deploy puts it there');

# one is away
my $gone = 'http://127.0.0.1:' . FcfTest::free_port() . '/store';
$r = deploy(source('second'), '--name', 'fn', '--store', "$gone $one");
is($r->{status}, 0, 'one store is away: the other is enough');
like($r->{err}, qr{\Q$gone\E.*\n.*\n.*not all stores have it},
    'but it is told');
like(stores('fn')->{$gone}, qr/^http.*(?:Failed|refused)/, 'describe says so');
is($etcd->get_json('/specs/fn')->{version}, 2, 'the version is there');

# what is wrong, in a line
refused('none is there', 3, qr{^fcfaas: .*\Q$gone\E}m, '--store', $gone);
refused('wrong token', 4, qr{store \Q$one\E: refuses the token of store_token_file$},
    '--store', $one, '--store-token-file', "$tmp/other");
refused('too large', 1, qr{takes no image of \d+ KB \(its client_max_body_size\)},
    '--store', "$url$tmp/strict");
refused('full', 1, qr{is its disk full|its disk is full},
    '--store', "$url$small/full");
refused('no store', 1, qr{/none: takes no images there},
    '--store', "$url/none");
refused('no URL', 2, qr{store: "here": must be http://ADDRESS}, '--store',
    'here');
is(images("$small/full"), '', 'nothing half is left');
is(images("$tmp/strict"), '', 'nor there');

{
    my $bare = FcfTest::Cli->new(name => 'bare', cwd => $tmp, conf => {
        %conf, store => $one, store_token_file => '' });
    $r = $bare->run('deploy', source('bare'), '--no-wait', '--name', 'bad');
    is($r->{status}, 4, 'no token');
    like($r->{err}, qr/wants a token: store_token_file$/, 'is told');
}

# it breaks off in the middle, and takes all of it the next time
my $cut = cutter($nginx->port, 500_000);
$r = deploy(source('cut', 3_000_000), '--name', 'cut', '--store',
    "http://127.0.0.1:$cut$tmp/one");
is($r->{status}, 0, 'a store that breaks off') or diag($r->{err});
like($r->{err}, qr/; once more$/m, 'is told');
my $cutsha = FcfTest::json_decode($r->{out})->{sha256};
is((split ' ', `sha256sum $tmp/one/$cutsha.img`)[0], $cutsha, 'it is whole');

# what no version is made of goes
my $have = images("$tmp/one");
like($have, qr/\Q$sha\E/, 'the first one is there');
$cli->ok('deploy', source("next $_"), '--no-wait', '--name', 'fn')
    for 3 .. 12;
is(scalar(my @v = $etcd->keys('/specs/fn/versions/')), 10, 'ten versions');
ok(!-e "$tmp/$_/$sha.img", "the first one's image is gone from $_")
    for qw(one two);
$cli->ok('deploy', "$tmp/f", '--no-wait', '--name', 'twin');
my $shared = $etcd->get_json('/specs/twin')->{code}{sha256};
$cli->ok('rm', 'fn');
is(images("$tmp/one"), join(' ', sort $cutsha, $shared),
    'rm: all but what others have');
$cli->ok('rm', 'twin');
$cli->ok('rm', 'cut');
is(images("$tmp/one"), '', 'rm: none is left');
is(images("$tmp/two"), '', 'nor there');

# how far it is: a bar on a terminal, lines elsewhere
source('bar', 20_000_000);
$r = $cli->on_terminal('deploy', "$tmp/f", '--no-wait', '--name', 'bar',
    '--store', $one);
is($r->{status}, 0, 'on a terminal') or diag($r->{said});
my $bar = qr/\[(#*) *\] (\d+) of (\d+) KB\e\[K/;
like($r->{said}, qr/\rfcfaas: the image: \[#{32}\] (\d+) of \1 KB\e\[K\r\n/,
    'a bar of the image, that ends');
my @up = $r->{said} =~ /\rfcfaas: http:[^\r]*: $bar/g;
cmp_ok(@up / 3, '>', 20, 'one of the upload');
my $grows = 1;
for (my $i = 3; $i < @up; $i += 3) {
    $grows &&= $up[$i + 1] >= $up[$i - 2] && $up[$i] ge $up[$i - 3];
}
ok($grows, 'which grows');
is_deeply([@up[-3 .. -1]], ['#' x 32, ($up[-1]) x 2], 'and ends');

source('lines', 20_000_000);
$r = $cli->ok('deploy', "$tmp/f", '--no-wait', '--name', 'bar', '--store', $one);
is(scalar(my @lines = $r->{err} =~ m{^fcfaas: http:.*: \d+ of \d+ KB$}mg), 3,
    'elsewhere a line for each quarter') or diag($r->{err});
unlike($r->{err}, qr/[\r\e]/, 'without a bar');
source('small');
unlike($cli->on_terminal('deploy', "$tmp/f", '--no-wait', '--name', 'bar',
    '--store', $one)->{said}, qr/\[#/, 'nothing of what is small');
$cli->ok('rm', 'bar');

# versions of one image are many, and it is asked to go once
source('many');
$cli->ok('deploy', "$tmp/f", '--no-wait', '--name', 'many', '--memory', $_)
    for 64 .. 67;
my $many = $etcd->get_json('/specs/many')->{code}{sha256};
$cli->ok('rm', 'many');
is(scalar $nginx->served(qr/"DELETE \S*$many/, 2), 2,
    'one DELETE for each store');
is(images("$tmp/one"), '', 'it is gone');

# a store that is away keeps it, which is told
$cli->ok('deploy', source('last'), '--no-wait', '--name', 'last', '--store',
    "$gone $one");
$r = $cli->ok('rm', 'last');
like($r->{err}, qr/^fcfaas: image \w{12}\.\.\. stays: .*\Q$gone\E/m,
    'what stays is told');
is(images("$tmp/one"), '', 'the other one has removed it');

$nginx->stop;
done_testing;


# forwards to that port, but the first connection that sends so many bytes ends
sub cutter {
    my ($to, $bytes) = @_;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        Listen => 16) or die $!;
    my $pid = fork // die "fork: $!";

    return $listen->sockport if $pid;

    syscall SYS_prctl, 1, 9, 0, 0, 0;   # ends with the test
    $SIG{PIPE} = 'IGNORE';

    while (my $client = $listen->accept) {
        my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $to) or POSIX::_exit(1);
        my ($sent, $both) = (0, IO::Select->new($client, $server,
            $listen));

        CONNECTION: while (1) {
            for my $from ($both->can_read) {
                last CONNECTION if $from == $listen;    # the next one
                sysread($from, my $data, 65536) or last CONNECTION;
                $sent += length $data if $from == $client;

                if ($bytes && $sent > $bytes) {
                    $bytes = 0;
                    last CONNECTION;
                }

                my $other = $from == $client ? $server : $client;
                my $at = 0;
                while ($at < length $data) {
                    $at += syswrite($other, $data, length($data) - $at, $at)
                        // last CONNECTION;
                }
            }
        }

        close $_ for $client, $server;
    }

    POSIX::_exit(0);
}
