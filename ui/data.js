// What the gateway and the nodes say: asked, read, and kept for five minutes.
// Knows nothing of how it is shown.

import { get } from './get.js';
import { KEPT, Series, places } from './series.js';

const NAMES = ['rate', 'errors', 'cold', 'wait'];

function fn(name) {
    return {
        name, total: 0, errors: 0, cold: 0, waitSum: 0, waitCount: 0,
        ready: 0, booting: 0, draining: 0, before: null, where: new Map(),
        instances: [], unseen: 0,
        series: Object.fromEntries(NAMES.map((s) => [s, new Series()])),
    };
}

export const state = {
    gateway: { ok: null, why: '', refused: false, status: null },
    metrics: { why: '', bytes: 0 },
    nodes: { list: [], why: '', at: 0, known: false },  // at: when it was true
    asked: new Map(),                   // node -> what it said last
    functions: new Map(),
    all: Object.fromEntries(
        [...NAMES, 'parked'].map((s) => [s, new Series()])),
    failures: [],
};

// samples of Prometheus' text format: each(name, labels, value); the values of
// our labels need no unescaping, but for what nobody may name a function
export function samples(text, each) {
    const line = /^([a-z_]+)(?:\{([^}]*)\})? (\S+)$/gm;
    const label = /([a-z_]+)="([^"]*)"/g;
    for (let m; (m = line.exec(text));) {
        const labels = {};
        label.lastIndex = 0;
        if (m[2]) {
            for (let l; (l = label.exec(m[2]));) labels[l[1]] = l[2];
        }
        each(m[1], labels, Number(m[3]));
    }
}

function functionOf(name) {
    let f = state.functions.get(name);
    if (!f) state.functions.set(name, f = fn(name));
    return f;
}

const families = {
    fcfaas_function_requests_total(f, l, v) {
        f.now.total += v;
        if (l.code === '5xx') f.now.errors += v;
        if (l.start === 'cold') f.now.cold += v;
    },
    fcfaas_function_wait_seconds_sum(f, l, v) { f.now.waitSum += v; },
    fcfaas_function_wait_seconds_count(f, l, v) { f.now.waitCount += v; },
    fcfaas_function_instances(f, l, v) { f[l.state] = v; },
};

const zero = () => ({ total: 0, errors: 0, cold: 0, waitSum: 0, waitCount: 0 });
let sampled = 0;                        // when; 0: never

// takes an answer of fcfaas_metrics, seen at a time in ms
export function takeMetrics(text, at) {
    // what is told no more is none, after a restart of the gateway say
    for (const f of state.functions.values()) {
        Object.assign(f, { now: zero(), ready: 0, booting: 0, draining: 0 });
    }

    samples(text, (name, labels, value) => {
        const take = families[name];
        if (!take) return;
        const f = functionOf(labels.function);
        f.now ??= zero();
        take(f, labels, value);
    });

    const times = places(sampled, at);
    const seconds = (at - sampled) / 1000;
    const sum = zero();
    for (const f of state.functions.values()) step(f, seconds, times, sum);
    if (sampled) {
        for (const k of ['total', 'errors', 'cold']) {
            state.all[k === 'total' ? 'rate' : k].push(sum[k], times);
        }
        state.all.wait.push(sum.waitCount ? sum.waitSum / sum.waitCount : 0, times);
    }
    sampled = at;
}

function step(f, seconds, times, sum) {
    const now = f.now;
    // what was not there before began at nothing
    const before = f.before ?? (sampled ? zero() : now);
    // counters that went back began anew
    const d = (k) => Math.max(0, now[k] >= before[k] ? now[k] - before[k] : now[k]);

    if (sampled) {
        const waits = d('waitCount');
        f.series.rate.push(d('total') / seconds, times);
        f.series.errors.push(d('errors') / seconds, times);
        f.series.cold.push(d('cold') / seconds, times);
        f.series.wait.push(waits ? d('waitSum') / waits : 0, times);
        for (const k of ['total', 'errors', 'cold']) sum[k] += d(k) / seconds;
        sum.waitSum += d('waitSum');
        sum.waitCount += waits;
    }

    f.before = now;
    Object.assign(f, { total: now.total, errors: now.errors, cold: now.cold,
        waitSum: now.waitSum, waitCount: now.waitCount });

    // one that nobody has told of for as long as its plots go is forgotten
    f.unseen = now.total || f.ready || f.booting || f.draining
        || f.instances.length ? 0 : f.unseen + times;
    if (f.unseen > KEPT) state.functions.delete(f.name);
}

let seen = 0;                           // when the last status was

export async function askStatus() {
    try {
        const status = await get('../status', 'json');
        if (!Array.isArray(status?.workers)) throw new Error('what it says is no status');
        state.gateway = { ok: true, why: '', refused: false, status };
        const at = performance.now();
        if (seen) state.all.parked.push(NaN, places(seen, at) - 1);
        state.all.parked.push(status.parked);
        seen = at;
    } catch (error) {
        state.gateway = { ...state.gateway, ok: false, why: error.message,
            refused: error.status === 401 || error.status === 403 };
    }
}

