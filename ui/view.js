// What is known, made visible.  All text is put there as text: names, reasons
// and lines are what strangers wrote.

import { state } from './data.js';
import { now } from './get.js';
import { number, seconds, ago, points } from './plot.js';

export const $ = (id) => document.getElementById(id);

export function text(node, value) {
    if (node.textContent !== value) node.textContent = value;
}

export function make(tag, className, value) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (value !== undefined) node.textContent = value;
    return node;
}

// as many children as items; makes what is missing, lets go of the rest
export function fill(parent, items, one, update) {
    while (parent.children.length > items.length) parent.lastElementChild.remove();
    while (parent.children.length < items.length) parent.append(one());
    items.forEach((item, i) => update(parent.children[i], item));
}

// the same by key: a row stays its item's, and keeps the focus as it moves
export function fillKeyed(parent, items, keyOf, one, update) {
    const focus = document.activeElement;
    const rows = new Map([...parent.children].map((row) => [row.dataset.key, row]));
    items.forEach((item, i) => {
        const key = keyOf(item);
        const row = rows.get(key) ?? one();
        rows.delete(key);
        row.dataset.key = key;
        update(row, item);
        if (parent.children[i] !== row) parent.insertBefore(row, parent.children[i] ?? null);
    });
    while (parent.children.length > items.length) parent.lastElementChild.remove();
    if (focus?.isConnected && focus !== document.activeElement) {
        focus.focus({ preventScroll: true });
    }
}

const SVG = 'http://www.w3.org/2000/svg';

// what is wrong: [how bad, what, more]
export function problems() {
    const found = [];
    const { gateway, nodes } = state;
    if (gateway.ok === false) {
        return [['bad', gateway.refused ? 'The gateway refuses to tell.'
            : 'The gateway does not answer.',
            `${gateway.why}. What is shown is what was known before.`]];
    }
    if (state.metrics.why) {
        found.push(['warn', 'The counts of functions are not known.',
            `${state.metrics.why}.`]);
    }
    const workers = gateway.status?.workers ?? [];
    const noEtcd = workers.filter((w) => !w.etcd.healthy);
    if (noEtcd.length) {
        const idle = Math.max(...noEtcd.map((w) => w.etcd.idle_ms));
        found.push(['bad', 'etcd does not answer.',
            `For ${ago(idle)}, to ${noEtcd.length} of ${workers.length} workers. `
            + 'What is warm is served on; nothing new starts.']);
    }
    if (workers.length && !workers.some((w) => w.redis.connected)) {
        found.push(['bad', 'Redis does not answer.',
            'What is warm is served on; nothing new starts.']);
    }
    if (workers.some((w) => w.alone)) {
        found.push(['warn', 'A worker counts for itself.',
            'Another stands still, or fcfaas_zone has no place for it.']);
    }
    if (gateway.status?.refused_certificate?.age_ms < REFUSED) {
        found.push(certificate(gateway.status.refused_certificate));
    }
    if (!noEtcd.length && nodes.why) {
        found.push(['warn', 'The nodes are not known.', nodes.why]);
    }
    if (nodes.known && !nodes.list.length && !noEtcd.length) {
        found.push(['bad', 'No node is there.', 'Nothing can start.']);
    }
    found.push(...several(nodes.list.filter((n) => n.state === 'ill'), 'are ill',
        (n) => ['bad', `Node ${n.node_id} is ill.`, n.reason]));
    found.push(...several(nodes.list.filter((n) => state.asked.get(n.node_id)?.why),
        'cannot be asked', silent));
    return found;
}

// which calls make known anew, as long as it is refused
const REFUSED = 600000;

function certificate({ whose, node, address, why, age_ms: age }) {
    return whose === 'gateway'
        ? ['bad', 'This gateway’s certificate is refused.',
            `By node ${node}, ${address}, ${ago(age)} ago: ${why}.`]
        : ['bad', `The certificate of node ${node} is refused.`,
            `At ${address}, ${ago(age)} ago: ${why}.`];
}

// one line for each, as long as they are few
function several(list, what, one) {
    if (list.length <= FEW) return list.map(one);
    const [bad] = one(list[0]);
    return [[bad, `${list.length} nodes ${what}.`,
        `${list.slice(0, FEW).map((n) => n.node_id).join(', ')} and others.`]];
}

const FEW = 4;

function silent(node) {
    const { why, at } = state.asked.get(node.node_id);
    return ['warn', `Node ${node.node_id} cannot be asked.`, `${why}.`
        + (at ? ` What runs there is as of ${ago(performance.now() - at)} ago.` : '')];
}

const WELL = 'All is well: etcd, Redis and all nodes answer.';

// to those who hear the page, and once: what is shown changes with each second
export function announce(what) { text($('said'), what); }

