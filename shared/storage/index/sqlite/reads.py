# ruff: noqa: S608 - only names of our own go into SQL texts, values are bound
"""Everything that is read but searches."""

import sqlite3
from dataclasses import dataclass

import orjson

from shared.storage.index.model import InstanceKey, Partition, Purge, Scope, ScopeState, StoredInstance
from shared.storage.index.sqlite.rows import joined, split

FIRST_INSTANCES = 64
"""In a first page, which an answer waits for before it begins."""
PAGE_INSTANCES = 256
PAGE_BLOBS = 1000
PAGE_BYTES = 4 * 1024 * 1024
"""A page of instances ends once its metadata and layouts reach this size."""

_PARTITION = "(SELECT key FROM partitions WHERE name = :partition)"
_STUDY = f"(SELECT id FROM studies WHERE partition = {_PARTITION} AND uid = :study)"
_SERIES = f"(SELECT id FROM series WHERE partition = {_PARTITION} AND uid = :series AND study = {_STUDY})"

_INSTANCE_COLUMNS = "i.version, i.blob, i.length, i.transfer_syntax"


@dataclass(frozen=True, slots=True)
class Position:
    """Where a page of instances ended; the next begins after it."""

    version: int
    id: int


START = Position(0, 0)
PAST_IDS = 2**63 - 1


def instances(
    connection: sqlite3.Connection, scope: Scope, after: Position, limit: int = PAGE_INSTANCES
) -> tuple[list[StoredInstance], Position | None]:
    """One page of a scope's instances, oldest first, and its last position; None if nothing is left behind it."""
    limit = min(limit, PAGE_INSTANCES)
    sized = (
        "SELECT i.id, i.version, length(c.metadata) + length(c.layout) AS size "
        f"FROM instances i CROSS JOIN instances_content c ON c.id = i.id WHERE {_within(scope)} "
        "AND i.version >= :version AND (i.version, i.id) > (:version, :id) "
        f"ORDER BY i.version, i.id LIMIT {limit}"
    )
    summed = f"SELECT id, sum(size) OVER (ORDER BY version, id) - size AS before FROM ({sized})"
    described, metadata, layouts = connection.execute(
        f"SELECT json_group_array(json_array(i.id, st.uid, se.uid, i.uid, {_INSTANCE_COLUMNS}, "
        f"length(c.metadata), length(c.layout))), {joined('c.metadata')}, {joined('c.layout')} "
        f"FROM ({summed}) AS page CROSS JOIN instances i ON i.id = page.id "
        "CROSS JOIN instances_content c ON c.id = i.id CROSS JOIN series se ON se.id = i.series "
        f"CROSS JOIN studies st ON st.id = i.study WHERE page.before < {PAGE_BYTES}",
        {**_names(scope), "version": after.version, "id": after.id},
    ).fetchone()
    rows = orjson.loads(described)
    contents = zip(split(metadata, (row[-2] for row in rows)), split(layouts, (row[-1] for row in rows)), strict=True)
    found = [
        StoredInstance(
            InstanceKey(scope.partition, study, series, uid), version, blob, length, transfer_syntax, *content
        )
        for (_, study, series, uid, version, blob, length, transfer_syntax, *_), content in zip(
            rows, contents, strict=True
        )
    ]
    whole = len(found) < limit and sum(row[-1] + row[-2] for row in rows) < PAGE_BYTES
    return found, None if whole else Position(found[-1].version, rows[-1][0])


def begin(connection: sqlite3.Connection, scope: Scope) -> tuple[ScopeState, list[StoredInstance], Position | None]:
    """The state of a scope and the first page of its instances."""
    return state(connection, scope), *instances(connection, scope, START, FIRST_INSTANCES)


def page(connection: sqlite3.Connection, partition: str, after: int, limit: int) -> list[StoredInstance]:
    """The first instances of a partition with versions above ``after``, oldest first."""
    found: list[StoredInstance] = []
    position: Position | None = Position(after, PAST_IDS)
    while position is not None and len(found) < limit:
        more, position = instances(connection, Scope(partition), position, limit - len(found))
        found += more
    return found


def instance(connection: sqlite3.Connection, key: InstanceKey) -> StoredInstance | None:
    """Look one instance up."""
    scope = Scope(key.partition, key.study, key.series, key.instance)
    row = connection.execute(
        f"SELECT {_INSTANCE_COLUMNS}, c.metadata, c.layout "
        f"FROM instances i JOIN instances_content c ON c.id = i.id WHERE {_within(scope)}",
        _names(scope),
    ).fetchone()
    return StoredInstance(key, *row) if row else None


def state(connection: sqlite3.Connection, scope: Scope) -> ScopeState:
    """The newest version and the number of instances of a scope."""
    row = connection.execute(
        f"SELECT coalesce(max(i.version), 0), count(*) FROM instances i WHERE {_within(scope)}", _names(scope)
    ).fetchone()
    return ScopeState(*row)


def partitions(connection: sqlite3.Connection) -> list[Partition]:
    """All data partitions by key."""
    (rows,) = connection.execute(
        "SELECT json_group_array(json_array(key, name, created)) FROM (SELECT * FROM partitions ORDER BY key)"
    ).fetchone()
    return [Partition(*row) for row in orjson.loads(rows)]


def due_purges(connection: sqlite3.Connection, now: float, limit: int) -> list[Purge]:
    """The blobs whose purge is due, longest due first."""
    (rows,) = connection.execute(
        "SELECT json_group_array(json_array(blob, due)) "
        "FROM (SELECT blob, due FROM purges WHERE due <= ? ORDER BY due, blob LIMIT ?)",
        (now, limit),
    ).fetchone()
    return [Purge(*row) for row in orjson.loads(rows)]


def _names(scope: Scope) -> dict[str, str | int | None]:
    return {
        "partition": scope.partition,
        "study": scope.study,
        "series": scope.series,
        "instance": scope.instance,
    }


def _within(scope: Scope) -> str:
    """The condition that an instance ``i`` lies in the scope; its parameters are named as in the scope."""
    within = f"i.partition = {_PARTITION}"
    if scope.instance is not None:
        return f"{within} AND i.uid = :instance AND i.series = {_SERIES}"
    if scope.series is not None:
        return f"{within} AND i.series = {_SERIES}"
    if scope.study is not None:
        return f"{within} AND i.study = {_STUDY}"
    return within


def blobs(connection: sqlite3.Connection, prefix: str, after: str) -> list[tuple[str, bool]]:
    """The first names under a prefix behind ``after``, in order; False with those of the purge queue."""
    past = prefix[:-1] + chr(ord(prefix[-1]) + 1)
    found = connection.execute(
        "SELECT blob, live FROM (SELECT blob, 1 AS live FROM instances UNION ALL SELECT blob, 0 FROM purges) "
        "WHERE blob > :after AND blob >= :prefix AND blob < :past ORDER BY blob LIMIT :limit",
        {"after": after, "prefix": prefix, "past": past, "limit": PAGE_BLOBS},
    )
    return [(blob, bool(live)) for blob, live in found]
