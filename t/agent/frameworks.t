#!/usr/bin/perl

# Frameworks as they come from PyPI and npm, put into a function's directory by
# the commands that docs/functions.md tells, and served by the runtimes: JSON
# in and out, errors, streams, WebSockets, large bodies, many at once.  Skipped
# where the registries are not to be reached.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Runtime;
use IO::Select;
use IO::Socket::INET;
use Test::More;


my %python = (
    flask => { 'app.py' => <<'END' },
from flask import Flask, Response, request, stream_with_context
app = Flask(__name__)

@app.route('/json', methods=['GET', 'POST'])
def both():
    return {'query': request.args.get('name'),
            'got': request.get_json() if request.is_json else None}

@app.post('/echo')
def echo():
    return Response(request.get_data(), mimetype='application/x-b')

@app.get('/count')
def count():
    def numbers():
        for n in range(3):
            yield '%d\n' % n
    return Response(stream_with_context(numbers()), mimetype='text/plain')

@app.get('/boom')
def boom():
    raise ValueError('flask kaput')
END
    django => { 'wsgi.py' => <<'END' },
import json
from django.conf import settings
settings.configure(SECRET_KEY='x', ALLOWED_HOSTS=['*'], ROOT_URLCONF=__name__,
                   DATA_UPLOAD_MAX_MEMORY_SIZE=None, LOGGING={'version': 1,
    'disable_existing_loggers': False,
    'handlers': {'err': {'class': 'logging.StreamHandler'}},
    'root': {'handlers': ['err']}})
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path

def both(request):
    return JsonResponse({'query': request.GET.get('name'), 'got':
        json.loads(request.body) if request.body else None})

def echo(request):
    return HttpResponse(request.body, content_type='application/x-b')

def count(request):
    return StreamingHttpResponse(('%d\n' % n for n in range(3)),
                                 content_type='text/plain')

def boom(request):
    raise ValueError('django kaput')

urlpatterns = [path('json', both), path('echo', echo), path('count', count),
               path('boom', boom)]
application = get_wsgi_application()
END
    fastapi => { 'main.py' => <<'END' },
import asyncio, contextlib
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel
import starlette

@contextlib.asynccontextmanager
async def lifespan(app):
    app.state.ready = 'ready'
    print('begun', flush=True)
    yield
    print('over', flush=True)

app = FastAPI(lifespan=lifespan)

class Item(BaseModel):
    x: list[int]

@app.get('/json')
async def query(name: str | None = None):
    return {'query': name, 'got': None}

@app.post('/json')
def body(item: Item, name: str | None = None):
    return {'query': name, 'got': item}

@app.post('/echo')
async def echo(request: Request):
    return Response(await request.body(), media_type='application/x-b')

@app.get('/count')
async def count():
    async def numbers():
        for n in range(3):
            yield '%d\n' % n
            await asyncio.sleep(0.01)
    return StreamingResponse(numbers(), media_type='text/plain')

@app.get('/long')
async def long(request: Request):
    async def for_ever():
        try:
            yield 'first\n'
            await asyncio.sleep(600)
        finally:
            print('the client has left', flush=True)
    return StreamingResponse(for_ever(), media_type='text/plain')

@app.get('/boom')
async def boom():
    raise ValueError('fastapi kaput')

@app.websocket('/ws')
async def ws(socket: WebSocket):
    await socket.accept()
    async for text in socket.iter_text():
        await socket.send_text('said ' + text)
END
);

my %node = (
    express => { 'index.js' => <<'END' },
const express = require('express');
const app = express();
app.get('/json', (q, r) => r.json({ query: q.query.name ?? null, got: null }));
app.post('/json', express.json(), (q, r) =>
    r.json({ query: q.query.name ?? null, got: q.body }));
app.post('/echo', express.raw({ type: () => true, limit: '8mb' }), (q, r) =>
    r.type('application/x-b').send(q.body));
app.get('/count', (q, r) => {
    r.type('text/plain');
    for (let n = 0; n < 3; n++) r.write(`${n}\n`);
    r.end();
});
app.get('/boom', async () => { throw new Error('express kaput'); });
module.exports = app;
END
    koa => { 'index.js' => <<'END' },
const Koa = require('koa');
const { Readable } = require('stream');
const app = new Koa();
const whole = async (ctx) => {
    const parts = [];
    for await (const part of ctx.req) parts.push(part);
    return Buffer.concat(parts);
};
app.use(async (ctx) => {
    switch (ctx.path) {
    case '/json': {
        const data = await whole(ctx);
        ctx.body = { query: ctx.query.name ?? null,
            got: data.length ? JSON.parse(data) : null };
        return;
    }
    case '/echo':
        ctx.type = 'application/x-b';
        ctx.body = await whole(ctx);
        return;
    case '/count':
        ctx.type = 'text/plain';
        ctx.body = Readable.from(['0\n', '1\n', '2\n']);
        return;
    case '/boom':
        throw new Error('koa kaput');
    }
});
module.exports = app.callback();
END
    'fastify@4' => { 'index.js' => <<'END' },
const fastify = require('fastify')({ logger: true, bodyLimit: 8 << 20 });
const { Readable } = require('stream');
fastify.addContentTypeParser('application/x-b', { parseAs: 'buffer' },
    (q, body, done) => done(null, body));
fastify.get('/json', async (q) => ({ query: q.query.name ?? null, got: null }));
fastify.post('/json', async (q) => ({ query: q.query.name ?? null,
    got: q.body }));
fastify.post('/echo', async (q, r) => r.type('application/x-b').send(q.body));
fastify.get('/count', async (q, r) => r.type('text/plain')
    .send(Readable.from(['0\n', '1\n', '2\n'])));
fastify.get('/boom', async () => { throw new Error('fastify kaput'); });
fastify.listen({ port: process.env.PORT, host: '0.0.0.0' });
END
);

