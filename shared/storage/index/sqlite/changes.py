# ruff: noqa: S608 - only names of our own go into SQL texts, values are bound
"""Noting changes in the feed, within the transaction that makes them.

SQLite gives a row that names no number the one after the highest. No row ever goes, so there are no gaps.
"""

import sqlite3
import time
from collections.abc import Sequence

from shared.storage.index.feed import Action
from shared.storage.index.sqlite.rows import Row, execute
from shared.storage.versions import made_at

LAST_TIME = "(SELECT time FROM feed ORDER BY sequence DESC LIMIT 1)"
"""The time of the entry with the highest number."""

_INSERT = "INSERT INTO feed (time, partition, study, series, instance, action, version)"
# a limit keeps the order of what is joined to; to sort no more than ids spares memory
_COPY = (
    f"{_INSERT} SELECT {{time}}, i.partition, st.uid, se.uid, i.uid, '{{action}}', i.version "
    "FROM (SELECT id FROM instances WHERE {within} ORDER BY version, id LIMIT -1) AS oldest_first "
    "CROSS JOIN instances i ON i.id = oldest_first.id "
    "CROSS JOIN series se ON se.id = i.series CROSS JOIN studies st ON st.id = i.study"
)


def next_time(last: int | None) -> int:
    """The time of the next entry, in microseconds since the epoch: now, but no earlier than that of the last."""
    return max(time.time_ns() // 1_000, last or 0)


def note(connection: sqlite3.Connection, changes: Sequence[Row]) -> None:
    """Append changes: time, key of the partition, UIDs of study, series and instance, action, version."""
    execute(connection, f"{_INSERT} VALUES {{rows}}", changes)


def note_deletion(connection: sqlite3.Connection, column: str, row: int) -> None:
    """Append the deletions of the instances that have ``row`` in a column, oldest version first."""
    (last,) = connection.execute(f"SELECT {LAST_TIME}").fetchone()
    statement = _COPY.format(time="?", action=Action.DELETE, within=f"{column} = ?")
    connection.execute(statement, (next_time(last), row))


def note_all(connection: sqlite3.Connection) -> None:
    """Begin the feed with the instances that are there, each created when its version was made."""
    connection.create_function("made_at", 1, made_at, deterministic=True)
    connection.execute(_COPY.format(time="made_at(i.version)", action=Action.CREATE, within="true"))
