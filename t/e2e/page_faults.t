# The page when something fails: what it says, that it goes on with all else,
# and that it comes back.  A real gateway, etcd and Redis; nodes as the test
# wants them.

use strict;
use warnings;
use utf8;

use lib 't/lib';
use FcfTest;
use IO::Socket::INET;
use Test::More;

my $lacks = FcfTest::Chromium->missing;
plan skip_all => $lacks if $lacks;

# takes connections, and says nothing
my @hung = map { IO::Socket::INET->new(LocalAddr => '127.0.0.1',
    Listen => 100) // die "listen: $!" } 1 .. 3;
my $cut = FcfTest::Peer->start(sub {
    return { headers => ['Content-Type: application/json',
        'Content-Length: 9999'], body => '{"parked":0,' };
});

my $p = FcfTest::Page->start(nodes => ['a'], workers => 2);
my $g = $p->gateway;
# The page waits by its own clock, which here goes faster: it asks as often, and
# counts as many seconds between, in less of the test's time.  How long it
# waits for an answer stays as it is.
use constant FASTER => 4;
sub browser {
    my $browser = FcfTest::Chromium->start;
    $browser->call('Page.addScriptToEvaluateOnNewDocument', source =>
        '{ const now = performance.now.bind(performance), set = setTimeout;'
        . "performance.now = () => now() * @{[FASTER]};"
        . "setTimeout = (what, ms) => set(what, ms / @{[FASTER]}); }");
    return $browser;
}

my $b = browser();

sub says { "document.getElementById('state').textContent" }
sub row { "[...document.querySelectorAll('#functions-table tbody tr')]"
    . ".find((r) => r.querySelector('.name')?.textContent === '$_[0]')" }
sub cell { row($_[0]) . "?.children[$_[1]].textContent" }
sub told { my ($what, $timeout) = @_;
    ok($b->wait_eval(says() . ".includes('$what')", $timeout // 30, $what),
        "it says: $what") }
sub well { told('All is well') }

# another configuration of the gateway, where location's text is changed
sub served {
    my ($change) = @_;
    my $server = $g->_server;
    $server =~ s/$_/$change->{$_}/ or die "no $_" for keys %$change;
    $g->nginx->config(server => $server)->reload;
}

$g->spec('shop');
$g->warm('shop');
$g->get('/run/shop') for 1 .. 5;
$p->says('a', instances => [{ function_id => 'shop' }]);
$b->open($p->url);
well();
$b->wait_eval(cell('shop', 3) . " === '5'", 20, 'its requests');

subtest 'who may not see it' => sub {
    my $status = qr/location = \/fcfaas\/status \{/;
    served({ $status => 'location = /fcfaas/status { return 403;' });
    told('The gateway refuses to tell.');
    like($b->eval(says()), qr/^The gateway refuses to tell\. [^.]*403[^.]*\. /,
        'in one line, with the reason');
    is($b->eval("document.querySelectorAll('#state > *').length"), 1, 'one');

    served({ $status => 'location = /fcfaas/status { return 401;' });
    told('sign in');
    served({});
    well();

    served({ qr/location = \/fcfaas\/metrics \{/
        => 'location = /fcfaas/metrics { return 403;' });
    told('The counts of functions are not known.');
    is($b->eval(cell('shop', 3)), '5', 'those before are shown on');
    served({});
    well();
};

subtest 'answers that are none' => sub {
    my $status = qr/(location = \/fcfaas\/status \{)[^}]*/;
    served({ $status => 'location = /fcfaas/status { proxy_pass '
        . $cut->url . ';' });
    told('The gateway does not answer.');
    like($b->eval(says()), qr/cut/, 'and why');
    for ('<html>sign in</html>', '{}', 'null', '[]') {
        served({ $status => "location = /fcfaas/status { return 200 '$_';" });
        told('The gateway does not answer. what it says is '
            . ($_ eq '<html>sign in</html>' ? 'cut, or no JSON' : 'no status'));
    }
    served({});
    well();

    # a page to sign in: no counts, and none that come back at once
    served({ qr/(location = \/fcfaas\/metrics \{)[^}]*/
        => "location = /fcfaas/metrics { return 200 '<html></html>';" });
    told('no metrics');
    served({});
    well();
    my $most = $b->eval("import('./data.js').then((d) => d.state.all.rate.max)");
    cmp_ok($most, '<', 4, 'counts that are known again are no new ones');
};

subtest 'a gateway that was started anew' => sub {
    $g->get('/run/shop') for 1 .. 40;
    $b->wait_eval(cell('shop', 3) . " === '45'", 20, 'its requests');
    served({});
    is($g->get('/run/shop')->{status}, 200, 'reloaded it serves');
    $b->wait_eval(cell('shop', 3) . " === '46'", 20, 'what it counts');
    $b->eval("import('./data.js').then((d) => { d.state.all.rate.n = 0; })");
    $g->nginx->stop;
    $g->nginx->start_again;
    wait_for(sub { $g->get('/run/shop')->{status} == 200 }, 10, 'an answer');
    $b->wait_eval(cell('shop', 3) . " < 40", 20, 'its counts to begin anew');
    my $r = json_decode($b->eval("import('./data.js').then((d) => {"
        . "const s = [...Array(d.state.all.rate.length).keys()]"
        . ".map((i) => d.state.all.rate.get(i));"
        . "return JSON.stringify([Math.min(...s), Math.max(...s)]); })"));
    cmp_ok($r->[0], '>=', 0, 'no rate is negative');
    cmp_ok($r->[1], '<', 20, 'nor all that was counted before');
};

subtest 'Redis is stopped' => sub {
    $g->redis->stop;
    told('Redis does not answer.');
    like($b->eval(says()), qr/nothing new starts/, 'and what that means');
    like($b->eval("document.getElementById('workers-table').textContent"),
        qr/away/, 'each worker says so');
    $g->redis->start_again;
    well();
};

subtest 'etcd is stopped' => sub {
    $g->etcd->stop;
    told('etcd does not answer.', 60);
    is($g->get('/run/shop')->{status}, 200, 'what is warm is served');
    like($b->eval("document.getElementById('nodes-list').textContent"), qr/a/,
        'nodes are known as before');
    $g->etcd->start_again;
    well();
};

# what t/gateway/certificates.t shows of a gateway, said by it
subtest 'certificates that are refused' => sub {
    my $status = $g->get('/fcfaas/status')->{body};
    my %told = (node => 'The certificate of node n-2 is refused. At '
        . '10.0.0.5:30000, 5 s ago: certificate has expired.',
        gateway => 'This gateway’s certificate is refused. By node n-2, '
        . '10.0.0.5:30000, 5 s ago: certificate has expired.');

    for my $age (5000, 700000) {
        for my $whose (sort keys %told) {
            my $said = $status =~ s/^\{/{"refused_certificate":{"whose":"$whose",
                "node":"n-2","address":"10.0.0.5:30000","age_ms":$age,
                "why":"certificate has expired"},/r;
            served({ qr/location = \/fcfaas\/status \{/
                => "location = /fcfaas/status { return 200 '$said';" });
            $age < 600000 ? told($told{$whose}) : well();
        }
    }
    served({});
    well();
};

subtest 'nodes that say nothing' => sub {
    $p->{port}{"hung$_"} = $hung[$_]->sockport for 0 .. 2;
    $p->node("hung$_") for 0 .. 2;
    told("Node hung$_ cannot be asked.", 60) for 0 .. 2;
    my $none = free_port();
    $p->{port}{$_} = $none, $p->node($_) for 'gone1', 'gone2';
    told('5 nodes cannot be asked.', 60);

    # that holds nothing up: count those that answer meanwhile
    $p->says('a', instances => [map { { function_id => 'shop',
        worker_id => "a-$_" } } 1 .. 3]);
    $b->wait_eval(cell('shop', 8) . " === 'a × 3'", 30, 'a, which answers');
    my $r = json_decode($b->eval(<<'EOC'));
(async () => {
    const { state } = await import('./data.js');
    const seen = new Set();
    let longest = 0, last = Date.now();
    for (const end = last + 12000; seen.size < 6 && Date.now() < end;) {
        if (!seen.has(state.gateway.status)) {
            longest = Math.max(longest, Date.now() - last);
            last = Date.now();
            seen.add(state.gateway.status);
        }
        await new Promise((done) => setTimeout(done, 20));
    }
    return JSON.stringify({ n: seen.size, longest, ok: state.gateway.ok });
})()
EOC
    cmp_ok($r->{n}, '>', 3, "the gateway is asked meanwhile, $r->{n} times");
    cmp_ok($r->{longest}, '<', 6000, 'and never waits for nodes');
    ok($r->{ok}, 'which it is not blamed for');
    $g->etcd->del("/workers/$_") for 'hung0' .. 'hung2', 'gone1', 'gone2';
    well();
};

subtest 'a node that was there says nothing more' => sub {
    my $dir = $p->{dir} . '/' . $p->{port}{a};
    rename "$dir/instances", "$dir/kept" or die $!;
    told('Node a cannot be asked.');
    like($b->eval(says()), qr/What runs there is as of \d+ \w+ ago/, 'since when');
    is($b->eval(cell('shop', 8)), 'a × 3', 'what ran there is shown on');

    # and what it says may be anything
    for ('{"a":1}', '[null,1,{"function_id":7}]', '[{"function_id":"shop",'
        . '"requests":"many","age_ms":{},"worker_id":["<b>"]}]')
    {
        spew("$dir/instances", $_);
        $b->eval("import('./data.js').then((d) => d.state.asked.get('a')"
            . '.tried = -1e9)');
        $b->wait_eval("import('./data.js').then((d) => d.state.asked.get('a')"
            . '.tried > 0)', 20, 'it to be asked');
    }
    $b->wait_eval(cell('shop', 8) . " === 'a'", 20, 'one');
    rename "$dir/kept", "$dir/instances" or die $!;
    $b->eval("import('./data.js').then((d) => d.state.asked.get('a').tried = "
        . '-1e9)');
    well();
};

my $evil = "<img src=x onerror=document.title='cracked'><script>document"
    . ".title='cracked'</script>&amp;\x{202e}";
subtest 'hostile texts' => sub {
    my $now = time * 1000;
    $p->node('a', state => 'ill', reason => "why $evil");
    $p->says('a', instances => [{ function_id => $evil, worker_id => $evil,
        state => $evil }, { function_id => 'shop' }],
        failures => [{ ms => $now - 5000, function_id => $evil, version => 1,
            error => 'boot_failed', message => $evil, request_id => 'r' }],
        lines => { shop => [{ ms => $now, stream => $evil, text => $evil,
            instance => 'a-1' }] });
    told('Node a is ill.');
    $b->wait_eval("document.getElementById('failures-list').textContent"
        . ".includes('onerror')", 20, 'the failure');
    $b->wait_eval("document.getElementById('functions-table').textContent"
        . ".includes('onerror')", 20, 'the name');
    $b->eval(row('shop') . ".querySelector('.name').click()");
    $b->wait_eval("document.getElementById('log').textContent"
        . ".includes('onerror')", 20, 'the line');
    $b->eval("document.getElementById('detail').close()");
    $b->eval("location.hash = 'function=' + encodeURIComponent("
        . "'<img src=x onerror=document.title=1>')");
    $b->wait_eval("document.getElementById('detail').open", 5, 'no function');
    # the browser tells that one was closed when the next is on its way
    $b->eval("{ const d = document.getElementById('detail'); d.close();"
        . "location.hash = 'function=%'; d.dispatchEvent(new Event('close')); }");
    $b->wait_eval("document.getElementById('detail').open", 5, 'half a letter');
    is($b->eval('location.hash'), '#function=%', 'has its address');
    $b->eval("document.getElementById('detail').close()");
    is($b->eval("document.querySelectorAll('main img, main script, dialog img,"
        . " dialog script').length"), 0, 'are text');
    is($b->eval('document.title'), 'fcfaas', 'and do nothing');
    $p->node('a');
    $p->says('a', instances => [{ function_id => 'shop' }]);
    well();
};

subtest 'clocks that differ' => sub {
    # two hours behind, and ahead
    for my $hours (-2, 2) {
        my $other = browser();
        $other->call('Page.addScriptToEvaluateOnNewDocument', source =>
            "{ const now = Date.now; Date.now = () => now() + $hours * 36e5; }");
        $p->says('a', failures => [{ ms => time() * 1000 - 90000,
            function_id => 'shop', version => 1, error => 'boot_failed',
            message => 'm', request_id => 'r' }]);
        $other->open($p->url);
        is($other->wait_eval("document.querySelector('#failures-list .quiet')"
            . "?.textContent", 20, 'a failure'), '1 min ago',
            "$hours hours: it was when it was");
        $other->stop;
    }
    $p->says('a', instances => [{ function_id => 'shop' }]);
};

subtest 'a tab that nobody sees' => sub {
    my $last = $b->eval("import('./data.js').then((d) => d.state.all.rate.n)");
    $b->eval(<<'EOC');
Object.defineProperty(document, 'hidden', { value: true, configurable: true });
document.dispatchEvent(new Event('visibilitychange'));
EOC
    # what is on its way ends
    $b->eval('new Promise((done) => setTimeout(done, 4000))');
    my $before = $b->asked;
    $b->eval('new Promise((done) => setTimeout(done, 9000))');
    is($b->asked, $before, 'asks nothing');
    $g->get('/run/shop') for 1 .. 10;
    $b->eval(<<'EOC');
Object.defineProperty(document, 'hidden', { value: false, configurable: true });
document.dispatchEvent(new Event('visibilitychange'));
EOC
    $b->wait_eval("import('./data.js').then((d) => d.state.all.rate.n >= "
        . "$last + 4)", 5, 'its plots to have gone on');
    my $rate = $b->eval("import('./data.js').then((d) => d.state.all.rate.last)");
    cmp_ok($rate, '<', 3, 'with what was there in the meantime');
    well();
};

subtest 'a function that its address names, before it is known' => sub {
    $b->open('about:blank');
    $b->open($p->url . '#function=shop');
    $b->wait_eval("document.querySelectorAll('#detail-plots figure').length",
        20, 'its plots');
    pass('has its plots');
    $b->key('Escape');
};

# what the network refuses is told by the browser itself
is_deeply([grep { !/^Failed to load resource|refused to connect/ } $b->said],
    [], 'the console has nothing of ours');

$b->stop;
$_->stop for $g->nginx, $p->{listeners};
done_testing();
