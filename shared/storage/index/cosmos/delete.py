"""Taking instances out of the index.

Each batch takes as many as it is sure to hold, oldest first, with what changes of their study and series, and notes
them in the outbox: whatever happens in between, counters, purge queue and change feed are right.
"""

from collections import Counter
from collections.abc import Sequence
from uuid import uuid4

from shared.storage.index.cosmos.container import Container, Document, Operation
from shared.storage.index.cosmos.documents import (
    KNOWN_COLUMNS,
    PURGE,
    STUDY_ID,
    count_series,
    key_of,
    place,
    plain,
    purge_document,
    series_id,
)
from shared.storage.index.cosmos.outbox import Change, event_document, named, new_event
from shared.storage.index.cosmos.patience import Patience
from shared.storage.index.cosmos.scopes import by_version, instances_of
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.feed import Action
from shared.storage.index.model import InstanceKey, Scope

MOST_AT_ONCE = 32
"""Each takes up to three of a batch's 100 operations: it goes, its blob is queued, its series changes. One more changes
the study, and one notes them all."""


async def delete(index: Container, scope: Scope, purge_due: float) -> list[str]:
    """Remove all instances of a study, series or instance and queue their blobs; gives these blobs' names."""
    deletion = _Deletion(index, scope, purge_due)
    await deletion.run()
    return deletion.blobs


class _Deletion:
    """One delete under way. ``blobs`` are those removed so far."""

    def __init__(self, index: Container, scope: Scope, purge_due: float) -> None:
        self._index = index
        self._scope = scope
        self._key = key_of(scope)
        self._purge_due = purge_due
        self._cause = uuid4().hex
        self._patience = Patience()
        self.blobs: list[str] = []

    async def run(self) -> None:
        """Go on until everything in the scope was removed: what comes meanwhile changes the study."""
        overtaken = False
        while True:
            try:
                await self._remove_all(await self._instances())
                break
            except _Overtaken:
                overtaken = True
                await self._patience.pause()
        if overtaken:
            # maybe by this delete's own batch, sent again because its answer was lost: the purge queue tells
            self.blobs = await self._queued()

    async def _instances(self) -> list[Document]:
        query = instances_of(self._scope, "c.id, c.place, c.instance, c.version, c.noted, c.blob, c._etag")
        query.order = by_version(self._scope, "ASC")
        found: list[Document] = await self._index.query(query, self._key, self._patience)
        return found

    async def _queued(self) -> list[str]:
        query = Query("VALUE c.blob")
        query.equal(partition=self._scope.partition, study=self._scope.study, kind=PURGE, cause=self._cause)
        found: list[str] = await self._index.query(query, self._key)
        return found

    async def _remove_all(self, instances: Sequence[Document]) -> None:
        if not instances:
            return
        parents = await self._parents({each["place"] for each in instances})
        for start in range(0, len(instances), MOST_AT_ONCE):
            parents = await self._remove(instances[start : start + MOST_AT_ONCE], parents)
            self._patience = Patience()

    async def _parents(self, places: set[str]) -> dict[str, Document]:
        """The study and the series at these places, by place."""
        query = Query(KNOWN_COLUMNS)
        query.among("c.id", [STUDY_ID, *(series_id(each.partition("/")[2]) for each in places)])
        found = {each["place"]: each for each in await self._index.query(query, self._key, self._patience)}
        if not found.keys() >= {place(str(self._scope.study)), *places}:
            raise _Overtaken
        return found

    async def _remove(self, instances: Sequence[Document], parents: dict[str, Document]) -> dict[str, Document]:
        """Remove some instances with one batch; gives their study and series as they are then. Raises _Overtaken."""
        study = place(str(self._scope.study))
        gone = [each["version"] for each in instances]
        after = dict(parents)
        for series, number in Counter(each["place"] for each in instances).items():
            after[series] = await self._fewer(parents[series], number, gone)
            if not after[series]["number_of_instances"]:
                after[study] = count_series(after[study], parents[series], None)
        after[study] = await self._fewer(after[study], len(instances), gone)
        changed = [study, *{each["place"] for each in instances}]
        operations = [_change(parents[each], after[each]) for each in changed]
        for each in instances:
            purge = purge_document(self._key, each["blob"], self._purge_due, self._cause)
            operations += [("delete", (each["id"],), {"if_match_etag": each["_etag"]}), ("upsert", (purge,), {})]
        event = event_document(new_event(), self._key, [self._gone(each) for each in instances])
        operations.append(("create", (event,), {}))
        etags = await self._index.batch(operations, self._key, self._patience)
        if etags is None:
            raise _Overtaken
        self.blobs += [each["blob"] for each in instances]
        return after | {each: after[each] | {"_etag": etag} for each, etag in zip(changed, etags, strict=False)}

    def _gone(self, instance: Document) -> Change:
        study, _, series = instance["place"].partition("/")
        key = InstanceKey(self._scope.partition, study, series, instance["instance"])
        return Change(key, Action.DELETE, instance["version"], named(instance))

    async def _fewer(self, parent: Document, by: int, gone: Sequence[str]) -> Document:
        """A study or series with fewer instances; its newest may be among those gone."""
        left = parent["number_of_instances"] - by
        newest = await self._newest(parent, gone) if left and parent["newest"] in gone else parent["newest"]
        return parent | {"number_of_instances": left, "newest": newest}

    async def _newest(self, parent: Document, gone: Sequence[str]) -> str:
        scope = Scope(parent["partition"], parent["study"], parent.get("series"))
        query = instances_of(scope, "VALUE c.version")
        query.order, query.limit = by_version(scope, "DESC"), 1
        query.where.append(f"c.version NOT IN ({', '.join(map(query.bind, gone))})")
        found: list[str] = await self._index.query(query, self._key, self._patience)
        if not found:
            raise _Overtaken
        return found[0]


class _Overtaken(Exception):
    """What was read has changed since."""


def _change(before: Document, after: Document) -> Operation:
    expected = {"if_match_etag": before["_etag"]}
    if after["number_of_instances"]:
        return "replace", (after["id"], plain(after)), expected
    return "delete", (after["id"],), expected
