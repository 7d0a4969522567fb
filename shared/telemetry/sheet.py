"""Numbers in rows, each with a key: in memory, or in a file that other processes read.

The file is mapped into memory, so that to count is to write eight bytes. It outlives its process: the next one takes
it over and counts on, so that no sum over all files ever falls.
"""

import fcntl
import hashlib
import mmap
import os
import struct
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path

ROWS = 1200
KEY_BYTES = 256
CELLS = 24
"""Numbers in a row."""
SUFFIX = ".sheet"

Row = tuple[float, ...]

_CELLS = struct.Struct(f"={CELLS}d")
_ROW_BYTES = KEY_BYTES + _CELLS.size
_HEAD_BYTES = 32
_SIZE = _HEAD_BYTES + ROWS * _ROW_BYTES


class Sheet:
    """The rows of this process. ``numbers[sheet.row(key)]`` is the first number of a row."""

    def __init__(self, file: int | None = None, path: Path | None = None) -> None:
        self.path = path
        self._file = file
        self._map = mmap.mmap(-1, _SIZE, mmap.MAP_PRIVATE) if file is None else mmap.mmap(file, _SIZE)
        self.numbers = memoryview(self._map).cast("d")
        self._rows = {key: _first(number) for number, (key, _) in enumerate(_rows(self._map))}

    @property
    def head(self) -> bytes:
        """What the file begins with, which tells the meaning of its numbers."""
        return self._map[:_HEAD_BYTES]

    def row(self, key: str) -> int | None:
        """Where a row begins, which is made if there is none; None if there is no room for it."""
        found = self._rows.get(key)
        if found is not None:
            return found
        name = key.encode()
        if len(self._rows) == ROWS or len(name) > KEY_BYTES:
            return None
        first = self._rows[key] = _first(len(self._rows))
        start = first * 8 - KEY_BYTES
        self._map[start : start + len(name)] = name
        return first

    def rows(self) -> Iterator[tuple[str, Row]]:
        """All rows: their keys and numbers."""
        return _rows(self._map)

    def close(self) -> None:
        """Leave the file to others. Its numbers stay."""
        self.numbers.release()
        self._map.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None


def shared_sheet(folder: Path, meaning: str) -> Sheet:
    """The first sheet of a folder that no process has, with the numbers it came to. Raises OSError.

    Numbers of another ``meaning`` are dropped.
    """
    folder.mkdir(parents=True, exist_ok=True)
    head = hashlib.sha256(f"{ROWS} {KEY_BYTES} {CELLS} {meaning}".encode()).digest()
    for number in count(1):
        path = folder / f"{number}{SUFFIX}"
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
            continue
        try:
            if os.fstat(file).st_size != _SIZE or os.pread(file, _HEAD_BYTES, 0) != head:
                os.ftruncate(file, 0)
                os.posix_fallocate(file, 0, _SIZE)  # a full disk has to fail here, not where a number is written
                os.pwrite(file, head, 0)
            return Sheet(file, path)
        except OSError:
            os.close(file)
            raise
    raise AssertionError


def other_sheets(own: Sheet) -> Iterator[tuple[bool, Iterator[tuple[str, Row]]]]:
    """The other sheets of the same meaning in its folder: whether a process has them, and their rows."""
    for path in own.path.parent.glob(f"*{SUFFIX}") if own.path else ():
        if path == own.path:
            continue
        with suppress(OSError), path.open("rb") as file:
            content = file.read()
            if len(content) == _SIZE and content.startswith(own.head):
                yield _is_taken(file.fileno()), _rows(content)


def _is_taken(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _first(row: int) -> int:
    return (_HEAD_BYTES + row * _ROW_BYTES + KEY_BYTES) // 8


def _rows(content: "bytes | mmap.mmap") -> Iterator[tuple[str, Row]]:
    for start in range(_HEAD_BYTES, _SIZE, _ROW_BYTES):
        key = content[start : start + KEY_BYTES].rstrip(b"\0")
        if not key:
            return
        yield key.decode(errors="replace"), _CELLS.unpack_from(content, start + KEY_BYTES)
