'use strict';

// Calls a function for each request.  One with two or more parameters is
// node's own kind, (request, response), as is an application of express; else
// what it returns is the answer.

const { pipeline } = require('stream');
const { during } = require('./output.js');

const STOP_MS = 5000;


// What a handler finds on a request beside node's own: path, queryString,
// query, and the body by bytes(), text() and json().
function extend(request) {
    const mark = request.url.indexOf('?');

    request.path = mark < 0 ? request.url : request.url.slice(0, mark);
    request.queryString = mark < 0 ? '' : request.url.slice(mark + 1);

    Object.defineProperty(request, 'query', {
        configurable: true, enumerable: true,
        get() {
            return Object.fromEntries(new URLSearchParams(this.queryString));
        },
        set(value) {
            Object.defineProperty(this, 'query', { value, writable: true,
                configurable: true, enumerable: true });
        },
    });

    let whole = null;

    request.bytes = () => {
        whole = whole || (async () => {
            const parts = [];
            for await (const part of request) {
                parts.push(part);
            }
            return Buffer.concat(parts);
        })();
        return whole;
    };
    request.text = async () => (await request.bytes()).toString('utf8');
    request.json = async () => JSON.parse(await request.text());

    return request;
}


function setHead(response, status, headers, kind) {
    response.statusCode = status;

    for (const [name, value] of Object.entries(headers || {})) {
        response.setHeader(name, value);
    }

    if (kind && !response.hasHeader('content-type')) {
        response.setHeader('content-type', kind);
    }
}


function whole(response, status, headers, body, kind) {
    setHead(response, status, headers, kind);

    if (status !== 204 && status !== 304) {
        response.setHeader('content-length', body.length);
    }

    response.end(body);
}


function isIterable(value) {
    return value !== null && typeof value === 'object'
        && (typeof value[Symbol.asyncIterator] === 'function'
            || (typeof value[Symbol.iterator] === 'function'
                && !Array.isArray(value)));
}


function stream(response, status, headers, source) {
    const { Readable } = require('stream');

    setHead(response, status, headers, 'application/octet-stream');

    return new Promise((resolve, reject) => {
        pipeline(source.pipe ? source
            : Readable.from(source, { objectMode: false }), response,
            (e) => e ? reject(e) : resolve());
    });
}


async function respond(response, status, headers, body) {
    if (body === undefined || body === null) {
        whole(response, status || 204, headers, Buffer.alloc(0));

    } else if (typeof body === 'string') {
        whole(response, status || 200, headers, Buffer.from(body),
            'text/plain; charset=utf-8');

    } else if (body instanceof Uint8Array) {
        whole(response, status || 200, headers, Buffer.from(body.buffer,
            body.byteOffset, body.byteLength), 'application/octet-stream');

    } else if (isIterable(body)) {
        await stream(response, status || 200, headers, body);

    } else {
        whole(response, status || 200, headers, Buffer.from(
            JSON.stringify(body) || 'null'), 'application/json');
    }
}


// { statusCode, headers, body }, a Response as fetch() has it, or the body
async function answer(response, result) {
    if (response.writableEnded) {
        return;
    }

    if (result !== null && typeof result === 'object') {
        if (Number.isInteger(result.statusCode)) {
            await respond(response, result.statusCode, result.headers,
                result.body);
            return;
        }

        if (result.constructor && result.constructor.name === 'Response'
            && typeof result.arrayBuffer === 'function') {
            await respond(response, result.status,
                Object.fromEntries(result.headers), result.body);
            return;
        }
    }

    await respond(response, 0, null, result);
}


function failed(request, response, error) {
    if (request.destroyed && request.aborted) {
        return;                         // the client has left
    }

    console.error(error);

    if (response.headersSent) {
        response.destroy();             // it must not look whole
        return;
    }

    for (const name of response.getHeaderNames()) {
        response.removeHeader(name);
    }

    whole(response, 500, {}, Buffer.from('the function failed, see its log\n'),
        'text/plain');
}


async function call(target, request, response) {
    try {
        if (target.length >= 2) {
            await target(request, response);
        } else {
            await answer(response, await target(extend(request)));
        }
    } catch (error) {
        failed(request, response, error);
    }
}


// It writes the answer itself; what it throws cuts the connection.
async function callUpgrade(upgrade, request, socket, head) {
    socket.on('error', () => {});

    try {
        await upgrade(extend(request), socket, head);
    } catch (error) {
        console.error(error);
        socket.destroy();
    }
}


module.exports = function serve(http, target, port, upgrade) {
    const server = http.createServer({ keepAliveTimeout: 0,
        requestTimeout: 0 }, (request, response) => {
        during(request, () => call(target, request, response));
    });

    // the node's proxy keeps connections, and decides how long
    server.keepAliveTimeout = 0;
    server.headersTimeout = 60000;
    server.on('error', (error) => {
        console.error(error);
        process.exit(1);
    });

    if (upgrade) {
        server.on('upgrade', (request, socket, head) => {
            callUpgrade(upgrade, request, socket, head);
        });
    }

    server.listen(port, '0.0.0.0', 1024);

    process.on('SIGTERM', () => {
        server.close(() => process.exit(0));
        server.closeIdleConnections();
        setTimeout(() => process.exit(0), STOP_MS).unref();
    });
};
