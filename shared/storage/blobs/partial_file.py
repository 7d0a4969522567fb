"""A file that gets its name once it is whole and durable."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from shared.errors import BlobExists

WRITE_BEHIND = 4 * 1024 * 1024
"""Bytes that may wait in memory before they are written."""

LEFT_BEHIND_SECONDS = 24 * 3600
"""A partial file that old belongs to a process that died."""


class PartialFile:
    """A file being written, not yet under its name; used by one thread at a time.

    ``partial`` is where it is until then, in a folder that exists, of the same file system.
    """

    def __init__(self, path: Path, partial: Path, make_folder: Callable[[Path], None]) -> None:
        self._path = path
        self._partial = partial
        self._make_folder = make_folder
        self._file: int | None = None

    async def receive(self, chunks: AsyncIterator[bytes], run: Callable[..., Awaitable[Any]]) -> int:
        """Write all chunks and publish; gives the length in bytes. ``run`` calls a function in a thread.

        Nothing is left if that raises. Raises BlobExists if the name is taken.
        """
        waiting: list[bytes] = []
        waiting_bytes = length = 0
        try:
            async for chunk in chunks:
                waiting.append(chunk)
                waiting_bytes += len(chunk)
                if waiting_bytes >= WRITE_BEHIND:
                    await run(self._write, waiting)
                    length += waiting_bytes
                    waiting, waiting_bytes = [], 0
            await run(self._publish, waiting)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(run(self._discard)))
            raise
        return length + waiting_bytes

    def _write(self, chunks: Sequence[bytes]) -> None:
        if self._file is None:
            self._file = os.open(self._partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o640)
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(self._file, rest) :]

    def _publish(self, last_chunks: Sequence[bytes]) -> None:
        """Write the rest, make it durable and only then give it its name."""
        self._write(last_chunks)
        if self._file is not None:
            os.fsync(self._file)
        self._close()
        self._make_folder(self._path.parent)
        try:
            os.link(self._partial, self._path)
        except FileExistsError as error:
            raise BlobExists("A blob of that name exists.") from error
        os.unlink(self._partial)
        fsync_folder(self._path.parent)

    def _discard(self) -> None:
        self._close()
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._partial)

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


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
