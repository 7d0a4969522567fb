"""Hearing of a stop as it is asked for: the server tells its application only once no request is under way."""

import asyncio
import signal
from collections.abc import Callable


def when_asked_to_stop(act: Callable[[], None]) -> None:
    """Have ``act`` called as soon as this worker process is interrupted or terminated.

    It is called from a signal handler: it may set a flag, and has to leave the event loop alone. Only the main thread
    may ask for this. The event loop still hears of the termination, by its wakeup descriptor, and so the server stops.
    An interruption, which Ctrl-C sends to all processes, is left to the first of them: it terminates the workers, and
    being told twice can make them hang.
    """
    asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: act())
