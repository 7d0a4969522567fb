"""The calls on one container that the index makes, each tried until it works or the deadline has passed."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeAlias

from azure.core.exceptions import ResourceNotFoundError
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosBatchOperationError

from shared.storage.index.cosmos.patience import Patience, status_of
from shared.storage.index.cosmos.sql import Query

NOT_FOUND, CONFLICT, PRECONDITION_FAILED = 404, 409, 412
SESSION_NOT_AVAILABLE = 1002
"""Substatus of a 404 from replicas that lag behind what this process has seen."""
MOST_ROWS_AT_ONCE = 1000
POLL_S = 0.5
"""How long to wait for more changes where there are none."""

Document: TypeAlias = dict[str, Any]
Operation: TypeAlias = tuple[str, tuple[Any, ...], dict[str, Any]]
Key: TypeAlias = list[str]
"""The values of the partition key, or of its first path only."""


class Container:
    """One container. Every method raises StorageError when the account can't be reached or refuses."""

    def __init__(self, proxy: ContainerProxy) -> None:
        self._proxy = proxy

    async def read(self, document: str, key: Key, patience: Patience | None = None) -> Document | None:
        """The document with that id; None if there is none."""

        async def call() -> Document | None:
            try:
                return await self._proxy.read_item(document, _whole(key))
            except ResourceNotFoundError as error:
                if getattr(error, "sub_status", None) == SESSION_NOT_AVAILABLE:
                    raise
                return None

        return await (patience or Patience()).run(call)

    async def batch(self, operations: Sequence[Operation], key: Key, patience: Patience) -> list[str] | None:
        """Carry out all operations or none; gives the new entity tags in their order.

        None if a precondition failed: a document that was to be created is there, or one to be changed is not, or not
        as expected. As a batch whose answer was lost is sent again, that may also mean that it took effect before.
        """

        async def call() -> list[str] | None:
            try:
                # the SDK takes the options out of the dictionaries it is given
                sent = [(kind, arguments, dict(options)) for kind, arguments, options in operations]
                results = await self._proxy.execute_item_batch(sent, _whole(key))
            except CosmosBatchOperationError as error:
                if status_of(error) in (NOT_FOUND, CONFLICT, PRECONDITION_FAILED):
                    return None
                raise
            return [str(result.get("eTag", "")) for result in results]

        return await patience.run(call)

    async def upsert(self, document: Document, patience: Patience | None = None) -> None:
        """Write a document, whatever was there."""
        await (patience or Patience()).run(lambda: self._proxy.upsert_item(document))

    async def change(self, document: str, key: Key, **properties: Any) -> None:
        """Set some properties of a document, if it is there."""
        changes = [{"op": "set", "path": f"/{name}", "value": value} for name, value in properties.items()]

        async def call() -> None:
            try:
                await self._proxy.patch_item(document, _whole(key), changes)
            except ResourceNotFoundError:
                return

        await Patience().run(call)

    async def delete(self, document: str, key: Key) -> None:
        """Remove a document, if it is there."""

        async def call() -> None:
            try:
                await self._proxy.delete_item(document, _whole(key))
            except ResourceNotFoundError:
                return

        await Patience().run(call)

    async def query(self, query: Query, key: Key | None, patience: Patience | None = None) -> list[Any]:
        """All results. With only the first value of the key, or none, those of several physical partitions may follow
        each other: each in the query's order, and each up to its limit."""
        found = []
        async for page in self.pages(query, key, patience):
            found += page
        return found

    async def pages(
        self, query: Query, key: Key | None, patience: Patience | None = None, most: int | None = None
    ) -> AsyncIterator[list[Any]]:
        """The same page by page: of up to 4 MB, and of ``most`` results."""
        options: dict[str, Any] = {} if key is None else {"partition_key": _whole(key)}
        size = min(most or MOST_ROWS_AT_ONCE, query.limit or MOST_ROWS_AT_ONCE)
        found = self._proxy.query_items(query.text, parameters=query.parameters, max_item_count=size, **options)
        pages = found.by_page()

        async def call() -> list[Any] | None:
            try:
                return [row async for row in await anext(pages)]
            except StopAsyncIteration:
                return None

        while (page := await (patience or Patience()).run(call)) is not None:
            yield page

    async def changes(self) -> AsyncIterator[list[Document]]:
        """Documents that were created or changed from now on, as they are then, page by page for good.

        What changes in one logical partition comes in order; of a document that changes again before it was read only
        the last form comes, and none of one that is gone by then.
        """
        start: dict[str, Any] = {"start_time": "Now"}
        while True:
            page, continuation = await self._changed(start)
            start = {"continuation": continuation}
            if page:
                yield page
            else:
                await asyncio.sleep(POLL_S)

    async def _changed(self, start: Mapping[str, Any]) -> tuple[list[Document], str]:
        """One page of what changed, and where the next one begins."""

        async def call() -> tuple[list[Document], str]:
            answers: list[Mapping[str, str]] = []
            found = self._proxy.query_items_change_feed(
                response_hook=lambda headers, _: answers.append(headers), max_item_count=MOST_ROWS_AT_ONCE, **start
            )
            try:
                page = [document async for document in await anext(found.by_page())]
            except StopAsyncIteration:
                page = []
            # the SDK puts its place in all ranges where the answer had that in one
            return page, answers[-1]["etag"]

        return await Patience().run(call)


def _whole(key: Key) -> Any:
    return key if len(key) > 1 else key[0]
