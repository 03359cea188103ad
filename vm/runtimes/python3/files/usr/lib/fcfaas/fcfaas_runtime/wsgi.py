"""Any WSGI application (PEP 3333)."""

import io
import sys
from urllib.parse import unquote_to_bytes
from fcfaas_runtime.wire import PIECE


class Wsgi:
    def __init__(self, app, port):
        self.app = app
        self.port = port

    def environ(self, head, body, conn):
        env = {
            'REQUEST_METHOD': head.method,
            'SCRIPT_NAME': '',
            'PATH_INFO': unquote_to_bytes(head.path).decode('latin-1'),
            'QUERY_STRING': head.query,
            'REQUEST_URI': head.target,
            'RAW_URI': head.target,
            'SERVER_NAME': head.headers.get('host', 'localhost').split(':')[0],
            'SERVER_PORT': str(self.port),
            'SERVER_PROTOCOL': head.version,
            'REMOTE_ADDR': conn.peer[0],
            'wsgi.version': (1, 0),
            'wsgi.url_scheme': head.headers.get('x-forwarded-proto', 'http'),
            'wsgi.input': io.BufferedReader(body, PIECE),
            'wsgi.input_terminated': True,
            'wsgi.errors': sys.stderr,
            'wsgi.multithread': True,
            'wsgi.multiprocess': False,
            'wsgi.run_once': False,
        }

        for name, value in head.headers.items():
            if '_' in name:
                continue                # it would pass for one with "-"

            key = name.upper().replace('-', '_')
            env[key if key in ('CONTENT_TYPE', 'CONTENT_LENGTH')
                else 'HTTP_' + key] = value

        return env

    def serve(self, head, body, answer, conn):
        def start_response(status, fields, exc_info=None):
            if exc_info:
                try:
                    if answer.started:
                        raise exc_info[1].with_traceback(exc_info[2])
                finally:
                    exc_info = None
            elif answer.pending is not None:
                raise RuntimeError('start_response() was called twice')

            code, blank, reason = status.partition(' ')
            answer.start(int(code), fields, reason)
            return answer.write

        result = self.app(self.environ(head, body, conn), start_response)

        try:
            for piece in result:
                if answer.pending is None and not answer.started:
                    raise RuntimeError('start_response() was not called')
                answer.write(piece)

            if answer.pending is None and not answer.started:
                raise RuntimeError('start_response() was not called')
        finally:
            if hasattr(result, 'close'):
                result.close()

        answer.end()