let told = null;
export function showState() {
    const found = problems();
    const well = state.gateway.ok && state.nodes.known;
    const key = JSON.stringify([well, found.map(([bad, what]) => [bad, what])]);
    const box = $('state');
    if (key === told) {                 // only what may be read on quietly
        found.forEach(([, , more], i) => text(box.children[i].lastChild, ` ${more}`));
        return;
    }
    told = key;
    box.replaceChildren(...found.map(([bad, what, more]) => {
        const p = make('p', bad === 'bad' ? 'problem' : 'problem warn');
        p.append(make('b', '', what), make('span', '', ` ${more}`));
        return p;
    }));
    announce(found.length || !well ? found.map(([, what]) => what).join(' ') : WELL);
    if (!found.length && well) {
        box.append(make('p', 'well', WELL));
    } else if (!found.length) {
        box.append(make('p', 'quiet', 'Asking…'));
    }
}

// functions, as they are found and sorted
const sorts = {
    name: (f) => f.name,
    rate: (f) => f.series.rate.last,
    total: (f) => f.total,
    errors: (f) => f.errors,
    cold: (f) => f.cold,
    wait: (f) => meanWait(f),
    instances: (f) => count(f),
};

const count = (f) => Math.max(f.ready + f.booting + f.draining, f.instances.length);
const meanWait = (f) => f.waitCount ? f.waitSum / f.waitCount : 0;

export const table = { sort: 'total', down: true, find: '', most: 50 };

function rows() {
    const key = sorts[table.sort];
    const sign = table.down ? -1 : 1;
    const find = table.find.toLowerCase();
    return [...state.functions.values()]
        .filter((f) => (f.total || count(f)) && f.name.includes(find))
        .map((f) => [key(f), f])
        .sort(([a, f], [b, g]) =>
            (a < b ? -sign : a > b ? sign : 0)
            || g.total - f.total || count(g) - count(f)
            || (f.name < g.name ? -1 : 1))
        .map(([, f]) => f);
}

function functionRow() {
    const row = make('tr');
    const name = make('button', 'name');
    name.type = 'button';
    const cell = make('td');
    cell.append(name);
    const spark = make('td', 'spark');
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 104 22');
    svg.setAttribute('aria-hidden', 'true');
    svg.append(document.createElementNS(SVG, 'polyline'));
    spark.append(svg);
    row.append(cell, make('td', 'n'), spark,
        ...Array.from({ length: 5 }, () => make('td', 'n')), make('td'));
    return row;
}

function instancesText(f) {
    const parts = [];
    if (f.booting) parts.push(`${f.booting} starting`);
    if (f.draining) parts.push(`${f.draining} ending`);
    const ready = f.ready || Math.max(0, f.instances.length - f.booting - f.draining);
    return parts.length ? `${ready} + ${parts.join(', ')}` : String(ready);
}

function whereText(f) {
    const nodes = [...f.where].sort(([, a], [, b]) => b - a);
    const shown = nodes.slice(0, 4).map(([n, k]) => (k > 1 ? `${n} × ${k}` : n));
    if (nodes.length > 4) shown.push(`${nodes.length - 4} more`);
    return shown.join(', ');
}

function updateRow(row, f) {
    const [name, rate, spark, total, errors, cold, wait, instances, where] = row.children;
    text(name.firstChild, f.name);
    text(rate, number(f.series.rate.last));
    const line = points(f.series.rate);
    const poly = spark.firstChild.firstChild;
    if (poly.getAttribute('points') !== line) poly.setAttribute('points', line);
    text(total, number(f.total));
    text(errors, f.errors ? `${number(f.errors)} · ${percent(f.errors / f.total)}` : '0');
    errors.classList.toggle('is-bad', f.errors > 0);
    text(cold, number(f.cold));
    text(wait, f.waitCount ? seconds(meanWait(f)) : '–');
    text(instances, instancesText(f));
    text(where, whereText(f));
}

const percent = (x) => `${x < 0.001 ? '<0.1' : Number((x * 100).toPrecision(2))} %`;

export function showFunctions() {
    const found = rows();
    const body = $('functions-table').tBodies[0];
    const shown = found.slice(0, table.most);
    if (!shown.length) {
        body.replaceChildren(emptyRow(9, table.find ? 'No function of that name.'
            : 'No function has been called or runs. fcfaas deploy DIR makes one.'));
    } else {
        if (body.querySelector('.empty')) body.replaceChildren();
        fillKeyed(body, shown, (f) => f.name, functionRow, updateRow);
    }
    matching = found.length;
    const declared = state.gateway.status?.workers[0]?.specs ?? 0;
    text($('functions-note'), `${found.length} called or running, ${declared} deployed`);
    const more = $('more');
    more.hidden = found.length <= table.most;
    text(more, `Show more (${found.length - shown.length})`);
    for (const th of document.querySelectorAll('th[data-sort]')) {
        if (th.dataset.sort === table.sort) {
            th.setAttribute('aria-sort', table.down ? 'descending' : 'ascending');
        } else {
            th.removeAttribute('aria-sort');
        }
    }
}

let matching = 0;
export function announceFound() {
    announce(matching === 1 ? 'One function' : `${matching} functions`);
}

export function emptyRow(columns, why) {
    const row = make('tr');
    const cell = make('td', 'empty', why);
    cell.colSpan = columns;
    row.append(cell);
    return row;
}

