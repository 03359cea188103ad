"""HTTP/1.1 on one blocking socket: heads and bodies in, answers out."""

import io
import select
import socket
import time

HEAD_MAX = 65536
PIECE = 65536
TIMEOUT_S = 60
LINGER_S = 1
LINGER_MAX = 1 << 22

REASONS = {
    200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'No Content',
    206: 'Partial Content', 301: 'Moved Permanently', 302: 'Found',
    303: 'See Other', 304: 'Not Modified', 307: 'Temporary Redirect',
    308: 'Permanent Redirect', 400: 'Bad Request', 401: 'Unauthorized',
    403: 'Forbidden', 404: 'Not Found', 405: 'Method Not Allowed',
    409: 'Conflict', 413: 'Content Too Large', 415: 'Unsupported Media Type',
    422: 'Unprocessable Content', 429: 'Too Many Requests',
    431: 'Request Header Fields Too Large', 500: 'Internal Server Error',
    501: 'Not Implemented', 502: 'Bad Gateway', 503: 'Service Unavailable',
    505: 'HTTP Version Not Supported',
}

TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                  b'ABCDEFGHIJKLMNOPQRSTUVWXYZ')


class Refused(Exception):
    """A request that is none; args: status, reason."""


class Gone(Exception):
    """The client has left, or says nothing for too long."""


class Headers(dict):
    """By lower-case name; fields of one name are joined by commas."""

    def __getitem__(self, name):
        return dict.__getitem__(self, name.lower())

    def __contains__(self, name):
        return dict.__contains__(self, name.lower())

    def get(self, name, default=None):
        return dict.get(self, name.lower(), default)


class Head:
    def __init__(self, method, target, version, fields):
        self.method = method
        self.target = target
        self.version = version
        self.fields = fields            # [(name, value)], as bytes, in order
        self.headers = Headers()

        for name, value in fields:
            name = name.decode('latin-1').lower()
            value = value.decode('latin-1')
            old = dict.get(self.headers, name)
            glue = '; ' if name == 'cookie' else ', '
            dict.__setitem__(self.headers, name,
                             value if old is None else old + glue + value)

        self.path, mark, self.query = target.partition('?')

        if self.path[:1] != '/' and '://' in self.path:
            slash = self.path.find('/', self.path.find('://') + 3)
            self.path = self.path[slash:] if slash > 0 else '/'

        words = self.headers.get('connection', '').lower().split(',')
        words = [word.strip() for word in words]
        self.keeps = ('close' not in words if version == 'HTTP/1.1'
                      else 'keep-alive' in words)


def parse_head(data):
    lines = data.split(b'\r\n')
    words = lines[0].split(b' ')

    if len(words) != 3 or not words[0] or not TOKEN.issuperset(words[0]):
        raise Refused(400, 'not a request line')

    if words[2] not in (b'HTTP/1.1', b'HTTP/1.0'):
        raise Refused(505, 'neither HTTP/1.1 nor HTTP/1.0')

    fields = []

    for line in lines[1:]:
        name, colon, value = line.partition(b':')

        if not colon or not name or not TOKEN.issuperset(name):
            raise Refused(400, 'a header that is none')

        fields.append((name, value.strip(b' \t')))

    return Head(words[0].decode('ascii'), words[1].decode('latin-1'),
                words[2].decode('ascii'), fields)


class Connection:
    def __init__(self, sock, peer):
        sock.settimeout(TIMEOUT_S)
        self.sock = sock
        self.peer = peer
        self.buf = bytearray()

    def close(self):
        """Not before the client has read what it was sent: what it still
        sends would cut that off."""
        try:
            self.sock.shutdown(socket.SHUT_WR)
            self.sock.settimeout(LINGER_S)
            most = LINGER_MAX

            while most > 0:
                data = self.sock.recv(PIECE)
                if not data:
                    break
                most -= len(data)
        except OSError:
            pass

        self.sock.close()

    def left(self):
        """The client has closed, and takes nothing more."""
        look = select.poll()
        look.register(self.sock, select.POLLRDHUP)

        return bool(look.poll(0))

    def fill(self):
        """False at the connection's end."""
        try:
            data = self.sock.recv(PIECE)
        except OSError as e:
            raise Gone from e

        self.buf += data

        return bool(data)

    def head(self):
        """The next request's head; None where there is no other request."""
        while True:
            while self.buf[:2] == b'\r\n':
                del self.buf[:2]

            end = self.buf.find(b'\r\n\r\n')

            if (end if end >= 0 else len(self.buf)) > HEAD_MAX:
                raise Refused(431, 'a head of more than 64 KiB')

            if end >= 0:
                data = bytes(self.buf[:end])
                del self.buf[:end + 4]
                return parse_head(data)

            if not self.fill():
                if self.buf:
                    raise Gone
                return None

    def line(self):
        while True:
            end = self.buf.find(b'\r\n')

            if end >= 0:
                data = bytes(self.buf[:end])
                del self.buf[:end + 2]
                return data

            if len(self.buf) > HEAD_MAX or not self.fill():
                raise Gone

    def send(self, *pieces):
        try:
            self.sock.sendall(b''.join(pieces) if len(pieces) > 1
                              else pieces[0])
        except OSError as e:
            raise Gone from e


