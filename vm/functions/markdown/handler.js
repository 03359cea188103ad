// POST Markdown, get HTML.

'use strict';

const { marked } = require('marked');

const MOST = 1 << 20;           // characters: more take long

exports.handler = async (request) => {
    if (request.method !== 'POST') {
        return { statusCode: 405, headers: { Allow: 'POST' },
            body: 'POST some Markdown\n' };
    }

    const text = await request.text();

    if (text.length > MOST) {
        return { statusCode: 413, body: `at most ${MOST} characters\n` };
    }

    return {
        statusCode: 200,
        headers: {
            'Content-Type': 'text/html; charset=utf-8',
            // whoever sent it may have put scripts into it
            'Content-Security-Policy': "default-src 'none'; sandbox",
        },
        body: marked.parse(text),
    };
};
