"""Indexing values for extended query tags of instances that are there already, and erasing those of removed tags."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from shared.dicom.conditions import MatchValue
from shared.dicom.model import Level
from shared.storage.index.cosmos.container import Container, Document, Key, Operation
from shared.storage.index.cosmos.documents import INSTANCE, STUDY_ID, instance_id, series_id, version_text
from shared.storage.index.cosmos.extended import stored_value, tag_name, version_of
from shared.storage.index.cosmos.patches import MOST_CHANGES, MOST_OPERATIONS, apply, patch
from shared.storage.index.cosmos.patience import Patience
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.cosmos.studies import for_each_study
from shared.storage.index.model import InstanceKey
from shared.storage.index.tags import TagEntry

_COLUMNS = "c.id, c.version, c.created, c.newest, c.extended, c.extended_versions, c.told_tags"

Values: TypeAlias = dict[str, tuple[str, MatchValue]]
"""By tag, each with the version that told it."""
T = TypeVar("T")


class TagValues:
    """What the documents of studies, series and instances hold in ``extended``."""

    def __init__(self, index: Container) -> None:
        self._index = index

    async def index(self, entries: Sequence[TagEntry], tags: Collection[int]) -> None:
        """Write down the values that live versions give to some tags."""
        await for_each_study(
            entries, lambda entry: (entry.key.partition, entry.key.study), partial(self._index_study, tags=tags)
        )

    async def _index_study(self, key: Key, entries: Sequence[TagEntry], tags: Collection[int]) -> None:
        async def plan(patience: Patience) -> list[Operation]:
            query = Query(_COLUMNS)
            query.among("c.id", {name for entry in entries for name in _documents(entry.key).values()})
            found = {each["id"]: each for each in await self._index.query(query, key, patience)}
            return [
                operation
                for name, values in _told(entries, tags, found).items()
                for operation in (_of_instance if "version" in found[name] else _of_parent)(found[name], values)
            ]

        await apply(self._index, key, plan)

    async def erase(self, tag: int, limit: int) -> int:
        """Remove what up to ``limit`` documents hold of a tag, values and errors; gives how many documents that were.

        What changes meanwhile is left to the next call.
        """
        name = tag_name(tag)
        value, error = f'IS_DEFINED(c.extended["{name}"])', f'IS_DEFINED(c.errors["{name}"])'
        query = Query(f"c.id, c.partition, c.study, c.kind, {value} AS valued, {error} AS failed", limit=limit)
        query.where.append(f"({value} OR {error})")
        found = await self._index.query(query, None)
        erase = partial(self._erase, name=name)
        await for_each_study(found, lambda document: (document["partition"], document["study"]), erase)
        return len(found)

    async def _erase(self, key: Key, documents: Sequence[Document], name: str) -> None:
        operations = [_erasing(document, name) for document in documents]
        patience = Patience()
        for some in _chunks(iter(operations), MOST_OPERATIONS):
            if await self._index.batch(some, key, patience) is None:
                for operation in some:
                    await self._index.batch([operation], key, patience)


def _documents(key: InstanceKey) -> dict[Level, str]:
    return {
        Level.STUDY: STUDY_ID,
        Level.SERIES: series_id(key.series),
        Level.INSTANCE: instance_id(key.series, key.instance),
    }


def _told(entries: Sequence[TagEntry], tags: Collection[int], found: Mapping[str, Document]) -> dict[str, Values]:
    """The values that live versions give, by document; of several that tell of a study or series the newest counts."""
    told: dict[str, Values] = defaultdict(dict)
    for entry in entries:
        names, version = _documents(entry.key), version_text(entry.version)
        if found.get(names[Level.INSTANCE], {}).get("version") != version:
            continue
        for value in entry.values:
            values, tag = told[names[value.tag.level]], tag_name(value.tag.key)
            if value.tag.key in tags and values.get(tag, ("",))[0] <= version:
                values[tag] = version, stored_value(value)
    return {name: values for name, values in told.items() if name in found}


def _of_instance(document: Document, values: Values) -> Iterator[Operation]:
    known = document["extended"]
    new = {f"/extended/{tag}": value for tag, (_, value) in values.items() if known.get(tag) != value}
    for some in _chunks(iter(new.items()), MOST_CHANGES):
        yield patch(document["id"], f"c.version = '{document['version']}'", dict(some))


def _of_parent(document: Document, values: Values) -> Iterator[Operation]:
    newer = {tag: told for tag, told in values.items() if told[0] > version_of(document, tag)}
    for some in _chunks(iter(newer.items()), MOST_CHANGES // 2):
        conditions = [f"c.created = '{document['created']}'"]
        put: dict[str, Any] = {}
        for tag, (version, value) in some:
            known = f'c.extended_versions["{tag}"]'
            conditions.append(f"(NOT IS_DEFINED({known}) OR {known} < '{version}')")
            conditions.append(f"NOT ARRAY_CONTAINS(c.told_tags, '{tag}')")
            put |= {f"/extended/{tag}": value, f"/extended_versions/{tag}": version}
        yield patch(document["id"], " AND ".join(conditions), put)


def _erasing(document: Document, name: str) -> Operation:
    of_value = ["extended"] if document["kind"] == INSTANCE else ["extended", "extended_versions"]
    maps = [*(of_value if document["valued"] else ()), *(("errors", "messages") if document["failed"] else ())]
    condition = " AND ".join(f'IS_DEFINED(c.{each}["{name}"])' for each in maps)
    return patch(document["id"], condition, {}, [f"/{each}/{name}" for each in maps])


def _chunks(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while some := list(islice(items, size)):
        yield some
