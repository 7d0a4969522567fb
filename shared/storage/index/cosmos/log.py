"""The ordered log in the container ``feed``: entries with numbers from 1 on, without gaps, never changed.

The log is cut into segments of equally many entries, a logical partition each, so that none comes near the 20 GB that
one may hold. Each segment has a document ``head``: ``last`` is the last number in it, ``time`` that entry's time,
``since`` the time of the last entry before the segment. Entries are created in one batch with the change of the head,
which must be the one that was read: so each number is given once, whoever writes at the same time.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from shared.storage.index.cosmos.container import Container, Document, Operation
from shared.storage.index.cosmos.outbox import Noted, Place
from shared.storage.index.cosmos.patience import Patience
from shared.storage.index.cosmos.sql import Query

SEGMENT = 10_000_000
"""Entries in a segment. With its index one takes less than 1.5 KB, however long the UIDs are."""
MOST_AT_ONCE = 99
"""Entries in one batch of 100 operations; the head takes one. All together are far below 2 MB."""
HEAD = "head"


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends: its last entry's number and time. Without ``etag`` the segment is still to be begun."""

    segment: int
    last: int
    time: int
    since: int
    etag: str | None

    @property
    def room(self) -> int:
        """How many entries the next batch may hold."""
        return min(MOST_AT_ONCE, (self.segment + 1) * SEGMENT - self.last)


class Log:
    """The log, as one process reads and extends it.

    Reads are consistent within a session only: a replica may lag behind. Who has read a head sees all entries up to it,
    and since a process passes from segment to segment by their heads, all of those before.
    """

    def __init__(self, feed: Container) -> None:
        self._feed = feed
        self._full: list[Head] = []

    async def head(self, patience: Patience | None = None) -> Head:
        """The head of the newest segment."""
        while True:
            segment = len(self._full)
            found = await self._feed.read(HEAD, [segment_name(segment)], patience)
            if found is None:
                time = self._full[-1].time if self._full else 0
                return Head(segment, segment * SEGMENT, time, time, None)
            head = Head(segment, found["last"], found["time"], found["since"], found["_etag"])
            if head.last < (segment + 1) * SEGMENT:
                return head
            if segment == len(self._full):
                self._full.append(head)

    async def first_since(self, time: int, head: Head) -> int:
        """The number of the first entry at a time or later; of the next one to come if there is none up to a head."""
        for each in [*self._full[: head.segment], head]:
            if each.time >= time:
                query = Query("VALUE c.number", order="c.time ASC, c.number ASC", limit=1)
                query.where.append(f"c.time >= {query.bind(time)}")
                (number,) = await self._feed.query(query, [segment_name(each.segment)])
                return int(number)
        return head.last + 1

    async def placed(self, noted: Collection[Noted], head: Head, patience: Patience) -> set[Place]:
        """Those of some changes that are in the log up to a head.

        Times never fall: a change can't lie before a segment that began after an earlier time than its own.
        """
        oldest = min(each.time for each in noted)
        newest_first = [head, *reversed(self._full[: head.segment])]
        found: set[Place] = set()
        for each in newest_first:
            query = Query("c.event, c.place")
            query.among("c.event", {noted_.place[0] for noted_ in noted})
            rows = await self._feed.query(query, [segment_name(each.segment)], patience)
            found.update((row["event"], row["place"]) for row in rows)
            if each.since < oldest:
                break
        return found

    async def append(self, noted: Sequence[Noted], head: Head, patience: Patience) -> Head | None:
        """Give changes the next numbers, as many as there is ``room`` for; None if the head is not that one any more.

        An answer that was lost gives None too, though the entries are there.
        """
        segment = segment_name(head.segment)
        entries = []
        time = head.time
        for number, each in enumerate(noted, head.last + 1):
            time = max(time, each.time)
            entries.append(_entry(segment, number, time, each))
        last = head.last + len(entries)
        document = {"id": HEAD, "segment": segment, "last": last, "time": time, "since": head.since}
        operations: list[Operation] = [("create", (document,), {})]
        if head.etag is not None:
            operations = [("replace", (HEAD, document), {"if_match_etag": head.etag})]
        operations += [("create", (entry,), {}) for entry in entries]
        etags = await self._feed.batch(operations, [segment], patience)
        return None if etags is None else Head(head.segment, last, time, head.since, etags[0])


def segments(after: int, before: int) -> range:
    """Those that hold the numbers above ``after`` and below ``before``."""
    return range(after // SEGMENT, (before - 2) // SEGMENT + 1) if before > after + 1 else range(0)


def segment_name(segment: int) -> str:
    """A segment's partition key."""
    return f"{segment:06}"


def _entry(segment: str, number: int, time: int, noted: Noted) -> Document:
    event, place = noted.place
    change = noted.change
    return {
        "id": f"{number:019}",
        "segment": segment,
        "number": number,
        "time": time,
        "event": event,
        "place": place,
        "action": change.action,
        "partition": change.key.partition,
        "study": change.key.study,
        "series": change.key.series,
        "instance": change.key.instance,
        "version": change.version,
    }
