"""Any ASGI application, version 3: HTTP, WebSockets and lifespan.

The application runs in the loop's thread; the thread of the connection reads
and writes for it, so that no client holds the loop up."""

import asyncio
import queue
import sys
from urllib.parse import unquote
from fcfaas_runtime import loop
from fcfaas_runtime.wire import PIECE, Gone

START_S = 600
STOP_S = 4
LOOK_S = 1


class Exchange:
    """One request, seen from both threads."""

    def __init__(self, app, scope, body, answer):
        self.app = app
        self.scope = scope
        self.body = body
        self.answer = answer
        self.loop = loop.get()
        self.work = queue.SimpleQueue()     # for the connection's thread
        self.read_all = False
        self.left = asyncio.Event()         # client or answer has ended
        self.status = None

    def io(self, call):
        """In the loop's thread: call() is made in the other one."""
        future = self.loop.create_future()
        self.work.put((call, future))
        return future

    async def receive(self):
        if self.read_all:
            await self.left.wait()
            return {'type': 'http.disconnect'}

        try:
            data = await self.io(lambda: self.body.read(PIECE))
        except Gone:
            self.read_all = True
            self.left.set()
            return {'type': 'http.disconnect'}

        self.read_all = self.body.ended

        return {'type': 'http.request', 'body': data,
                'more_body': not self.body.ended}

    async def send(self, event):
        kind = event['type']

        if kind == 'http.response.start':
            if self.status is not None:
                raise RuntimeError('http.response.start came twice')
            self.status = event['status']
            self.answer.start(self.status, event.get('headers', ()))

        elif kind == 'http.response.body':
            if self.status is None or self.answer.ended:
                raise RuntimeError('http.response.body out of turn')
            await self.io(lambda: self.write(event))

            if self.answer.ended:
                self.left.set()

        else:
            raise RuntimeError('unknown event %r' % kind)

    def write(self, event):
        self.answer.write(bytes(event.get('body', b'')))

        if not event.get('more_body', False):
            self.answer.end()

    async def run(self):
        await loop.guarded(self.app(self.scope, self.receive, self.send))

    def settle(self, future, result, error):
        if future.cancelled():
            return

        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def next(self):
        """What the connection's thread is to do; the client is looked after
        meanwhile, since an application may wait for ever for something else."""
        while not self.left.is_set():
            try:
                return self.work.get(timeout=LOOK_S)
            except queue.Empty:
                if self.answer.conn.left():
                    self.loop.call_soon_threadsafe(self.left.set)
                    break

        return self.work.get()

    def serve(self):
        """In the connection's thread, until the application returns."""
        task = asyncio.run_coroutine_threadsafe(self.run(), self.loop)
        task.add_done_callback(lambda task: self.work.put(None))
        gone = None

        while True:
            item = self.next()

            if item is None:
                break

            result, error = None, gone

            if gone is None:
                try:
                    result = item[0]()
                except BaseException as e:
                    error = e
                    if isinstance(e, Gone):
                        gone = e
                        self.loop.call_soon_threadsafe(self.left.set)

            self.loop.call_soon_threadsafe(self.settle, item[1], result,
                                           error)

        task.result()

        if not self.answer.ended:
            if self.left.is_set():
                raise Gone
            raise RuntimeError('the application returned without a whole '
                               'answer')


def websocket_wanted(head):
    from fcfaas_runtime import websocket
    return websocket.wanted(head)


class Asgi:
    def __init__(self, app, port):
        self.app = app
        self.port = port
        self.state = {}
        self.lifespan, failure = loop.wait(self.start())

        if failure is not None:
            sys.exit('fcfaas: the application does not start: ' + failure)

    async def start(self):
        """The lifespan's queues, None where the application has none; why it
        does not start, or None."""
        inbox, outbox = asyncio.Queue(), asyncio.Queue()
        scope = {'type': 'lifespan', 'state': self.state,
                 'asgi': {'version': '3.0', 'spec_version': '2.0'}}

        async def run():
            try:
                await loop.guarded(self.app(scope, inbox.get, outbox.put))
            finally:
                await outbox.put({'type': 'none'})

        # kept, or it might be collected while it waits
        self.task = asyncio.ensure_future(run())
        await inbox.put({'type': 'lifespan.startup'})
        event = await asyncio.wait_for(outbox.get(), START_S)

        if event['type'] == 'lifespan.startup.failed':
            return None, str(event.get('message', 'it does not say why'))

        if event['type'] != 'lifespan.startup.complete':
            return None, None           # it does not know of lifespans

        return (inbox, outbox), None

    async def shut_down(self):
        inbox, outbox = self.lifespan
        await inbox.put({'type': 'lifespan.shutdown'})
        await asyncio.wait_for(outbox.get(), STOP_S)

    def stop(self):
        if self.lifespan:
            loop.wait(self.shut_down(), STOP_S + 1)

    def serve(self, head, body, answer, conn):
        scheme = head.headers.get('x-forwarded-proto', 'http')
        scope = {
            'asgi': {'version': '3.0', 'spec_version': '2.3'},
            'http_version': head.version[5:],
            'path': unquote(head.path, 'utf-8', 'replace'),
            'raw_path': head.path.encode('latin-1'),
            'query_string': head.query.encode('latin-1'),
            'root_path': '',
            'headers': [(name.lower(), value) for name, value in head.fields],
            'client': conn.peer,
            'server': (head.headers.get('host', 'localhost').split(':')[0],
                       self.port),
            'state': dict(self.state),
            'extensions': {},
        }

        if 'upgrade' in head.headers and websocket_wanted(head):
            from fcfaas_runtime.websocket import WebSocket
            protocols = head.headers.get('sec-websocket-protocol', '')
            scope.update(type='websocket',
                         scheme='wss' if scheme == 'https' else 'ws',
                         subprotocols=[word.strip() for word
                                       in protocols.split(',') if word])
            WebSocket(self.app, scope, head, answer, conn).serve()
            return

        scope.update(type='http', method=head.method, scheme=scheme)
        Exchange(self.app, scope, body, answer).serve()
