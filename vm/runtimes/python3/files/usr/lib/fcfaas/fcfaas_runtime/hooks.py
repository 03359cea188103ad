"""Around a snapshot, which init asks for from inside the guest: clones of one
memory must not draw the same random numbers."""

import os
import sys

SNAPSHOT = '/.fcfaas/snapshot'
RESTORE = '/.fcfaas/restore'
RESEEDS = [('X-Fcfaas-Reseeds', '1')]
LOCAL = '127.0.0.1'

module = None                           # the function's, once it is loaded


def reseed():
    """What user space has seeded, of all that is loaded.  A generator that a
    function has made itself is its own affair (after_restore)."""
    random = sys.modules.get('random')
    if random is not None:
        random.seed()

    numpy = sys.modules.get('numpy.random')
    if numpy is not None:
        numpy.seed()

    ssl = sys.modules.get('_ssl')
    if ssl is not None:
        ssl.RAND_add(os.urandom(48), 48.0)


def call(name):
    """The function's own hook, if it has one."""
    hook = getattr(module, name, None)

    if callable(hook):
        result = hook()

        if hasattr(result, '__await__'):
            from fcfaas_runtime import loop
            loop.wait(result)


def serve(head, answer, conn):
    """Whether it was one: only init comes from here."""
    if (head.path not in (SNAPSHOT, RESTORE) or head.method != 'POST'
            or conn.peer[0] != LOCAL):
        return False

    if head.path == SNAPSHOT:
        call('before_snapshot')
    else:
        reseed()
        call('after_restore')

    answer.whole(204, RESEEDS, b'')

    return True
