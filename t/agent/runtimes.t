#!/usr/bin/perl

# The runtimes python3 and node: what serves a function's code, run here as in
# a guest (the same programs, by this machine's interpreters where it has
# them), and once each in a real guest, on the images that are made of
# Debian's packages.

use strict;
use warnings;

use lib 't/lib';
use Cwd qw(getcwd);
use FcfTest;
use FcfTest::RealGuest;
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Test::More;

my $top = root();
my $count = 0;
my $big = join '', map { pack 'N', $_ * 2654435761 % 4294967296 }
    1 .. 512 * 1024;

packing();

my %have = map { $_ => scalar grep { -x "/usr/bin/$_" } $_ } qw(python3 node);

SKIP: {
    skip 'no python3 here', 1 unless $have{python3};
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
}

SKIP: {
    skip 'no node here', 1 unless $have{node};
    node_handler();
    node_kinds();
    node_upgrade();
    node_errors();
    marks('node', 'handler.js' => <<'END');
console.log('loaded');
exports.handler = async (request) => {
    const a = request.query.a;
    process.stdout.write('begins ' + a);
    await new Promise((go) => setTimeout(go, 100));
    console.log(' and ends ' + a);
    process.stderr.write('two\nlines, and a rest');
    return a;
};
END
}

SKIP: {
    skip no_guest(), 1 if no_guest();
    my @images = map { "build/vm/runtimes/$_.img" } qw(base python3 node);
    is(system("cd $top && make -s @images >&2"), 0, 'the images are made')
        or last;

    lay_guest_network('runtimes');
    in_base();
    in_python();
    in_node();
}

done_testing();


sub function {
    my (%files) = @_;
    my $dir = tmpdir() . '/code' . ++$count;

    mkdir $dir or die "$dir: $!";

    for my $name (keys %files) {
        my $path = $dir;
        $path .= "/$_", -d $path || mkdir $path
            for (split m{/}, $name)[0 .. ($name =~ tr{/}{}) - 1];
        spew("$dir/$name", $files{$name});
    }

    return $dir;
}


# The runtime's launcher in a function's directory, as init starts it.
sub launched {
    my ($runtime, $dir, %env) = @_;
    my $port = free_port();
    my $log = "$dir.log";
    my $pid = fork // die "fork: $!";

    if ($pid == 0) {
        chdir $dir or POSIX::_exit(90);
        open STDOUT, '>', $log or POSIX::_exit(91);
        open STDERR, '>&', \*STDOUT or POSIX::_exit(92);
        $ENV{PORT} = $port;
        $ENV{$_} = $env{$_} for keys %env;
        exec "/usr/bin/$runtime",
            "$top/vm/runtimes/$runtime/files/usr/lib/fcfaas/launch"
            or POSIX::_exit(93);
    }

    return { pid => $pid, port => $port, log => $log };
}


# undef if it ends before it listens
sub up {
    my $fn = launched(@_);

    wait_for(sub {
        return 1 if waitpid($fn->{pid}, POSIX::WNOHANG) == $fn->{pid}
            && ($fn->{ended} = 1);
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', Timeout => 1,
            PeerPort => $fn->{port});
    }, 30, "a function in $_[1]");

    return $fn;
}


sub down {
    my ($fn) = @_;
    kill 'TERM', $fn->{pid};
    wait_for(sub { waitpid($fn->{pid}, POSIX::WNOHANG) == $fn->{pid} }, 20,
        'its end');
    is($?, 0, 'SIGTERM ends it');
    return slurp($fn->{log});
}


# what one that does not start says
sub words {
    my $fn = launched(@_);
    wait_for(sub { waitpid($fn->{pid}, POSIX::WNOHANG) == $fn->{pid} }, 20,
        'its end');
    is($? >> 8, 1, 'it does not start');
    return slurp($fn->{log});
}


