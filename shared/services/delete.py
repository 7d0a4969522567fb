"""Deleting: the index forgets at once, the blobs are removed later by ``purge``."""

import asyncio
import logging
import time

from shared.errors import NotFound, StorageError
from shared.services.aside import remove
from shared.services.context import Services
from shared.services.tombstones import bury
from shared.storage.index.model import Scope
from shared.telemetry import describe

logger = logging.getLogger(__name__)

PURGE_BATCH = 100
RETRY_AFTER_SECONDS = 3600.0


async def delete(services: Services, scope: Scope) -> int:
    """Remove a study, series or instance from every answer, of every process. Gives how many instances that was.

    Raises NotFound when there is nothing.
    """
    blobs = await services.index.delete(scope, time.time() + services.settings.purge_after_seconds)
    if not blobs:
        raise NotFound(missing(scope))
    try:
        await bury(services, blobs)
    except StorageError as error:
        logger.error("What was deleted could not be noted beside the blobs: %s", describe(error))
    await asyncio.sleep(services.index.settle_seconds)
    return len(blobs)


async def purge(services: Services) -> int:
    """Remove the blobs whose time has come; gives how many. A blob that resists is tried again in an hour."""
    removed = 0
    while due := await services.index.due_purges(time.time(), PURGE_BATCH):
        for entry in due:
            try:
                await remove(services.blobs, entry.blob)
                await services.index.forget_purge(entry.blob)
                removed += 1
            except StorageError as error:
                logger.error("The blob of a deleted instance could not be removed yet: %s", describe(error))
                await services.index.postpone_purge(entry.blob, time.time() + RETRY_AFTER_SECONDS)
    return removed


def missing(scope: Scope) -> str:
    """The sentence that says what a path names does not exist."""
    level = "instance" if scope.instance else "series" if scope.series else "study"
    return f"The specified {level} cannot be found."
