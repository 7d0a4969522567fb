# ruff: noqa: S608 - only names of our own go into SQL texts, values are bound
"""The extended query tags over SQLite."""

import sqlite3
from collections.abc import Mapping, Sequence
from functools import partial

import orjson

from shared.dicom.model import Level
from shared.storage.index.model import InstanceKey
from shared.storage.index.sqlite.readers import Readers
from shared.storage.index.sqlite.rows import execute
from shared.storage.index.sqlite.values import TagValues, erase
from shared.storage.index.sqlite.writer import Writer
from shared.storage.index.tags import QueryStatus, QueryTag, TagDefinition, TagEntry, TagError, TagSet, TagStatus

_ALL = """
SELECT (SELECT generation FROM tag_set), json_group_array(json_array(
    key, path, vr, level, private_creator, status, query_status, operation))
FROM (SELECT * FROM tags ORDER BY key)
"""
_ADD = "INSERT INTO tags (path, vr, level, private_creator, status, query_status, operation) VALUES {rows}"
_READY = f"status = '{TagStatus.READY}', operation = NULL"
_RELEASED = "operation = NULL"
_QUERY_STATUS = {status: f"query_status = '{status}'" for status in QueryStatus}
_FIND_LIVE = """
SELECT json_group_array(json_array(k.column1, i.partition, i.study, i.series, i.id))
FROM (VALUES {rows}) AS k
CROSS JOIN partitions p ON p.name = k.column2
CROSS JOIN studies st ON st.partition = p.key AND st.uid = k.column3
CROSS JOIN series se ON se.partition = p.key AND se.uid = k.column4 AND se.study = st.id
CROSS JOIN instances i
    ON i.partition = p.key AND i.uid = k.column5 AND i.series = se.id AND i.version = k.column6
"""
_PUT_ERRORS = """
INSERT INTO tag_errors (id, tag, time, message) VALUES {rows}
ON CONFLICT (id, tag) DO UPDATE SET time = excluded.time, message = excluded.message
"""
_COUNT_ERRORS = """
SELECT json_group_array(json_array(tag, errors)) FROM (
    SELECT tag, count(*) AS errors FROM tag_errors
    WHERE tag IN (SELECT key FROM tags WHERE key IN (SELECT value FROM json_each(?))) GROUP BY tag
)
"""
_ERRORS = """
SELECT json_group_array(json_array(p.name, st.uid, se.uid, i.uid, i.version, page.time, page.message)) FROM (
    SELECT id, time, message FROM tag_errors
    WHERE tag = (SELECT key FROM tags WHERE key = ?) ORDER BY time, id LIMIT ? OFFSET ?
) AS page
CROSS JOIN instances i ON i.id = page.id
CROSS JOIN series se ON se.id = i.series
CROSS JOIN studies st ON st.id = i.study
CROSS JOIN partitions p ON p.key = i.partition
"""


