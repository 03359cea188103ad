# One HTTP/3 connection, for FcfTest::Http3.  http3.py PORT CA: reads commands
#
#   request METHOD PATH LENGTH END      with so many bytes of a body; END: 0 or
#                                       1, whether that is all of it
#   data STREAM LENGTH END
#   cancel STREAM
#   close
#
# and writes "connected", then "stream STREAM" for each request and "answer
# STREAM STATUS LENGTH BODY" (its first line) or "reset STREAM" for its end.

import asyncio
import sys

from aioquic.asyncio import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import StopSendingReceived, StreamReset

CANCELLED = 0x10c


def say(*words):
    print(*words, flush=True)


class Http(H3Connection):
    # an answer to HEAD is none that was cut short
    def _check_content_length(self, stream):
        pass


class Client(QuicConnectionProtocol):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.http = Http(self._quic)
        self.status = {}
        self.body = {}
        self.stopped = set()

    def quic_event_received(self, event):
        if isinstance(event, StreamReset) and event.stream_id in self.body:
            say('reset', event.stream_id)
        if isinstance(event, StopSendingReceived):
            self.stopped.add(event.stream_id)
        for e in self.http.handle_event(event):
            self.http_event(e)

    def http_event(self, e):
        if isinstance(e, HeadersReceived):
            for name, value in e.headers:
                if name == b':status':
                    self.status[e.stream_id] = value.decode()
        elif isinstance(e, DataReceived):
            self.body[e.stream_id] += e.data
        else:
            return
        if e.stream_ended:
            body = self.body[e.stream_id]
            say('answer', e.stream_id, self.status[e.stream_id], len(body),
                body.split(b'\n')[0].decode())

    def request(self, method, path, length, end):
        stream = self._quic.get_next_available_stream_id()
        self.body[stream] = b''
        self.http.send_headers(stream, [(b':method', method.encode()),
            (b':scheme', b'https'), (b':authority', b'localhost'),
            (b':path', path.encode())],
            end_stream=bool(int(end)) and int(length) == 0)
        say('stream', stream)
        if int(length):
            self.data(stream, length, end)

    def data(self, stream, length, end):
        # the rest of a body that the server does not want
        if int(stream) not in self.stopped:
            self.http.send_data(int(stream), b'x' * int(length),
                bool(int(end)))

    def cancel(self, stream):
        self._quic.reset_stream(int(stream), CANCELLED)
        self._quic.stop_stream(int(stream), CANCELLED)


async def main(port, ca):
    conf = QuicConfiguration(is_client=True, alpn_protocols=H3_ALPN,
        server_name='127.0.0.1')
    conf.load_verify_locations(ca)
    lines = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)

    async with connect('127.0.0.1', int(port), configuration=conf,
            create_protocol=Client) as client:
        say('connected')
        while True:
            words = (await lines.readline()).decode().split()
            if not words or words[0] == 'close':
                break
            getattr(client, words[0])(*words[1:])
            client.transmit()


asyncio.run(main(*sys.argv[1:]))
