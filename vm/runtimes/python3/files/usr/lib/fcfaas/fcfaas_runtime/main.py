"""Finds the function's code, and what kind it is."""

import os
import sys

MODULES = ('handler', 'app', 'main', 'wsgi', 'asgi')
NAMES = ('handle', 'app', 'application')
VENDOR = 'vendor'
CO_COROUTINE = 0x80


def fail(text):
    sys.exit('fcfaas: ' + text)


def choose(directory):
    """Module and name, where $FCFAAS_HANDLER gives one."""
    chosen = os.environ.get('FCFAAS_HANDLER', '')

    if chosen:
        module, colon, name = chosen.partition(':')
        return module, name or None

    for module in MODULES:
        if (os.path.exists(os.path.join(directory, module + '.py'))
                or os.path.exists(os.path.join(directory, module,
                                               '__init__.py'))):
            return module, None

    fail('there is no code in the function: none of %s, and no bootstrap'
         % ', '.join(module + '.py' for module in MODULES))


def lacks_packages(directory):
    return (os.path.exists(os.path.join(directory, 'requirements.txt'))
            and not os.path.isdir(os.path.join(directory, VENDOR)))


def words(error):
    """One line, for whoever sees the last lines alone; a syntax error has its
    file and line in there."""
    try:
        text = str(error).partition('\n')[0]
    except Exception:
        text = ''

    return type(error).__name__ + (': ' + text if text else '')


def load(directory, module):
    try:
        __import__(module)
    except ModuleNotFoundError as e:
        from fcfaas_runtime.server import print_error
        print_error()

        if lacks_packages(directory):
            fail('no module %s: requirements.txt names packages, and none '
                 'are in the function; "pip install -r requirements.txt '
                 '--target %s" in its directory, before it is deployed, puts '
                 'them there' % (e.name, VENDOR))

        fail('no module %s, neither in the function nor in its directory '
             '"%s"' % (e.name, VENDOR))
    except Exception as e:
        from fcfaas_runtime.server import print_error
        print_error()
        fail('%s cannot be imported: %s' % (module, words(e)))

    return sys.modules[module]


def find(module, name):
    for candidate in (name,) if name else NAMES:
        target = module

        for part in candidate.split('.'):
            target = getattr(target, part, None)

        if callable(target):
            return candidate, target

    fail('%s has no %s that can be called' % (module.__name__, name)
         if name else '%s has neither handle(request) nor app nor application'
         % module.__name__)


def is_async(target):
    """Whether calling it makes a coroutine: an ASGI application."""
    for what in (target, getattr(type(target), '__call__', None)):
        what = getattr(what, '__wrapped__', what)
        what = getattr(what, '__func__', what)
        code = getattr(what, '__code__', None)

        if code is not None and code.co_flags & CO_COROUTINE:
            return True

    return False


def arguments(target):
    code = getattr(target, '__code__', None)
    return code.co_argcount if code is not None else 0


def make(name, target, port):
    """handle takes a request, app and application are WSGI or ASGI; another
    name is what its arguments say."""
    last = name.rpartition('.')[2]

    if last == 'handle' or (last not in NAMES and arguments(target) == 1):
        from fcfaas_runtime.plain import Plain
        return Plain(target)

    if is_async(target):
        from fcfaas_runtime.asgi import Asgi
        return Asgi(target, port)

    from fcfaas_runtime.wsgi import Wsgi
    return Wsgi(target, port)


def main():
    directory = os.getcwd()
    port = int(os.environ.get('PORT', '80'))

    # what a function prints is seen at once, also through a pipe
    from fcfaas_runtime import output
    output.install()
    sys.dont_write_bytecode = True
    sys.path[:0] = [directory, os.path.join(directory, VENDOR)]

    module, name = choose(directory)
    loaded = load(directory, module)
    name, target = find(loaded, name)

    from fcfaas_runtime import hooks
    from fcfaas_runtime.server import Server

    hooks.module = loaded
    Server(make(name, target, port), port).run()
