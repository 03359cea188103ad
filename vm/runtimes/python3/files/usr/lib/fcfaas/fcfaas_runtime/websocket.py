"""WebSockets (RFC 6455) of an ASGI application.  All of one is done in the
loop's thread, on a socket that does not block; the connection's thread waits
for its end."""

import asyncio
import base64
import hashlib
import struct
from fcfaas_runtime import loop
from fcfaas_runtime.wire import PIECE, Refused, TOKEN, as_bytes

GUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
MESSAGE_MAX = 16 << 20
AHEAD = 16                              # messages that nobody asked for yet
CLOSE_S = 5

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
# what may stand in a close frame
CODES = set(range(1000, 1015)) - {1004, 1005, 1006} | set(range(3000, 5000))


class Failed(Exception):
    """The client broke the rules; args: code, reason."""


class Ended(Exception):
    """The connection has; args: code, reason."""


def words(value):
    return [word.strip() for word in value.lower().split(',')]


def wanted(head):
    """Whether this request asks for one; Refused: in a way that is none."""
    headers = head.headers

    if (head.method != 'GET' or head.version != 'HTTP/1.1'
            or 'websocket' not in words(headers.get('upgrade', ''))
            or 'upgrade' not in words(headers.get('connection', ''))):
        return False

    if headers.get('sec-websocket-version') != '13':
        raise Refused(400, 'a WebSocket of another version than 13')

    try:
        key = base64.b64decode(headers.get('sec-websocket-key', ''), None,
                               True)
    except ValueError:
        key = b''

    if len(key) != 16:
        raise Refused(400, 'a Sec-WebSocket-Key that is none')

    return True


