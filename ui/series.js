// Numbers over the last five minutes, one for each two seconds.

export const KEPT = 150;
export const EVERY = 2000;

// the last KEPT numbers; NaN: not known
export class Series {
    constructor() {
        this.at = new Float32Array(KEPT);
        this.n = 0;                     // ever
    }

    push(value, times = 1) {
        for (let i = Math.min(times, KEPT); i > 0; i--) this.at[this.n++ % KEPT] = value;
    }

    get length() { return Math.min(this.n, KEPT); }
    get(i) { return this.at[(this.n - this.length + i) % KEPT]; }
    get last() { return this.n ? this.get(this.length - 1) : 0; }

    get max() {
        let max = 0;
        for (let i = 0; i < this.length; i++) {
            const value = this.get(i);
            if (value > max) max = value;
        }
        return max;
    }
}

// how many places of a series lie between two times in ms: the time of a plot
// goes on where nothing was asked, in a tab that nobody saw, say
export const places = (from, to) => Math.min(KEPT,
    Math.max(1, Math.floor(to / EVERY) - Math.floor(from / EVERY)));