// nodes
function nodeCard() {
    const card = make('li');
    const title = make('div', 'title');
    title.append(make('b'), make('span'));
    const room = make('div', 'room');
    for (const what of ['vCPUs', 'Memory']) {
        const bar = make('progress');
        bar.setAttribute('aria-label', `${what} in use`);
        room.append(make('span', '', what), bar, make('span'));
    }
    card.append(title, room, make('p', 'runs'), make('p', 'why'));
    return card;
}

const memory = (mb) => mb >= 1024 ? `${Number((mb / 1024).toPrecision(3))} GB` : `${mb} MB`;

function updateNode(card, node) {
    const [title, room, runs, why] = card.children;
    text(title.firstChild, node.node_id);
    const word = { ready: `${node.vms} VMs`, draining: `draining, ${node.vms} VMs`,
        ill: `ill, ${node.vms} VMs` }[node.state] ?? node.state;
    text(title.lastChild, word.replace(/\b1 VMs/, '1 VM'));
    title.lastChild.className = { ill: 'is-bad', draining: 'is-warn' }[node.state] ?? 'quiet';
    const use = (i, used, all, what) => {
        room.children[i].max = all || 1;
        room.children[i].value = used;
        text(room.children[i + 1], what);
    };
    const cpu = node.cpu - node.cpu_free;
    const mb = node.memory_mb - node.memory_mb_free;
    use(1, cpu, node.cpu, `${cpu} of ${node.cpu}`);
    use(4, mb, node.memory_mb, `${memory(mb)} of ${memory(node.memory_mb)}`);
    const counts = new Map();
    for (const i of state.asked.get(node.node_id)?.instances ?? []) {
        counts.set(i.function_id, (counts.get(i.function_id) ?? 0) + 1);
    }
    const names = [...counts].sort(([, a], [, b]) => b - a);
    text(runs, names.slice(0, 6).map(([n, k]) => (k > 1 ? `${n} × ${k}` : n)).join(', ')
        + (names.length > 6 ? `, and ${names.length - 6} more` : ''));
    text(why, node.reason);
    why.hidden = !node.reason;
    runs.hidden = !names.length;
}

export function showNodes() {
    fill($('nodes-list'), state.nodes.list, nodeCard, updateNode);
    const n = state.nodes.list.length;
    const old = performance.now() - state.nodes.at;
    text($('nodes-note'), !state.nodes.known ? 'not known yet'
        : `${n === 1 ? 'one' : n}${old > 15000 ? `, as of ${ago(old)} ago` : ''}`);
}

// failures
function failureRow() {
    const row = make('li');
    const log = make('button', '', 'Log');
    log.type = 'button';
    row.append(make('span', 'quiet'), make('span', 'what'), make('code'), log);
    return row;
}

function updateFailure(row, f) {
    const [when, what, message, log] = row.children;
    text(when, `${ago(now() - f.ms)} ago`);
    when.title = new Date(f.ms).toLocaleString();
    text(what, `${f.function_id}, version ${f.version}, on ${f.node}`);
    text(message, `${f.error}: ${f.message}`);
    log.dataset.function = f.function_id;
    log.setAttribute('aria-label', `Log of ${f.function_id}`);
}

export function showFailures() {
    const list = $('failures-list');
    const shown = state.failures.slice(0, 20);
    if (!shown.length) {
        list.replaceChildren(make('li', 'empty', 'None that the nodes remember.'));
    } else {
        if (list.querySelector('.empty')) list.replaceChildren();
        fillKeyed(list, shown, (f) => f.key, failureRow, updateFailure);
    }
    text($('failures-note'), state.failures.length > shown.length
        ? `the last ${shown.length} of ${state.failures.length}` : '');
}

// the gateway's workers
function workerRow() {
    const row = make('tr');
    const kinds = ['', '', 'n', '', 'n', 'n', 'n', 'n'];
    row.append(...kinds.map((kind) => make('td', kind)));
    return row;
}

function updateWorker(row, w) {
    const cells = row.children;
    text(cells[0], `${w.worker} · pid ${w.pid}`);
    text(cells[1], w.etcd.healthy ? w.etcd.state : `away (${w.etcd.state})`);
    cells[1].className = w.etcd.healthy ? '' : 'is-bad';
    text(cells[2], `${ago(w.etcd.idle_ms)} ago`);
    text(cells[3], w.redis.connected ? 'connected' : 'away');
    cells[3].className = w.redis.connected ? '' : 'is-bad';
    ['parked', 'busy', 'specs', 'instances'].forEach((k, i) =>
        text(cells[4 + i], String(w[k])));
}

export function showGateway() {
    const status = state.gateway.status;
    if (!status) return;
    const workers = [...status.workers].sort((a, b) => a.worker - b.worker || a.pid - b.pid);
    fill($('workers-table').tBodies[0], workers, workerRow, updateWorker);
    const { jobs, outcomes } = status;
    text($('gateway-note'), `${number(outcomes?.passed)} requests passed to instances, `
        + `${number(jobs?.asked)} starts asked`);
}
