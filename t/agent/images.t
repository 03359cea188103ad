#!/usr/bin/perl

# Images that stores have: fetched by digest, once, piece by piece, from the
# next store where one fails, never used unless they are what they are called,
# kept within a limit, and gone when no version names them.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use FcfTest;
use AgentHost;
use FcfTest::Tls;
use Test::More;

use constant MB => 1 << 20;

AgentHost::private_mounts();
AgentHost::begin('images');

my %set = settings('a', images_mb => 6, max_boots => 32,
    with_admin());
my $cache = "$dir/state-a/images";
my ($one, $two) = map { store($_) } 9701, 9702;
my $agent = started('a', %set);
my $asked = 0;

fetched_once();
goes_on();
elsewhere();
wrong();
nobody_has_it();
away();
killed();
damaged();
bounded();
unnamed();
local_one();
mixed();
full();
by_tls();
done_testing();


# a store with a certificate of somebody's own
sub by_tls {
    FcfTest::Tls::certificates(server => '/O=store', client => '/O=node');
    my $it = made('tls', 3 * MB, $one);
    my $port = free_port();
    my $nginx = FcfTest::Nginx->start(server => <<"    EOC");
        listen 127.0.0.1:$port ssl;
        ssl_certificate     @{[tmpdir()]}/server.crt;
        ssl_certificate_key @{[tmpdir()]}/server.key;
        location /s { alias $one->{dir}/s; }
    EOC
    my $https = { url => "https://127.0.0.1:$port/s" };

    $agent->stop;
    $agent = started('a', %set);
    declared('untrusted', $it, $https);
    like(failure('untrusted', asked('untrusted'), 20)->{message},
        qr/certificate/i, 'a certificate that nobody of the system signed is '
        . 'not taken');

    $agent->stop;
    $agent = started('a', %set, store_ca => tmpdir() . '/ca.crt');
    declared('trusted', $it, $https);
    asked('trusted');
    serves('trusted', 'store_ca says who may have');
    is(-s "$cache/$it->{sha256}.img", 3 * MB, 'it is fetched');
    $nginx->stop;

    # one that asks for a certificate, too
    my $asks = free_port();
    $nginx = FcfTest::Nginx->start(name => 'asks', server => <<"    EOC");
        listen 127.0.0.1:$asks ssl;
        ssl_certificate        @{[tmpdir()]}/server.crt;
        ssl_certificate_key    @{[tmpdir()]}/server.key;
        ssl_client_certificate @{[tmpdir()]}/ca.crt;
        ssl_verify_client on;
        location /s { alias $one->{dir}/s; }
    EOC
    $https = { url => "https://127.0.0.1:$asks/s" };
    $it = made('tls-both', 3 * MB, $one);
    declared('unknown', $it, $https);
    like(failure('unknown', asked('unknown'), 20)->{message}, qr/400/,
        'who shows none gets nothing');

    $agent->stop;
    $agent = started('a', %set, map { $_->[0] => tmpdir() . "/$_->[1]" }
        [store_ca => 'ca.crt'], [store_cert => 'client.crt'],
        [store_key => 'client.key']);
    declared('known', $it, $https);
    asked('known');
    serves('known', 'store_cert is shown');
    $nginx->stop;
}


sub store {
    my ($port) = @_;
    my $at = "$dir/store-$port";

    mkdir $at or die $!;
    my $proc = FcfTest::Proc->spawn(name => "store-$port",
        argv => ['perl', root() . '/t/lib/store.pl', $port, $at]);
    $proc->line_matching(qr/^ready/, 10);
    return { dir => $at, url => "http://127.0.0.1:$port/s", proc => $proc };
}

sub mode { spew("$_[0]{dir}/mode.new", $_[1]);
    rename "$_[0]{dir}/mode.new", "$_[0]{dir}/mode" or die $! }

# what it was asked for since
sub log_of {
    my ($store) = @_;
    my @lines = -e "$store->{dir}/log"
        ? map { (split)[1] } split /\n/, slurp("$store->{dir}/log") : ();
    unlink "$store->{dir}/log";
    return join ' ', @lines;
}

