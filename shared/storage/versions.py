"""Version numbers of stored instances."""

import os
import platform
import threading
import time
import zlib

_EPOCH_MS = 1_704_067_200_000
"""2024-01-01 00:00 UTC; 41 bits of milliseconds last until 2093."""
_PROCESS_BITS, _SEQUENCE_BITS = 14, 8


class _Versions:
    """Milliseconds, process and sequence side by side in 63 bits.

    The processes of one machine differ by their ids; machines shift these by a number made of their name.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._machine = zlib.crc32(platform.node().encode())
        self._millisecond = self._sequence = 0

    def next(self) -> int:
        process = (self._machine + os.getpid()) % (1 << _PROCESS_BITS)
        with self._lock:
            now = time.time_ns() // 1_000_000 - _EPOCH_MS
            if now > self._millisecond:
                self._millisecond, self._sequence = now, 0
            else:
                # more than 256 in a millisecond, or a clock set back: run ahead of it
                self._sequence += 1
                ahead, self._sequence = divmod(self._sequence, 1 << _SEQUENCE_BITS)
                self._millisecond += ahead
            return (self._millisecond << _PROCESS_BITS | process) << _SEQUENCE_BITS | self._sequence


_versions = _Versions()


def new_version() -> int:
    """A positive number of 63 bits, greater than any that this process gave before.

    No two processes of one machine give the same number, and two machines hardly ever. Across processes numbers grow
    with time as far as the clocks agree.
    """
    return _versions.next()


def made_at(version: int) -> int:
    """When a version was made, in microseconds since the epoch, to the millisecond."""
    return ((version >> _PROCESS_BITS + _SEQUENCE_BITS) + _EPOCH_MS) * 1_000
