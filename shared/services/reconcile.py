"""Comparing blobs and index: what crashes left behind is taken in or removed, what is lost is reported."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

from shared.errors import BlobMissing, StorageError
from shared.services.aside import remove
from shared.services.context import Services
from shared.services.indexing import commit
from shared.services.replay import Unreadable, draft
from shared.services.tombstones import sweep
from shared.storage.blobs.names import FOLDERS, InstanceBlob
from shared.storage.index.port import CommitMode, CommitResult
from shared.telemetry import describe

logger = logging.getLogger(__name__)

TOMBSTONE_GRACE_SECONDS = 7 * 24 * 3600.0
"""How long after the purge of its blobs a tombstone is kept."""


@dataclass(slots=True)
class Reconciled:
    """What one run did and found.

    ``missing`` counts index entries whose blob is gone, ``unreadable`` strays that are no instance: both can only
    be reported. ``failed`` strays are tried again in the next run.
    """

    indexed: int = 0
    removed: int = 0
    missing: int = 0
    unreadable: int = 0
    failed: int = 0


async def reconcile(services: Services) -> Reconciled:
    """Compare every partition, a folder at a time. Younger blobs may belong to a store that is under way."""
    outcome = Reconciled()
    now = time.time()
    settled = now - services.settings.reconcile_after_seconds
    for partition in await services.index.partitions():
        for number in range(FOLDERS):
            await _reconcile_folder(services, f"{partition.name}/{number:02x}/", settled, outcome)
    await sweep(services, now - services.settings.purge_after_seconds - TOMBSTONE_GRACE_SECONDS)
    logger.info("Reconciled blobs and index: %s", outcome)
    return outcome


async def _reconcile_folder(services: Services, prefix: str, settled: float, outcome: Reconciled) -> None:
    """The index is read first and again for what it lacks: a blob committed or purged meanwhile is no finding."""
    known = await _known(services, prefix)
    there = {name: created async for name, created in services.blobs.names(prefix)}
    lost = [name for name, live in known.items() if live and name not in there]
    strays = [name for name, created in there.items() if created < settled and _is_stray(name, known)]
    if not lost and not strays:
        return
    known_now = await _known(services, prefix)
    for name in lost:
        if known_now.get(name) and not await _exists(services, name):
            outcome.missing += 1
            logger.error("The blob %s of an indexed instance is missing.", name)
    for name in strays:
        if name not in known_now:
            await _settle(services, name, outcome)


def _is_stray(name: str, known: Mapping[str, bool]) -> bool:
    """What was put aside goes with its instance's blob."""
    return name not in known and InstanceBlob.parse(name) is not None


async def _known(services: Services, prefix: str) -> dict[str, bool]:
    return {name: live async for name, live in services.index.blobs(prefix)}


async def _exists(services: Services, name: str) -> bool:
    try:
        async for _ in services.blobs.read(name, 0, 1):
            break
    except BlobMissing:
        return False
    return True


async def _settle(services: Services, name: str, outcome: Reconciled) -> None:
    """Take a stray blob in if its identity is free, else remove it: no store ever said that it was kept."""
    blob = InstanceBlob.parse(name)
    if blob is None:
        return
    try:
        found = await draft(services, blob)
        if isinstance(found, Unreadable):
            outcome.unreadable += 1
            logger.error("The stray blob %s can't be read as an instance and is left where it is.", name)
            return
        (result,) = await commit(services, [found], CommitMode.CREATE)
        if result is CommitResult.EXISTS:
            await remove(services.blobs, name)
            outcome.removed += 1
        else:
            outcome.indexed += 1
    except StorageError as error:
        outcome.failed += 1
        logger.error("The stray blob %s could not be settled: %s", name, describe(error))