# an image of so many bytes, in these stores
sub made {
    my ($name, $bytes, @stores) = @_;
    my $text = "fcfaas-instant\nboot_ms=1\n\n$name" . "x" x $bytes;
    $text = substr $text, 0, $bytes;
    my $sha = sha256_hex($text);

    for my $store (@stores) {
        mkdir "$store->{dir}/s";
        spew("$store->{dir}/s/$sha.img", $text);
    }

    return { sha256 => $sha, size => $bytes };
}

sub declared {
    my ($name, $code, @stores) = @_;
    $etcd->spec($name, max_instances => 20, idle_timeout_s => 600,
        code => { %$code, where => [map { $_->{url} } @stores] });
}

sub asked {
    my ($name) = @_;
    our_job($name, 'req-' . ++$asked, 1);
    return "req-$asked";
}

# a function of an image; its code
sub function {
    my ($name, $bytes, $has, @stores) = @_;
    my $code = made($name, $bytes, @$has);
    declared($name, $code, @stores);
    return $code;
}

sub serves {
    my ($name, $what) = @_;
    my (undef, $i) = instance($name, 20);
    is(call($name, $i->{proxy_port})->{status}, 200, "$what: it serves");
}

sub gone {
    my ($name) = @_;
    $etcd->del("/specs/$name");
    wait_for(sub { !instances($name) }, 20, "$name to stop");
    wait_for(sub { !vm_dirs('a') }, 20, "$name to be gone");
}

sub outcomes { metric('images_total', qq(outcome="$_[0]")) }

sub cached {
    my @names = sort map { m{([^/]+)$} } glob "$cache/*";
    return @names;
}

# one download for all that wait, of a file of three pieces
sub fetched_once {
    my $code = function('once', 2 * MB + 5, [$one], $one);
    mode($one, 'hold');
    asked('once') for 1 .. 3;
    wait_for(sub { my $n = () = $agent->output
        =~ /looking -> fetching/g; $n == 3 }, 20, 'three that fetch');
    is_deeply([instances('once')], [], 'they wait');
    is(outcomes('fetched'), 0, 'nothing is there yet');
    mode($one, '');
    wait_for(sub { instances('once') == 3 }, 20, 'three instances');
    is(log_of($one), '0-1048575 1048576-2097151 2097152-2097156',
        'one download, in pieces');
    is(sha256_hex(slurp("$cache/$code->{sha256}.img")), $code->{sha256},
        'the file is whole');
    is(outcomes('fetched'), 1, 'counted');
    asked('once');
    wait_for(sub { instances('once') == 4 }, 20, 'one more');
    is(log_of($one), '', 'is started from what is here');
    gone('once');
}

# a store that breaks off: from where it was
sub goes_on {
    function('breaks', 2 * MB, [$one], $one);
    mode($one, 'cut 1000000');
    asked('breaks');
    wait_for(sub { -e "$one->{dir}/log" && slurp("$one->{dir}/log")
        =~ /1048576-2097151/ }, 20, 'the second piece to break off');
    mode($one, '');
    serves('breaks', 'a store that breaks off');
    like(log_of($one), qr/^0-1048575( 1048576-2097151)+$/,
        'the first piece came once');
    gone('breaks');
}

sub elsewhere {
    function('other', 2 * MB, [$one, $two], $one, $two);
    mode($one, 'cut 1000000');
    asked('other');
    serves('other', 'a store that breaks off again and again');
    is(log_of($two), '1048576-2097151', 'the other one has the rest');
    mode($one, '');
    gone('other');

    function('lacks', MB, [$two], $one, $two);
    asked('lacks');
    serves('lacks', 'a store that has none');
    gone('lacks');

    mode($one, 'status 500');
    function('ill', MB, [$one, $two], $one, $two);
    asked('ill');
    serves('ill', 'a store that is ill');
    mode($one, '');
    gone('ill');
    log_of($_) for $one, $two;
}