sub ask {
    my ($fn, $path, %opt) = @_;
    return http_get($fn->{port}, $path, timeout => 20, %opt);
}


# until the other side closes, which it is to do
sub rest_of {
    my ($sock) = @_;
    my $got = '';

    wait_for(sub {
        !IO::Select->new($sock)->can_read(0)
            ? 0 : !$sock->sysread($got, 65536, length $got);
    }, 20, 'the end of a connection');
    return $got;
}


sub body_of { "$_[0]{status} $_[0]{body}" }


# requests that wait for each other, so that they must be inside at once
sub at_once {
    my ($fn, $n) = @_;
    my @q = map { http_send($fn->{port}, "/meet?n=$n") } 1 .. $n;
    is(join(' ', map { $_->response(20)->{body} } @q),
        join(' ', ('met') x $n), "$n requests at once");
}


# the first piece arrives while the second is held back
sub streams {
    my ($fn, $how) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $fn->{port}) or die $!;
    my $got = '';

    $sock->syswrite("POST /stream HTTP/1.1\r\nHost: x\r\n"
        . "Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    for my $n (1 .. 3) {
        $sock->syswrite("2\r\n$n\n\r\n");
        wait_for(sub {
            IO::Select->new($sock)->can_read(5)
                && $sock->sysread($got, 4096, length $got);
            $got =~ /got $n\n/;
        }, 10, "piece $n");
    }
    $sock->syswrite("0\r\n\r\n");
    $got .= rest_of($sock);
    like($got, qr/\r\n0\r\n\r\n\z/, "$how: streams both ways");
}


sub echoes {
    my ($fn, $how) = @_;
    my $file = spew(tmpdir() . '/body', $big);
    my $back = tmpdir() . '/back';

    for ('Expect: 100-continue', 'Transfer-Encoding: chunked') {
        my $r = curl('-H', $_, '-T', $file, '-o', $back, '-m', 30,
            "http://127.0.0.1:$fn->{port}/echo");
        is($r->{status}, 200, "$how: 2 MiB, $_");
        ok(slurp($back) eq $big, 'come back');
    }
}


# vm/mkfunction for code without bootstrap
sub packing {
    my $code = function('handler.py' => "def handle(r):\n    return 'x'\n");

    my $out = qx{$top/vm/mkfunction $code $code.img 2>&1};
    like($out, qr/no bootstrap in it/, 'base needs a bootstrap');
    $out = qx{$top/vm/mkfunction $code $code.img node 2>&1};
    like($out, qr/no bootstrap in it, nor .*package\.json/,
        'node needs what node knows');
    $out = qx{$top/vm/mkfunction $code $code.img nosuch 2>&1};
    like($out, qr/there is no runtime "nosuch", but base, .*node.*python3/,
        'an unknown runtime');
    ok(! -e "$code.img", 'no image is made');
    $out = qx{$top/vm/runtimes/build ../x $code.img 2>&1};
    like($out, qr/a name is of a-z/, 'a runtime of a bad name');
    $out = qx{$top/vm/runtimes/build nosuch $code.img 2>&1};
    like($out, qr{nosuch/packages: no such file}, 'one that is not there');
}


my $meet_py;
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