class Body(io.RawIOBase):
    """What is left of a request's body; ends where the body does."""

    def __init__(self, conn, head):
        self.conn = conn
        self.chunked = False
        self.left = 0                   # of the body, or of the chunk
        self.ended = False
        self.expects = (head.headers.get('expect', '').lower()
                        == '100-continue')
        coding = head.headers.get('transfer-encoding')
        length = head.headers.get('content-length')

        if coding is not None:
            if coding.lower() != 'chunked' or length is not None:
                raise Refused(400, 'a body of unknown length')
            self.chunked = True

        elif length is not None:
            if not (length.isascii() and length.isdigit()):
                raise Refused(400, 'a Content-Length that is none')
            self.left = int(length)

        self.ended = not self.chunked and self.left == 0

    def readable(self):
        return True

    def next_chunk(self):
        size = self.conn.line().partition(b';')[0].strip()

        try:
            if not size.isalnum():
                raise ValueError
            self.left = int(size, 16)
        except ValueError:
            raise Gone from None

        if self.left == 0:
            while self.conn.line():
                pass
            self.ended = True

    def readinto(self, out):
        if self.expects and not self.ended:
            self.expects = False
            self.conn.send(b'HTTP/1.1 100 Continue\r\n\r\n')

        if self.chunked and self.left == 0 and not self.ended:
            self.next_chunk()

        if self.ended or len(out) == 0:
            return 0

        buf = self.conn.buf

        if not buf and not self.conn.fill():
            raise Gone

        n = min(len(out), self.left, len(buf))
        out[:n] = buf[:n]
        del buf[:n]
        self.left -= n

        if self.left == 0:
            if not self.chunked:
                self.ended = True
            elif self.conn.line():
                raise Gone

        return n

    def drain(self, most):
        """Whether the next request's head is next."""
        room = bytearray(PIECE)

        if self.expects:
            return self.ended           # it has not been asked for

        while not self.ended and most > 0:
            most -= self.readinto(room)

        return self.ended


def as_bytes(text):
    return text.encode('latin-1') if isinstance(text, str) else bytes(text)


class Answer:
    """One answer; its head goes with the first bytes behind it."""

    def __init__(self, conn, head):
        self.conn = conn
        self.method = head.method if head else 'GET'
        self.old = head is not None and head.version != 'HTTP/1.1'
        self.keeps = head is not None and head.keeps
        self.pending = None             # the head, until it is sent
        self.started = False            # a byte of it is out
        self.ended = False
        self.chunked = False
        self.bare = False               # no body by its status or method
        self.left = None                # of Content-Length

    def start(self, status, fields, reason=None):
        """fields: pairs of str or bytes.  May be called again until the first
        byte is out."""
        if self.started:
            raise RuntimeError('the answer has begun already')

        lines = [b'HTTP/1.1 %d %s' % (status, as_bytes(
            reason if reason is not None else REASONS.get(status, '')))]
        length = None
        names = set()

        for name, value in fields:
            name, value = as_bytes(name), as_bytes(value)
            low = name.lower()

            if (not name or not TOKEN.issuperset(name) or b'\r' in value
                    or b'\n' in value or b'\0' in value):
                raise ValueError('bad header %r: %r' % (name, value))

            if low == b'content-length':
                length = int(value)
            elif low in (b'transfer-encoding', b'connection'):
                continue

            names.add(low)
            lines.append(b'%s: %s' % (name, value))

        if b'date' not in names:
            lines.append(b'Date: ' + http_date())

        self.bare = (self.method == 'HEAD' or status in (204, 304)
                     or status < 200)
        self.left = length
        self.chunked = False

        if length is None and not self.bare:
            if self.old:
                self.keeps = False
            else:
                self.chunked = True
                lines.append(b'Transfer-Encoding: chunked')

        if not self.keeps:
            lines.append(b'Connection: close')
        elif self.old:
            lines.append(b'Connection: keep-alive')

        self.pending = lines

    def out(self, *pieces):
        if self.pending is not None:
            head = b'\r\n'.join(self.pending) + b'\r\n\r\n'
            self.pending = None
            pieces = (head,) + pieces

        self.started = True
        self.conn.send(*pieces)

    def write(self, data):
        data = as_bytes(data) if not isinstance(data, bytes) else data

        if not data or self.bare:
            return

        if self.left is not None:
            if len(data) > self.left:
                raise ValueError('more bytes than Content-Length says')
            self.left -= len(data)

        if self.chunked:
            self.out(b'%x\r\n' % len(data), data, b'\r\n')
        else:
            self.out(data)

    def end(self):
        if not self.bare and self.left:
            raise ValueError('fewer bytes than Content-Length says')

        if self.chunked:
            self.out(b'0\r\n\r\n')
        elif self.pending is not None:
            self.out()

        self.ended = True

    def whole(self, status, fields, body):
        self.start(status, list(fields)
                   + ([] if status in (204, 304)
                      else [('Content-Length', str(len(body)))]))
        self.write(body)
        self.end()


DAYS = (b'Mon', b'Tue', b'Wed', b'Thu', b'Fri', b'Sat', b'Sun')
MONTHS = (b'Jan', b'Feb', b'Mar', b'Apr', b'May', b'Jun', b'Jul', b'Aug',
          b'Sep', b'Oct', b'Nov', b'Dec')


def http_date():
    t = time.gmtime()
    return b'%s, %02d %s %04d %02d:%02d:%02d GMT' % (
        DAYS[t.tm_wday], t.tm_mday, MONTHS[t.tm_mon - 1], t.tm_year,
        t.tm_hour, t.tm_min, t.tm_sec)
