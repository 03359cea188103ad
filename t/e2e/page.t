# The page, in Chromium, on a whole system: a function is deployed and called,
# and it shows that; one does not start, and it says why; etcd is stopped, and
# it says so.  Screenshots are kept in FCF_ARTIFACTS, build/artifacts if not
# set.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use Test::More;

my $lacks = FcfTest::Chromium->missing;
plan skip_all => $lacks if $lacks;

my $artifacts = $ENV{FCF_ARTIFACTS} // root() . '/build/artifacts';
mkdir $artifacts;

my $s = FcfTest::System->start(vmm => 'instant', env => { WORKERS => 2,
    MAX_VMS => 20 })->up(120);
my $b = FcfTest::Chromium->start(width => 1280, height => 900);
my $url = $s->url('/fcfaas/ui/');

sub rows { "[...document.querySelectorAll('#functions-table tbody tr')]" }
sub row_of { my ($name) = @_;
    return rows() . ".find((r) => r.querySelector('.name')"
        . "?.textContent === '$name')" }
sub state_says { "document.getElementById('state').textContent" }

subtest 'headers' => sub {
    my $r = $s->get('/fcfaas/ui/');
    is($r->{status}, 200, 'it is served');
    like($r->{headers}{'content-security-policy'}, qr/default-src 'none'/,
        'and may ask nobody else');
    unlike($r->{headers}{'content-security-policy'}, qr/unsafe|https?:|\*/,
        'nor run what stands in it');
    is($r->{headers}{'x-content-type-options'}, 'nosniff', 'types hold');
    is($s->get("/fcfaas/nodes/local/$_")->{status}, 404, "no node tells $_")
        for 'metrics', 'healthz', 'functions/hello/output', '../status';
    is($s->get('/fcfaas/nodes/local/instances', method => 'POST')->{status},
        405, 'only to be read');
};

$b->open($url);
$b->wait_eval(state_says() . ".includes('All is well')", 20, 'it to be well');
pass('where all is well it says so');
like($b->eval("document.getElementById('nodes-list').textContent"), qr/local/,
    'it shows the node');

subtest 'a function is deployed and called' => sub {
    my $dir = tmpdir() . '/shop';
    mkdir $dir;
    spew("$dir/bootstrap", "#!/bin/sh\n");
    chmod 0755, "$dir/bootstrap";
    $s->etcd->spec('shop', memory_mb => 128,
        code => $s->etcd->get_json('/specs/hello')->{code});
    wait_for(sub { $s->get('/run/shop')->{status} == 200 }, 20, 'an answer');
    $s->get("/run/shop/$_") for 1 .. 9;
    $s->get('/run/hello') for 1 .. 3;
    $b->wait_eval(row_of('shop') . "?.children[3].textContent === '10'", 20,
        'its requests');
    is($b->eval(row_of('shop') . '.children[5].textContent'), 1,
        'one was a cold start');
    is($b->eval(row_of('shop') . '.children[4].textContent'), 0, 'none failed');
    $b->wait_eval(row_of('shop') . ".children[8].textContent === 'local'", 20,
        'where it runs');
    is($b->eval(row_of('shop') . '.children[7].textContent'), 1,
        'in one instance');
    $b->wait_eval("document.getElementById('nodes-list').textContent"
        . ".includes('shop')", 10, 'the node to show it');
    cmp_ok($b->eval("document.querySelector('#plots figcaption').textContent"
        . ".length"), '>', 8, 'the plot has a figure');
    ok($b->eval(row_of('shop') . ".querySelector('polyline')"
        . ".getAttribute('points').length > 0"), 'and a line');
};

subtest 'one that does not start' => sub {
    $s->etcd->spec('broken', memory_mb => 128);
    wait_for(sub { $s->get('/run/broken')->{status} == 502 }, 20, 'a refusal');
    $b->wait_eval("document.getElementById('failures-list').textContent"
        . ".includes('broken')", 20, 'the failure');
    like($b->eval("document.getElementById('failures-list').textContent"),
        qr/no_image: \S.*\bbroken\b/s, 'with its reason');
    $b->wait_eval(row_of('broken') . "?.children[4].className.includes("
        . "'is-bad')", 20, 'its errors');
    pass('and its errors');
};

