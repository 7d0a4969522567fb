"""Many rows in one statement.

Each step of a statement lets go of Python's global lock and has to win it back, which on a busy event loop can take
milliseconds. So rows go in by one VALUES list and come out as one row: a JSON array, and the blobs end to end.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

Row: TypeAlias = tuple[Any, ...]

MOST_ROWS = 256


def execute(connection: sqlite3.Connection, statement: str, rows: Sequence[Row]) -> list[Row]:
    """Run a statement with ``{rows}`` in place of the list of VALUES; gives one result row per run.

    Runs it for 256, 128, ... 1 rows at a time, so that few texts have to be prepared.
    """
    results = []
    start = 0
    while start < len(rows):
        size = min(MOST_ROWS, 1 << ((len(rows) - start).bit_length() - 1))
        values = [value for row in rows[start : start + size] for value in row]
        found = connection.execute(_sized(statement, len(rows[start]), size), values).fetchone()
        if found is not None:
            results.append(found)
        start += size
    return results


@lru_cache(maxsize=256)
def _sized(statement: str, width: int, size: int) -> str:
    row = f"({', '.join('?' * width)})"
    return statement.format(rows=", ".join([row] * size))


def joined(column: str) -> str:
    """The SQL of a blob column's values of all rows, end to end; NULL when there are no rows."""
    # group_concat copies bytes and does not look at them; the casts keep SQLite from calling the result text
    return f"CAST(group_concat({column}, '') AS BLOB)"


def split(blobs: bytes | None, lengths: Iterable[int]) -> Iterator[bytes]:
    """Take apart what ``joined`` put together."""
    start = 0
    for length in lengths:
        yield (blobs or b"")[start : start + length]
        start += length
