"""Connections wait in one epoll, requests run in threads of a pool: as many
as there are requests at a time, none for idle connections."""

import collections
import os
import select
import signal
import socket
import sys
import threading
import time
from fcfaas_runtime import hooks, output
from fcfaas_runtime.wire import Answer, Body, Connection, Gone, Refused

BACKLOG = 1024
THREADS_MAX = 512
DRAIN_MAX = 1 << 20
STOP_S = 5
ONCE = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT


class Stop(BaseException):
    pass


def print_error():
    import traceback
    traceback.print_exc()
    sys.stderr.flush()


class Pool:
    def __init__(self, run):
        self.run = run
        self.jobs = collections.deque()
        self.ready = threading.Condition()
        self.idle = 0
        self.threads = 0
        self.busy = 0

    def put(self, job):
        with self.ready:
            self.jobs.append(job)

            if self.idle < len(self.jobs) and self.threads < THREADS_MAX:
                self.threads += 1
                threading.Thread(target=self.work, daemon=True).start()
            else:
                self.ready.notify()

    def work(self):
        while True:
            with self.ready:
                self.idle += 1
                while not self.jobs:
                    self.ready.wait()
                self.idle -= 1
                job = self.jobs.popleft()
                self.busy += 1

            try:
                self.run(job)
            finally:
                with self.ready:
                    self.busy -= 1
                    self.ready.notify_all()

    def wait_idle(self, seconds):
        with self.ready:
            self.ready.wait_for(lambda: not self.busy and not self.jobs,
                                seconds)


class Server:
    def __init__(self, app, port):
        self.app = app
        self.conns = {}
        self.stopping = False
        self.epoll = select.epoll()
        self.pool = Pool(self.serve_conn)
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind(('0.0.0.0', port))
        self.listener.listen(BACKLOG)
        self.listener.setblocking(False)

    def serve_one(self, conn, head):
        """Whether another request may follow on this connection."""
        answer = Answer(conn, head)

        if self.stopping:
            answer.keeps = False

        body = Body(conn, head)
        printed = output.begin(head)

        try:
            if not hooks.serve(head, answer, conn):
                self.app.serve(head, body, answer, conn)
        except (Gone, Refused):
            raise
        except BaseException:
            print_error()

            if answer.started:
                return False            # cut: it must not look whole

            answer.whole(500, [('Content-Type', 'text/plain')],
                         b'the function failed, see its log\n')
        finally:
            output.end(printed)

        return answer.keeps and body.drain(DRAIN_MAX)

    def serve_requests(self, conn):
        """True: the connection waits for another request."""
        while True:
            try:
                head = conn.head()

                if head is None or not self.serve_one(conn, head):
                    return False

            except Refused as e:
                answer = Answer(conn, None)
                answer.whole(e.args[0], [('Content-Type', 'text/plain')],
                             (e.args[1] + '\n').encode())
                return False

            if not conn.buf:
                return True

    def serve_conn(self, conn):
        keep = False

        try:
            keep = self.serve_requests(conn) and not self.stopping
        except Gone:
            pass
        except BaseException:
            print_error()

        if keep:
            try:
                self.epoll.modify(conn.sock.fileno(), ONCE)
                return
            except OSError:
                pass

        self.conns.pop(conn.sock.fileno(), None)
        conn.close()

    def accept(self):
        while True:
            try:
                sock, peer = self.listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as e:
                # no descriptor left: those who wait are taken later
                print('accept: %s' % e, file=sys.stderr)
                time.sleep(0.1)
                return

            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            conn = Connection(sock, peer)
            self.conns[sock.fileno()] = conn
            self.epoll.register(sock.fileno(), ONCE)

    def turn(self):
        for fd, events in self.epoll.poll():
            if fd == self.listener.fileno():
                self.accept()
            elif fd in self.conns:
                self.pool.put(self.conns[fd])

    def run(self):
        def stop(signo, frame):
            raise Stop

        self.epoll.register(self.listener.fileno(), select.EPOLLIN)
        signal.signal(signal.SIGTERM, stop)

        try:
            while True:
                self.turn()
        except Stop:
            pass

        self.stopping = True
        self.listener.close()
        self.pool.wait_idle(STOP_S)

        if hasattr(self.app, 'stop'):
            self.app.stop()

        sys.stdout.flush()
        os._exit(0)