subtest 'one by itself, by keyboard' => sub {
    $b->eval(row_of('shop') . ".querySelector('.name').focus()");
    $b->key('Enter');
    $b->wait_eval("document.getElementById('detail').open", 5, 'it');
    is($b->eval('location.hash'), '#function=shop', 'it has an address');
    $b->wait_eval("document.getElementById('log').textContent"
        . ".includes('GET /')", 20, 'what it printed');
    like($b->eval("document.getElementById('instances-table').textContent"),
        qr/local-\d+\s*local\s*registered/, 'its instances');
    $b->shot("$artifacts/page-function.png", seen => 1);
    $b->key('Escape');
    $b->wait_eval("!document.getElementById('detail').open", 5, 'its end');
    is($b->eval('location.hash'), '', 'as before');
    is($b->eval('document.activeElement.textContent'), 'shop',
        'and where it was');
    $b->wait_eval(state_says() . "&& document.activeElement.textContent "
        . "=== 'shop'", 5, 'the focus to stay');
};

subtest 'what strangers write is text' => sub {
    # a function's name cannot be HTML, a line can
    my $evil = '<img src=x onerror=document.title=1><b>';
    is($b->eval("(async () => { const v = await import('./view.js');"
        . " const n = v.make('p', '', '$evil'); document.body.append(n);"
        . " const k = n.children.length; n.remove(); return k; })()"), 0,
        'as it is put there');
    for my $file (glob root() . '/ui/*.js') {
        unlike(slurp($file), qr/innerHTML|outerHTML|insertAdjacentHTML|
            document\.write|\beval\(|srcdoc|DOMParser/x, "nothing in $file");
    }
    unlike(slurp(root() . '/ui/index.html'), qr/\son\w+=|style=|<script>/,
        'and nothing in the page');
};

# every text that is seen, against what is behind it; and plots
my $contrast = <<'EOC';
(() => {
    const rgb = (s) => (s.match(/[\d.]+/g) ?? []).map(Number);
    const light = (c) => c.slice(0, 3).map((v) => v / 255)
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ratio = (a, b) => {
        const [x, y] = [light(a), light(b)].sort((p, q) => q - p);
        return (x + 0.05) / (y + 0.05);
    };
    const behind = (e) => {
        for (; e; e = e.parentElement) {
            const c = rgb(getComputedStyle(e).backgroundColor);
            if (c.length === 3 || c[3] === 1) return c;
        }
        return [255, 255, 255];
    };
    let n = 0;
    const bad = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let t; (t = walk.nextNode());) {
        const e = t.parentElement;
        if (!t.data.trim() || !e.checkVisibility() || e.closest('.hidden, script, noscript')) continue;
        const r = ratio(rgb(getComputedStyle(e).color), behind(e));
        n++;
        if (r < 4.5) bad.push(`${r.toFixed(2)} ${t.data.trim()}`);
    }
    // the pixel of a plot's label that stands out most, as it was drawn
    const labelRatio = (canvas) => {
        const copy = document.createElement('canvas').getContext('2d',
            { willReadFrequently: true });
        copy.drawImage(canvas, 0, 0);
        const { data } = copy.getImageData(0, 0, 40 * devicePixelRatio,
            10 * devicePixelRatio);
        const back = behind(canvas);
        let most = 1;
        for (let i = 0; i < data.length; i += 4) {
            const a = data[i + 3] / 255;
            most = Math.max(most, ratio(back, [0, 1, 2].map((k) =>
                data[i + k] * a + back[k] * (1 - a))));
        }
        return most;
    };
    const probe = document.createElement('i');
    document.body.append(probe);
    const colour = (name) => { probe.style.color = `var(${name})`;
        return rgb(getComputedStyle(probe).color); };
    const pairs = {};
    for (const fg of ['--ink', '--soft', '--good', '--cold', '--warn', '--bad']) {
        for (const bg of ['--paper', '--card', '--tint']) {
            pairs[`${fg} on ${bg}`] = ratio(colour(fg), colour(bg));
        }
    }
    const find = document.getElementById('find');
    pairs.placeholder = ratio(rgb(getComputedStyle(find, '::placeholder').color),
        behind(find));
    const bar = ratio(colour('--good'), colour('--line'));
    probe.remove();
    // what is drawn, and what is to be seen of what can be used: 3 to 1
    const drawn = { bar, 'border of find': ratio(rgb(getComputedStyle(find)
        .borderTopColor), behind(find)) };
    for (const fg of ['--good', '--cold', '--warn', '--bad']) {
        drawn[`a plot of ${fg}`] = pairs[`${fg} on --card`];
    }
    for (const [k, r] of Object.entries(drawn)) {
        if (r < 3) bad.push(`${r.toFixed(2)} ${k}`);
    }
    const label = labelRatio(document.querySelector('#plots canvas'));
    if (label < 4.5) bad.push(`${label.toFixed(2)} a plot's label`);
    for (const [k, r] of Object.entries(pairs)) {
        if (r < 4.5) bad.push(`${r.toFixed(2)} ${k}`);
    }
    return JSON.stringify({ n, bad, least: Math.min(...Object.values(pairs)) });
})()
EOC

