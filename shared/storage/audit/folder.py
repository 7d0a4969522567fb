"""The audit in a local folder."""

import asyncio
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from shared.errors import StorageError
from shared.storage.audit.port import DAY_SECONDS, file_name
from shared.storage.audit.spool import SUFFIX, Spool, abandoned
from shared.storage.blobs.partial_file import fsync_folder


class FolderAudit:
    """An ``AuditStore`` over a folder. A line outlives the process when ``write`` returns, and the machine when kept.

    Until then it is in a spool, a file of the same folder. That of a process that died is seen to by the next one.
    """

    pause = 0.5

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spool: Spool | None = None
        self._given_back = False
        """Whether what is in the spool will be given to ``keep`` again."""
        self._file: int | None = None
        self._day = 0
        self._recovered = False
        self._keeping: asyncio.Task[None] | None = None

    def write(self, line: bytes) -> bool:
        if self._spool is None:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._spool = Spool((self._folder / file_name(time.time())).with_suffix(SUFFIX))
            except OSError:
                return False
        return not self._given_back and self._spool.add(line)

    async def keep(self, lines: Sequence[bytes]) -> None:
        if self._keeping is not None and not self._keeping.done():
            raise StorageError("The audit folder does not answer.")
        spooled = self._spool.turn() if self._spool is not None and not self._given_back else b""
        self._keeping = asyncio.create_task(asyncio.to_thread(self._keep, spooled + b"".join(lines)))
        try:
            await asyncio.shield(self._keeping)
        except OSError as error:
            self._given_back = True
            raise StorageError(f"The audit folder failed: {error.strerror}.") from error
        except asyncio.CancelledError:
            self._given_back = True
            self._keeping.add_done_callback(asyncio.Task.exception)
            raise
        if self._spool is not None:
            self._spool.settle(everything=self._given_back)
        self._given_back = False

    async def check(self) -> None:
        try:
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"The audit folder can't be made: {error.strerror}.") from error
        if not os.access(self._folder, os.W_OK | os.X_OK):
            raise StorageError("The audit folder may not be written to.")

    async def close(self) -> None:
        spool, self._spool = self._spool, None
        if spool is not None:
            spool.close(remove=not self._given_back)
        self._close_file()

    def _keep(self, lines: bytes) -> None:
        """Make lines durable, and those that dead processes left. Raises OSError."""
        if not self._recovered:
            for path in self._folder.glob(f"*{SUFFIX}"):
                with abandoned(path) as left:
                    self._append(left)
            self._recovered = True
        self._append(lines)

    def _append(self, lines: bytes) -> None:
        """Add lines to today's file, or none of them. Raises OSError."""
        if not lines:
            return
        file = self._todays_file(time.time())
        length = os.fstat(file).st_size
        try:
            written = 0
            while written < len(lines):
                written += os.write(file, lines[written:])
            os.fdatasync(file)
        except OSError:
            with suppress(OSError):
                os.ftruncate(file, length)
            self._close_file()
            raise

    def _todays_file(self, now: float) -> int:
        if self._file is None or self._day != now // DAY_SECONDS:
            self._close_file()
            self._folder.mkdir(parents=True, exist_ok=True)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
            self._file = os.open(self._folder / file_name(now), flags, 0o640)
            self._day = int(now // DAY_SECONDS)
            fsync_folder(self._folder)
        return self._file

    def _close_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)
