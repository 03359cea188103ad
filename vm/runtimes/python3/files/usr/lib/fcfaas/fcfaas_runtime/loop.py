"""The one asyncio loop, in a thread of its own, for what is asynchronous."""

import asyncio
import threading

_loop = None
_lock = threading.Lock()


def get():
    global _loop

    with _lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name='asyncio',
                             daemon=True).start()

    return _loop


async def guarded(awaitable):
    """An exit of a coroutine would take the loop's thread, and with it all
    that others wait for."""
    try:
        return await awaitable
    except (SystemExit, KeyboardInterrupt) as e:
        raise RuntimeError('%s in a coroutine: %s'
                           % (type(e).__name__, e)) from e


def wait(awaitable, timeout=None):
    """From another thread: its result, or what it raised."""
    return asyncio.run_coroutine_threadsafe(guarded(awaitable),
                                            get()).result(timeout)


def pieces(source):
    """An asynchronous iterable, seen from another thread."""
    iterator = source.__aiter__()

    while True:
        try:
            yield wait(iterator.__anext__())
        except StopAsyncIteration:
            return
