'use strict';

// Around a snapshot, which init asks for from inside the guest: clones of one
// memory must not draw the same random numbers.

const SNAPSHOT = '/.fcfaas/snapshot';
const RESTORE = '/.fcfaas/restore';
const LOCAL = '127.0.0.1';
const RESEED = require('path').join(__dirname, 'reseed.node');

// what node keeps of random bytes for later: 128 UUIDs, 1024 integers
const UUIDS = 128;
const INTEGERS = 1024;

const own = Math.random;
let random = own;
let functions = null;


// V8 seeds Math.random once, and has no way to do it again: a clone has a
// generator of its own (xoshiro128**), seeded by the system.
function generator() {
    const s = new Uint32Array(4);
    require('crypto').randomFillSync(s);

    const next = () => {
        const x = Math.imul(s[1], 5);
        const result = Math.imul((x << 7) | (x >>> 25), 9) >>> 0;
        const t = s[1] << 9;

        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = (s[3] << 11) | (s[3] >>> 21);

        return result;
    };

    return () => ((next() >>> 5) * 67108864 + (next() >>> 6))
        / 9007199254740992;
}


// throws where it cannot be loaded
function reseedOpenssl() {
    process.dlopen({ exports: {} }, RESEED);
}


function reseed() {
    const crypto = require('crypto');

    reseedOpenssl();
    random = generator();

    for (let i = 0; i < UUIDS; i++) {
        crypto.randomUUID();
    }

    for (let i = 0; i < INTEGERS; i++) {
        crypto.randomInt(2);
    }
}


async function call(name) {
    for (const of of [functions, functions && functions.default]) {
        if (of && typeof of[name] === 'function') {
            await of[name]();
            return;
        }
    }
}


async function run(request, response) {
    if (request.url === SNAPSHOT) {
        reseedOpenssl();                // what cannot be done then is told now
        await call('beforeSnapshot');
    } else {
        reseed();
        await call('afterRestore');
    }

    response.writeHead(204, { 'X-Fcfaas-Reseeds': '1',
        'Connection': 'close' });
    response.end();
}


function isHook(request) {
    return (request.url === SNAPSHOT || request.url === RESTORE)
        && request.method === 'POST'
        && request.socket.remoteAddress.replace('::ffff:', '') === LOCAL;
}


// Before the function's code is loaded: it may keep Math.random, and it may
// listen by itself.
exports.install = function () {
    const { Server } = require('http');
    const emit = Server.prototype.emit;

    Math.random = () => random();

    Server.prototype.emit = function (event, request, response) {
        if (event !== 'request' || !isHook(request)) {
            return emit.apply(this, arguments);
        }

        run(request, response).catch((error) => {
            console.error(error);
            response.writeHead(500, { 'Connection': 'close' });
            response.end();
        });

        return true;
    };
};


exports.of = function (loaded) {
    functions = loaded;
};