def unmask(data, key):
    pad = (key * (len(data) // 4 + 1))[:len(data)]
    return (int.from_bytes(data, 'little')
            ^ int.from_bytes(pad, 'little')).to_bytes(len(data), 'little')


def frame(opcode, data):
    n = len(data)

    if n < 126:
        return struct.pack('!BB', 0x80 | opcode, n) + data
    if n < 65536:
        return struct.pack('!BBH', 0x80 | opcode, 126, n) + data

    return struct.pack('!BBQ', 0x80 | opcode, 127, n) + data


class WebSocket:
    def __init__(self, app, scope, head, answer, conn):
        self.app = app
        self.scope = scope
        self.key = head.headers['sec-websocket-key'].encode()
        self.answer = answer
        self.sock = conn.sock
        self.buf = conn.buf
        self.loop = loop.get()
        self.inbox = asyncio.Queue(AHEAD)
        self.writing = asyncio.Lock()
        self.reader = None
        self.connected = False          # the application has been told
        self.accepted = False
        self.closed = False             # a close frame is out, or a refusal
        self.end = None                 # the last event

    async def write(self, data):
        async with self.writing:
            try:
                await self.loop.sock_sendall(self.sock, data)
            except OSError:
                raise Ended(1006, '') from None

    async def fill(self, n):
        while len(self.buf) < n:
            try:
                data = await self.loop.sock_recv(self.sock, PIECE)
            except OSError:
                data = b''

            if not data:
                raise Ended(1006, '')

            self.buf += data

    async def take(self, n):
        await self.fill(n)
        data = bytes(self.buf[:n])
        del self.buf[:n]
        return data

    async def frame(self, room):
        """Whether it is the last of its message, what it is, its bytes."""
        first, second = await self.take(2)
        opcode, n = first & 15, second & 127

        if first & 0x70 or not second & 0x80:
            raise Failed(1002, 'a frame that is not masked, or of an '
                         'extension')

        if opcode >= CLOSE and (n > 125 or not first & 0x80):
            raise Failed(1002, 'a control frame that is none')

        if n == 126:
            n, = struct.unpack('!H', await self.take(2))
        elif n == 127:
            n, = struct.unpack('!Q', await self.take(8))

        if n > room:
            raise Failed(1009, 'more than %d bytes' % MESSAGE_MAX)

        key = await self.take(4)
        return first & 0x80, opcode, unmask(await self.take(n), key)

    async def control(self, opcode, data):
        if opcode == PING:
            await self.write(frame(PONG, data))

        elif opcode == CLOSE:
            code = struct.unpack('!H', data[:2])[0] if len(data) > 1 else 1005

            if len(data) == 1 or (data and code not in CODES):
                raise Failed(1002, 'a close frame that is none')

            reason = data[2:].decode('utf-8')
            await self.close_frame(data[:2])
            raise Ended(code, reason)

        elif opcode != PONG:
            raise Failed(1002, 'an unknown frame')

    async def message(self):
        kind, parts, size = None, [], 0

        while True:
            last, opcode, data = await self.frame(MESSAGE_MAX - size)

            if opcode >= CLOSE:
                await self.control(opcode, data)
                continue

            if opcode > BINARY or (opcode == CONTINUATION) != (kind
                                                               is not None):
                raise Failed(1002, 'a frame out of turn')

            kind = opcode if kind is None else kind
            parts.append(data)
            size += len(data)

            if last:
                data = b''.join(parts)
                return {'type': 'websocket.receive',
                        'text': data.decode('utf-8') if kind == TEXT
                        else None,
                        'bytes': data if kind == BINARY else None}

    async def read(self):
        """A task of its own: pings are answered whatever the application
        does."""
        try:
            while True:
                await self.inbox.put(await self.message())
        except Ended as e:
            code, reason = e.args
        except (Failed, UnicodeDecodeError) as e:
            code, reason = e.args if isinstance(e, Failed) else (
                1007, 'text that is not UTF-8')
            await self.close_frame(struct.pack('!H', code) + reason.encode())
        finally:
            self.closed = True

        self.end = {'type': 'websocket.disconnect', 'code': code,
                    'reason': reason}
        await self.inbox.put(self.end)

    async def close_frame(self, data):
        if not self.closed:
            self.closed = True
            try:
                await self.write(frame(CLOSE, data))
            except Ended:
                pass

    async def receive(self):
        if not self.connected:
            self.connected = True
            return {'type': 'websocket.connect'}

        if not self.accepted:
            raise RuntimeError('receive before websocket.accept')

        if self.end is not None and self.inbox.empty():
            return self.end

        return await self.inbox.get()

    async def accept(self, event):
        accept = base64.b64encode(hashlib.sha1(self.key + GUID).digest())
        lines = [b'HTTP/1.1 101 Switching Protocols', b'Upgrade: websocket',
                 b'Connection: Upgrade', b'Sec-WebSocket-Accept: ' + accept]
        fields = [(as_bytes(name), as_bytes(value))
                  for name, value in event.get('headers', ())]

        if event.get('subprotocol'):
            fields.append((b'Sec-WebSocket-Protocol',
                           as_bytes(event['subprotocol'])))

        for name, value in fields:
            if (not name or not TOKEN.issuperset(name) or b'\r' in value
                    or b'\n' in value or b'\0' in value):
                raise ValueError('bad header %r: %r' % (name, value))
            lines.append(name + b': ' + value)

        self.accepted = True
        self.answer.started = True
        await self.write(b'\r\n'.join(lines) + b'\r\n\r\n')
        self.reader = asyncio.ensure_future(self.read())

    async def send(self, event):
        kind = event['type']

        if kind == 'websocket.accept' and not self.accepted \
                and not self.closed:
            await self.accept(event)

        elif kind == 'websocket.close' and not self.accepted:
            self.closed = True

        elif kind == 'websocket.close':
            await self.close_frame(struct.pack('!H', event.get('code') or 1000)
                                   + (event.get('reason') or '').encode()[:123])

        elif kind == 'websocket.send' and self.accepted:
            if self.closed:
                return                  # nobody reads it any more

            if event.get('bytes') is not None:
                await self.write(frame(BINARY, bytes(event['bytes'])))
            else:
                await self.write(frame(TEXT, event['text'].encode()))

        else:
            raise RuntimeError('%s out of turn' % kind)

    async def run(self):
        code = 1011

        try:
            await loop.guarded(self.app(self.scope, self.receive, self.send))
            code = 1000
        except Ended:
            code = 1000                 # the client left while it was sent to
        finally:
            if self.accepted:
                await self.close_frame(struct.pack('!H', code))

            if self.reader is not None:
                # the client's close frame, so that nothing is cut off
                await asyncio.wait((self.reader,), timeout=CLOSE_S)
                self.reader.cancel()

    def serve(self):
        """In the connection's thread, until the application returns."""
        self.answer.keeps = False
        self.sock.setblocking(False)

        try:
            asyncio.run_coroutine_threadsafe(self.run(), self.loop).result()
        finally:
            self.sock.settimeout(CLOSE_S)

        if self.accepted:
            return

        if not self.closed:
            raise RuntimeError('the application neither accepted nor closed '
                               'the WebSocket')

        self.answer.whole(403, [('Content-Type', 'text/plain')],
                          b'the function does not take this WebSocket\n')
