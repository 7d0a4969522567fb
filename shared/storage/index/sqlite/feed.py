# ruff: noqa: S608 - only names of our own go into SQL texts, values are bound
"""The change feed over SQLite, found by number, time, partition and study."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from shared.storage.index.feed import Action, FeedEntry, FeedQuery
from shared.storage.index.model import InstanceKey
from shared.storage.index.sqlite.readers import Readers
from shared.storage.index.sqlite.rows import joined, split
from shared.storage.index.sqlite.writer import Writer

_FETCH = f"""
SELECT json_group_array(json_array(
    f.sequence, p.name, f.study, f.series, f.instance, f.action, f.version, f.time, i.version, length(c.metadata)
)), {joined("c.metadata")}
FROM ({{found}}) AS page
CROSS JOIN feed f ON f.sequence = page.sequence
CROSS JOIN partitions p ON p.key = f.partition
LEFT JOIN studies st ON st.partition = f.partition AND st.uid = f.study
LEFT JOIN series se ON se.partition = f.partition AND se.uid = f.series AND se.study = st.id
LEFT JOIN instances i ON i.partition = f.partition AND i.uid = f.instance AND i.series = se.id
LEFT JOIN instances_content c
    ON c.id = CASE WHEN :with_metadata AND i.version = f.version AND f.action <> '{Action.DELETE}' THEN i.id END
"""

# numbers and times grow together
_FIRST_SINCE = "(SELECT sequence FROM feed WHERE time >= {} ORDER BY time, sequence LIMIT 1)"
_LAST = 2**63 - 1

_PARTITIONS = "(SELECT key FROM partitions WHERE name IN (SELECT value FROM json_each(:partitions)))"
_NUMBERS = "SELECT sequence FROM feed {index} WHERE {conditions} ORDER BY sequence {direction} LIMIT {page}"
_OF_PARTITIONS = f"""
SELECT feed.sequence FROM partitions CROSS JOIN feed
WHERE partitions.key IN {_PARTITIONS} AND feed.sequence IN ({{of_each}})
ORDER BY feed.sequence {{direction}} LIMIT :limit OFFSET :skip
"""

_MOVE = """
INSERT INTO cursors (name, sequence)
SELECT :name, :to WHERE :seen = coalesce((SELECT sequence FROM cursors WHERE name = :name), 0)
ON CONFLICT (name) DO UPDATE SET sequence = excluded.sequence
"""


class SqliteFeed:
    """The ordered log. See ``Feed`` for what each method does. Changes are numbered as they are made."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def read(self, query: FeedQuery) -> list[FeedEntry]:
        return await self._readers.run(partial(entries, query=query, direction="ASC"))

    async def latest(self, query: FeedQuery) -> FeedEntry | None:
        last = replace(query, skip=0, limit=1)
        found = await self._readers.run(partial(entries, query=last, direction="DESC"))
        return found[0] if found else None

    async def last_sequence(self) -> int:
        return await self._readers.run(_last_sequence)

    async def number(self, studies: frozenset[tuple[str, str]] | None = None) -> int:
        return 0

    async def cursor(self, name: str) -> int:
        return await self._readers.run(partial(_cursor, name=name))

    async def move_cursor(self, name: str, seen: int, to: int) -> bool:
        return await self._writer.run(partial(_move_cursor, name=name, seen=seen, to=to))


def entries(connection: sqlite3.Connection, query: FeedQuery, direction: str) -> list[FeedEntry]:
    """The entries that a query asks for, ``direction`` being ASC or DESC."""
    described, blobs = connection.execute(_FETCH.format(found=_sought(query, direction)), _names(query)).fetchone()
    rows = orjson.loads(described)
    metadata = split(blobs, (row[-1] or 0 for row in rows))
    return [
        FeedEntry(sequence, InstanceKey(*key), Action(action), version, time, live, None if length is None else content)
        for (sequence, *key, action, version, time, live, length), content in zip(rows, metadata, strict=True)
    ]


def _sought(query: FeedQuery, direction: str) -> str:
    """The statement that gives the numbers of a query's entries, led by the index that leaves the fewest to look at."""
    conditions = _conditions(query)
    within = [] if query.partitions is None else [f"partition IN {_PARTITIONS}"]
    if query.study is not None:
        return _numbers("INDEXED BY feed_by_study", [*conditions, *within, "study = :study"], direction)
    if query.actions is not None and Action.CREATE not in query.actions:
        rare = f"action <> '{Action.CREATE}'"
        return _numbers("INDEXED BY feed_but_creations", [*conditions, *within, rare], direction)
    if query.partitions is None:
        return _numbers("NOT INDEXED", conditions, direction)
    if len(query.partitions) == 1:
        return _numbers("INDEXED BY feed_by_partition", [*conditions, f"partition = {_PARTITIONS}"], direction)
    of_each = [*conditions, "partition = partitions.key"]
    first_of_each = _numbers("INDEXED BY feed_by_partition", of_each, direction, page=":reach")
    return _OF_PARTITIONS.format(of_each=first_of_each, direction=direction)


def _numbers(index: str, conditions: Sequence[str], direction: str, page: str = ":limit OFFSET :skip") -> str:
    return _NUMBERS.format(index=index, conditions=" AND ".join(conditions), direction=direction, page=page)


def _conditions(query: FeedQuery) -> list[str]:
    low = ":after" if query.start is None else f"max(:after, {_FIRST_SINCE.format(':start')} - 1)"
    conditions = [f"sequence > {low} + :leap"]
    if query.end is not None:
        conditions.append(f"sequence < coalesce({_FIRST_SINCE.format(':end')}, {_LAST})")
    if query.actions is not None:
        conditions.append("action IN (SELECT value FROM json_each(:actions))")
    return conditions


def _names(query: FeedQuery) -> dict[str, Any]:
    """The parameters of the statement. Where all entries count, those to skip are leapt over: numbers have no gaps."""
    all_count = query.partitions is None and query.study is None and query.actions is None
    return {
        **{name: getattr(query, name) for name in ("after", "start", "end", "study", "limit", "with_metadata")},
        "partitions": orjson.dumps(query.partitions).decode(),
        "actions": orjson.dumps(query.actions).decode(),
        "leap": query.skip if all_count else 0,
        "skip": 0 if all_count else query.skip,
        "reach": min(query.skip + query.limit, _LAST),
    }


def _last_sequence(connection: sqlite3.Connection) -> int:
    (last,) = connection.execute("SELECT coalesce(max(sequence), 0) FROM feed").fetchone()
    return int(last)


def _cursor(connection: sqlite3.Connection, name: str) -> int:
    (place,) = connection.execute(
        "SELECT coalesce((SELECT sequence FROM cursors WHERE name = ?), 0)", (name,)
    ).fetchone()
    return int(place)


def _move_cursor(connection: sqlite3.Connection, name: str, seen: int, to: int) -> bool:
    return connection.execute(_MOVE, {"name": name, "seen": seen, "to": to}).rowcount == 1
