"""The trail of records: taken one by one, kept in groups.

A record that was taken is with the operating system, or kept already, when ``record`` returns; those that come while
others are being kept share the next group. Where the store of the audit fails, nobody waits for it any more: records
wait in memory, are tried again, and are lost only when there is no room left. Then the log and health tell so.
"""

import asyncio
import logging
import time
from contextlib import suppress
from contextvars import Context

from shared.errors import StorageError
from shared.storage.audit.port import AuditStore
from shared.telemetry import describe
from shared.telemetry.meters import meters
from shared.telemetry.metrics import AUDIT_LOST, AUDIT_WAITING

logger = logging.getLogger(__name__)

MOST_BYTES = 16 * 1024 * 1024
"""Of records that wait to be kept."""
KEEP_SECONDS = 5.0
"""How long keeping a group may take until it counts as failed."""
FIRST_RETRY = 0.5
LAST_RETRY = 30.0
"""Seconds from one failure to the next attempt: the first, and the longest."""
COMPLAINT_SECONDS = 60.0
"""How often the log tells that records are lost."""


class Trail:
    """The audit of one process. Without a store it keeps nothing."""

    def __init__(self, store: AuditStore | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._store = store
        self._most_bytes = most_bytes
        self._bytes = 0
        self._written: list[bytes] = []
        """Records that the store has written and not made durable yet."""
        self._waiting: list[bytes] = []
        """Records that it has not."""
        self._some = asyncio.Event()
        self._kept = asyncio.Event()
        """Set when the records that wait now have been kept, or could not be."""
        self._keeper: asyncio.Task[None] | None = None
        self._failure: str | None = None
        self._closing = asyncio.Event()
        self._complained = float("-inf")
        self.lost = 0
        """Records that were not kept."""

    @property
    def waiting(self) -> int:
        """Records that are not durable yet."""
        return len(self._written) + len(self._waiting)

    @property
    def works(self) -> bool:
        """Whether records are kept, as far as is known."""
        return self._store is not None and self._failure is None

    async def record(self, line: bytes) -> None:
        """Take one record, a line with its line feed. Never raises; waits for a few seconds at most."""
        if self._store is None:
            return
        if self._keeper is None:
            self._keeper = asyncio.create_task(self._keep_all(self._store), context=Context())
        if self._bytes + len(line) > self._most_bytes and not await self._has_room(line):
            self._lose()
            return
        self._bytes += len(line)
        self._some.set()
        if self._failure is None and not self._waiting and self._store.write(line):
            self._written.append(line)
            return
        self._waiting.append(line)
        if self._failure is None:
            await self._kept.wait()
        else:
            meters.set(AUDIT_WAITING, self.waiting)

    async def check(self) -> None:
        """Raises StorageError if records can't be kept."""
        if self._failure is not None:
            raise StorageError(f"{self._failure} {self.waiting} audit records wait, {self.lost} were lost.")
        if self._store is not None:
            await self._store.check()

    async def close(self) -> None:
        """Keep what waits, if that can be done now."""
        if self._store is None:
            return
        self._closing.set()
        self._some.set()
        if self._keeper is not None:
            await self._keeper
        if self.waiting:
            await self._keep(self._store)
        if self.waiting:
            logger.error("%d audit records were lost when the service stopped.", self.waiting)
        await self._store.close()

    async def _has_room(self, line: bytes) -> bool:
        if self._failure is None:
            self._some.set()
            await self._kept.wait()
        return self._bytes + len(line) <= self._most_bytes

    def _lose(self) -> None:
        self.lost += 1
        meters.add(AUDIT_LOST, 1)
        now = time.monotonic()
        if now - self._complained > COMPLAINT_SECONDS:
            self._complained = now
            logger.error("There is no room for audit records: %d were lost so far.", self.lost)

    async def _keep_all(self, store: AuditStore) -> None:
        retry = FIRST_RETRY
        while not self._closing.is_set():
            await self._some.wait()
            self._some.clear()
            await self._keep(store)
            if self._failure is None:
                retry = FIRST_RETRY
                await self._rest(store.pause)
            else:
                self._some.set()
                await self._rest(retry)
                retry = min(2 * retry, LAST_RETRY)

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

    async def _keep(self, store: AuditStore) -> None:
        """Keep all records that there are now."""
        written, self._written = self._written, []
        waiting, self._waiting = self._waiting, []
        kept, self._kept = self._kept, asyncio.Event()
        try:
            async with asyncio.timeout(KEEP_SECONDS):
                await store.keep(waiting)
        except Exception as error:
            self._waiting = [*written, *waiting, *self._written, *self._waiting]
            self._written = []
            self._failed(error)
            self._kept.set()
        else:
            self._bytes -= sum(map(len, written)) + sum(map(len, waiting))
            self._succeeded()
        meters.set(AUDIT_WAITING, self.waiting)
        kept.set()

    def _failed(self, error: Exception) -> None:
        if self._failure is None:
            logger.error("Audit records can't be kept: %s", describe(error))
        self._failure = error.detail if isinstance(error, StorageError) else "The store of the audit does not answer."

    def _succeeded(self) -> None:
        if self._failure is not None:
            logger.warning("Audit records are kept again; %d were lost.", self.lost)
        self._failure = None