sub wrong {
    mode($one, 'wrong');
    my $code = function('wrong', MB + 7, [$one, $two], $one, $two);
    my $n = outcomes('wrong');
    asked('wrong');
    serves('wrong', 'a store that sends something else');
    is(outcomes('wrong'), $n + 1, 'is counted');
    is(sha256_hex(slurp("$cache/$code->{sha256}.img")), $code->{sha256},
        'the file is right');
    gone('wrong');
    mode($_, 'wrong') for $one, $two;
    $code = function('wrongs', MB, [$one, $two], $one, $two);
    my $f = failure('wrongs', asked('wrongs'), 20);
    is($f->{error}, 'no_image', 'all of them do');
    like($f->{message}, qr{image \w{12}\.\.\. from http://127.0.0.1:9702/s: what it sent has another digest},
        'the reason is told');
    ok(!-e "$cache/$code->{sha256}.img", 'nothing of it is kept');
    mode($_, '') for $one, $two;
    asked('wrongs');
    serves('wrongs', 'once they are right');
    gone('wrongs');
}

sub nobody_has_it {
    function('none', MB, [], $one, $two);
    my $f = failure('none', asked('none'), 20);
    is("$f->{error}: $f->{message}" =~ s/image \w+/image X/r,
        'no_image: image X... from http://127.0.0.1:9702/s: it has none, after '
        . '0 of 1048576 bytes', 'no store has it');
    function('long', MB, [$one], $one);
    my $code = $etcd->get_json('/specs/long')->{code};
    # of its own name each, so that the agent cannot have seen another

    my $says = sub {
        my ($name, @declared) = @_;
        declared($name, @declared);
        my $failed = failure($name, asked($name), 20);
        $etcd->del("/specs/$name");
        return "$failed->{error}: $failed->{message}";
    };

    like($says->('longer', { %$code, size => MB + 1 }, $one),
        qr/^no_image: .*it has another length/, 'longer than the spec says');
    like($says->('sizeless', { %$code, size => 0 }, $one),
        qr/its spec does not say its size/, 'or of no size at all');
    like($says->('nowhere', $code),
        qr{function image $dir/functions/\w+\.img: No such}, 'nor where it is');
    $etcd->del("/specs/$_") for qw(none long);
}

sub away {
    $two->{proc}->stop;
    function('away', MB, [], $two);
    my $f = failure('away', asked('away'), 20);
    is($f->{error}, 'no_image', 'a store that is away');
    like($f->{message}, qr{from http://127.0.0.1:9702/s: Failed to connect},
        'is told');
    my $code = function('back', MB, [$one], $two, $one);
    asked('back');
    serves('back', 'another one has it');
    $etcd->del('/specs/away');
    gone('back');
}

# the agent ends in the middle; the next one goes on
sub killed {
    my $code = function('killed', 3 * MB, [$one], $one);
    mode($one, 'cut 2000000');
    log_of($one);
    asked('killed');
    wait_for(sub { -s "$cache/$code->{sha256}.part"
        && -s _ == 2 * MB }, 20, 'two pieces');
    $agent->kill('KILL');
    $agent->wait(20);
    mode($one, '');
    log_of($one);
    $agent = started('a', %set);
    asked('killed');
    serves('killed', 'an agent that was killed');
    like(log_of($one), qr/^(2097152-3145727 ?)+$/, 'the next one has the rest');
    gone('killed');
}

# what is on the disk is looked at before it is used
sub damaged {
    my $code = function('damaged', 2 * MB, [$one], $one);
    my $file = "$cache/$code->{sha256}.img";
    asked('damaged');
    serves('damaged', 'fetched');

    my $damage = sub {
        system("printf X | dd of=$file bs=1 seek=1048600 conv=notrunc 2>/dev/null");
    };

    $agent->stop;
    chmod 0644, $file;
    $damage->();
    log_of($one);
    $agent = started('a', %set);
    asked('damaged');
    wait_for(sub { instances('damaged') }, 20, 'an instance');
    is(sha256_hex(slurp($file)), $code->{sha256},
        'one that was damaged while no agent ran is replaced');
    isnt(log_of($one), '', 'fetched again');

    chmod 0644, $file;
    $damage->();
    asked('damaged');
    wait_for(sub { instances('damaged') == 2 }, 20, 'one more');
    is(sha256_hex(slurp($file)), $code->{sha256}, 'or while one runs');
    gone('damaged');
}

# the least recently used goes; what runs stays
sub bounded {
    my @code = map { function("many$_", 2 * MB, [$one], $one) } 1 .. 4;
    asked('many1');
    serves('many1', 'the first');
    asked('many2');
    serves('many2', 'the second');
    $etcd->spec('many2', version => 2, max_instances => 20,
        code => { %{ $code[2] }, where => [$one->{url}] });
    asked('many3');
    serves('many3', 'the third');
    my $f = failure('many4', asked('many4'), 20);
    is($f->{error}, 'no_image', 'no room for a fourth: all of them run');
    like($f->{message}, qr/of what runs, are more than images_mb = 6/,
        'is told');
    $etcd->put('/specs/keep/versions/1', { code => $code[0] });
    # its port answers for a while still, which holds no image
    my ($first) = grep { peek("$_/record") =~ /many1/ }
        vm_dirs('a');
    kill 'KILL', grep { (readlink("/proc/$_/cwd") // '') eq $first } vmms('a');
    wait_for(sub { !-e $first }, 20, 'its VM to be gone');
    asked('many4');
    serves('many4', 'the fourth');
    ok(!-e "$cache/$code[0]{sha256}.img", 'the first one has gone for it');
    ok(-e "$cache/$code[2]{sha256}.img", 'the third is there');
    $etcd->del($_) for '/specs/keep/versions/1', map { "/specs/many$_" } 1 .. 4;
    wait_for(sub { !vm_dirs('a') }, 20, 'all to be gone');
}

sub unnamed {
    wait_for(sub { !cached() }, 20, 'what no version names to go');
    pass('what no version names goes');
    my $code = function('named', MB, [$one], $one);
    asked('named');
    serves('named', 'one that is named');
    $etcd->put('/specs/named/versions/1', { code => $code });
    $etcd->spec('named', version => 2);
    function('next', MB, [$one], $one);
    asked('next');
    serves('next', 'another');
    $etcd->del('/specs/next');
    wait_for(sub { cached() == 1 }, 20, 'the other one to go');
    is_deeply([cached()], ["$code->{sha256}.img"],
        'one that a version names alone stays');
    $etcd->del('/specs/named/versions/1');
    $etcd->del('/specs/named');
    wait_for(sub { !cached() }, 20, 'it to go');
    wait_for(sub { !vm_dirs('a') }, 20, 'its VM to be gone');
}

# in the directory that the settings name
sub local_one {
    my $code = made('local', MB);
    spew("$dir/functions/$code->{sha256}.img", 'something else');
    declared('local', $code);
    my $f = failure('local', asked('local'), 20);
    is($f->{error}, 'no_image', 'a file that is not what it is called');
    like($f->{message}, qr{/functions/\w+\.img: is not what its name says},
        'is not used, and told');
    $etcd->del('/specs/local');
    made('local', MB, $one);
    declared('mended', $code, $one);
    asked('mended');
    serves('mended', 'a store has the right one');
    gone('mended');
}

# several at once, of several stores
sub mixed {
    $two = { %$two, proc => FcfTest::Proc->spawn(name => 'store-again',
        argv => ['perl', root() . '/t/lib/store.pl', 9702, $two->{dir}]) };
    $two->{proc}->line_matching(qr/^ready/, 10);
    function("mix$_", MB / 2 + $_, [$_ % 2 ? $one : $two], $one, $two)
        for 1 .. 8;
    asked("mix$_") for 1 .. 8;
    wait_for(sub { 8 == grep { instances("mix$_") } 1 .. 8 }, 30, 'all eight');
    pass('eight at once');
    $etcd->del("/specs/mix$_") for 1 .. 8;
    wait_for(sub { !vm_dirs('a') }, 20, 'all to be gone');
}

# a disk that is full is this host's fault
sub full {
    wait_for(sub { !cached() }, 20, 'the cache to be empty');
    system('mount', '-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', $cache) == 0
        or die 'mount';
    function('full', 2 * MB, [$one], $one);
    my $f = failure('full', asked('full'), 20);
    is($f->{error}, 'no_image', 'a full disk');
    like($f->{message}, qr/No space left on device/, 'is told');
    system('umount', '-l', $cache);
    asked('full');
    serves('full', 'once there is room');
    gone('full');
}