class SqliteTags:
    """The extended query tags. See ``Tags`` for what each method does."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    @property
    def settle_seconds(self) -> float:
        return 0.0

    async def all(self) -> TagSet:
        return await self._readers.run(_all)

    async def add(self, tags: Sequence[TagDefinition], operation: str, generation: int) -> TagSet | None:
        return await self._writer.run(partial(_add, tags=tags, operation=operation, generation=generation))

    async def remove(self, tag: int) -> bool:
        return await self._writer.run(partial(_remove, tag=tag))

    async def erase(self, tag: int, limit: int) -> int:
        return await self._writer.run(partial(erase, tag=tag, limit=limit))

    async def set_ready(self, tags: Sequence[int]) -> None:
        await self._writer.run(partial(_set, state=_READY, tags=tags))

    async def release(self, tags: Sequence[int]) -> None:
        await self._writer.run(partial(_set, state=_RELEASED, tags=tags))

    async def set_query_status(self, tag: int, status: QueryStatus) -> bool:
        return await self._writer.run(partial(_set, state=_QUERY_STATUS[status], tags=[tag])) == 1

    async def index(self, entries: Sequence[TagEntry]) -> None:
        await self._writer.run(partial(_index, entries=entries))

    async def record_errors(self, errors: Sequence[TagError]) -> None:
        await self._writer.run(partial(_record_errors, errors=errors))

    async def error_counts(self, tags: Sequence[int]) -> Mapping[int, int]:
        return await self._readers.run(partial(_error_counts, tags=tags))

    async def errors(self, tag: int, offset: int, limit: int) -> list[TagError]:
        return await self._readers.run(partial(_errors, tag=tag, offset=offset, limit=limit))


def _all(connection: sqlite3.Connection) -> TagSet:
    generation, rows = connection.execute(_ALL).fetchone()
    return TagSet(
        generation,
        tuple(
            QueryTag(
                key,
                TagDefinition(path, vr, Level(level), private_creator),
                TagStatus(status),
                QueryStatus(query_status),
                operation,
            )
            for key, path, vr, level, private_creator, status, query_status, operation in orjson.loads(rows)
        ),
    )


def _add(
    connection: sqlite3.Connection, tags: Sequence[TagDefinition], operation: str, generation: int
) -> TagSet | None:
    known = connection.execute("SELECT generation FROM tag_set").fetchone()
    if known != (generation,):
        return None
    _count_generation(connection)
    state = (TagStatus.ADDING, QueryStatus.ENABLED, operation)
    execute(connection, _ADD, [(tag.path, tag.vr, tag.level, tag.private_creator, *state) for tag in tags])
    return _all(connection)


def _remove(connection: sqlite3.Connection, tag: int) -> bool:
    is_gone = connection.execute("DELETE FROM tags WHERE key = ?", (tag,)).rowcount == 1
    if is_gone:
        _count_generation(connection)
    return is_gone


def _count_generation(connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE tag_set SET generation = generation + 1")


def _set(connection: sqlite3.Connection, state: str, tags: Sequence[int]) -> int:
    """Set the state of some tags; gives how many of them there are."""
    statement = f"UPDATE tags SET {state} WHERE key IN (SELECT value FROM json_each(?))"
    return connection.execute(statement, (orjson.dumps(tags).decode(),)).rowcount


def _index(connection: sqlite3.Connection, entries: Sequence[TagEntry]) -> None:
    known = _keys(connection)
    values = TagValues()
    for number, ids, partition in _live(connection, [(entry.key, entry.version) for entry in entries]):
        entry = entries[number]
        values.tell(ids, partition, entry.version, [value for value in entry.values if value.tag.key in known])
    values.write(connection)


def _record_errors(connection: sqlite3.Connection, errors: Sequence[TagError]) -> None:
    known = _keys(connection)
    rows = [
        (ids[Level.INSTANCE], error.tag, error.time, error.message)
        for number, ids, _ in _live(connection, [(error.key, error.version) for error in errors])
        if (error := errors[number]).tag in known
    ]
    execute(connection, _PUT_ERRORS, rows)
    _set(connection, _QUERY_STATUS[QueryStatus.DISABLED], sorted({tag for _, tag, *_ in rows}))


def _keys(connection: sqlite3.Connection) -> frozenset[int]:
    (keys,) = connection.execute("SELECT json_group_array(key) FROM tags").fetchone()
    return frozenset(orjson.loads(keys))


def _live(
    connection: sqlite3.Connection, versions: Sequence[tuple[InstanceKey, int]]
) -> list[tuple[int, dict[Level, int], int]]:
    """Of those versions that are live: their places in the list, row ids and partitions."""
    sought = [
        (number, key.partition, key.study, key.series, key.instance, version)
        for number, (key, version) in enumerate(versions)
    ]
    return [
        (number, {Level.STUDY: study, Level.SERIES: series, Level.INSTANCE: instance}, partition)
        for (found,) in execute(connection, _FIND_LIVE, sought)
        for number, partition, study, series, instance in orjson.loads(found)
    ]


def _error_counts(connection: sqlite3.Connection, tags: Sequence[int]) -> Mapping[int, int]:
    (rows,) = connection.execute(_COUNT_ERRORS, (orjson.dumps(tags).decode(),)).fetchone()
    return dict(orjson.loads(rows))


def _errors(connection: sqlite3.Connection, tag: int, offset: int, limit: int) -> list[TagError]:
    (rows,) = connection.execute(_ERRORS, (tag, limit, offset)).fetchone()
    return [
        TagError(tag, InstanceKey(partition, study, series, instance), version, time, message)
        for partition, study, series, instance, version, time, message in orjson.loads(rows)
    ]