# lines say which request printed them, also of several at once
sub marks {
    my ($runtime, %files) = @_;
    my $fn = up($runtime, function(%files));
    my @all = map { http_send($fn->{port}, "/?a=$_",
        headers => { 'X-Request-Id' => "req-$_" }) } 1 .. 5;

    is(join('', map { $_->response(20)->{body} } @all), '12345', 'answers');
    ask($fn, '/?a=6');
    ask($fn, '/?a=7', headers => { 'X-Request-Id' => 'no id' });
    my $log = down($fn);
    my $mark = sub { "\x1ereq-$_[0]\x1f" };

    is(scalar(grep { $log =~ /^\Q@{[$mark->($_)]}\Ebegins $_ and ends $_$/m }
        1 .. 5), 5, "$runtime: each line has its request") or diag($log);
    is(scalar(grep { $log =~ /^\Q@{[$mark->($_)]}\Etwo$/m
        && $log =~ /^\Q@{[$mark->($_)]}\Elines, and a rest$/m } 1 .. 5), 5,
        'on standard error, too, and what has no end');
    like($log, qr/^loaded$/m, 'what no request printed has none');
    like($log, qr/(?<!\x1f)begins $_ and ends $_$/m, 'nor without an id')
        for 6, 7;
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


# a connection that asked for one, and the answer's head
sub upgraded {
    my ($fn, $path, %with) = @_;
    my %head = (Upgrade => 'websocket', Connection => 'Upgrade',
        'Sec-WebSocket-Version' => 13,
        'Sec-WebSocket-Key' => 'dGhlIHNhbXBsZSBub25jZQ==', %with);
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $fn->{port}) or die $!;
    my $got = '';

    $sock->syswrite("GET $path HTTP/1.1\r\nHost: x\r\n"
        . join('', map { "$_: $head{$_}\r\n" } sort keys %head) . "\r\n");
    until ($got =~ /\r\n\r\n/) {
        IO::Select->new($sock)->can_read(20) or die 'no answer';
        $sock->sysread($got, 1, length $got) or last;
    }
    return ($sock, $got);
}

sub some_of {
    my ($sock, $n) = @_;
    my $got = '';
    while (length $got < $n) {
        IO::Select->new($sock)->can_read(20) or die 'nothing comes';
        $sock->sysread($got, $n - length $got, length $got) or return undef;
    }
    return $got;
}

# a client's frame, masked; first: FIN and opcode
sub ws_put {
    my ($sock, $first, $data) = @_;
    my $n = length $data;
    $sock->syswrite(pack('C', $first) . ($n < 126 ? pack 'C', 0x80 | $n
        : pack 'CQ>', 0xff, $n) . 'mask' . ("$data" ^ substr 'mask'
        x ($n / 4 + 1), 0, $n));
}

