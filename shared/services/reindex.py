"""Indexing the instances that were there before an extended query tag was: their values come from stored metadata."""

import asyncio
import zlib
from collections.abc import Mapping, Sequence

import orjson

from shared.errors import BlobMissing
from shared.services.aside import fetch
from shared.services.context import Services
from shared.services.indexing import parsed, tag_values
from shared.services.known_tags import REMEMBERED_SECONDS
from shared.services.offload import offload
from shared.services.pacing import Pace
from shared.services.running import Run, Work, now
from shared.storage.index.model import Partition, Scope, StoredInstance, TagValue
from shared.storage.index.tags import QueryTag, TagEntry, TagError
from shared.storage.versions import made_at

REINDEX = "reindex"
PAGE = 100
TAGS_SECONDS = 60.0
"""How long after an operation was started the tags that name it may be added."""
LOOK_SECONDS = 0.2
CLOCKS_APART = 5 * 60 * 1_000_000
"""Microseconds that clocks may differ by: instances stored later than this after the tags carry their values."""
UNREADABLE = "The stored metadata can't be read."


async def reindex(services: Services, run: Run) -> None:
    """Index all instances by the tags that name this operation, then set these ready. Without any nothing is done.

    Once they are ready, every process judges what it stores by them.
    """
    tags = await _tags(services, run)
    if not tags:
        return
    if not run.progress:
        await run.checkpoint({}, 0)
        await run.rest(max(services.index.tags.settle_seconds, REMEMBERED_SECONDS))
    await _Reindex(services, run, tags).work()
    await services.index.tags.set_ready([tag.key for tag in tags])


async def release(services: Services, operation: str) -> None:
    """Let go of the tags that an operation does not index after all."""
    await services.index.tags.release([tag.key for tag in await _tags_of(services, operation)])


REINDEXING = Work(reindex, release)


async def _tags(services: Services, run: Run) -> list[QueryTag]:
    """The tags that name this operation, even if they are about to be added; none if they are done."""
    while not (tags := await _tags_of(services, run.id)) and not run.progress and run.age < TAGS_SECONDS:
        await run.rest(LOOK_SECONDS)
    return tags


async def _tags_of(services: Services, operation: str) -> list[QueryTag]:
    return [tag for tag in (await services.index.tags.all()).tags if tag.operation == operation]


class _Reindex:
    """Goes through each partition in the order of versions, so that studies and series end up with newest values."""

    def __init__(self, services: Services, run: Run, tags: Sequence[QueryTag]) -> None:
        self._services = services
        self._run = run
        self._tags = tags
        self._until = run.created + CLOCKS_APART

    async def work(self) -> None:
        partitions = await self._services.index.partitions()
        progress = dict(self._run.progress) or await self._start(partitions)
        await self._keep(progress)
        pace = Pace(self._services, self._run)
        for partition in partitions:
            if partition.key < progress["partition"]:
                continue
            if partition.key > progress["partition"]:
                progress |= {"partition": partition.key, "after": 0}
            while page := await self._page(partition.name, progress["after"]):
                await self._index(page)
                progress |= {"after": page[-1].version, "done": progress["done"] + len(page)}
                await self._keep(progress)
                await pace.step()

    async def _start(self, partitions: Sequence[Partition]) -> dict[str, int]:
        """``done`` of ``total`` instances: those of partitions before this one, and up to version ``after`` in it."""
        states = [await self._services.index.state(Scope(partition.name)) for partition in partitions]
        return {"partition": 0, "after": 0, "done": 0, "total": sum(state.instances for state in states)}

    async def _keep(self, progress: Mapping[str, int]) -> None:
        percent = 100 * progress["done"] // max(progress["total"], 1)
        await self._run.checkpoint(dict(progress), min(percent, 100))

    async def _page(self, partition: str, after: int) -> list[StoredInstance]:
        page = await self._services.index.page(partition, after, PAGE)
        return [stored for stored in page if made_at(stored.version) <= self._until]

    async def _index(self, page: Sequence[StoredInstance]) -> None:
        entries: list[TagEntry] = []
        errors: list[TagError] = []
        for stored in page:
            values, wrong = await self._values(stored)
            if values:
                entries.append(TagEntry(stored.key, stored.version, values))
            errors += wrong
            await asyncio.sleep(0)
        if entries:
            await self._services.index.tags.index(entries)
        if errors:
            await self._services.index.tags.record_errors(errors)

    async def _values(self, stored: StoredInstance) -> tuple[tuple[TagValue, ...], list[TagError]]:
        try:
            held = await fetch(self._services, stored.metadata)
            dataset = await offload(len(held), parsed, held)
        except (BlobMissing, zlib.error, orjson.JSONDecodeError):
            return (), [TagError(tag.key, stored.key, stored.version, now(), UNREADABLE) for tag in self._tags]
        return tag_values(stored, dataset, self._tags, only_one=True)
