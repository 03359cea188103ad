// When what is asked and shown.

import { state, askStatus, askMetrics, askNodes, askEach, place } from './data.js';
import { EVERY } from './series.js';
import { Plot } from './plot.js';
import * as view from './view.js';
import * as detail from './detail.js';

const { $ } = view;

const plots = [
    new Plot({ title: 'Requests', unit: 'a second', series: state.all.rate, colour: '--good' }),
    new Plot({ title: 'Errors', unit: 'a second', series: state.all.errors, colour: '--bad' }),
    new Plot({ title: 'Cold starts', unit: 'a second', series: state.all.cold, colour: '--cold' }),
    new Plot({ title: 'Waiting for an instance', unit: 'now', series: state.all.parked, colour: '--warn' }),
];
$('plots').append(...plots.map((p) => p.figure));

let paused = false;
let answered = 0;                       // when the gateway last did

function show() {
    place();
    plots.forEach((p) => p.draw());
    view.showState();
    view.showFunctions();
    view.showNodes();
    view.showFailures();
    view.showGateway();
    detail.show();
    view.text($('when'), paused ? 'paused'
        : answered ? new Date(answered).toLocaleTimeString() : 'no answer');
}

const idle = () => paused || document.hidden;

// those who wait for their time, until it comes or all are to go on
const naps = new Set();
const nap = (ms) => new Promise((done) => {
    const wake = () => { clearTimeout(timer); naps.delete(wake); done(); };
    const timer = setTimeout(wake, ms);
    naps.add(wake);
});
const wakeAll = () => { if (!idle()) [...naps].forEach((wake) => wake()); };

// asks again and again, never twice at once; a failure is shown by what it is of
async function every(ms, ask) {
    for (;;) {
        if (!idle()) {
            try { await ask(); } catch (error) { console.error(error); }
        }
        await nap(typeof ms === 'function' ? ms() : ms);
    }
}

every(EVERY, async () => {
    await askStatus();
    if (state.gateway.ok) answered = Date.now();
    show();
});
// a large answer less often
every(() => (state.metrics.bytes > 500000 ? 3 * EVERY : EVERY), askMetrics);
every(4000, askNodes);
every(4000, askEach);
every(4000, detail.showLines);

document.addEventListener('visibilitychange', wakeAll);

$('pause').addEventListener('click', (e) => {
    paused = !paused;
    e.target.setAttribute('aria-pressed', String(paused));
    view.text(e.target, paused ? 'Go on' : 'Pause');
    show();
    wakeAll();
});

$('find').addEventListener('input', (e) => {
    view.table.find = e.target.value.trim();
    view.table.most = 50;
    view.showFunctions();
    view.announceFound();
});

$('more').addEventListener('click', () => {
    view.table.most += 100;
    view.showFunctions();
});

for (const th of document.querySelectorAll('th[data-sort]')) {
    th.addEventListener('click', () => {
        const by = th.dataset.sort;
        view.table.down = view.table.sort === by ? !view.table.down : by !== 'name';
        view.table.sort = by;
        view.showFunctions();
    });
}

// a function has an address of its own: #function=name
const go = (name) => { location.hash = `function=${encodeURIComponent(name)}`; };

// what somebody wrote into the address may be anything
function decoded(name) {
    try { return decodeURIComponent(name); } catch { return name; }
}

// the function that the address names, if it does
function named() {
    const [, name] = location.hash.match(/^#function=(.+)$/) ?? [];
    return name && decoded(name);
}

function follow() {
    const name = named();
    if (name) {
        detail.open(name);
    } else if ($('detail').open) {
        $('detail').close();
    }
}

$('functions-table').addEventListener('click', (e) => {
    const name = e.target.closest('button.name')?.textContent;
    if (name) go(name);
});
$('failures-list').addEventListener('click', (e) => {
    const name = e.target.closest('button')?.dataset.function;
    if (name) go(name);
});
$('close').addEventListener('click', () => $('detail').close());
// told of it late: by then another one may be shown, or is about to be
$('detail').addEventListener('close', () => {
    if ($('detail').open) return;
    if (named() === detail.shown()) {
        history.replaceState(null, '', location.pathname);
    }
    detail.closed();
});
addEventListener('hashchange', follow);
addEventListener('resize', show);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', show);

follow();
