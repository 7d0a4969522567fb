"""Reading files without waiting: what Linux has in memory, or nothing."""

import ctypes
import os
import threading
from collections.abc import Sequence
from pathlib import Path

from shared.dicom.model import ByteRange

_SYS_OPENAT2 = 437
_AT_FDCWD = -100
_RESOLVE_CACHED = 0x20
_LARGEST = 2 * 1024 * 1024
"""Bytes read at a time, which nobody should have to wait for."""

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    """``struct open_how`` of openat2(2)."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_HOW = _OpenHow(os.O_RDONLY | os.O_CLOEXEC, 0, _RESOLVE_CACHED)


class _Buffer(threading.local):
    """Each thread's own room to read into: memory that is in the processor's cache already."""

    def __init__(self) -> None:
        self.room = memoryview(bytearray(_LARGEST))


_buffer = _Buffer()


def open_cached(path: Path) -> int | None:
    """Open a file whose path is known to the system without a look at the disk; else None."""
    file: int = _libc.syscall(_SYS_OPENAT2, _AT_FDCWD, os.fsencode(path), ctypes.byref(_HOW), ctypes.sizeof(_HOW))
    return None if file < 0 else file


def read_cached(file: int, size: int, offset: int) -> bytes:
    """``size`` bytes of a file if all of them are in memory, else nothing."""
    if size > _LARGEST:
        return b""
    room = _buffer.room[:size]
    try:
        read = os.preadv(file, [room], offset, os.RWF_NOWAIT)
    except OSError:  # nothing is there, or this file system can't tell
        return b""
    return bytes(room) if read == size else b""


def read_ranges_cached(path: Path, ranges: Sequence[ByteRange]) -> list[bytes] | None:
    """Parts of a file, in order, if all of them are in memory, else None."""
    file = open_cached(path)
    if file is None:
        return None
    try:
        found = [read_cached(file, part.length, part.offset) for part in ranges]
    finally:
        os.close(file)
    return found if all(len(data) == part.length for data, part in zip(found, ranges, strict=True)) else None
