// Plots, by hand: a canvas for one series, and lines in table rows.

import { KEPT } from './series.js';

export function number(said) {
    const value = Number(said);
    if (!(value > 0)) return '0';
    if (value >= 1e6) return `${(value / 1e6).toPrecision(3)}M`;
    if (value >= 1e4) return `${(value / 1e3).toPrecision(3)}k`;
    if (value >= 100) return String(Math.round(value));
    return value >= 0.01 ? String(Number(value.toPrecision(2))) : '<0.01';
}

export function seconds(value) {
    if (!(value > 0)) return '0 ms';
    if (value < 0.001) return '<1 ms';
    return value < 1 ? `${Math.round(value * 1000)} ms`
        : `${Number(value.toPrecision(2))} s`;
}

export function ago(ms) {
    const s = Math.max(0, Math.round(ms / 1000));
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    return s < 86400 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}

// { title, unit, series, colour (a custom property), format } as a figure
export class Plot {
    constructor(spec) {
        Object.assign(this, spec);
        this.format ??= number;
        this.figure = document.createElement('figure');
        const caption = this.figure.appendChild(document.createElement('figcaption'));
        caption.appendChild(document.createElement('span')).textContent = this.title;
        const big = caption.appendChild(document.createElement('b'));
        this.value = big.appendChild(document.createTextNode('–'));
        if (this.unit) {
            big.append(' ');
            big.appendChild(document.createElement('small')).textContent = this.unit;
        }
        this.canvas = this.figure.appendChild(document.createElement('canvas'));
        this.canvas.setAttribute('role', 'img');
    }

    draw() {
        const { series, canvas } = this;
        const text = this.format(series.last);
        if (this.value.data !== text) this.value.data = text;
        canvas.setAttribute('aria-label', `${this.title}: ${text} ${this.unit ?? ''}`
            + ` now, ${this.format(series.max)} at most in five minutes`);

        const ratio = devicePixelRatio || 1;
        const [w, h] = [canvas.clientWidth, canvas.clientHeight];
        if (!w) return;
        if (canvas.width !== Math.round(w * ratio)) canvas.width = Math.round(w * ratio);
        if (canvas.height !== Math.round(h * ratio)) canvas.height = Math.round(h * ratio);
        const c = canvas.getContext('2d');
        const style = getComputedStyle(document.documentElement);
        const colour = style.getPropertyValue(this.colour).trim();
        c.setTransform(ratio, 0, 0, ratio, 0, 0);
        c.clearRect(0, 0, w, h);

        c.strokeStyle = style.getPropertyValue('--line').trim();
        c.beginPath();
        c.moveTo(0, h - 0.5);
        c.lineTo(w, h - 0.5);
        c.stroke();

        const max = series.max;
        if (max > 0) {
            c.fillStyle = style.getPropertyValue('--soft').trim();
            c.font = '11px system-ui, sans-serif';
            c.fillText(this.format(max), 0, 9);
        }
        if (series.length < 2) return;

        const x = (i) => w - 1 - (series.length - 1 - i) * (w - 2) / (KEPT - 1);
        const y = (i) => h - 1.5 - (max ? series.get(i) / max : 0) * (h - 16);
        c.strokeStyle = c.fillStyle = colour;
        c.lineWidth = 1.5;
        c.lineJoin = 'round';
        for (const [from, to] of known(series)) {
            c.beginPath();
            for (let i = from; i < to; i++) c.lineTo(x(i), y(i));
            c.stroke();
            c.lineTo(x(to - 1), h);
            c.lineTo(x(from), h);
            c.globalAlpha = 0.12;
            c.fill();
            c.globalAlpha = 1;
        }
    }
}

// where a series has numbers: [first, behind the last]
function known(series) {
    const parts = [];
    for (let i = 0, from = -1; i <= series.length; i++) {
        const is = i < series.length && !Number.isNaN(series.get(i));
        if (is && from < 0) from = i;
        if (!is && from >= 0) { parts.push([from, i]); from = -1; }
    }
    return parts;
}

// the points of a polyline of 104 by 22: where the line bends
export function points(series) {
    const max = series.max || 1;
    const n = series.length;
    const y = (i) => Math.round(205 - series.get(i) / max * 190) / 10;
    const out = [];
    for (let i = 0, before = NaN; i < n; i++) {
        const now = y(i);
        if (now === before && i < n - 1 && now === y(i + 1)) continue;
        out.push(`${Math.round((1 - (n - 1 - i) / (KEPT - 1)) * 1040) / 10},${now}`);
        before = now;
    }
    return out.join(' ');
}
