"""Lines that are printed while a request is served say whose they are: its id
stands before each, between two bytes that the node takes away again."""

import contextvars
import io
import string
import sys

MOST = 4096
ID_MAX = 64
WORD = frozenset(string.ascii_letters + string.digits + '._-')

_request = contextvars.ContextVar('request', default=None)


class Printed:
    """What a request has printed of a line, by stream."""

    def __init__(self, request_id):
        self.mark = '\x1e%s\x1f' % request_id
        self.begun = {}


class Out(io.TextIOWrapper):
    def write(self, text):
        printed = _request.get()

        if printed is None:
            return super().write(text)

        whole, newline, rest = text.rpartition('\n')
        begun = printed.begun.pop(self, '')

        if newline:
            lines = (begun + whole).replace('\n', '\n' + printed.mark)
            super().write(printed.mark + lines + '\n')
            begun = ''

        if len(begun) + len(rest) > MOST:
            super().write(printed.mark + begun + rest + '\n')
        elif begun or rest:
            printed.begun[self] = begun + rest

        return len(text)


def install():
    for name in ('stdout', 'stderr'):
        old = getattr(sys, name)
        setattr(sys, name, Out(old.buffer, encoding=old.encoding,
                               errors=old.errors, line_buffering=True))


def begin(head):
    request_id = head.headers.get('x-request-id', '')

    if not 0 < len(request_id) <= ID_MAX or not WORD.issuperset(request_id):
        return None

    return _request.set(Printed(request_id))


def end(token):
    if token is None:
        return

    printed = _request.get()
    _request.reset(token)

    for stream, text in printed.begun.items():
        print(printed.mark + text, file=stream)
