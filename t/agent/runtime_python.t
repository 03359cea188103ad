#!/usr/bin/perl

# The runtime python3: what serves a function's code, run here as in a guest,
# by this machine's interpreter.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Runtime;
use IO::Socket::INET;
use Test::More;

plan skip_all => 'no python3 here' unless have('python3');

python_handler();
python_wsgi();
python_asgi();
python_websocket();
python_errors();
python_wire();
marks('python3', 'handler.py' => <<'END');
import asyncio, sys
print('loaded')
async def handle(request):
    a = request.query['a']
    print('begins', a, end='')
    await asyncio.sleep(0.1)
    print(' and ends', a)
    sys.stderr.write('two\nlines, and a rest')
    return a
END

done_testing();


sub meet_py {
    return <<'END';
import threading
met = {}
lock = threading.Lock()
def meet(n):
    with lock:
        barrier = met.setdefault(n, threading.Barrier(n))
    barrier.wait(15)
    return 'met'
END
}


sub python_handler {
    my $dir = function('handler.py' => meet_py() . <<'END', 'vendor/dep.py' =>
import datetime, dep
count = 0
def handle(request):
    global count
    count += 1
    what = request.path.split('/')[1]
    if what == 'meet': return meet(int(request.query['n']))
    if what == 'echo': return request.body
    if what == 'json': return {'got': request.json(), 'q': request.query}
    if what == 'none': return None
    if what == 'made': return 'made', 201, {'X-A': 'b'}
    if what == 'list': return [1, 'zwö', None]
    if what == 'throw': raise ValueError('kaput: ' + request.text())
    if what == 'late':
        def late():
            yield 'half'
            raise ValueError('late kaput')
        return late()
    if what == 'wrong': return object()
    if what == 'split': return 'x', 200, {'X-A': 'b\r\nX-B: c'}
    if what == 'async': return later(request)
    if what == 'stream':
        return ('got ' + line.decode() for line in request.stream)
    if what == 'exit': raise SystemExit(3)
    return {'method': request.method, 'path': request.path,
            'query': request.query_string, 'two': request.headers['x-TWO'],
            'dep': dep.NAME, 'count': count}
async def later(request):
    import asyncio
    await asyncio.sleep(0.01)
    return 'async ' + request.text()
END
        "NAME = 'vendored'\n");
    my $fn = up('python3', $dir);

    my $r = ask($fn, '/a%20b/%25?x=1&y', headers => { 'X-Two' => 'three' });
    is($r->{headers}{'content-type'}, 'application/json', 'a dict is JSON');
    is_deeply(json_decode($r->{body}), { method => 'GET',
        path => '/a%20b/%25', query => 'x=1&y', two => 'three',
        dep => 'vendored', count => 1 }, 'method, path, query, headers');
    is(json_decode(ask($fn, '/', headers => { 'X-Two' => 1 })->{body})
        ->{count}, 2, 'the process lives on between requests');
    is_deeply(json_decode(ask($fn, '/json?a=%C3%A4&b=', method => 'POST',
        body => '{"x":[1]}')->{body}), { got => { x => [1] },
        q => { a => "\x{e4}", b => '' } }, 'JSON in and out');
    is(body_of(ask($fn, '/none')), '204 ', 'None');
    $r = ask($fn, '/made');
    is(body_of($r) . $r->{headers}{'x-a'}, '201 madeb', 'a tuple');
    is_deeply(json_decode(ask($fn, '/list')->{body}), [1, "zw\x{f6}", undef],
        'a list');
    is(body_of(ask($fn, '/async', method => 'POST', body => 'x')),
        '200 async x', 'an async handler');
    is(ask($fn, '/made', method => 'HEAD')->{body}, '', 'HEAD');
    at_once($fn, 20);
    streams($fn, 'handle');
    echoes($fn, 'handle');

    for (['throw', 'ValueError: kaput: why'], ['wrong', 'TypeError: handle'],
         ['split', 'ValueError: bad header'], ['json', 'JSONDecodeError'],
         ['exit', 'SystemExit'])
    {
        is(body_of(ask($fn, "/$_->[0]", method => 'POST', body => 'why')),
            "500 the function failed, see its log\n", "$_->[0]: 500");
        like(slurp($fn->{log}), qr/^\S*\Q$_->[1]\E/m, 'its text in the log');
    }

    my $sock = http_send($fn->{port}, '/late');
    is($sock->response(10)->{body} // '', 'half', 'an error later cuts');
    like(slurp($fn->{log}), qr/late kaput/, 'and is in the log');
    is(body_of(ask($fn, '/made')), '201 made', 'and it serves on');
    down($fn);
}


sub python_wsgi {
    my $fn = up('python3', function('app.py' => meet_py() . <<'END'));
closed = 0
class Result:
    def __init__(self, parts): self.parts = parts
    def __iter__(self): return iter(self.parts)
    def close(self):
        global closed
        closed += 1
def app(environ, start_response):
    path = environ['PATH_INFO']
    source = environ['wsgi.input']
    if path == '/throw': raise KeyError('wsgi kaput')
    if path == '/silent': return []
    if path == '/meet':
        body = meet(int(environ['QUERY_STRING'][2:])).encode()
    elif path == '/echo':
        body = source.read()
    elif path == '/stream':
        start_response('200 OK', [])
        return (b'got ' + line for line in source)
    else:
        body = '|'.join([environ['REQUEST_METHOD'], path,
            environ['QUERY_STRING'], environ['HTTP_X_TWO'],
            str(environ['CONTENT_LENGTH']), str(closed)]).encode('latin-1')
    start_response('299 Fine', [('Content-Type', 'text/x')])
    return Result([body])
END
    my $r = ask($fn, '/a%20%C3%A4?x=1', method => 'PUT', body => 'abc',
        headers => { 'X-Two' => 'three' });
    is(body_of($r), "299 PUT|/a \xc3\xa4|x=1|three|3|0", 'WSGI');
    is($r->{headers}{'content-type'}, 'text/x', 'its headers');
    at_once($fn, 12);
    streams($fn, 'WSGI');
    is(body_of(ask($fn, '/throw')),
        "500 the function failed, see its log\n", 'an error');
    is(ask($fn, '/silent')->{status}, 500, 'no start_response()');
    like(down($fn), qr/wsgi kaput.*was not called/s, 'in the log');
}


sub python_asgi {
    my $fn = up('python3', function('mine.py' => <<'END'),
import asyncio
state = []
met = {}
async def serve(scope, receive, send):
    if scope['type'] == 'lifespan':
        while True:
            event = await receive()
            state.append(event['type'])
            await send({'type': event['type'] + '.complete'})
            if event['type'] == 'lifespan.shutdown':
                print('state', *state)
                return
    path = scope['path']
    async def start(status=200, *headers):
        await send({'type': 'http.response.start', 'status': status,
                    'headers': headers})
    async def piece(data, more=True):
        await send({'type': 'http.response.body', 'body': data,
                    'more_body': more})
    if path == '/throw': raise KeyError('asgi kaput')
    if path == '/silent': return
    if path == '/stream':
        await start()
        buf, more = b'', True
        while more:
            event = await receive()
            buf += event['body']
            more = event['more_body']
            while b'\n' in buf:
                line, buf = buf.split(b'\n', 1)
                await piece(b'got ' + line + b'\n')
        return await piece(b'', False)
    if path == '/meet':
        n = int(scope['query_string'][2:])
        met[n] = met.get(n, 0) + 1
        while met[n] < n: await asyncio.sleep(0.01)
        await start()
        return await piece(b'met', False)
    if path == '/wait':
        assert (await receive())['type'] == 'http.request'
        watch = asyncio.ensure_future(receive())
        await start()
        await piece(b'over', False)
        print('then', (await watch)['type'])
        return
    body, more = b'', True
    while more:
        event = await receive()
        body += event['body']
        more = event['more_body']
    await start(201, (b'x-raw', scope['raw_path']), (b'x-q',
                scope['query_string']), (b'x-two', dict(scope['headers'])
                .get(b'x-two', b'')))
    await piece(body or path.encode(), False)
END
        FCFAAS_HANDLER => 'mine:serve');
    my $r = ask($fn, '/a%20%C3%A4?x=1', headers => { 'X-Two' => 'three' });
    is(body_of($r), "201 /a \xc3\xa4", 'ASGI, by FCFAAS_HANDLER');
    is(join('|', map { $r->{headers}{"x-$_"} } qw(raw q two)),
        '/a%20%C3%A4|x=1|three', 'path, query, headers');
    at_once($fn, 40);
    streams($fn, 'ASGI');
    is(body_of(ask($fn, '/wait')), '200 over', 'one that waits for the end');
    is(ask($fn, '/throw')->{status}, 500, 'an error');
    is(ask($fn, '/silent')->{status}, 500, 'no answer');
    is(body_of(ask($fn, '/x')), '201 /x', 'it serves on');
    my $log = down($fn);
    like($log, qr/asgi kaput/, 'its text in the log');
    like($log, qr/^then http.disconnect$/m, 'which comes');
    like($log, qr/^state lifespan.startup lifespan.shutdown$/m, 'lifespan');

    is(words('python3', function('asgi.py' => <<'END')) =~ /start: no luck/,
async def app(scope, receive, send):
    await send({'type': 'lifespan.startup.failed', 'message': 'no luck'})
END
        1, 'a start that failed');
}


sub python_websocket {
    my $fn = up('python3', function('app.py' => <<'END'));
async def app(scope, receive, send):
    assert scope['type'] == 'websocket' and scope['scheme'] == 'ws'
    assert (await receive())['type'] == 'websocket.connect'
    path = scope['path']
    if path == '/no': return await send({'type': 'websocket.close'})
    if path == '/early': raise KeyError('ws early')
    await send({'type': 'websocket.accept', 'headers': [(b'x-a', b'b')],
                'subprotocol': (scope['subprotocols'] or [None])[-1]})
    if path == '/late': raise KeyError('ws late')
    while True:
        event = await receive()
        if event['type'] == 'websocket.disconnect':
            print('left', event['code'], event['reason'])
            return
        if event['text'] == 'bye':
            await send({'type': 'websocket.close', 'code': 3001,
                        'reason': 'as you say'})
        else:
            await send({**event, 'type': 'websocket.send'})
END
    my ($sock, $head) = upgraded($fn, '/',
        'Sec-WebSocket-Protocol' => 'a, b');
    like($head, qr{^HTTP/1\.1\ 101\ .*?s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n
        .*?x-a:\ b\r\n.*?Protocol:\ b\r\n}xs, 'a WebSocket is accepted');
    ws_put($sock, 0x81, "h\xc3\xa9");
    is(ws_get($sock), "81 h\xc3\xa9", 'text');
    ws_put($sock, 0x82, "\0" x 70_000);
    is(ws_get($sock), '82 ' . "\0" x 70_000, 'bytes');
    ws_put($sock, 0x01, 'a');
    ws_put($sock, 0x89, 'ping');
    ws_put($sock, 0x80, 'b');
    is(ws_get($sock), '8a ping', 'a ping between the parts of a message');
    is(ws_get($sock), '81 ab', 'which is one');
    ws_put($sock, 0x81, 'bye');
    is(ws_get($sock), "88 \x0b\xb9as you say", 'it closes');
    ws_put($sock, 0x88, "\x0b\xb9");
    is(ws_get($sock), 'the end', 'and the connection with it');

    for (['/', '88 ' . pack('n', 1002) . 'a frame that is not masked, or of an '
            . 'extension', sub { $_[0]->syswrite("\x81\x01x") }],
        ['/', '88 ' . pack('n', 1007) . 'text that is not UTF-8',
            sub { ws_put($_[0], 0x81, "\xff") }],
        ['/', '88 ' . pack('n', 1009) . 'more than 16777216 bytes',
            sub { $_[0]->syswrite("\x82\xff\0\0\1\0\0\0\0\0") }],
        ['/late', '88 ' . pack('n', 1011), sub { ws_put($_[0], 0x88, '') }])
    {
        my ($path, $want, $do) = @$_;
        my ($s) = upgraded($fn, $path);
        $do->($s);
        is(ws_get($s), $want, 'it closes with ' . unpack 'x3n', $want);
    }

    for (['/no', {}, 403], ['/early', {}, 500],
        ['/', { 'Sec-WebSocket-Version' => 8 }, 400],
        ['/', { 'Sec-WebSocket-Key' => 'x' }, 400])
    {
        my ($path, $with, $status) = @$_;
        my ($s, $answer) = upgraded($fn, $path, %$with);
        like($answer, qr/^HTTP\/1\.1 $status /, "refused with $status");
    }

    my @many = map { (upgraded($fn, '/'))[0] } 1 .. 40;
    ws_put($many[$_], 0x81, $_) for 0 .. $#many;
    is(join(' ', map { ws_get($_) } @many), join(' ', map { "81 $_" }
        0 .. $#many), '40 at once');
    close $_ for @many;

    ($sock) = upgraded($fn, '/');
    ws_put($sock, 0x88, pack('n', 1000) . 'going');
    is(ws_get($sock), '88 ' . pack('n', 1000), 'a close is answered');
    is(ws_get($sock), 'the end', 'and is the end');
    my $log = down($fn);
    like($log, qr/^left 1000 going$/m, 'the function hears of it');
    like($log, qr/KeyError: 'ws $_'/, "what it threw $_ is in the log")
        for qw(early late);
}


sub python_errors {
    my $text = words('python3', function('readme' => ''));
    like($text, qr/no code in the function: none of handler\.py, app\.py/,
        'no code');
    $text = words('python3', function('handler.py' => "import nosuch\n",
        'requirements.txt' => "nosuch==1\n"));
    like($text, qr/no module nosuch: requirements\.txt names packages, and (?#
        )none are in the function; "pip install /, 'nothing vendored');
    $text = words('python3', function('handler.py' => "import nosuch\n"));
    like($text, qr/no module nosuch, neither/, 'nor asked for');
    unlike($text, qr/requirements/, 'of no requirements');
    $text = words('python3', function('handler.py' => "def f(:\n"));
    like($text, qr/^fcfaas: handler cannot be imported: SyntaxError: .+ (?#
        )\(handler\.py, line 1\)$/m, 'bad syntax');
    $text = words('python3', function('handler.py' =>
        "raise ValueError('one\\ntwo')\n"));
    like($text, qr/^fcfaas: handler cannot be imported: ValueError: one\n\z/m,
        'what it throws when it is imported, in one line');
    $text = words('python3', function('handler.py' => "class E(Exception):\n"
        . "    def __str__(self): raise self\nraise E()\n"));
    like($text, qr/^fcfaas: handler cannot be imported: E$/m, 'without words');
    $text = words('python3', function('handler.py' => "x = 1\n"));
    like($text, qr/handler has neither handle\(request\) nor app nor /,
        'nothing to call');
    $text = words('python3', function('handler.py' => ''),
        FCFAAS_HANDLER => 'handler:go');
    like($text, qr/handler has no go that can be called/, 'not that name');
}


# what no proxy lets through, and what it does
sub python_wire {
    my $fn = up('python3', function('handler.py' =>
        "def handle(r):\n    return r.method + ' ' + r.path + r.text()\n"));
    my $raw = sub {
        my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
            PeerPort => $fn->{port}) or die $!;
        $sock->syswrite($_[0]);
        return rest_of($sock);
    };
    my $get = "GET /2 HTTP/1.1\r\nConnection: close\r\n\r\n";

    is(scalar(() = $raw->("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n$get")
        =~ /GET \/\d/g), 2, 'pipelined');
    like($raw->("POST /1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        . "3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n$get"),
        qr{POST /1abc.*GET /2}s, 'chunks, with trailers');
    like($raw->("GET /1 HTTP/1.0\r\n\r\n"), qr{\AHTTP/1.1 200 OK\r\n.*(?#
        )Connection: close\r\n.*GET /1\z}s, 'HTTP/1.0');

    for (['nonsense', 400], ['GET / HTTP/2.0', 505],
         ["GET / HTTP/1.1\r\nContent-Length: x", 400],
         ["GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2", 400],
         ["GET / HTTP/1.1\r\nTransfer-Encoding: gzip", 400],
         ["GET / HTTP/1.1\r\nno colon", 400],
         ["GET / HTTP/1.1\r\nX: " . 'y' x 70000, 431])
    {
        like($raw->("$_->[0]\r\n\r\n"), qr{\AHTTP/1.1 $_->[1] },
            substr($_->[0], 0, 60) =~ s/\r\n/, /gr . ": $_->[1]");
    }

    my $idle = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $fn->{port}) or die $!;
    $idle->syswrite("GET /half HTTP/1.1\r\nX: ");
    close $idle;
    is(body_of(ask($fn, '/on')), '200 GET /on', 'one that leaves');
    unlike(down($fn), qr/Traceback/, 'none of these is an error of ours');
}
