"""Lines on their way into a file, where they outlive the process that wrote them.

They lie in a file that is mapped into memory: to put one there takes a tenth of the time of a write to a file, and no
turn of the event loop. There are two halves, so that lines can be added to one while the other is being written out.
"""

import fcntl
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HALF_BYTES = 8 * 1024 * 1024
SUFFIX = ".spool"

_USED = struct.Struct("<Q")
"""How many bytes of a half hold lines; one for each half, at the beginning."""
_HEAD = 2 * _USED.size


class Spool:
    """The spool of this process: a file that is locked for as long as the process lives, or until it is closed."""

    def __init__(self, path: Path, half: int = HALF_BYTES) -> None:
        """Make the file, with all the room that it will need. Raises OSError."""
        self._path = path
        self._size = half
        self._half = 0
        self._used = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o640)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(self._file, 0, _HEAD + 2 * half)
            self._map = mmap.mmap(self._file, _HEAD + 2 * half)
        except OSError:
            os.close(self._file)
            path.unlink()
            raise

    def add(self, line: bytes) -> bool:
        """Put a line into the present half; gives whether there was room."""
        used = self._used + len(line)
        if used > self._size:
            return False
        start = _HEAD + self._half * self._size
        self._map[start + self._used : start + used] = line
        self._used = used
        _USED.pack_into(self._map, self._half * _USED.size, used)
        return True

    def turn(self) -> bytes:
        """The lines of the present half, which stay there until ``settle``. The other one takes what comes now."""
        start = _HEAD + self._half * self._size
        lines = self._map[start : start + self._used]
        self._half, self._used = 1 - self._half, 0
        return lines

    def settle(self, *, everything: bool = False) -> None:
        """Forget the lines that the last turn gave, or all."""
        _USED.pack_into(self._map, (1 - self._half) * _USED.size, 0)
        if everything:
            self._used = 0
            _USED.pack_into(self._map, self._half * _USED.size, 0)

    def close(self, *, remove: bool = True) -> None:
        """Let go of the file. It is removed unless what is in it is still to be seen to."""
        self._map.close()
        if remove:
            self._path.unlink()
        os.close(self._file)


@contextmanager
def abandoned(path: Path) -> Iterator[bytes]:
    """The lines in the spool of a process that died, which is removed once they have been seen to.

    Nothing of one whose process lives, that somebody else sees to, or that can't be opened.
    """
    try:
        file = os.open(path, os.O_RDWR)
    except OSError:
        yield b""
        return
    try:
        if _is_free(file):
            yield b"".join(_halves(os.pread(file, os.fstat(file).st_size, 0)))
            path.unlink()
        else:
            yield b""
    finally:
        os.close(file)


def _is_free(file: int) -> bool:
    """Whether nobody has the file locked, which is then locked, nor has removed it meanwhile."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(file).st_nlink > 0


def _halves(content: bytes) -> Iterator[bytes]:
    """What was added to each half, as far as the file goes: its process may have died while it made it."""
    size = (len(content) - _HEAD) // 2
    for half in (0, 1) if size > 0 else ():
        (used,) = _USED.unpack_from(content, half * _USED.size)
        start = _HEAD + half * size
        yield content[start : start + min(used, size)]
