"""Why values for extended query tags could not be indexed: noted in the instance's document, and gone with it."""

import asyncio
from collections.abc import Mapping, Sequence

from shared.storage.index.cosmos.container import Container, Document, Key, Operation
from shared.storage.index.cosmos.documents import instance_id, version_text
from shared.storage.index.cosmos.extended import tag_name
from shared.storage.index.cosmos.patches import apply, patch
from shared.storage.index.cosmos.patience import Patience
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.cosmos.studies import StudyKey, for_each_study
from shared.storage.index.model import InstanceKey
from shared.storage.index.tags import TagError

PARALLEL_TAGS = 8
"""Whose errors are counted at the same time."""


class TagErrors:
    """What the documents of instances hold in ``errors``."""

    def __init__(self, index: Container) -> None:
        self._index = index

    async def live(self, errors: Sequence[TagError]) -> list[TagError]:
        """Those of versions that are live."""
        return [error for found in await for_each_study(errors, _study_of, self._live) for error in found]

    async def record(self, errors: Sequence[TagError]) -> None:
        """Note errors of versions that are live."""
        await for_each_study(errors, _study_of, self._record)

    async def counts(self, tags: Sequence[int]) -> Mapping[int, int]:
        """How many errors each tag has, but for those that have none."""
        turn = asyncio.Semaphore(PARALLEL_TAGS)

        async def count(tag: int) -> int:
            query = Query("VALUE COUNT(1)")
            query.where.append(f"IS_DEFINED({_time(tag)})")
            async with turn:
                return sum(await self._index.query(query, None))

        counted = zip(tags, await asyncio.gather(*map(count, tags)), strict=True)
        return {tag: number for tag, number in counted if number}

    async def page(self, tag: int, offset: int, limit: int) -> list[TagError]:
        """A page of a tag's errors, oldest first."""
        select = (
            f'c.partition, c.place, c.instance, c.version, {_time(tag)} AS since, c.messages["{tag_name(tag)}"] AS why'
        )
        query = Query(select, order=f"{_time(tag)} ASC", offset=offset, limit=limit)
        query.where.append(f"IS_DEFINED({_time(tag)})")
        return [_error(tag, found) for found in await self._index.query(query, None)]

    async def _live(self, key: Key, errors: Sequence[TagError], patience: Patience | None = None) -> list[TagError]:
        query = Query("c.id, c.version")
        query.among("c.id", {_document(error) for error in errors})
        found = {each["id"]: each["version"] for each in await self._index.query(query, key, patience)}
        return [error for error in errors if found.get(_document(error)) == version_text(error.version)]

    async def _record(self, key: Key, errors: Sequence[TagError]) -> None:
        async def plan(patience: Patience) -> list[Operation]:
            return [_noting(error) for error in await self._live(key, errors, patience)]

        await apply(self._index, key, plan)


def _study_of(error: TagError) -> StudyKey:
    return error.key.partition, error.key.study


def _document(error: TagError) -> str:
    return instance_id(error.key.series, error.key.instance)


def _time(tag: int) -> str:
    return f'c.errors["{tag_name(tag)}"]'


def _noting(error: TagError) -> Operation:
    name = tag_name(error.tag)
    put = {f"/errors/{name}": error.time, f"/messages/{name}": error.message}
    return patch(_document(error), f"c.version = '{version_text(error.version)}'", put)


def _error(tag: int, document: Document) -> TagError:
    study, _, series = document["place"].partition("/")
    key = InstanceKey(document["partition"], study, series, document["instance"])
    return TagError(tag, key, int(document["version"]), document["since"], document["why"])
