"""What the tests of the index contract do over and over."""

from typing import Any

import orjson

from shared.dicom.conditions import Condition
from shared.dicom.model import Level
from shared.storage.index.model import DEFAULT_PARTITION, InstanceRecord, Match, Scope, Search, StoredInstance
from shared.storage.index.port import CommitMode, CommitResult, Index
from tests.contract.records import PATHS

CREATED, REPLACED, EXISTS = CommitResult.CREATED, CommitResult.REPLACED, CommitResult.EXISTS
PARTITION = Scope(DEFAULT_PARTITION)
DUE = 1000.0
LATER = 1e12


async def commit(index: Index, *records: InstanceRecord, mode: CommitMode = CommitMode.CREATE) -> list[CommitResult]:
    return await index.commit(records, mode, DUE)


async def put(index: Index, *records: InstanceRecord) -> list[CommitResult]:
    return await commit(index, *records, mode=CommitMode.REPLACE)


async def stored(index: Index, scope: Scope = PARTITION) -> list[StoredInstance]:
    return [found async for found in index.instances(scope)]


async def uids(index: Index, scope: Scope) -> list[str]:
    return [found.key.instance for found in await stored(index, scope)]


async def matches(index: Index, level: Level, *conditions: Condition, scope: Scope = PARTITION) -> tuple[Match, ...]:
    page = await index.search(Search(level, scope, conditions))
    assert page.total == len(page.matches)
    return page.matches


async def purges(index: Index) -> set[tuple[str, float]]:
    return {(purge.blob, purge.due) for purge in await index.due_purges(LATER, 1000)}


def as_stored(it: InstanceRecord) -> StoredInstance:
    return StoredInstance(it.key, it.version, it.blob, it.length, it.transfer_syntax, it.metadata, it.layout)


def values(match: Match, level: Level) -> dict[str, Any]:
    parsed: dict[str, Any] = orjson.loads(match.datasets[level])
    return parsed


async def keys(index: Index, search: Search) -> list[tuple[str, ...]]:
    """The keys of the matches of a search whose matches all fit on one page."""
    page = await index.search(search)
    assert page.total == len(page.matches)
    return [match.key for match in page.matches]


def of(keyword: str, kind: Any, *arguments: Any) -> Condition:
    """A condition on the attribute of that keyword."""
    condition: Condition = kind(PATHS[keyword], *arguments)
    return condition
