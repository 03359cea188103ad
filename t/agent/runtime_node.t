#!/usr/bin/perl

# The runtime node: what serves a function's code, run here as in a guest, by
# this machine's interpreter.

use strict;
use warnings;

use lib 't/lib';
use FcfTest;
use FcfTest::Runtime;
use IO::Socket::INET;
use Test::More;

plan skip_all => 'no node here' unless have('node');

node_handler();
node_kinds();
node_upgrade();
node_errors();
node_wire();
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

done_testing();


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
        qr/^fcfaas: index\.js cannot be loaded: SyntaxError: .+ (?#
        )\(index\.js:1\)$/m, 'bad syntax');
    like(words('node', function('lib/a.js' => "// one\nlet (",
        'index.js' => "require('./lib/a')")),
        qr/^fcfaas: index\.js cannot be loaded: SyntaxError: .+ (?#
        )\(lib\/a\.js:2\)$/m, 'in another file');
    like(words('node', function('index.mjs' => 'let (')),
        qr/^fcfaas: index\.mjs cannot be loaded: SyntaxError: /m,
        'in an ES module');
    like(words('node', function('index.js' => "throw new Error('one\\ntwo')")),
        qr/^fcfaas: index\.js cannot be loaded: Error: one\n\z/m,
        'what it throws when it is loaded, in one line');
    like(words('node', function('index.js' => 'throw null')),
        qr/^fcfaas: index\.js cannot be loaded: null\n\z/m, 'or nothing');
    like(words('node', function('package.json' => '{')),
        qr/^fcfaas: package\.json: /m, 'a package.json that is none');
    like(words('node', function('package.json' => '{"main":"x.js"}')),
        qr/no x\.js in the function, which package\.json names/, 'no main');
}


# HTTP itself, and clients that leave
sub node_wire {
    my $fn = up('node', function('handler.js' => <<'END'));
const numbers = async function* () {
    try {
        for (let n = 0; ; n++) {
            yield `${n}\n`;
            await new Promise((go) => setTimeout(go, 20));
        }
    } finally {
        console.log('nobody listens');
    }
};
exports.handler = async (q) => q.path === '/numbers' ? numbers()
    : `${q.method} ${q.path} ${await q.text()}.`;
END
    my $connect = sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $fn->{port}) or die $! };
    my $raw = sub {
        my $sock = $connect->();
        $sock->syswrite($_[0]);
        return rest_of($sock);
    };
    my $get = "GET /2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

    is(scalar(() = $raw->("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n$get")
        =~ /GET \/\d/g), 2, 'pipelined');
    like($raw->("POST /1 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked"
        . "\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n$get"),
        qr{POST /1 abc\..*GET /2}s, 'chunks, with trailers');
    like($raw->("GET /1 HTTP/1.0\r\n\r\n"), qr{\AHTTP/1.1 200 OK\r\n.*GET (?#
        )/1 \.\z}s, 'HTTP/1.0');
    my $head = $raw->($get =~ s/GET/HEAD/r);
    like($head, qr/\AHTTP\/1\.1 200 .*Content-Length: 9\r\n.*\r\n\r\n\z/si,
        'HEAD: as GET, and no body');
    like($raw->("nonsense\r\n\r\n"), qr{\AHTTP/1.1 400 }, 'no HTTP');

    my $sock = $connect->();
    $sock->syswrite("GET /numbers HTTP/1.1\r\nHost: x\r\n\r\n");
    like(some_of($sock, 200), qr/\r\n0\n/, 'a stream without an end');
    close $sock;
    wait_for(sub { slurp($fn->{log}) =~ /nobody listens/ }, 20,
        'the function to hear of it');
    unlike(down($fn), qr/error/i, 'who leaves is no error');
}
