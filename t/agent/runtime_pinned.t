#!/usr/bin/perl

# A version that pins its runtime's image by digest has that one on every node:
# the node's own if it is the same, else what stores have, fetched once; never
# another, whatever is done to the node's own meanwhile.

use strict;
use warnings;

use lib 't/lib';
use Digest::SHA qw(sha256_hex);
use FcfTest;
use AgentHost;
use Test::More;

use constant MB => 1 << 20;

AgentHost::begin('pinned');
my %set = settings('a', snapshots => 'yes', snapshot_runtimes => 'snap',
    vmms_ahead => 0, adopt => 'yes', max_boots => 32, with_admin());
my $cache = "$dir/state-a/images";
my $store = { dir => "$dir/store", port => 9701,
    url => 'http://127.0.0.1:9701/s' };
mkdir $_ for $store->{dir}, "$store->{dir}/s";
serve();
my $agent = started('a', %set);
my $asked = 0;

fetched_once();
both();
own_one();
overwritten();
copies();
by_digest();
wrong();
away();
nowhere();
not_pinned();
swept();
snapshots();
adopted();
checked();

unlike($agent->output, qr/Sanitizer|runtime error|is not possible/, 'no fault');
ok($agent->stop, 'the agent ends');
done_testing();


sub serve {
    $store->{proc} = FcfTest::Proc->spawn(name => 'store-' . ++$store->{life},
        argv => ['perl', root() . '/t/lib/store.pl', $store->{port},
            $store->{dir}]);
    $store->{proc}->line_matching(qr/^ready/, 10);
}

sub mode { spew("$store->{dir}/mode.new", $_[0]);
    rename "$store->{dir}/mode.new", "$store->{dir}/mode" or die $! }

# what the store was asked for since, by digest
sub fetches {
    my %n;
    if (-e "$store->{dir}/log") {
        $n{$_}++ for slurp("$store->{dir}/log") =~ m{^s/(\w+)\.img}mg;
        unlink "$store->{dir}/log";
    }
    return \%n;
}

