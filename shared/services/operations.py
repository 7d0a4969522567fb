"""Operations: long work that requests start and do not wait for."""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Any
from uuid import uuid4

from shared.errors import Conflict, NotFound, ServiceUnavailable
from shared.services import running
from shared.services.context import Services
from shared.services.erasing import ERASE, ERASING
from shared.services.pages import page_of
from shared.services.reindex import REINDEX, REINDEXING
from shared.services.running import Stopped, Work, attempt, now
from shared.storage.index.operations import Operation, OperationStatus

WORKS: dict[str, Work] = {REINDEX: REINDEXING, ERASE: ERASING}
"""What operations do, by their types."""

BUDGET_SECONDS = 240.0
"""How long an operation is worked at in one go: Azure ends a function after ten minutes."""
KEPT_SECONDS = 7 * 24 * 3600
DUE_BATCH = 16
CANCEL_ATTEMPTS = 10


async def start(services: Services, type_: str, asked: Mapping[str, Any]) -> Operation:
    """Start an operation of a type in ``WORKS``; this process begins with it at once. Raises StorageError."""
    began = now()
    made = Operation(uuid4().hex, type_, OperationStatus.NOT_STARTED, began, began, input=asked)
    await services.index.operations.add(made)
    services.background.start(partial(_begin, services, made.id))
    return made


async def _begin(services: Services, operation: str) -> None:
    await attempt(services, WORKS, operation, time.monotonic() + BUDGET_SECONDS)


async def get(services: Services, operation: str) -> Operation:
    """The operation with that id. Raises NotFound."""
    found = await services.index.operations.get(operation)
    if found is None:
        raise NotFound("There is no such operation. Those that ended are forgotten after seven days.")
    return found


async def page(
    services: Services, offset: int, limit: int, status: OperationStatus | None = None, type_: str | None = None
) -> list[Operation]:
    """Operations, newest first; those of a status or type, where one is given."""

    def is_wanted(operation: Operation) -> bool:
        return status in (None, operation.status) and type_ in (None, operation.type)

    return await page_of(services.index.operations.page, is_wanted, offset, limit)


async def cancel(services: Services, operation: str) -> Operation:
    """Cancel an operation, unless it is cancelled already; gives it. Raises NotFound, and Conflict if it has ended."""
    for _ in range(CANCEL_ATTEMPTS):
        found = await get(services, operation)
        if found.status is OperationStatus.CANCELED:
            return found
        if found.status.is_final:
            raise Conflict("The operation has ended already.")
        work = WORKS.get(found.type)
        if work is None or not work.can_be_canceled:
            raise Conflict("Operations of this type can't be cancelled.")
        try:
            return await running.cancel(services, work, found)
        except Stopped:
            continue
    raise ServiceUnavailable("The operation changes too fast to be cancelled. Send the request again.")


async def run_due(services: Services, budget_seconds: float = BUDGET_SECONDS) -> None:
    """Work at the operations that nobody works at, each once, until none are left or the time is used up."""
    deadline = time.monotonic() + budget_seconds
    tried: set[str] = set()
    while time.monotonic() < deadline:
        due = await services.index.operations.due(now(), DUE_BATCH)
        untried = [each.id for each in due if each.id not in tried]
        if not untried:
            return
        tried.update(untried)
        attempts = (partial(attempt, services, WORKS, each, deadline) for each in untried)
        await asyncio.gather(*map(services.background.run, attempts))


async def forget(services: Services) -> int:
    """Forget the operations that ended seven days ago; gives how many."""
    return await services.index.operations.forget(now() - KEPT_SECONDS * 1_000_000)
