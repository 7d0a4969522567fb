"""Long work: taken up under a lease, kept alive while it lasts, tried again when it fails, given up in the end.

Any process may die at any time: once its lease has run out, another goes on from the last checkpoint.

===========  ===========================================================================
Progress     Meaning
===========  ===========================================================================
``state``    how far the work came, in its own words
``attempt``  how often it was taken up since it last came any further
``canceled`` whether it is to be given up
``errors``   why it failed, as sentences
===========  ===========================================================================
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from shared.errors import ServiceError, StorageError
from shared.services.context import Services
from shared.storage.index.operations import Operation, OperationStatus
from shared.telemetry import describe

logger = logging.getLogger(__name__)

LEASE_SECONDS = 20.0
HEARTBEAT_SECONDS = 5.0
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 60.0
PAUSE_FACTOR = 3

ENDED_UNEXPECTEDLY = "The process that worked at it ended unexpectedly, time and again."
UNFORESEEN = "Something unforeseen happened. The log says where."


class Stopped(Exception):
    """The work is to end here: the operation was cancelled, is another process's now, or its time is used up."""


class Run:
    """One process's work at one operation, of which it holds the lease."""

    def __init__(self, services: Services, operation: Operation, deadline: float) -> None:
        self._operations = services.index.operations
        self._operation = operation
        self._deadline = deadline
        self._lock = asyncio.Lock()

    @property
    def id(self) -> str:
        """The operation's id."""
        return self._operation.id

    @property
    def created(self) -> int:
        """When the operation was started, in microseconds since the epoch, UTC."""
        return self._operation.created

    @property
    def age(self) -> float:
        """Seconds since then."""
        return (now() - self.created) / 1_000_000

    @property
    def input(self) -> Mapping[str, Any]:
        """What was asked for."""
        return self._operation.input

    @property
    def progress(self) -> Mapping[str, Any]:
        """How far the last checkpoint says the work has come; empty at first."""
        state: Mapping[str, Any] = self._operation.progress.get("state", {})
        return state

    @property
    def attempt(self) -> int:
        """Counts from 1, anew whenever the work comes further."""
        attempt: int = self._operation.progress.get("attempt", 0)
        return attempt

    @property
    def is_canceled(self) -> bool:
        """Whether the operation is to be given up."""
        return "canceled" in self._operation.progress

    async def take(self, **progress: Any) -> None:
        """Take the lease, noting something in the progress. Raises Stopped if somebody else was faster."""
        await self._write(status=OperationStatus.RUNNING, leased_until=_ahead(LEASE_SECONDS), **self._noted(**progress))

    async def renew(self) -> None:
        """Lengthen the lease. Raises Stopped if it was lost."""
        await self._write(leased_until=_ahead(LEASE_SECONDS))

    async def checkpoint(self, progress: Mapping[str, Any], percent: int | None = None) -> None:
        """Keep how far the work has come: from here whoever takes it up goes on. Raises Stopped.

        ``percent`` is 0 to 100, None where it is unknown.
        """
        attempt = self.attempt if progress == self.progress else 1
        noted = self._noted(state=progress, attempt=attempt)
        await self._write(percent=percent, leased_until=_ahead(LEASE_SECONDS), **noted)
        await self._make_room()

    async def rest(self, seconds: float) -> None:
        """Wait, but not beyond the time that there is. Raises Stopped."""
        await asyncio.sleep(max(0.0, min(seconds, self._deadline - time.monotonic())))
        await self._make_room()

    async def _make_room(self) -> None:
        """Leave the operation to others once the time is used up."""
        if time.monotonic() >= self._deadline:
            await self._write(leased_until=0, **self._noted(attempt=0))
            raise Stopped

    async def postpone(self, seconds: float) -> None:
        """Have nobody take the operation up for a while."""
        await self._write(leased_until=_ahead(seconds), updated=now())

    async def end(self, status: OperationStatus, *errors: str) -> Operation:
        """Bring the operation to its final status. Raises Stopped."""
        percent = 100 if status is OperationStatus.SUCCEEDED else self._operation.percent
        noted = self._noted(errors=errors) if errors else {}
        return await self._write(status=status, percent=percent, leased_until=0, **noted)

    def _noted(self, **progress: Any) -> dict[str, Any]:
        return {"progress": {**self._operation.progress, **progress}, "updated": now()}

    async def _write(self, **changes: Any) -> Operation:
        async with self._lock:
            written = await self._operations.replace(replace(self._operation, **changes))
            if written is None:
                raise Stopped
            self._operation = written
            return written


