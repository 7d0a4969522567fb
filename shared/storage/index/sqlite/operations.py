# ruff: noqa: S608 - only names of our own go into SQL texts, values are bound
"""The operations over SQLite."""

import sqlite3
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from shared.errors import StorageError
from shared.storage.index.operations import Operation, OperationStatus
from shared.storage.index.sqlite.readers import Readers
from shared.storage.index.sqlite.writer import Writer

_COLUMNS = ("id", "type", "status", "created", "updated", "input", "progress", "percent", "leased_until", "revision")
_FINAL = ", ".join(f"'{status}'" for status in OperationStatus if status.is_final)

_ADD = f"""
INSERT INTO operations ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
ON CONFLICT (id) DO NOTHING
"""
_REPLACE = f"""
UPDATE operations SET {", ".join(f"{name} = :{name}" for name in _COLUMNS)} WHERE id = :id AND revision = :revision - 1
"""


class SqliteOperations:
    """The operations of the last days. See ``Operations`` for what each method does."""

    def __init__(self, writer: Writer, readers: Readers) -> None:
        self._writer = writer
        self._readers = readers

    async def add(self, operation: Operation) -> None:
        if not await self._writer.run(partial(_write, statement=_ADD, operation=operation)):
            raise StorageError("There is an operation with that id already.")

    async def get(self, operation: str) -> Operation | None:
        found = await self._readers.run(partial(_find, wanted="WHERE id = ?", parameters=(operation,)))
        return found[0] if found else None

    async def page(self, offset: int, limit: int) -> list[Operation]:
        wanted = "ORDER BY created DESC, id DESC LIMIT ? OFFSET ?"
        return await self._readers.run(partial(_find, wanted=wanted, parameters=(limit, offset)))

    async def replace(self, operation: Operation) -> Operation | None:
        following = replace(operation, revision=operation.revision + 1)
        is_done = await self._writer.run(partial(_write, statement=_REPLACE, operation=following))
        return following if is_done else None

    async def due(self, now: int, limit: int) -> list[Operation]:
        wanted = f"WHERE status NOT IN ({_FINAL}) AND leased_until <= ? ORDER BY created, id LIMIT ?"
        return await self._readers.run(partial(_find, wanted=wanted, parameters=(now, limit)))

    async def forget(self, before: int) -> int:
        return await self._writer.run(partial(_forget, before=before))


def _write(connection: sqlite3.Connection, statement: str, operation: Operation) -> bool:
    row = {name: getattr(operation, name) for name in _COLUMNS}
    row |= {name: orjson.dumps(dict(row[name])).decode() for name in ("input", "progress")}
    return connection.execute(statement, row).rowcount == 1


def _find(connection: sqlite3.Connection, wanted: str, parameters: tuple[Any, ...]) -> list[Operation]:
    described = "id, type, status, created, updated, json(input), json(progress), percent, leased_until, revision"
    (rows,) = connection.execute(
        f"SELECT json_group_array(json_array({described})) FROM (SELECT * FROM operations {wanted})", parameters
    ).fetchone()
    return [Operation(id_, type_, OperationStatus(status), *rest) for id_, type_, status, *rest in orjson.loads(rows)]


def _forget(connection: sqlite3.Connection, before: int) -> int:
    return connection.execute(f"DELETE FROM operations WHERE status IN ({_FINAL}) AND updated < ?", (before,)).rowcount
