# What nodes and stores say, however odd: it is counted as what it is, comes in
# its order, and nothing of it reaches a terminal as more than text.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $etcd = FcfTest::Etcd->start;
my $cli = FcfTest::Cli->new(cwd => tmpdir(), conf => {
    etcd => $etcd->endpoint, functions => tmpdir(), runtimes => '/nowhere' });

sub node {
    my ($id, $admin, %more) = @_;

    $etcd->put("/workers/$id", { address => '10.0.0.1', cpu => 8,
        cpu_free => 8, memory_mb => 1000, memory_mb_free => 1000, vms => 1,
        agent_version => '0.1.0', state => 'ready', admin => $admin, %more });
}

my $n = 0;

# no escape, no other control, nothing that is no UTF-8
sub is_text {
    my ($text, $what) = @_;
    my $copy = $text;

    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok(utf8::decode($copy) && $copy !~ /[^\x20-\x7e\n\xa0-\x{10ffff}]/,
        "$what: text alone") or diag(FcfTest::json_encode([$text]));
}


subtest 'top' => sub {
    my $metrics = sub {
        my ($n, @names) = @_;
        return join '', map { my $f = $_;
            qq(fcfaas_proxy_requests_total{function="$f"} $n\n),
            map { qq(fcfaas_proxy_responses_total{function="$f",class="$_"} $n\n) }
                qw(2xx proxy 5xx) } @names;
    };

    # functions that are called as classes are
    my $one = FcfTest::Peer->start(sub {
        { body => join '', map { my $f = $_; map {
            qq(fcfaas_proxy_responses_total{function="$f",class="$_"} )
            . ($_ eq '2xx' ? 1000 * $_[1] : 0) . "\n" } qw(2xx 5xx proxy) }
            qw(5xx proxy other) } });
    node('one', $one->address);
    my %top = map { $_->{function} => $_ }
        @{ $cli->json('top', '--interval', 1) };
    is($top{$_}{failed_per_s}, 0, "a function $_ has not failed")
        for qw(5xx proxy other);

    my $fails = FcfTest::Peer->start(sub { { body => $metrics->(100 * $_[1],
        'f') } });
    node('one', $fails->address);
    my ($f) = @{ $cli->json('top', '--interval', 1) };
    ok($f->{failed_per_s} > $f->{requests_per_s}, 'both kinds of failures are')
        or diag(explain($f));

    # one that does not answer once
    my $shy = FcfTest::Peer->start(sub { $_[1] == 2 ? undef
        : { body => $metrics->(1_000_000 + $_[1], 'f') } });
    node('one', $shy->address);
    my $text = $cli->ok('top', '--interval', 1, '-n', 3)->{out};
    my @rates = map { (split)[3] } $text =~ /^f .*/mg;
    is(scalar(grep { $_ > 1000 } @rates), 0, 'a round that was missed is no rush')
        or diag($text);
    is(scalar(@rates), 3, 'nor is what was counted gone meanwhile')
        or diag($text);

    # on a terminal, until Ctrl-C
    my $screens = 0;
    my $r = $cli->on_terminal({ on => sub {
        my ($said, undef, $tty) = @_;
        $screens = () = $said =~ /\e\[H\e\[2J/g;
        syswrite $tty, "\x03" if $screens == 2;
    } }, 'top', '--interval', 1);
    is($r->{status}, 0, 'Ctrl-C ends it');
    is($screens, 2, 'a screen for each round');

    my $many = FcfTest::Peer->start(sub { { body => $metrics->(1,
        map { "f$_" } 1 .. 700) } });
    node('one', $many->address);
    is(scalar @{ $cli->json('top', '--interval', 1) }, 700,
        'there are as many as there are');
};


subtest 'logs' => sub {
    my $ms = 1_700_000_000_000;
    my $peer = FcfTest::Peer->start(sub { { body => json_encode({ next => '9.9',
        dropped => 0, lines => [map { { ms => $ms, version => 1,
        instance => 'n-1', stream => 'stdout', text => "line $_" } } 1 .. 100]
    }) } });
    node('one', $peer->address);
    my @lines = $cli->ok('logs', 'f')->{out} =~ /\| line (\d+)$/mg;
    is("@lines", join(' ', 1 .. 100), 'what came at once stays in its order');

    my $evil = FcfTest::Peer->start(sub { { body => json_encode({
        next => '9.9', dropped => 0, lines => [{ ms => $ms, version => 1,
            map { $_ => "$_ \e[2J\e]0;x\a\x{9b}" } qw(instance stream text
            request_id) }] }) } });
    node('one', $evil->address);
    is_text($cli->ok('logs', 'f')->{out}, 'what an agent says is a line');

    # who follows hears that nothing can come, and when it can again
    my $follow = $cli->start('logs', 'f', '-f');
    my $said = sub { slurp("$follow->{base}.err") };
    wait_for(sub { -s "$follow->{base}.out" }, 10, 'it to follow');
    $etcd->stop;
    wait_for(sub { $said->() =~ /etcd .*; this goes on/ }, 20, 'etcd away');
    my $before = () = $said->() =~ /\n/g;
    is($before, 1, 'that etcd is away is told in a line')
        or diag($said->());
    $etcd->start_again;
    wait_for(sub { $said->() =~ /^fcfaas: etcd answers again$/m }, 20,
        'etcd back');
    $evil->stop;
    wait_for(sub { $said->() =~ /^fcfaas: node one: /m }, 20, 'a node away');
    kill 'INT', $follow->{pid};
    $cli->end($follow);
    is(scalar(() = $said->() =~ /\n/g), 3, 'each once') or diag($said->());
};


subtest 'doctor' => sub {
    my $peer = FcfTest::Peer->start(sub { undef });

    $etcd->put('/workers/one', qq({"address":"10.0.0.1","cpu":1,"cpu_free":1,)
        . qq("memory_mb":1,"memory_mb_free":1,"state":"ill",)
        . qq("reason":"\\u001b[2J\\u009b","admin":""}));
    $etcd->put("/workers/x", "\xff\e[2J");
    my $dir = tmpdir() . "/\xff\e[2J";
    mkdir $dir;
    spew("$dir/f.conf", 'etcd = ' . $etcd->endpoint . "\n");

    my $r = $cli->run('doctor', '--conf', "$dir/f.conf");
    is_text($r->{out} . $r->{err}, 'for people');
    $r = $cli->run('doctor', '--json', '--conf', "$dir/f.conf");
    my ($self) = grep { $_->{part} eq 'fcfaas' }
        @{ FcfTest::json_decode($r->{out}) };
    like($self->{says} // '', qr/settings of .*\\xff.*f\.conf/,
        'what is no UTF-8 is no finding less');

    # a store that does not answer may have it
    my $sha = 'ab' x 32;
    $etcd->put('/specs/fn', { version => 3, code => { sha256 => $sha,
        size => 1, where => [$peer->url . '/s'] } });
    my $of = sub {
        my $out = FcfTest::json_decode($cli->run('doctor', '--json')->{out});
        return join '; ', map { "$_->{says}: $_->{remedy}" }
            grep { $_->{name} eq 'fn' } @$out;
    };
    unlike($of->(), qr/is not there/, 'a store that does not answer');
    like($of->(), qr{image of version 3 cannot be asked: \Q${\$peer->url}\E},
        'is told as that');

    my $lacks = FcfTest::Peer->start(sub { { status => '404 Not Found' } });
    $etcd->put('/specs/fn', { version => 3, code => { sha256 => $sha,
        size => 1, where => [$peer->url . '/s', $lacks->url . '/s'] } });
    unlike($of->(), qr/is not there/, 'nor where another has not got it');
    my $has = FcfTest::Peer->start(sub { { status => '206 Partial Content',
        body => 'x' } });
    $etcd->put('/specs/fn', { version => 3, code => { sha256 => $sha,
        size => 1, where => [$peer->url . '/s', $has->url . '/s'] } });
    is($of->(), '', 'nothing where another has it');
    $etcd->put('/specs/fn', { version => 3, code => { sha256 => $sha,
        size => 1, where => [$lacks->url . '/s'] } });
    like($of->(), qr/is not there: \Q${\$lacks->url}\E/, 'one that lacks it');
    $etcd->del('/specs/fn');
};


subtest 'a terminal' => sub {
    my $evil = "\\u001b]0;x\\u0007\\u009b2J";

    $etcd->put('/specs/fn', qq({"version":1,"odd$evil":1,"runtime":"base"}));
    $etcd->put('/specs/fn/versions/1', qq({"version":1,"deployed":{"at_ms":1,)
        . qq("by":"$evil","source":"$evil"}}));
    $etcd->put('/functions/fn/instances/n-1', qq({"worker_ip":"10.0.0.1",)
        . qq("proxy_port":1,"internal_vm_ip":"172.16.0.2","state":"ready"}));
    $etcd->put('/functions/fn/failures/req-1', qq({"error":"boot_failed",)
        . qq("message":"$evil","node_id":"n","version":1}),
        $etcd->lease(600));

    for (['describe', 'fn'], ['ps'], ['ls'], ['nodes'], ['doctor'],
        ['logs', 'fn'])
    {
        my $r = $cli->run(@$_);
        is_text($r->{out} . $r->{err}, "@$_");
        $r = $cli->run(@$_, '--json');
        is_text($r->{out} . $r->{err}, "@$_ --json");
    }

    mkdir tmpdir() . '/fn';
    spew(tmpdir() . "/fn/bootstrap", "#!/bin/sh\n");
    chmod 0755, tmpdir() . "/fn/bootstrap";
    my $r = $cli->run('deploy', 'fn', '--no-wait', '--functions', tmpdir());
    is($r->{status}, 0, 'deploy');
    like($r->{err}, qr/replaces version 1 from /, 'says what it replaces');
    is_text($r->{err}, 'deploy');

    $r = $cli->run('deploy', "fn\e[2J\xff", '--no-wait');
    is_text($r->{err}, 'a name on the command line');
    spew(tmpdir() . '/fn/fcfaas.json', qq({"odd$evil":1}));
    is_text($cli->run('deploy', 'fn', '--no-wait')->{err}, 'a field');
    is_text($cli->run("\e[2J")->{err}, 'a verb');
};


# "is current" is said once the gateway knows it
subtest 'a gateway that is late' => sub {
    my $asked = tmpdir() . '/asked';
    my $late = FcfTest::Peer->start(sub {
        spew($asked, $_[1]);
        return { body => json_encode({ workers => [map { { etcd => {
            revision => $_ } } } 1 << 40, $_[1] < 5 ? 1 : 1 << 40] }) };
    });
    my @deploy = ('deploy', 'fn', '--no-wait', '--functions', tmpdir(),
        '--gateway');
    unlink tmpdir() . '/fn/fcfaas.json';

    my $r = $cli->run(@deploy, $late->url, '--memory', 65);
    is($r->{status}, 0, 'deploy') or diag($r->{err});
    is(slurp($asked), 5, 'asks until all workers have seen it');
    unlike($r->{err}, qr/not seen it/, 'and is content then');

    my $never = FcfTest::Peer->start(sub { { body =>
        '{"workers":[{"etcd":{"revision":1}}]}' } });
    $r = $cli->run(@deploy, $never->url, '--memory', 66);
    is($r->{status}, 0, 'one that never sees it');
    like($r->{err}, qr{^fcfaas: \Q${\$never->url}\E: 1 of its workers has not seen it yet: fcfaas doctor$}m,
        'is told');

    for (FcfTest::Peer->start(sub { undef })->url, 'http://127.0.0.1:1',
        FcfTest::Peer->start(sub { { body => '[]' } })->url,
        FcfTest::Peer->start(sub { { status => '403 Forbidden' } })->url)
    {
        $r = $cli->run(@deploy, $_, '--memory', 67 + ++$n);
        is($r->{status}, 0, 'one that does not say');
        unlike($r->{err}, qr/not seen it/, 'is not waited for');
    }
};

done_testing;