for my $name (sort keys %python) {
    SKIP: {
        my $dir = packed('python3', $name, $python{$name});
        skip $dir->{why}, 1 if $dir->{why};
        all_of($name, 'python3', $dir->{path});
    }
}

for my $name (sort keys %node) {
    SKIP: {
        my $dir = packed('node', $name, $node{$name});
        skip $dir->{why}, 1 if $dir->{why};
        all_of($name =~ s/@.*//r, 'node', $dir->{path});
    }
}

done_testing();


# as docs say
sub packed {
    my ($runtime, $name, $files) = @_;

    return { why => "no $runtime here" } unless -x "/usr/bin/$runtime";

    my $dir = function(%$files);
    my $command = $runtime eq 'node'
        ? "npm install --silent --no-audit --no-fund --omit=dev $name"
        : 'pip install -q --disable-pip-version-check -r requirements.txt '
            . '--target vendor --python-version 3.11 --only-binary=:all:';
    spew("$dir/requirements.txt", "$name\n") if $runtime eq 'python3';
    my $out = qx{cd $dir && timeout 300 $command 2>&1};

    return $? == 0 ? { path => $dir }
        : { why => "$name is not to be had: " . (split /\n/, $out)[-1] };
}


sub all_of {
    my ($name, $runtime, $dir) = @_;
    my $fn = up($runtime, $dir);

    ok(!$fn->{ended}, "$name starts") or return diag(slurp($fn->{log}));
    is_deeply(json_decode(ask($fn, '/json?name=%C3%A4')->{body}),
        { query => "\x{e4}", got => undef }, "$name: a query, JSON out");
    is_deeply(json_decode(ask($fn, '/json', method => 'POST',
        body => '{"x":[1,2]}', headers => { 'Content-Type' =>
        'application/json' })->{body}), { query => undef,
        got => { x => [1, 2] } }, 'JSON in');
    my $r = ask($fn, '/echo', method => 'POST', body => $big,
        headers => { 'Content-Type' => 'application/x-b' });
    is($r->{status}, 200, '2 MiB');
    ok($r->{body} eq $big, 'come back');
    is(body_of(ask($fn, '/count')), "200 0\n1\n2\n", 'a stream');
    is(ask($fn, '/none')->{status}, 404, 'a path that it has not');
    $r = ask($fn, '/json', method => 'HEAD');
    ok($r->{status} =~ /^(?:200|405|404)$/ && $r->{body} eq '', 'HEAD');
    is(ask($fn, '/boom')->{status}, 500, 'an error: 500');
    wait_for(sub { slurp($fn->{log}) =~ /$name kaput/ }, 10, 'its text');
    pass('whose text is in the log');
    my @q = map { http_send($fn->{port}, "/json?name=$_") } 1 .. 40;
    is(join(' ', map { json_decode($_->response(20)->{body})->{query} } @q),
        join(' ', 1 .. 40), '40 at once');
    more_of_asgi($fn) if $name eq 'fastapi';

    if ($runtime eq 'node') {
        kill 'TERM', $fn->{pid};
        waitpid $fn->{pid}, 0;
        pass('SIGTERM ends it');
    } else {
        my $log = down($fn);
        like($log, qr/^begun\n.*^over\n/ms, 'lifespan') if $name eq 'fastapi';
        unlike($log, qr/without a whole/, 'who has left is no error of its')
            if $name eq 'fastapi';
    }
}


sub more_of_asgi {
    my ($fn) = @_;
    my ($sock, $head) = upgraded($fn, '/ws');
    like($head, qr{^HTTP/1\.1 101 }, 'a WebSocket');
    ws_put($sock, 0x81, 'hi');
    is(ws_get($sock), '81 said hi', 'speaks');
    close $sock;

    $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $fn->{port}) or die $!;
    $sock->syswrite("GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    my $got = '';
    wait_for(sub { IO::Select->new($sock)->can_read(1)
        && $sock->sysread($got, 4096, length $got);
        $got =~ /first\n/ }, 20, 'the first piece');
    close $sock;
    wait_for(sub { slurp($fn->{log}) =~ /^the client has left$/m }, 15,
        'the function to hear of it');
    pass('a client that leaves ends its stream');
}
