"""Functions that a new blob triggers: they are told of the files in the inbox, and again until these are gone."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from shared.errors import StorageError
from shared.services.context import process
from shared.services.inbox import TAKEN_AT_ONCE, StillGrowing
from shared.storage.inbox.port import Dropped, Inbox
from shared.telemetry import describe

logger = logging.getLogger(__name__)

QUIET_SECONDS = 2.0
"""How long a file must not have changed before it is taken for whole."""
POLL_FOLDER_SECONDS = 1.0
POLL_CONTAINER_SECONDS = 2.0
GROWING_PAUSE_SECONDS = 5.0
FAILED_PAUSE_SECONDS = 30.0
MAX_RESTING = 1000
"""Files that failed or are still growing, from which on no more are tried for a while."""


@dataclass(frozen=True, slots=True)
class NamedBlob:
    """What the functions use of the client that the Functions host hands over."""

    blob_name: str


Handler = Callable[[Any], Awaitable[None]]


async def run(_: Any, handler: Handler) -> None:
    """Watch the inbox for good; returns at once if there is none."""
    inbox = (await process.services()).inbox
    if inbox is not None:
        await Watch(inbox, handler).run()


class Watch:
    """Tells a handler of each file, a few at a time."""

    def __init__(self, inbox: Inbox, handler: Handler) -> None:
        self._inbox = inbox
        self._handler = handler
        self._slots = asyncio.Semaphore(TAKEN_AT_ONCE)
        self._busy: set[str] = set()
        self._resting: dict[str, float] = {}
        """Until when the files that were told of in vain are let be."""

    async def run(self) -> None:
        pause = POLL_FOLDER_SECONDS if self._inbox.grows else POLL_CONTAINER_SECONDS
        async with asyncio.TaskGroup() as group:
            while True:
                try:
                    await self._look(group)
                    await asyncio.sleep(pause)
                except StorageError as error:
                    logger.error("The inbox could not be read: %s", describe(error))
                    await asyncio.sleep(FAILED_PAUSE_SECONDS)

    async def _look(self, group: asyncio.TaskGroup) -> None:
        now = time.monotonic()
        self._resting = {name: until for name, until in self._resting.items() if until > now}
        async for file in self._inbox.files():
            if len(self._resting) >= MAX_RESTING:
                return
            if self._is_due(file):
                await self._slots.acquire()
                self._busy.add(file.name)
                group.create_task(self._tell(file.name))

    def _is_due(self, file: Dropped) -> bool:
        if file.name in self._busy or file.name in self._resting:
            return False
        return not self._inbox.grows or abs(time.time() - file.changed) >= QUIET_SECONDS

    async def _tell(self, name: str) -> None:
        try:
            await self._handler(NamedBlob(name))
        except StillGrowing:
            self._resting[name] = time.monotonic() + GROWING_PAUSE_SECONDS
        except Exception as error:
            logger.error("A dropped file could not be imported yet: %s", describe(error))
            self._resting[name] = time.monotonic() + FAILED_PAUSE_SECONDS
        finally:
            self._busy.discard(name)
            self._slots.release()
