"""handle(request): what it is given, and what may come back."""

import io
from fcfaas_runtime.wire import PIECE

TEXT = 'text/plain; charset=utf-8'
BYTES = 'application/octet-stream'
JSON = 'application/json'


class Request:
    """method; path and query_string as the client wrote them; query, a dict
    of the decoded (the last of a name); headers, by any case; stream, the
    body as a file; body, all of it; json() and text() of it."""

    def __init__(self, head, body, peer):
        self.method = head.method
        self.path = head.path
        self.query_string = head.query
        self.headers = head.headers
        self.peer = peer
        self.stream = io.BufferedReader(body, PIECE)
        self._body = None
        self._query = None

    @property
    def body(self):
        if self._body is None:
            self._body = self.stream.read()
        return self._body

    @property
    def query(self):
        if self._query is None:
            from urllib.parse import parse_qsl
            self._query = dict(parse_qsl(self.query_string,
                                         keep_blank_values=True))
        return self._query

    def text(self):
        return self.body.decode('utf-8', 'replace')

    def json(self):
        import json
        return json.loads(self.body)


def field_pairs(fields):
    if fields is None:
        return []

    pairs = fields.items() if hasattr(fields, 'items') else fields

    return [(str(name), str(value)) for name, value in pairs]


def to_bytes(result):
    """The bytes of a result that is whole, and their type; else None."""
    if isinstance(result, str):
        return result.encode('utf-8'), TEXT

    if isinstance(result, (bytes, bytearray, memoryview)):
        return bytes(result), BYTES

    if isinstance(result, (dict, list, bool, int, float)):
        import json
        return json.dumps(result, ensure_ascii=False).encode('utf-8'), JSON

    return None, None


def pieces(result):
    if hasattr(result, 'read'):
        return iter(lambda: result.read(PIECE), b'')

    if hasattr(result, '__aiter__'):
        from fcfaas_runtime import loop
        return loop.pieces(result)

    if hasattr(result, '__iter__'):
        return iter(result)

    raise TypeError('handle() returned %s: not str, bytes, what JSON can say, '
                    'a file, or an iterable of str or bytes'
                    % type(result).__name__)


def stream(answer, result, status, fields):
    parts = pieces(result)
    answer.start(status, fields)

    try:
        for part in parts:
            answer.write(part.encode('utf-8') if isinstance(part, str)
                         else part)
    finally:
        if hasattr(result, 'close'):
            result.close()

    answer.end()


def respond(answer, result):
    status, fields = None, None

    if isinstance(result, tuple):
        if not 1 <= len(result) <= 3:
            raise TypeError('handle() returned a tuple of %d, not (body, '
                            'status, headers)' % len(result))
        result, status, fields = (result + (None, None))[:3]

    fields = field_pairs(fields)
    named = any(name.lower() == 'content-type' for name, value in fields)

    if result is None:
        answer.whole(204 if status is None else int(status), fields, b'')
        return

    data, kind = to_bytes(result)

    if not named:
        fields.append(('Content-Type', kind or BYTES))

    status = 200 if status is None else int(status)

    if data is None:
        stream(answer, result, status, fields)
    else:
        answer.whole(status, fields, data)


class Plain:
    def __init__(self, handle):
        self.handle = handle

    def serve(self, head, body, answer, conn):
        request = Request(head, body, conn.peer[0])
        result = self.handle(request)

        if hasattr(result, '__await__'):
            # the loop must not wait for a client's bytes
            request.body
            from fcfaas_runtime import loop
            result = loop.wait(result)

        respond(answer, result)
