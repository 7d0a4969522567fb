"""Hearing of a stop as it is asked for: the server tells its application only once no request is under way."""

import signal
from collections.abc import Callable


def when_asked_to_stop(act: Callable[[], None]) -> None:
    """Have ``act`` called as soon as this process is interrupted or terminated.

    It is called from a signal handler: it may set a flag, and has to leave the event loop alone. Only the main thread
    may ask for this. The event loop, and by it the server, hears of signals by its wakeup descriptor as before.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: act())
