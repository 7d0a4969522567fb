"""What the tests of extended query tags in the index contract do over and over."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

from shared.dicom.conditions import Condition, Equal
from shared.dicom.matching import fold
from shared.dicom.model import Level
from shared.storage.index.model import InstanceRecord, Search, TagValue
from shared.storage.index.port import CommitMode, CommitResult, Index
from shared.storage.index.tags import QueryTag, TagDefinition, TagEntry
from tests.contract.steps import DUE, PARTITION, keys

READER = TagDefinition("00081060", "PN", Level.STUDY)
PROTOCOL = TagDefinition("00181030", "LO", Level.SERIES)
COMMENT = TagDefinition("00204000", "LO", Level.INSTANCE)
PRIVATE = TagDefinition("00091001", "SH", Level.INSTANCE, "ACME 1.1")

Values: TypeAlias = Mapping[QueryTag, str]


async def add(index: Index, *definitions: TagDefinition, operation: str = "op") -> tuple[QueryTag, ...]:
    """Add tags; gives those."""
    before = await index.tags.all()
    after = await index.tags.add(definitions, operation, before.generation)
    assert after is not None
    assert after.tags[: len(before.tags)] == before.tags
    return after.tags[len(before.tags) :]


def told(values: Values) -> tuple[TagValue, ...]:
    folded = ((tag, fold(tag.definition.vr, value)) for tag, value in values.items())
    return tuple(TagValue(tag.index_key, value) for tag, value in folded if value is not None)


def entry(it: InstanceRecord, values: Values) -> TagEntry:
    return TagEntry(it.key, it.version, told(values))


async def commit(
    index: Index, *records: InstanceRecord, mode: CommitMode = CommitMode.CREATE, values: Values | None = None
) -> list[CommitResult]:
    """Commit records of which each gives these values."""
    given = [replace(it, extended=told(values)) for it in records] if values else records
    return await index.commit(given, mode, DUE, (await index.tags.all()).generation)


async def put(index: Index, *records: InstanceRecord, values: Values | None = None) -> list[CommitResult]:
    return await commit(index, *records, mode=CommitMode.REPLACE, values=values)


async def found(index: Index, tag: QueryTag, value: str, level: Level | None = None) -> set[str]:
    """The UIDs of what is found at a level, by default the tag's own, whose value is that one."""
    wanted = fold(tag.definition.vr, value)
    assert wanted is not None
    return await matching(index, tag, Equal(tag.definition.path, (wanted,)), level=level)


async def matching(index: Index, tag: QueryTag, *conditions: Condition, level: Level | None = None) -> set[str]:
    search = Search(level or tag.definition.level, PARTITION, conditions, tags=(tag.index_key,))
    return {key[-1] for key in await keys(index, search)}
