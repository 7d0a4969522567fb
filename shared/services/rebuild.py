"""Making the index anew from the blobs: the history of each identity is replayed in the order of versions."""

import asyncio
import time
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby

from shared.dicom.model import Level
from shared.errors import Conflict, StorageError
from shared.services.context import Services
from shared.services.indexing import Draft, commit
from shared.services.replay import Unreadable, draft
from shared.services.tombstones import buried
from shared.storage.blobs.names import InstanceBlob
from shared.storage.index.model import Scope, Search
from shared.storage.index.port import CommitMode, CommitResult

BATCH = 100
PARALLEL_READS = 8

_KINDS = [(mode, api_version) for mode in CommitMode for api_version in (1, 2)]

Progress = Callable[[int, int], None]
"""Called with how many blobs are done, and how many there are."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did. ``superseded`` blobs hold versions that never counted or were deleted since."""

    indexed: int = 0
    superseded: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)


async def rebuild(services: Services, progress: Progress) -> Rebuilt:
    """Fill an empty index from the blobs. Raises Conflict if it is not empty."""
    await _require_empty(services)
    dead = await buried(services)
    done, outcome = 0, Rebuilt()
    history = await _history(services)
    total = sum(map(len, history.values()))
    for partition, versions in history.items():
        for mode, blobs in groupby(_blobs(partition, versions), key=lambda blob: blob.mode):
            for batch in _batched(blobs):
                await _replay(services, mode, batch, dead, outcome)
                done += len(batch)
                progress(done, total)
    return outcome


async def _require_empty(services: Services) -> None:
    for partition in await services.index.partitions():
        if (await services.index.search(Search(Level.STUDY, Scope(partition.name), limit=1))).matches:
            raise Conflict("The index is not empty: move it away, or name another place for the new one.")


async def _history(services: Services) -> dict[str, "array[int]"]:
    """The versions of each partition in their order, each with its kind in the lowest two bits: 8 bytes a blob."""
    found: dict[str, array[int]] = {}
    async for name, _ in services.blobs.names():
        blob = InstanceBlob.parse(name)
        if blob is not None:
            kind = _KINDS.index((blob.mode, blob.api_version))
            found.setdefault(blob.partition, array("Q")).append(blob.version << 2 | kind)
    return {partition: array("Q", sorted(versions)) for partition, versions in sorted(found.items())}


def _blobs(partition: str, versions: "array[int]") -> Iterator[InstanceBlob]:
    return (InstanceBlob(partition, packed >> 2, *_KINDS[packed & 3]) for packed in versions)


def _batched(blobs: Iterable[InstanceBlob]) -> Iterator[list[InstanceBlob]]:
    batch: list[InstanceBlob] = []
    for blob in blobs:
        batch.append(blob)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


async def _replay(
    services: Services, mode: CommitMode, blobs: list[InstanceBlob], dead: set[str], outcome: Rebuilt
) -> None:
    turn = asyncio.Semaphore(PARALLEL_READS)

    async def read(blob: InstanceBlob) -> Draft | Unreadable:
        async with turn:
            return await draft(services, blob)

    found = await asyncio.gather(*map(read, blobs))
    outcome.unreadable += [each for each in found if isinstance(each, Unreadable)]
    drafts = [each for each in found if isinstance(each, Draft)]
    for living, group in groupby(drafts, key=lambda each: each.record.blob not in dead):
        committed = list(group)
        results = await commit(services, committed, mode)
        if CommitResult.FAILED in results:
            raise StorageError("The index failed. Start again with an empty one.")
        counted = sum(result is not CommitResult.EXISTS for result in results) if living else 0
        outcome.indexed += counted - results.count(CommitResult.REPLACED)
        outcome.superseded += len(results) - counted + results.count(CommitResult.REPLACED)
        if not living:
            await _bury_again(services, committed)


async def _bury_again(services: Services, drafts: list[Draft]) -> None:
    purge_due = time.time() + services.settings.purge_after_seconds
    for each in drafts:
        key = each.record.key
        stored = await services.index.instance(key)
        if stored is not None and stored.version == each.record.version:
            await services.index.delete(Scope(key.partition, key.study, key.series, key.instance), purge_due)