export async function askMetrics() {
    try {
        const text = await get('../metrics?buckets=no', 'text');
        if (!/^fcfaas_/m.test(text)) throw new Error('what it says are no metrics');
        state.metrics = { why: '', bytes: text.length };
        takeMetrics(text, performance.now());
    } catch (error) {
        state.metrics.why = error.message;
    }
}

// each worker keeps a list of its own: the newest counts
export async function askNodes() {
    let list;
    try {
        list = await get('../nodes', 'json');
        if (!Array.isArray(list?.nodes)) throw new Error('what it says are no nodes');
    } catch (error) {
        state.nodes.why = error.message;
        return;
    }
    state.nodes.why = list.error;
    const at = performance.now() - list.age_ms;
    if (list.age_ms >= 0 && (at > state.nodes.at || !state.nodes.known)) {
        Object.assign(state.nodes, { list: list.nodes, at, known: true });
    }
}

// A browser has six connections to a gateway, and one is to be left for each
// of status, metrics and lines: so few nodes are asked at once.  Those that did
// not answer have one of their own, hold up nobody, and are asked less often.
const LANES = { well: 2, ill: 1 };
const AGAIN = 10000;
const busy = { well: 0, ill: 0 };
const asking = new Set();

const kind = (name) => (state.asked.get(name)?.why ? 'ill' : 'well');
const names = () => state.nodes.list.filter((n) => n.admin).map((n) => n.node_id);

// instances and failures of each node; returns when those have answered who did
// the last time
export async function askEach() {
    const there = names();
    for (const name of state.asked.keys()) {
        if (!there.includes(name)) placed = !state.asked.delete(name);
    }
    const due = { well: [], ill: [] };
    const at = performance.now();
    for (const name of there) {
        const k = kind(name);
        if (asking.has(name)) continue;
        if (k === 'well' || at > state.asked.get(name).tried + AGAIN) due[k].push(name);
    }
    due.ill.sort((a, b) => state.asked.get(b).tried - state.asked.get(a).tried);

    const lane = async (k) => {
        busy[k]++;
        for (let name; (name = due[k].pop());) {
            asking.add(name);
            await askNode(name);
            asking.delete(name);
            placed = false;
        }
        busy[k]--;
    };
    const lanes = (k) => Array.from({ length: LANES[k] - busy[k] }, () => lane(k));
    lanes('ill');
    await Promise.all(lanes('well'));
}

async function askNode(name) {
    const base = `../nodes/${encodeURIComponent(name)}`;
    const list = (said) => {
        if (!Array.isArray(said)) throw new Error('what it says is no list');
        return said.filter((one) => one && typeof one.function_id === 'string');
    };
    const before = state.asked.get(name) ?? { instances: [], failures: [], at: 0 };
    const tried = performance.now();
    try {
        const instances = list(await get(`${base}/instances`, 'json', 7000));
        const failures = list(await get(`${base}/failures`, 'json', 7000));
        state.asked.set(name, { instances, failures, why: '', tried, at: tried });
    } catch (error) {
        // what ran there is shown on, as long as the node is in etcd
        state.asked.set(name, { ...before, why: error.message,
            tried: performance.now() });
    }
}

let placed = true;

// which function has which instances where, of what nodes have said since
export function place() {
    if (placed) return;
    placed = true;
    for (const f of state.functions.values()) {
        f.where.clear();
        f.instances = [];
    }
    state.failures = [];
    for (const [node, said] of state.asked) {
        for (const instance of said.instances) {
            const f = functionOf(instance.function_id);
            f.where.set(node, (f.where.get(node) ?? 0) + 1);
            f.instances.push({ ...instance, node });
        }
        for (const failure of said.failures) {
            const key = `${node} ${failure.request_id} ${failure.ms}`;
            state.failures.push({ ...failure, node, key });
        }
    }
    state.failures.sort((a, b) => b.ms - a.ms);
}

// the last lines that a function printed, from all nodes that answer
export async function askLines(name, most = 200) {
    const all = [];
    for (const node of state.asked.keys()) {
        if (kind(node) === 'well') all.push(...await linesOf(node, name));
    }
    return all.sort((a, b) => a.ms - b.ms).slice(-most);
}

async function linesOf(node, name) {
    const path = `../nodes/${encodeURIComponent(node)}/functions/`
        + `${encodeURIComponent(name)}/lines`;
    let lines = [];
    try {
        for (let page = 0, after = ''; page < 10; page++) {
            const said = await get(path + after, 'json');
            lines = lines.concat(said.lines).slice(-2000);
            if (!said.more) break;
            after = `?after=${encodeURIComponent(said.next)}`;
        }
    } catch {
        // it knows nothing of the function, or cannot be asked
    }
    return lines.filter((line) => line && line.ms >= 0 && line.ms < 8e15).map((line) => ({ ...line, node }));
}
