"""The operations over Cosmos DB, each a document of the catalog.

``input`` and ``progress`` are JSON text: Cosmos DB's numbers are doubles, and a version has 63 bits.
"""

from dataclasses import replace
from typing import Any

import orjson

from shared.errors import StorageError
from shared.storage.index.cosmos.catalog import take_place
from shared.storage.index.cosmos.container import Container, Document
from shared.storage.index.cosmos.patience import Patience
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.operations import Operation, OperationStatus

OPERATION = "operation"
KEY = [OPERATION]

_UNFINISHED = [status for status in OperationStatus if not status.is_final]
_FINAL = [status for status in OperationStatus if status.is_final]
_AS_THEY_ARE = ("id", "type", "created", "updated", "percent", "leased_until", "revision")


class CosmosOperations:
    """The operations of the last days. See ``Operations`` for what each method does."""

    def __init__(self, catalog: Container) -> None:
        self._catalog = catalog

    async def add(self, operation: Operation) -> None:
        if not await take_place(self._catalog, None, _document(operation), Patience()):
            raise StorageError("There is an operation with that id already.")

    async def get(self, operation: str) -> Operation | None:
        found = await self._catalog.read(operation, KEY)
        return _operation(found) if found else None

    async def page(self, offset: int, limit: int) -> list[Operation]:
        query = Query("*", order="c.created DESC", offset=offset, limit=limit)
        query.equal(kind=OPERATION)
        return await self._find(query)

    async def replace(self, operation: Operation) -> Operation | None:
        following = replace(operation, revision=operation.revision + 1)
        patience = Patience()
        before = await self._catalog.read(operation.id, KEY, patience)
        if before is None or before["revision"] != operation.revision:
            return None
        is_done = await take_place(self._catalog, before, _document(following), patience)
        return following if is_done else None

    async def due(self, now: int, limit: int) -> list[Operation]:
        query = Query("*", order="c.created ASC", limit=limit)
        query.equal(kind=OPERATION)
        query.among("c.status", _UNFINISHED)
        query.where.append(f"c.leased_until <= {query.bind(now)}")
        return await self._find(query)

    async def forget(self, before: int) -> int:
        query = Query("VALUE c.id")
        query.equal(kind=OPERATION)
        query.among("c.status", _FINAL)
        query.where.append(f"c.updated < {query.bind(before)}")
        found: list[str] = await self._catalog.query(query, KEY)
        for operation in found:
            await self._catalog.delete(operation, KEY)
        return len(found)

    async def _find(self, query: Query) -> list[Operation]:
        return [_operation(found) for found in await self._catalog.query(query, KEY)]


def _document(operation: Operation) -> Document:
    return {
        **{name: getattr(operation, name) for name in _AS_THEY_ARE},
        "kind": OPERATION,
        "status": operation.status,
        "input": orjson.dumps(dict(operation.input)).decode(),
        "progress": orjson.dumps(dict(operation.progress)).decode(),
    }


def _operation(document: Document) -> Operation:
    plain: dict[str, Any] = {name: document[name] for name in _AS_THEY_ARE}
    return Operation(
        **plain,
        status=OperationStatus(document["status"]),
        input=orjson.loads(document["input"]),
        progress=orjson.loads(document["progress"]),
    )
