"""Whether the service can do its work: everything that it depends on is asked, all at once and in bounded time."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from typing import cast

from shared.errors import ServiceError, StorageError
from shared.services import events
from shared.services.context import Services
from shared.storage.inbox.port import Dropped, Inbox
from shared.telemetry import describe

logger = logging.getLogger(__name__)

PROBE_SECONDS = 5.0
"""How long one dependency may take to answer."""
FRESH_SECONDS = 1.0
"""How long what was found out is told again, so that many who ask are no load."""
LATE_SECONDS = 120.0
"""Age from which a change that the Event Grid topic has not taken is told of."""


@dataclass(frozen=True, slots=True)
class Check:
    """One dependency's state, in the words of the health report. Without an ``essential`` one nothing works."""

    name: str
    healthy: bool
    description: str
    essential: bool = True


@dataclass(frozen=True, slots=True)
class Probe:
    """Asks one dependency; raises ServiceError if that is not ``well``."""

    name: str
    ask: Callable[[], Awaitable[None]]
    well: str
    essential: bool = True


class Health:
    """What is known of the dependencies. However many ask, each is asked once a second."""

    def __init__(self, probes: Callable[[], Awaitable[Sequence[Probe]]]) -> None:
        self._probes = probes
        self._found: list[Check] = []
        self._until = float("-inf")
        self._asking = asyncio.Lock()

    async def checks(self) -> list[Check]:
        """The state of each dependency, in the order of the probes."""
        async with self._asking:
            if time.monotonic() >= self._until:
                self._found = await self._ask()
                self._until = time.monotonic() + FRESH_SECONDS
        return self._found

    async def _ask(self) -> list[Check]:
        try:
            probes = await self._probes()
        except ServiceError as error:
            return [Check("storage", healthy=False, description=error.detail)]
        return await asyncio.gather(*map(_check, probes))


def probes(services: Services) -> list[Probe]:
    """Those of the storage, and of what else the settings name."""
    found = [
        Probe("blobs", services.blobs.check, "Written and read back."),
        Probe("index", services.index.check, "Written and read back."),
        Probe("audit", services.audit.check, "All records are kept.", essential=False),
    ]
    if services.inbox is not None:
        found.append(Probe("inbox", partial(_look, services.inbox), "Listed.", essential=False))
    if services.settings.events_topic is not None:
        found.append(Probe("events", partial(_publishes, services), "All changes are told.", essential=False))
    return found


async def _look(inbox: Inbox) -> None:
    async with aclosing(cast("AsyncGenerator[Dropped]", inbox.files())) as files:
        await anext(files, None)


async def _publishes(services: Services) -> None:
    """Raises StorageError if changes wait for long to be told to the Event Grid topic."""
    oldest = await events.oldest_untold(services)
    if oldest is not None and time.time() - oldest > LATE_SECONDS:
        raise StorageError("The Event Grid topic does not take what is sent, or nothing is sent.")


async def _check(probe: Probe) -> Check:
    healthy, description = False, f"No answer within {PROBE_SECONDS:.0f} seconds."
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            await probe.ask()
        healthy, description = True, probe.well
    except ServiceError as error:
        description = error.detail
    except TimeoutError:
        pass
    except Exception as error:
        description = "Something unforeseen happened. The log says where."
        logger.error("The check of %s failed: %s", probe.name, describe(error))
    return Check(probe.name, healthy, description, probe.essential)
