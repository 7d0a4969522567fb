"""The audit in a local folder."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from shared.errors import StorageError
from shared.storage.audit.port import DAY_SECONDS, file_name
from shared.storage.blobs.partial_file import fsync_folder


class FolderAudit:
    """An ``AuditStore`` over a folder. A line is with the operating system when ``write`` returns."""

    pause = 0.5

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[int] = []
        """Those with lines that are not durable yet, and the last one, which takes the next line."""
        self._day = 0
        self._named = False
        """Whether the folder has a name in it that is not durable yet."""

    def write(self, line: bytes) -> bool:
        try:
            self._append(line)
        except OSError:
            return False
        return True

    async def keep(self, lines: Sequence[bytes]) -> None:
        try:
            if lines:
                self._append(b"".join(lines))
            files, named = tuple(self._files), self._named
            self._named = False
            await asyncio.to_thread(self._sync, files, named)
        except OSError as error:
            self._close(len(self._files))
            raise StorageError(f"The audit folder failed: {error.strerror}.") from error
        self._close(len(files) - 1)

    async def check(self) -> None:
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"The audit folder can't be made: {error.strerror}.") from error
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise StorageError("The audit folder may not be written to.")

    async def close(self) -> None:
        self._close(len(self._files))

    def _append(self, data: bytes) -> None:
        """Add lines to today's file, or none of them. Raises OSError."""
        now = time.time()
        if not self._files or now // DAY_SECONDS != self._day:
            self._begin(now)
        file = self._files[-1]
        written = 0
        try:
            while written < len(data):
                written += os.write(file, data[written:])
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, os.fstat(file).st_size - written)
            raise

    def _begin(self, now: float) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
        self._files.append(os.open(self._folder / file_name(now), flags, 0o640))
        self._day, self._named = int(now // DAY_SECONDS), True

    def _sync(self, files: Sequence[int], named: bool) -> None:
        for file in files:
            os.fdatasync(file)
        if named:
            fsync_folder(self._folder)

    def _close(self, count: int) -> None:
        """Close the first ``count`` files."""
        closed, self._files = self._files[: max(0, count)], self._files[max(0, count) :]
        for file in closed:
            os.close(file)
