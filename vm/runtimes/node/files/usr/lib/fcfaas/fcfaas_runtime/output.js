'use strict';

// Lines that are printed while a request is served say whose they are: its id
// stands before each, between two bytes that the node takes away again.

const MOST = 4096;
const ID = /^[A-Za-z0-9._-]{1,64}$/;

let storage = null;


function mark(printed, stream, write, text) {
    const end = text.lastIndexOf('\n');
    let begun = (printed.begun.get(stream) || '')
        + (end < 0 ? text : text.slice(0, end));
    let done = true;

    if (end >= 0) {
        done = write.call(stream, printed.mark
            + begun.replace(/\n/g, '\n' + printed.mark) + '\n');
        begun = text.slice(end + 1);
    }

    if (begun.length > MOST) {
        done = write.call(stream, printed.mark + begun + '\n');
        begun = '';
    }

    printed.begun.set(stream, begun);

    return done;
}


function install() {
    const { AsyncLocalStorage } = require('async_hooks');

    storage = new AsyncLocalStorage();

    for (const stream of [process.stdout, process.stderr]) {
        const write = stream.write;

        stream.write = function (chunk, encoding, callback) {
            const printed = storage.getStore();

            if (printed === undefined || typeof chunk !== 'string') {
                return write.apply(this, arguments);
            }

            const then = typeof encoding === 'function' ? encoding : callback;
            const done = mark(printed, this, write, chunk);

            if (then) {
                process.nextTick(then);
            }

            return done;
        };
    }
}


// runs it as what serves that request
exports.during = async function (request, run) {
    const id = request.headers['x-request-id'];

    if (typeof id !== 'string' || !ID.test(id)) {
        return run();
    }

    if (storage === null) {
        install();
    }

    const printed = { mark: `\x1e${id}\x1f`, begun: new Map() };

    try {
        return await storage.run(printed, run);
    } finally {
        for (const [stream, text] of printed.begun) {
            if (text !== '') {
                stream.write(`${printed.mark}${text}\n`);
            }
        }
    }
};
