"""The files in a ZIP archive, read one by one from a copy on disk.

Whoever made the archive is not trusted: it is measured before anything in it is inflated, names in it are never used
as paths, and what it holds is read by offsets that stay within the copy.
"""

import asyncio
import struct
import tempfile
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import IO, TypeVar

T = TypeVar("T")

CHUNK = 1024 * 1024
MAX_ENTRIES = 100_000
MAX_LISTING = 16 * 1024 * 1024
"""Bytes of the archive's list of files, which is read into memory."""
MAX_INFLATED = 64 * 1024**3
FREE_INFLATED = 1024**3
MAX_RATIO = 100
"""How many times its own size an archive may hold beyond ``FREE_INFLATED`` bytes. Empty images deflate very well."""

_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
"""Those of DICOM (PS3.10 Annex B); besides, Python inflates the others without a bound."""
_ENCRYPTED = 0x1
_UNREADABLE = (
    zipfile.BadZipFile,
    EOFError,
    IndexError,
    NotImplementedError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What ``zipfile`` raises on archives that are damaged or made to do harm."""


class UnreadableArchive(Exception):
    """An archive, or a file in it, can't be read; ``detail`` says why in a sentence."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in an archive. ``position`` counts all entries from 1."""

    position: int
    name: str
    info: zipfile.ZipInfo


class Archive:
    """An archive whose list of files has been read and measured."""

    def __init__(self, opened: zipfile.ZipFile, length: int) -> None:
        entries = opened.infolist()
        inflated = sum(info.file_size for info in entries)
        if len(entries) > MAX_ENTRIES:
            raise UnreadableArchive(f"The archive holds more than {MAX_ENTRIES} files. Split it.")
        if inflated > MAX_INFLATED:
            raise UnreadableArchive(f"The files in the archive have more than {MAX_INFLATED} bytes. Split it.")
        if inflated > max(FREE_INFLATED, MAX_RATIO * length):
            raise UnreadableArchive("The files in the archive are too large for its size. Drop them unpacked.")
        self._opened = opened
        self.entries = [Entry(position, info.filename, info) for position, info in enumerate(entries, 1)]

    async def read(self, entry: Entry) -> AsyncIterator[bytes]:
        """Stream one file. Raises UnreadableArchive."""
        if entry.info.flag_bits & _ENCRYPTED:
            raise UnreadableArchive("The file is encrypted.")
        if entry.info.compress_type not in _METHODS:
            raise UnreadableArchive("The file is compressed by another method than Deflate.")
        with await _guarded(self._opened.open, entry.info) as file:
            while chunk := await _guarded(file.read, CHUNK):
                yield chunk


@asynccontextmanager
async def opened_archive(chunks: AsyncIterator[bytes]) -> AsyncIterator[Archive]:
    """The archive, copied to a temporary file. Raises UnreadableArchive."""
    with tempfile.TemporaryFile(prefix="dicom-inbox-") as copy:
        length = 0
        async for chunk in chunks:
            length += await asyncio.to_thread(copy.write, chunk)
        with await _guarded(zipfile.ZipFile, _Bounded(copy)) as opened:
            yield Archive(opened, length)


async def _guarded(call: Callable[..., T], *args: object) -> T:
    """Call what reads the archive, in a thread. Raises UnreadableArchive."""

    def guarded() -> T:
        try:
            return call(*args)
        except _UNREADABLE as error:
            raise UnreadableArchive("The archive is damaged or incomplete.") from error

    return await asyncio.to_thread(guarded)


class _Bounded:
    """A file of which only so much is read at once: ``zipfile`` reads as much as the archive says."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.seek = file.seek
        self.tell = file.tell
        self.seekable = file.seekable

    def read(self, size: int = -1, /) -> bytes:
        if size > MAX_LISTING:
            raise zipfile.BadZipFile("too much at once")
        return self._file.read(size if size >= 0 else MAX_LISTING)