# elements that can be used, and have no name
my $names = <<'EOC';
JSON.stringify([...document.querySelectorAll('button, input, a, progress, canvas, dialog, [role=region], section')]
    .filter((e) => e.tagName === 'DIALOG' || e.checkVisibility())
    .filter((e) => !(e.getAttribute('aria-label')
        || document.getElementById(e.getAttribute('aria-labelledby'))
        || e.textContent.trim() || e.labels?.length))
    .map((e) => e.outerHTML.slice(0, 80)))
EOC

for my $look (['desktop'], ['desktop-dark', dark => 1],
    ['phone', width => 390, height => 844, phone => 1],
    ['phone-dark', width => 390, height => 844, phone => 1, dark => 1])
{
    my ($name, %look) = @$look;
    subtest $name => sub {
        $b->look(width => 1280, height => 900, phone => 0, dark => 0, %look);
        $b->wait_eval("matchMedia('(prefers-color-scheme: "
            . ($look{dark} ? 'dark' : 'light') . ")').matches", 5, 'the scheme');
        $b->eval('new Promise(requestAnimationFrame)') for 1 .. 2;
        my $c = json_decode($b->eval($contrast));
        cmp_ok($c->{n}, '>', 50, 'texts are seen');
        is_deeply($c->{bad}, [], 'all of 4.5 to 1 at least');
        note(sprintf 'the least of the colours: %.2f', $c->{least});
        is_deeply(json_decode($b->eval($names)), [], 'all have names');
        is($b->eval('document.documentElement.scrollWidth <= innerWidth'), 1,
            'nothing is wider than the window');
        $b->shot("$artifacts/page-$name.png");
        cmp_ok(-s "$artifacts/page-$name.png", '>', 10000, 'a screenshot');
    };
}

$b->look(width => 1280, height => 900, phone => 0, dark => 0);

# a window of 1280 by 900 at 200 and 400 %
for my $zoom (2, 4) {
    subtest "at ${zoom}00 %" => sub {
        $b->look(width => 1280 / $zoom, height => 900 / $zoom, scale => $zoom);
        $b->eval('new Promise(requestAnimationFrame)') for 1 .. 2;
        is($b->eval('document.documentElement.scrollWidth <= innerWidth'), 1,
            'nothing is wider than the window');
        is($b->eval("[...document.querySelectorAll('main > section > *')]"
            . ".filter((e) => e.checkVisibility() && [e, ...e.children].some("
            . "(c) => !e.matches('.scroll') && c.getBoundingClientRect().right"
            . " > document.querySelector('main').getBoundingClientRect().right - 14))"
            . ".map((e) => e.id || e.className).join()"), '',
            'nor than its place');
        is($b->eval("[...document.querySelectorAll('h1, h2, nav a, button,"
            . " figcaption, .title, .problem, .well')].filter((e) =>"
            . " e.checkVisibility() && !e.closest('.scroll, dialog') && (e.scrollWidth"
            . " > e.clientWidth + 1 && getComputedStyle(e).display !== 'inline'))"
            . ".map((e) => e.outerHTML).join()"), '', 'nothing is cut');
        cmp_ok($b->eval("(() => { const h = document.querySelector('header');"
            . " return getComputedStyle(h).position === 'sticky'"
            . " ? h.offsetHeight / innerHeight : 0; })()"), '<', 0.25,
            'what stays on top leaves room');
        $b->shot("$artifacts/page-zoom-${zoom}00.png");
        $b->look(width => 1280, height => 900, scale => undef);
    };
}

subtest 'who wants no motion' => sub {
    my $scroll = 'getComputedStyle(document.documentElement).scrollBehavior';
    is($b->eval($scroll), 'smooth', 'links scroll there');
    $b->look(still => 1);
    is($b->eval($scroll), 'auto', 'or jump, where motion is not wanted');
    is($b->eval("document.getAnimations().length"), 0, 'nothing else moves');
    $b->look(still => 0);
};

