"""Moving changes from the outboxes of studies into the log, each exactly once.

Whoever moves changes looks, after having read the head of the log, for those that are in the log already, and adds
the others on the condition that the head is still the same. Only then their events leave the outbox. So it may be
broken off anywhere, run again, and run several times at once.
"""

import asyncio
from collections.abc import Collection, Sequence

from shared.storage.index.cosmos.container import Container, Document
from shared.storage.index.cosmos.log import Head, Log
from shared.storage.index.cosmos.outbox import EVENT, EVENT_COLUMNS, Noted, in_order
from shared.storage.index.cosmos.patience import Patience
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.cosmos.studies import StudyKey

STUDIES_AT_ONCE = 16
"""Whose changes are moved together. All that wait of each are held at once."""
DELETED_AT_ONCE = 100


class Sequencer:
    """Numbers changes. Within a process one takes turns with itself, among processes the head of the log decides."""

    def __init__(self, index: Container, log: Log) -> None:
        self._index = index
        self._log = log
        self._turn = asyncio.Lock()

    async def number(self, studies: Collection[StudyKey] | None) -> int:
        """Number the changes that wait, of these studies or of all; gives how many."""
        if studies is not None:
            return await self._number_all(studies)
        query = Query("c.partition, c.study")
        query.equal(kind=EVENT)
        count = 0
        async for page in self._index.pages(query, None):
            count += await self._number_all({(each["partition"], each["study"]) for each in page})
        return count

    async def _number_all(self, studies: Collection[StudyKey]) -> int:
        waiting = sorted(studies)
        count = 0
        for start in range(0, len(waiting), STUDIES_AT_ONCE):
            count += await self._move(waiting[start : start + STUDIES_AT_ONCE])
        return count

    async def _move(self, studies: Sequence[StudyKey]) -> int:
        async with self._turn:
            events = await asyncio.gather(*map(self._events, studies))
            count = await self._append(in_order(event for found in events for event in found))
            await asyncio.gather(*map(self._forget, studies, events))
        return count

    async def _events(self, study: StudyKey) -> list[Document]:
        """All that wait: an earlier change of the same instance is never missing, unless it has its number."""
        partition, uid = study
        query = Query(EVENT_COLUMNS)
        query.equal(partition=partition, study=uid, kind=EVENT)
        found: list[Document] = await self._index.query(query, [partition, uid])
        return found

    async def _append(self, noted: Sequence[Noted]) -> int:
        patience = Patience()
        head: Head | None = None
        seen = appended = 0
        while seen < len(noted):
            if head is None or not head.room:
                head = await self._log.head(patience)
            some = noted[seen : seen + head.room]
            placed = await self._log.placed(some, head, patience)
            new = [each for each in some if each.place not in placed]
            head = await self._log.append(new, head, patience) if new else head
            if head is None:
                await patience.pause()
                continue
            seen += len(some)
            appended += len(new)
            patience = Patience()
        return appended

    async def _forget(self, study: StudyKey, events: Sequence[Document]) -> None:
        key, patience = list(study), Patience()
        for start in range(0, len(events), DELETED_AT_ONCE):
            names = [event["id"] for event in events[start : start + DELETED_AT_ONCE]]
            if await self._index.batch([("delete", (name,), {}) for name in names], key, patience) is None:
                # some are gone already: another process moved them too
                for name in names:
                    await self._index.delete(name, key)
