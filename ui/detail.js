// One function: its plots, instances and lines.

import { state, askLines } from './data.js';
import { Plot, ago, number, seconds } from './plot.js';
import { $, text, make, fill, emptyRow } from './view.js';

const MOST = 100;                       // instances

let name = null;                        // the function shown; null: none
let plots = [];
let asking = false;

export function open(which) {
    name = which;
    text($('detail-name'), name);
    text($('detail-note'), '');
    plots = [];
    $('detail-plots').replaceChildren();
    $('log').replaceChildren('Asking the nodes…');
    if (!$('detail').open) $('detail').showModal();
    $('detail-name').focus();
    show();
    showLines();
}

// once something is known of it
function plotsOf(f) {
    plots = [
        new Plot({ title: 'Requests', unit: 'a second', series: f.series.rate, colour: '--good' }),
        new Plot({ title: 'Errors', unit: 'a second', series: f.series.errors, colour: '--bad' }),
        new Plot({ title: 'Cold starts', unit: 'a second', series: f.series.cold, colour: '--cold' }),
        new Plot({ title: 'Mean wait', series: f.series.wait, colour: '--warn', format: seconds }),
    ];
    $('detail-plots').replaceChildren(...plots.map((p) => p.figure));
}

export function closed() {
    name = null;
    plots = [];
}

export const shown = () => name;

function instanceRow() {
    const row = make('tr');
    row.append(...['', '', '', 'n', 'n', 'n', 'n'].map((kind) => make('td', kind)));
    return row;
}

function updateInstance(row, i) {
    const cells = row.children;
    [i.worker_id, i.node, i.state, String(i.version), number(i.requests),
        String(i.inflight), ago(i.age_ms)].forEach((t, k) => text(cells[k], t));
}

export function show() {
    if (name === null) return;
    const f = state.functions.get(name);
    const body = $('instances-table').tBodies[0];
    if (!f) {
        body.replaceChildren(emptyRow(7, 'Nothing is known of it: it has not been called here, and does not run.'));
        return;
    }
    if (!plots.length) plotsOf(f);
    plots.forEach((p) => p.draw());
    text($('detail-note'), `requests ${number(f.total)} · errors ${number(f.errors)} · `
        + `cold starts ${number(f.cold)}`);
    if (!f.instances.length) {
        body.replaceChildren(emptyRow(7, 'None runs now.'));
    } else {
        if (body.querySelector('.empty')) body.replaceChildren();
        fill(body, f.instances.slice(0, MOST), instanceRow, updateInstance);
    }
    text($('instances-note'), f.instances.length > MOST
        ? `The first ${MOST} of ${f.instances.length}.` : '');
}

export async function showLines() {
    if (asking || name === null) return;
    asking = true;
    const of = name;
    let lines = [];
    try {
        lines = await askLines(of);
    } finally {
        asking = false;
    }
    if (name !== of) {
        showLines();
        return;
    }
    const log = $('log');
    const follow = log.scrollTop + log.clientHeight >= log.scrollHeight - 8;
    log.replaceChildren(...lines.length ? lines.flatMap((line) => {
        const time = make('time', '', new Date(line.ms).toISOString().slice(11, 23));
        return [time, ` ${line.stream === 'stdout' ? '' : `${line.stream} `}${line.text}\n`];
    }) : ['Nothing that the nodes keep.']);
    if (follow) log.scrollTop = log.scrollHeight;
}