sub content { "$_[0]\n" . 'x' x ($_[1] // 4096) }

# an image of these bytes; as specs name it, in the store
sub pushed {
    my ($text, $bytes) = @_;
    my $what = content($text, $bytes);
    my $sha = sha256_hex($what);
    spew("$store->{dir}/s/$sha.img", $what);
    return { sha256 => $sha, size => length $what, where => [$store->{url}] };
}

sub own { spew("$dir/runtimes/$_[0].img.new", content($_[1]));
    rename "$dir/runtimes/$_[0].img.new", "$dir/runtimes/$_[0].img" or die $! }

sub declared {
    my ($name, $runtime, $pin, %more) = @_;
    image($name);
    $etcd->spec($name, memory_mb => 64, max_instances => 20,
        idle_timeout_s => 6000, runtime => $runtime,
        $pin ? (runtime_image => $pin) : (), %more);
}

sub ask {
    my ($name, $version) = @_;
    our_job($name, 'req-' . ++$asked, $version // 1);
    return "req-$asked";
}

# the first lines of what each VM of it has as its runtime
sub has {
    my ($name, $n) = @_;
    wait_for(sub { instances($name) >= ($n // 1) }, 20, "instances of $name");
    return join ' ', sort map {
        my ($worker) = m{/([^/]+)\z};
        my ($vm) = grep { /\Q$worker\E\z/ } vm_dirs('a');
        $vm ? slurp("$vm/runtime.img") =~ s/\n.*//sr : 'no directory';
    } instances($name);
}

sub gone {
    my ($name) = @_;
    $etcd->del($_) for "/specs/$name", $etcd->keys("/specs/$name/versions/");
    wait_for(sub { !instances($name) && !vm_dirs('a') }, 30, "$name to be gone");
}

sub refused {
    my ($name) = @_;
    my $f = failure($name, ask($name), 20);
    is($f->{error}, 'no_image', "$name: is not started");
    gone($name);
    return $f->{message};
}

sub cached { map { m{([^/]+)\z} } glob "$cache/*" }


# a runtime that this node has under no name
sub fetched_once {
    my $pin = pushed('remote', 2 * MB);
    declared('once', 'exotic', $pin);
    mode('hold');
    ask('once') for 1 .. 3;
    wait_for(sub { my $n = () = $agent->output =~ /looking -> fetching/g;
        $n == 3 }, 20, 'three that fetch');
    mode('');
    is(has('once', 3), 'remote remote remote', 'a runtime that is not here');
    is_deeply(fetches(), { $pin->{sha256} => 3 },
        'one download, of three pieces, for all that wait');
    is(sha256_hex(slurp("$cache/$pin->{sha256}.img")), $pin->{sha256},
        'the file is whole');
    ask('once');
    is(has('once', 4), 'remote remote remote remote', 'one more');
    is_deeply(fetches(), {}, 'of what is here');
    gone('once');
}

# code and runtime, neither here
sub both {
    my $pin = pushed('of-both');
    my $text = "fcfaas-instant\nboot_ms=1\n\n" . 'y' x 5000;
    my $sha = sha256_hex($text);
    spew("$store->{dir}/s/$sha.img", $text);
    fetches();
    declared('both', 'exotic', $pin, code => { sha256 => $sha,
        size => length $text, where => [$store->{url}] });
    ask('both');
    is(has('both'), 'of-both', 'an image of the function, then the runtime');
    is_deeply(fetches(), { $sha => 1, $pin->{sha256} => 1 }, 'each once');
    gone('both');
}

sub own_one {
    own('mine', 'same');
    my $pin = pushed('same');
    declared('own', 'mine', $pin);
    ask('own');
    is(has('own'), 'same', 'a node whose own one is the same');
    is_deeply(fetches(), {}, 'fetches nothing');
    gone('own');
}

# whatever becomes of the node's own
sub overwritten {
    own('mine', 'before');
    my $pin = pushed('before');
    declared('pinned', 'mine', $pin);
    declared('free', 'mine');
    ask($_) for 'pinned', 'free';
    is(has('pinned') . ' ' . has('free'), 'before before', 'both have it');
    spew("$dir/runtimes/mine.img", content('after'));
    ask($_) for 'pinned', 'free';
    is(has('pinned', 2), 'before before', 'another one in its place: a version '
        . 'that pins it keeps it');
    is(has('free', 2), 'after before', 'one that does not has the new one');
    is_deeply(fetches(), {}, 'the copy of it is there still');
    my $copy = "$dir/state-a/runtimes/$pin->{sha256}.img";
    utime 1, 1, $copy or die $!;
    ask('pinned');
    is(has('pinned', 3), 'before before before', 'for long');
    cmp_ok((stat $copy)[9], '>', 1, 'and is not taken away from who has it');

    unlink "$dir/runtimes/mine.img" or die $!;
    ask('pinned');
    is(has('pinned', 4), 'before before before before', 'none: the same');
    is_deeply(fetches(), {}, 'nothing is fetched');
    $etcd->del('/specs/free');
    gone('pinned');
}

# a copy that is damaged, and one that is gone
sub copies {
    my $pin = pushed('copied');
    my $copy = "$dir/state-a/runtimes/$pin->{sha256}.img";
    own('mine', 'copied');
    declared('copied', 'mine', $pin);
    ask('copied');
    has('copied');
    ok(-e $copy, 'a copy');
    gone('copied');
    own('mine', 'other');

    for my $what (sub { spew($copy, content('damage')) }, sub { unlink $copy }) {
        chmod 0644, $copy;
        $what->();
        wait_for(sub { !cached() }, 30, 'the cache to be empty');
        declared('copied', 'mine', $pin);
        ask('copied');
        is(has('copied'), 'copied', -e $copy ? 'a damaged one is not used'
            : 'nor is one that is gone');
        is_deeply(fetches(), { $pin->{sha256} => 1 }, 'it is fetched');
        gone('copied');
    }
}

# as "fcfaas runtime push" leaves it where there is no store
sub by_digest {
    my $pin = pushed('in-directory');
    my $file = "$dir/functions/$pin->{sha256}.img";
    spew($file, content('in-directory'));
    delete $pin->{where};
    declared('directory', 'exotic', $pin);
    ask('directory');
    is(has('directory'), 'in-directory', 'in the directory of functions');
    gone('directory');
    spew($file, content('damaged'));
    declared('damaged', 'exotic', $pin);
    like(refused('damaged'), qr/runtime exotic is to be \w{12}\.\.\.: (?#
        ).*\Q$file\E: is not what its name says/, 'a damaged one is told');
    unlink $file;
}

sub wrong {
    my $pin = pushed('wrong', MB);
    mode('wrong');
    declared('wrong', 'exotic', $pin);
    like(refused('wrong'), qr/^runtime exotic: image \w{12}\.\.\. from (?#
        )\Q$store->{url}\E: what it sent has another digest/,
        'what sends something else');
    ok(!-e "$cache/$pin->{sha256}.img", 'nothing of it is kept');
    mode('');
}

sub away {
    my $pin = pushed('away');
    $store->{proc}->stop;
    declared('away', 'exotic', $pin);
    like(refused('away'), qr/^runtime exotic: image \w{12}\.\.\. from (?#
        )\Q$store->{url}\E: Failed to connect/, 'a store that is away');
    own('exotic', 'away');
    declared('here', 'exotic', $pin);
    ask('here');
    is(has('here'), 'away', 'a node that has it needs none');
    gone('here');
    unlink "$dir/runtimes/exotic.img";
    serve();
}

sub nowhere {
    my $pin = pushed('nowhere');
    delete $pin->{where};
    own('mine', 'other');
    declared('nowhere', 'mine', $pin);
    my $short = substr $pin->{sha256}, 0, 12;
    my $is = substr sha256_hex(content('other')), 0, 12;
    is(refused('nowhere'), "runtime mine is to be $short...: that in "
        . "$dir/runtimes is $is...; runtime image $dir/functions/"
        . "$pin->{sha256}.img: No such file or directory",
        'in one line: what it is to be, and what is here');
    declared('unknown', 'exotic', $pin);
    like(refused('unknown'), qr{^runtime exotic is to be $short\.\.\.: (?#
        )runtime image $dir/runtimes/exotic\.img: No such}, 'or that none is');
}

sub not_pinned {
    declared('old', 'mine');
    ask('old');
    is(has('old'), 'other', 'without a pin: the node\'s own, by its name');
    gone('old');
}

# what runs, and what a version names, stays
sub swept {
    wait_for(sub { !cached() }, 20, 'what nothing names to go');
    pass('what no version names goes');
    my ($pin, $next) = (pushed('kept'), pushed('next'));
    declared('kept', 'exotic', $pin);
    ask('kept');
    has('kept');
    $etcd->put('/specs/kept/versions/1', { runtime => 'exotic',
        runtime_image => $pin });
    declared('other', 'exotic', $next);
    ask('other');
    has('other');
    is_deeply([sort(cached())], [sort map { "$_->{sha256}.img" } $pin, $next],
        'two are here');
    $etcd->del('/specs/kept');
    $etcd->del('/specs/other');
    wait_for(sub { cached() == 1 }, 30, 'one of them to go');
    is_deeply([cached()], ["$pin->{sha256}.img"],
        'one that a version names alone stays');
    $etcd->del('/specs/kept/versions/1');
    wait_for(sub { !cached() && !vm_dirs('a') }, 30, 'it to go');

    # of a version that is gone, but for its VM
    declared('runs', 'exotic', $pin);
    ask('runs');
    has('runs');
    declared('runs', 'exotic', $next, version => 2);
    my $more = pushed('more');
    declared('more', 'exotic', $more);
    ask('more');
    has('more');
    $etcd->del('/specs/more');
    wait_for(sub { !-e "$cache/$more->{sha256}.img" }, 30, 'another to go');
    ok(-e "$cache/$pin->{sha256}.img", 'one that a VM runs of stays');
    gone('runs');
}

# one snapshot for all places where these bytes are, and none for others
sub snapshots {
    own('snap', 'frozen');
    my $pin = pushed('frozen');
    declared('snap', 'snap', $pin);
    my $starts = sub { join ' ', map { metric('starts_total', "kind=\"$_\"") }
        qw(boot restore) };
    ask('snap');
    has('snap', 1);
    wait_for(sub { metric('snapshots') == 1 }, 60, 'a snapshot');
    my ($boots, $restores) = split ' ', $starts->();
    own('snap', 'another');
    ask('snap');
    is(has('snap', 2), 'frozen frozen', 'from another place');
    is($starts->(), $boots . ' ' . ($restores + 1), 'the snapshot is the same');
    ask('snap');
    has('snap', 3);
    is($starts->(), $boots . ' ' . ($restores + 2), 'and stays so');

    # by hand: a deploy makes another version of it
    $etcd->put('/specs/snap', { %{ $etcd->get_json('/specs/snap') },
        runtime_image => pushed('thawed') });
    ask('snap');
    is(has('snap', 4), 'frozen frozen frozen thawed', 'another runtime');
    is($starts->(), ($boots + 1) . ' ' . ($restores + 2), 'boots');
    gone('snap');
}

# the next agent knows what its VMs run of
sub adopted {
    my $pin = pushed('adopted');
    declared('adopted', 'exotic', $pin);
    ask('adopted');
    has('adopted');
    $agent->kill('KILL');
    $agent->wait(20);
    $agent = started('a', %set);
    declared('later', 'exotic', pushed('later'));
    ask('later');
    has('later');
    $etcd->del('/specs/later');
    wait_for(sub { cached() == 1 }, 30, 'a sweep');
    is_deeply([cached()], ["$pin->{sha256}.img"], 'an adopted one\'s stays');
    is(has('adopted'), 'adopted', 'and runs on');
    gone('adopted');
}

sub checked {
    my ($here, $there) = (pushed('here'), pushed('there'));
    own('mine', 'here');
    $etcd->put('/runtimes/mine', $here);
    $etcd->put('/runtimes/exotic', $there);
    $etcd->put('/runtimes/odd', { sha256 => 'x' });
    my %all = settings('k');
    my $check = FcfTest::Proc->spawn(name => 'check',
        argv => [build_dir() . '/agent/fcfaas-agent', '--conf=/dev/null',
            '--check', map { "--$_=$all{$_}" } keys %all]);
    $check->wait(60);
    my $said = $check->output;
    my %short = map { $_->[0] => substr $_->[1]{sha256}, 0, 12 }
        [here => $here], [there => $there];
    like($said, qr/^note +runtime +mine is pinned for versions to come: (?#
        )$short{here}\.\.\., which is here$/m, 'check: one that is here');
    like($said, qr/^note +runtime +exotic is pinned for versions to come: (?#
        )$short{there}\.\.\., which is fetched from its store$/m,
        'one that is not');
    like($said, qr{^note +runtime +/runtimes/odd: runtime: sha256: bad value}m,
        'and what is not valid');
    $etcd->del("/runtimes/$_") for qw(mine exotic odd);
}
