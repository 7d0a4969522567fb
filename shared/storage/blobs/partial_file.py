"""Files that get their names once they are whole and durable."""

import asyncio
import contextlib
import ctypes
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from shared.dicom.model import Chunk
from shared.errors import BlobExists

WRITE_BEHIND = 4 * 1024 * 1024
"""Bytes that may wait in memory before they are written."""
WRITTEN_AT_ONCE = 512
"""Chunks that one call writes; Linux takes 1,024."""

LEFT_BEHIND_SECONDS = 24 * 3600
"""A partial file that old belongs to a process that died."""

_SYNC_FILE_RANGE_WRITE = 2
_sync_file_range = ctypes.CDLL(None).sync_file_range
_sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)


class PartialFile:
    """A file being written, not yet under its name.

    ``partial`` is where it is until then, in a folder that exists, of the same file system.
    """

    def __init__(self, path: Path, partial: Path, make_folder: Callable[[Path], None]) -> None:
        self.folder = path.parent
        self._path = path
        self._partial = partial
        self._make_folder = make_folder
        self._waiting: list[Chunk] = []
        self._file: int | None = None
        self._discarded = False
        self._lock = Lock()

    async def receive(self, chunks: AsyncIterator[Chunk], run: Callable[..., Awaitable[Any]]) -> int:
        """Take all chunks; gives the length in bytes. What a few MiB hold waits in memory until it is published.

        ``run`` calls a function in a thread. Nothing is left if this raises.
        """
        waiting = length = 0
        try:
            async for chunk in chunks:
                self._waiting.append(chunk)
                waiting += len(chunk)
                length += len(chunk)
                if waiting >= WRITE_BEHIND:
                    await run(self.write)
                    waiting = 0
            if length > waiting:
                await run(self.sync)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(run(self.discard)))
            raise
        return length

    def write(self) -> None:
        """Write what waits, and have it on its way to the disk without waiting for that."""
        with self._lock:
            if self._discarded:
                raise OSError("The file was discarded.")
            if self._file is None:
                self._file = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
            if self._waiting:
                waiting, self._waiting = self._waiting, []
                _write_all(self._file, waiting)
                _sync_file_range(self._file, 0, 0, _SYNC_FILE_RANGE_WRITE)

    def sync(self) -> None:
        """Make durable what it holds."""
        self.write()
        with self._lock:
            if self._file is not None:
                os.fsync(self._file)

    def name(self) -> None:
        """Give it its name. Raises BlobExists."""
        self._close()
        self._make_folder(self.folder)
        try:
            os.link(self._partial, self._path)
        except FileExistsError as error:
            raise BlobExists("A blob of that name exists.") from error
        os.unlink(self._partial)

    def discard(self) -> None:
        """Remove what was written without having got its name; what can't be removed now is cleared away later."""
        with self._lock:
            self._discarded = True
            with contextlib.suppress(OSError):
                self._close()
                os.unlink(self._partial)

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


def publish(files: Sequence[PartialFile]) -> list[Exception | None]:
    """Make files durable and give them their names; for each None, or what it failed with: nothing is left of it then.

    All of them are on their way to the disk before the first is waited for, and a folder that several are named in
    is waited for once: the file system's journal is written for all of them together.
    """
    failed: dict[PartialFile, Exception] = {}
    for step in (PartialFile.write, PartialFile.sync, PartialFile.name):
        for file in files:
            if file not in failed:
                try:
                    step(file)
                except Exception as error:
                    failed[file] = error
    for folder in {file.folder for file in files if file not in failed}:
        try:
            fsync_folder(folder)
        except OSError as error:
            failed |= {file: error for file in files if file.folder == folder}
    for file in failed:
        file.discard()
    return [failed.get(file) for file in files]


def publish_alone(file: PartialFile) -> None:
    """Make a file durable and give it its name. Raises OSError or BlobExists."""
    for error in publish([file]):
        if error is not None:
            raise error


def _write_all(file: int, chunks: Sequence[Chunk]) -> None:
    for start in range(0, len(chunks), WRITTEN_AT_ONCE):
        several = chunks[start : start + WRITTEN_AT_ONCE]
        written = os.writev(file, several)
        for chunk in several:
            rest = memoryview(chunk)[written:]
            written = max(0, written - len(chunk))
            while rest:
                rest = rest[os.write(file, rest) :]


def clear_partials(folder: Path) -> None:
    """Remove the partial files that dead processes left in a folder."""
    for path in folder.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < time.time() - LEFT_BEHIND_SECONDS:
                path.unlink()


def fsync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