sub ws_get {
    my ($sock) = @_;
    my $head = some_of($sock, 2) // return 'the end';
    my ($first, $n) = unpack 'CC', $head;
    $n = unpack 'n', some_of($sock, 2) if $n == 126;
    $n = unpack 'Q>', some_of($sock, 8) if $n == 127;
    return sprintf '%x %s', $first, $n ? some_of($sock, $n) : '';
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


sub node_upgrade {
    my $fn = up('node', function('handler.js' => <<'END'));
exports.handler = () => 'plain';
exports.upgrade = (request, socket, head) => {
    if (request.path === '/throw') throw new Error('upgrade kaput');
    socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\n'
        + 'Connection: Upgrade\r\nX-Q: ' + request.query.x + '\r\n\r\n');
    socket.pipe(socket);
};
END
    my ($sock, $head) = upgraded($fn, '/a?x=1', Upgrade => 'echo');
    like($head, qr/^HTTP\/1\.1 101 .*X-Q: 1\r\n/s, 'node takes an upgrade');
    $sock->syswrite('there and back');
    is(some_of($sock, 14), 'there and back', 'and speaks');
    close $sock;
    is((upgraded($fn, '/throw'))[1], '', 'what it throws cuts it');
    is(body_of(ask($fn, '/')), '200 plain', 'it serves on');
    like(down($fn), qr/upgrade kaput/, 'its text in the log');
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
    like($text, qr/SyntaxError.*handler cannot be imported/s, 'bad syntax');
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


sub node_handler {
    my $fn = up('node', function('handler.js' => <<'END',
const dep = require('dep');
let count = 0;
const met = {};
exports.handler = async (request) => {
    count++;
    switch (request.path.split('/')[1]) {
    case 'meet':
        const n = Number(request.query.n);
        met[n] = met[n] || { left: n, wake: [] };
        return new Promise((resolve) => {
            met[n].wake.push(resolve);
            if (--met[n].left === 0) met[n].wake.forEach((w) => w('met'));
        });
    case 'echo': return request.bytes();
    case 'json': return { got: await request.json(), q: request.query };
    case 'none': return;
    case 'made': return { statusCode: 201, headers: { 'x-a': 'b' },
                          body: 'made' };
    case 'throw': throw new Error('kaput: ' + await request.text());
    case 'late': return (async function* () {
        yield 'half'; throw new Error('late kaput'); })();
    case 'stream': return (async function* () {
        for await (const d of request)
            for (const line of String(d).split('\n').filter((l) => l))
                yield `got ${line}\n`; })();
    case 'response': return new Response('r', { status: 202,
                                                headers: { 'x-r': '1' } });
    }
    return { method: request.method, path: request.path,
             query: request.queryString, two: request.headers['x-two'],
             dep: dep.name, count };
};
END
        'node_modules/dep/index.js' => "exports.name = 'vendored';\n"));

    my $r = ask($fn, '/a%20b/%25?x=1&y', headers => { 'X-Two' => 'three' });
    is_deeply(json_decode($r->{body}), { method => 'GET',
        path => '/a%20b/%25', query => 'x=1&y', two => 'three',
        dep => 'vendored', count => 1 }, 'method, path, query, headers');
    is(json_decode(ask($fn, '/')->{body})->{count}, 2, 'it lives on');
    is_deeply(json_decode(ask($fn, '/json?a=%C3%A4', method => 'POST',
        body => '{"x":[1]}')->{body}), { got => { x => [1] },
        q => { a => "\x{e4}" } }, 'JSON in and out');
    is(body_of(ask($fn, '/none')), '204 ', 'undefined');
    $r = ask($fn, '/made');
    is(body_of($r) . $r->{headers}{'x-a'}, '201 madeb', 'statusCode');
    is(body_of(ask($fn, '/response')), '202 r', 'a Response');
    at_once($fn, 40);
    streams($fn, 'node');
    echoes($fn, 'node');
    is(body_of(ask($fn, '/throw', method => 'POST', body => 'why')),
        "500 the function failed, see its log\n", 'an error');
    my $sock = http_send($fn->{port}, '/late');
    is($sock->response(10)->{body} // '', 'half', 'an error later cuts');
    is(body_of(ask($fn, '/made')), '201 made', 'and it serves on');
    like(down($fn), qr/kaput: why.*late kaput/s, 'both are in the log');
}


sub node_kinds {
    my $fn = up('node', function('index.mjs' => <<'END'));
export default (request, response) => {
    if (request.url === '/throw') throw new Error('old kaput');
    response.end('old ' + request.url);
};
END
    is(body_of(ask($fn, '/x?y')), '200 old /x?y', "node's own kind, a module");
    is(ask($fn, '/throw')->{status}, 500, 'its error');
    like(down($fn), qr/old kaput/, 'in the log');

    $fn = up('node', function('package.json' => '{"main":"lib/go.js"}',
        'lib/go.js' => "require('http').createServer((q, r) =>\n"
        . "r.end('self ' + q.url)).listen(process.env.PORT);\n"));
    is(body_of(ask($fn, '/x')), '200 self /x', 'one that listens by itself');
    kill 'TERM', $fn->{pid};
    waitpid $fn->{pid}, 0;
}


sub node_errors {
    like(words('node', function(readme => '')),
        qr/no code in the function: none of handler\.js/, 'no code');
    like(words('node', function('package.json' =>
        '{"dependencies":{"nosuch":"1"}}', 'index.js' => "require('nosuch')")),
        qr/no module nosuch: package\.json names packages, and none are in (?#
        )the function; "npm install /, 'nothing vendored');
    like(words('node', function('index.js' => "require('nosuch')")),
        qr/no module nosuch in the function/, 'nor asked for');
    like(words('node', function('index.js' => 'exports.x = 1;')),
        qr/index\.js exports no handler, and listens on nothing/, 'neither');
    like(words('node', function('index.js' => 'let (')),
        qr/SyntaxError.*index\.js cannot be loaded/s, 'bad syntax');
    like(words('node', function('package.json' => '{')),
        qr/^fcfaas: package\.json: /m, 'a package.json that is none');
    like(words('node', function('package.json' => '{"main":"x.js"}')),
        qr/no x\.js in the function, which package\.json names/, 'no main');
}


sub in_base {
    my $vm = boot(shell(<<'END'));
grep -c 'BEGIN CERT' /etc/ssl/certs/ca-certificates.crt
echo "summer $(TZ=:/usr/share/zoneinfo/Europe/Berlin date -d @1690000000 +%H)"
exec nc -ll -p 80 -e true
END
    reach($vm, 80);
    my $c = tcp(1024);
    op($c, { op => 'logs' });
    my $text = follow($c, qr/summer/)->{stdout};
    like($text, qr/^1\d\d$/m, 'CA certificates');
    stop($vm);
}


sub in_python {
    my $vm = boot(image(runtime => 'python3', 'handler.py' => <<'END',
import hashlib, os, sqlite3, ssl, sys, uuid, zlib, zoneinfo, datetime
print('printed at start')
def handle(request):
    if request.path == '/throw': raise ValueError('guest kaput')
    zone = zoneinfo.ZoneInfo('Europe/Berlin')
    return {'version': list(sys.version_info[:2]), 'got': request.text(),
            'uid': os.getuid(), 'cached': __spec__.cached,
            'compiled': os.path.exists(__spec__.cached),
            'offset': datetime.datetime(2023, 7, 1, tzinfo=zone)
                .utcoffset().total_seconds(),
            'certificates': len(ssl.create_default_context().get_ca_certs())}
END
        'requirements.txt' => ''), runtime => 'python3');
    reach($vm, 80);

    my $r = request('/x', method => 'POST', body => 'hello');
    is($r->{status}, 200, 'python3 in a guest');
    my $got = json_decode($r->{body});
    is_deeply($got->{version}, [3, 11], "Debian's");
    is($got->{got}, 'hello', 'a body');
    is($got->{uid}, 1000, 'as an unprivileged user');
    is($got->{offset}, 7200, 'with time zones');
    cmp_ok($got->{certificates}, '>', 100, 'and CA certificates');
    ok($got->{compiled}, "the function's own code is compiled: "
        . ($got->{cached} // ''));

    is(request('/throw')->{status}, 500, 'an error');
    my $c = tcp(1024);
    op($c, { op => 'logs' });
    my $out = follow($c, qr/guest kaput/);
    like($out->{stdout}, qr/^printed at start$/m, 'its output');
    like($out->{stderr}, qr/^ValueError: guest kaput$/m, 'its errors');
    stop($vm);
}


sub in_node {
    my $vm = boot(image(runtime => 'node', 'handler.js' => <<'END'),
exports.handler = async (request) => ({ version: process.version,
    got: await request.text(), uid: process.getuid(),
    offset: new Date(2023, 6, 1).toLocaleString('de-DE',
        { timeZone: 'Europe/Berlin', hour: 'numeric' }),
    roots: require('tls').rootCertificates.length });
END
        runtime => 'node', memory => 256);
    reach($vm, 80);
    my $r = request('/x', method => 'POST', body => 'hello');
    is($r->{status}, 200, 'node in a guest');
    my $got = json_decode($r->{body});
    like($got->{version}, qr/^v18\./, "Debian's");
    is($got->{got}, 'hello', 'a body');
    is($got->{uid}, 1000, 'as an unprivileged user');
    like($got->{offset}, qr/^0?2/, 'with time zones');
    stop($vm);
}