subtest 'who hears the page' => sub {
    my @tree = $b->tree;
    my %names;
    push @{ $names{$_->[0]} }, $_->[1] for @tree;
    ok($names{$_}, "a $_") for qw(banner navigation main contentinfo status);
    my %region = map { $_ => 1 } @{ $names{region} };
    ok($region{$_}, "the part \"$_\"") for 'The last five minutes',
        'Functions', 'Nodes', 'Starts that failed', 'This gateway';
    is_deeply([sort @{ $names{table} }], ['Functions', 'This gateway'],
        'tables have names');
    my %can = map { $_ => 1 } qw(button link searchbox textbox progressbar
        image table columnheader region dialog);
    is_deeply([map { $_->[0] } grep { $can{$_->[0]} && $_->[1] eq '' } @tree],
        [], 'whatever can be used has one');
    like(join(' ', @{ $names{image} }), qr/Requests: \S+ a second now, \S+ at/,
        'a plot says what it shows');
    like($names{status}[0] // '', qr/^(?:All is well|)/, 'how it is is told once');
    is($b->eval("document.querySelectorAll('[aria-live], [role=status],"
        . " [role=alert]').length"), 1, 'in one place');
    is($b->eval("document.getElementById('said').textContent"),
        $b->eval("document.querySelector('.well').textContent"),
        'by what is seen');
};

subtest 'by Tab alone' => sub {
    $b->look(still => 1);
    $b->open('about:blank');
    $b->open($url);
    $b->wait_eval(row_of('shop') . " && document.querySelector("
        . "'#failures-list button')", 20, 'all that there is');
    my (@way, %seen);
    for (1 .. 60) {
        $b->key('Tab');
        my $at = json_decode($b->eval(<<'EOC'));
(() => {
    const e = document.activeElement;
    const r = e.getBoundingClientRect();
    const s = getComputedStyle(e);
    const top = document.querySelector('header').getBoundingClientRect().bottom;
    return JSON.stringify({ name: (e.id || e.getAttribute('aria-label')
            || e.textContent).trim().slice(0, 30), tag: e.tagName,
        ring: s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2,
        seen: r.bottom > 0 && r.top < innerHeight && r.right > 0
            && r.left < innerWidth,
        free: e.closest('header, .skip') !== null || r.bottom > top });
})()
EOC
        last if $at->{tag} eq 'BODY';
        push @way, $at;
    }
    is($way[0]{name}, 'Skip to functions', 'first past what comes first');
    is_deeply([map { $_->{name} } grep { !$_->{ring} } @way], [],
        'it is seen where the focus is');
    is_deeply([map { $_->{name} } grep { !$_->{seen} || !$_->{free} } @way], [],
        'and nothing covers it');
    my $way = join ' > ', map { $_->{name} } @way;
    like($way, qr/pause.*find.*Function.*shop.*Log/s, "all is reached: $way");
    $b->look(still => 0);
};

is_deeply([$b->said], [], 'the console is silent');
is_deeply([grep { index($_, $s->url('/')) != 0 && !/^about:/ } $b->asked], [],
    'nobody else is asked');

subtest 'etcd is stopped' => sub {
    $s->signal('etcd', 'STOP');
    $b->wait_eval(state_says() . ".includes('etcd does not answer')", 60,
        'it to be said');
    pass('it says so');
    like($b->eval(state_says()), qr/nothing new starts/, 'and what that means');
    is($s->get('/run/shop')->{status}, 200, 'what is warm is served');
    is($b->eval("document.querySelector('#nodes-list b').textContent"), 'local',
        'the nodes are known as before');
    $b->shot("$artifacts/page-etcd.png");
    $s->signal('etcd', 'CONT');
    $b->wait_eval(state_says() . ".includes('All is well')", 60, 'its end');
    pass('and when it is back');
};

subtest 'the agent stands still' => sub {
    $s->signal('agent', 'STOP');
    $b->wait_eval(state_says() . ".match(/No node is there|cannot be asked/)"
        . '?.[0]', 60, 'it to be said');
    pass('it says so');
    $s->signal('agent', 'CONT');
    $b->wait_eval(state_says() . ".includes('All is well')", 60, 'its end');
    pass('and when it is back');
};

subtest 'the gateway does not answer' => sub {
    my @online = (latency => 0, downloadThroughput => -1,
        uploadThroughput => -1);
    $b->call('Network.emulateNetworkConditions', @online,
        offline => JSON::PP::true);
    $b->wait_eval(state_says() . ".includes('The gateway does not answer')",
        30, 'it to be said');
    is($b->eval(row_of('shop') . '.children[3].textContent') >= 10, 1,
        'what was known is shown on');
    $b->call('Network.emulateNetworkConditions', @online,
        offline => JSON::PP::false);
    $b->wait_eval(state_says() . ".includes('All is well')", 30, 'its end');
    pass('and when it is back');
};

# one that was started anew knows none of them; page_faults.t has more of that
is($b->eval(<<'EOC'), 0, 'none is ready where the gateway tells of none');
(async () => {
    const data = await import('./data.js');
    data.takeMetrics('', performance.now());
    return data.state.functions.get('shop').ready;
})()
EOC

$b->stop;
is($s->make('stop'), 0, 'make stop');

done_testing();