@dataclass(frozen=True, slots=True)
class Work:
    """What operations of one type do.

    ``perform`` goes on from where ``run.progress`` says; any of its steps may be done twice. ``give_up`` settles what a
    cancelled or failed operation leaves behind, and may be done twice, too.
    """

    perform: Callable[[Services, Run], Coroutine[Any, Any, None]]
    give_up: Callable[[Services, str], Awaitable[None]] | None = None
    can_be_canceled: bool = True


def now() -> int:
    """Microseconds since the epoch, UTC."""
    return time.time_ns() // 1_000


def errors_of(operation: Operation) -> tuple[str, ...]:
    """Why an operation failed, in sentences."""
    return tuple(operation.progress.get("errors", ()))


def _ahead(seconds: float) -> int:
    return now() + int(seconds * 1_000_000)


async def attempt(services: Services, works: Mapping[str, Work], operation: str, deadline: float) -> None:
    """Take an operation up, if it is due, and work at it.

    Returns when it has ended or failed, or has to make room at ``deadline`` (of the monotonic clock).
    """
    if time.monotonic() >= deadline:
        return
    found = await services.index.operations.get(operation)
    if found is None or found.status.is_final or found.leased_until > now() or found.type not in works:
        return
    work, run = works[found.type], Run(services, found, deadline)
    with suppress(Stopped):
        await run.take(attempt=run.attempt + 1)
        if run.is_canceled:
            await _give_up(services, work, run, OperationStatus.CANCELED)
        elif run.attempt > ATTEMPTS:
            await _give_up(services, work, run, OperationStatus.FAILED, ENDED_UNEXPECTEDLY)
        else:
            await _try(services, work, run)


async def cancel(services: Services, work: Work, operation: Operation) -> Operation:
    """Take an operation away from whoever works at it, and give it up.

    Should this process die meanwhile, another gives it up. Raises Stopped if the operation changed.
    """
    run = Run(services, operation, deadline=0)
    await run.take(canceled=True)
    return await _give_up(services, work, run, OperationStatus.CANCELED)


async def _give_up(services: Services, work: Work, run: Run, status: OperationStatus, *errors: str) -> Operation:
    if work.give_up is not None:
        await work.give_up(services, run.id)
    return await run.end(status, *errors)


async def _try(services: Services, work: Work, run: Run) -> None:
    try:
        await _supervise(work.perform(services, run), run)
    except Stopped:
        raise
    except Exception as error:
        logger.error("Attempt %d at operation %s failed: %s", run.attempt, run.id, describe(error))
        if run.attempt < ATTEMPTS:
            await run.postpone(FIRST_PAUSE_SECONDS * PAUSE_FACTOR ** (run.attempt - 1))
        else:
            reason = error.detail if isinstance(error, ServiceError) else UNFORESEEN
            await _give_up(services, work, run, OperationStatus.FAILED, reason)
    else:
        await run.end(OperationStatus.SUCCEEDED)


async def _supervise(work: Coroutine[Any, Any, None], run: Run) -> None:
    """Do the work, renewing the lease while it lasts. Raises what it raises, and Stopped if the lease was lost."""
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait({task}, timeout=HEARTBEAT_SECONDS))[0]:
            try:
                await run.renew()
            except StorageError as error:
                logger.warning("The lease of operation %s could not be renewed: %s", run.id, describe(error))
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    if task.cancelled():
        raise RuntimeError("Something within the work cancelled it.")
    task.result()
