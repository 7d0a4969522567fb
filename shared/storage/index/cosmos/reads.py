"""Everything that is read but searches."""

from collections.abc import AsyncIterator

from shared.storage.index.cosmos.container import Container, Document
from shared.storage.index.cosmos.documents import (
    INSTANCE,
    PURGE,
    STUDY,
    STUDY_ID,
    instance_id,
    key_of,
    series_id,
    stored_instance,
    version_text,
)
from shared.storage.index.cosmos.scopes import by_version, instances_of
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.model import InstanceKey, Purge, Scope, ScopeState, StoredInstance

PAGE_INSTANCES = 256

_STORED = "c.partition, c.place, c.instance, c.version, c.blob, c.length, c.transfer_syntax, c.metadata, c.layout"


async def instance(index: Container, key: InstanceKey) -> StoredInstance | None:
    """Look one instance up."""
    found = await index.read(instance_id(key.series, key.instance), key_of(key))
    return stored_instance(found) if found else None


async def instances(index: Container, scope: Scope) -> AsyncIterator[StoredInstance]:
    """A scope's instances, oldest first."""
    async for page in _pages_of_partition(index, scope) if scope.study is None else _pages_of_study(index, scope):
        for document in page:
            yield stored_instance(document)


def _pages_of_study(index: Container, scope: Scope) -> AsyncIterator[list[Document]]:
    query = instances_of(scope, _STORED)
    query.order = by_version(scope, "ASC")
    return index.pages(query, key_of(scope), most=PAGE_INSTANCES)


async def _pages_of_partition(index: Container, scope: Scope) -> AsyncIterator[list[Document]]:
    page = [{"version": version_text(0)}]
    while page:
        page = await _oldest(index, scope, page[-1]["version"], PAGE_INSTANCES)
        yield page


async def page(index: Container, partition: str, after: int, limit: int) -> list[StoredInstance]:
    """The first instances of a partition with versions above ``after``, oldest first."""
    found = await _oldest(index, Scope(partition), version_text(after), limit)
    return [stored_instance(document) for document in found]


async def _oldest(index: Container, scope: Scope, after: str, limit: int) -> list[Document]:
    """Each physical partition gives its own oldest: of these together only the oldest are sure to have no gaps."""
    query = instances_of(scope, _STORED)
    query.where.append(f"c.version > {query.bind(after)}")
    query.order, query.limit = by_version(scope, "ASC"), limit
    found = await index.query(query, key_of(scope))
    return sorted(found, key=lambda each: str(each["version"]))[:limit]


async def state(index: Container, scope: Scope) -> ScopeState:
    """The newest version and the number of instances of a scope."""
    if scope.study is None:
        return await _partition_state(index, scope)
    if scope.series is None:
        found = await index.read(STUDY_ID, key_of(scope))
    elif scope.instance is None:
        found = await index.read(series_id(scope.series), key_of(scope))
    else:
        found = await index.read(instance_id(scope.series, scope.instance), key_of(scope))
        return ScopeState(int(found["version"]), 1) if found else ScopeState(0, 0)
    return ScopeState(int(found["newest"]), found["number_of_instances"]) if found else ScopeState(0, 0)


async def _partition_state(index: Container, scope: Scope) -> ScopeState:
    query = Query("c.newest, c.number_of_instances")
    query.equal(partition=scope.partition, kind=STUDY)
    newest = instances = 0
    async for page in index.pages(query, key_of(scope)):
        newest = max(newest, *(int(each["newest"]) for each in page))
        instances += sum(each["number_of_instances"] for each in page)
    return ScopeState(newest, instances)


async def blobs(index: Container, prefix: str) -> AsyncIterator[tuple[str, bool]]:
    """The blobs whose names begin with a prefix; False with those that wait to be purged."""
    query = Query("c.kind, c.blob")
    query.where.append(f"STARTSWITH(c.blob, {query.bind(prefix)})")
    async for page in index.pages(query, None):
        for each in page:
            yield each["blob"], each["kind"] == INSTANCE


async def due_purges(index: Container, now: float, limit: int) -> list[Purge]:
    """The blobs whose purge is due, longest due first."""
    query = Query("c.blob, c.due", order="c.due ASC", limit=limit)
    query.equal(kind=PURGE)
    query.where.append(f"c.due <= {query.bind(now)}")
    return [Purge(each["blob"], each["due"]) for each in await index.query(query, None)]


async def postpone_purge(index: Container, blob: str, due: float) -> None:
    """Set a new due time."""
    for each in await _purges_of(index, blob):
        await index.change(each["id"], [each["partition"], each["study"]], due=due)


async def forget_purge(index: Container, blob: str) -> None:
    """Drop a blob from the queue."""
    for each in await _purges_of(index, blob):
        await index.delete(each["id"], [each["partition"], each["study"]])


async def _purges_of(index: Container, blob: str) -> list[Document]:
    query = Query("c.id, c.partition, c.study")
    query.equal(kind=PURGE, blob=blob)
    found: list[Document] = await index.query(query, None)
    return found
