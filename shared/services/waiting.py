"""How much work waits: what the metrics tell of operations and of the inbox."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import TYPE_CHECKING, cast

from shared.storage.inbox.port import Dropped, Inbox
from shared.storage.index.operations import OperationStatus
from shared.telemetry.metrics import INBOX, OPERATIONS, Family, Point

if TYPE_CHECKING:
    from shared.services.context import Services

FRESH_SECONDS = 10.0
"""How long what was found out is told again."""
LONGEST_SECONDS = 3.0
MOST_OPERATIONS = 200
MOST_FILES = 1000
"""How many of the newest operations are looked at, and how many files are counted."""


class Waiting:
    """What waits, looked at now and then."""

    def __init__(self, services: "Services") -> None:
        self._services = services
        self._until = float("-inf")
        self._found: list[Family] = []
        self._looking = asyncio.Lock()

    async def families(self) -> list[Family]:
        """What waits, as of the last seconds. Raises StorageError, and TimeoutError if the storage does not answer."""
        async with self._looking:
            if time.monotonic() >= self._until:
                self._until = time.monotonic() + FRESH_SECONDS
                self._found = []
                async with asyncio.timeout(LONGEST_SECONDS):
                    self._found = [found async for found in self._look()]
        return self._found

    async def _look(self) -> AsyncIterator[Family]:
        newest = await self._services.index.operations.page(0, MOST_OPERATIONS)
        number_of = Counter(operation.status for operation in newest)
        unfinished = [status for status in OperationStatus if not status.is_final]
        yield Family(OPERATIONS, tuple(Point(number_of[each], {"dicom.operation.status": each}) for each in unfinished))
        if self._services.inbox is not None:
            yield Family(INBOX, (Point(await _files(self._services.inbox)),))


async def _files(inbox: Inbox) -> int:
    number = 0
    async with aclosing(cast("AsyncGenerator[Dropped]", inbox.files())) as files:
        async for _ in files:
            number += 1
            if number == MOST_FILES:
                break
    return number
