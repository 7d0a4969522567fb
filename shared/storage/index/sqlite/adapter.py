"""The index port over one SQLite file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from functools import partial
from pathlib import Path

from shared.errors import StorageError
from shared.storage.index.model import (
    InstanceKey,
    InstanceRecord,
    Page,
    Partition,
    Purge,
    Scope,
    ScopeState,
    Search,
    StoredInstance,
)
from shared.storage.index.port import CommitMode, CommitResult
from shared.storage.index.sqlite import delete, reads, search
from shared.storage.index.sqlite.connection import make_folder, storage_errors
from shared.storage.index.sqlite.feed import SqliteFeed
from shared.storage.index.sqlite.operations import SqliteOperations
from shared.storage.index.sqlite.plan import draft
from shared.storage.index.sqlite.readers import Readers
from shared.storage.index.sqlite.revision import Revision
from shared.storage.index.sqlite.schema import SCHEMA_VERSION
from shared.storage.index.sqlite.tags import SqliteTags
from shared.storage.index.sqlite.writer import Writer

OLDEST_SQLITE = (3, 37, 0)
CHECK_TIMEOUT_S = 10.0


class SqliteIndex:
    """The index in a file that the processes of one machine share. See ``Index`` for what each method does."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = Writer(path)
        self._readers = Readers(path)
        self._revision = Revision(path)
        self._feed = SqliteFeed(self._writer, self._readers)
        self._tags = SqliteTags(self._writer, self._readers)
        self._operations = SqliteOperations(self._writer, self._readers)

    @property
    def feed(self) -> SqliteFeed:
        return self._feed

    @property
    def tags(self) -> SqliteTags:
        return self._tags

    @property
    def operations(self) -> SqliteOperations:
        return self._operations

    @property
    def settle_seconds(self) -> float:
        return 0.0

    async def open(self) -> None:
        await asyncio.to_thread(self._open)

    def _open(self) -> None:
        if sqlite3.sqlite_version_info < OLDEST_SQLITE:
            raise StorageError("SQLite 3.37 or newer is needed.")
        try:
            make_folder(self._path.parent)
            with storage_errors():
                self._writer.start()
                self._readers.start()
                self._revision.start()
        except BaseException as error:
            self._close()
            if isinstance(error, OSError):
                raise StorageError("The folder of the index can't be written.") from error
            raise

    async def close(self) -> None:
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        self._revision.stop()
        self._readers.stop()
        self._writer.stop()

    async def check(self) -> None:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                await self._readers.run(reads.partitions)
                await self._writer.run(_rewrite_version)
        except TimeoutError as error:
            raise StorageError("The index does not answer.") from error

    async def commit(
        self, records: Sequence[InstanceRecord], mode: CommitMode, purge_due: float, generation: int = 0
    ) -> list[CommitResult]:
        return await self._writer.commit([draft(record, mode, purge_due, generation) for record in records])

    async def delete(self, scope: Scope, purge_due: float) -> list[str]:
        return await self._writer.run(partial(delete.delete, scope=scope, purge_due=purge_due))

    async def search(self, search_: Search) -> Page:
        return await self._readers.run(partial(search.find, search=search_))

    def revision(self) -> int | None:
        return self._revision.number()

    async def instance(self, key: InstanceKey) -> StoredInstance | None:
        recent = self._revision.recent(key)
        if recent is not None:
            return recent
        seen = self._revision.seen
        found = await self._readers.run(partial(reads.instance, key=key))
        if found is not None:
            self._revision.remember(found, seen)
        return found

    async def instances(self, scope: Scope) -> AsyncIterator[StoredInstance]:
        _, page, position = await self._readers.run(partial(reads.begin, scope=scope))
        async for found in self._instances(scope, page, position):
            yield found

    async def read(self, scope: Scope) -> tuple[ScopeState, AsyncIterator[StoredInstance]]:
        state, page, position = await self._readers.run(partial(reads.begin, scope=scope))
        return state, self._instances(scope, page, position)

    async def _instances(
        self, scope: Scope, page: list[StoredInstance], position: reads.Position | None
    ) -> AsyncIterator[StoredInstance]:
        for found in page:
            yield found
        while position is not None:
            page, position = await self._readers.run(partial(reads.instances, scope=scope, after=position))
            for found in page:
                yield found

    async def page(self, partition: str, after: int, limit: int) -> list[StoredInstance]:
        return await self._readers.run(partial(reads.page, partition=partition, after=after, limit=limit))

    async def state(self, scope: Scope) -> ScopeState:
        return await self._readers.run(partial(reads.state, scope=scope))

    async def partitions(self) -> list[Partition]:
        return await self._readers.run(reads.partitions)

    async def blobs(self, prefix: str) -> AsyncIterator[tuple[str, bool]]:
        page = await self._readers.run(partial(reads.blobs, prefix=prefix, after=""))
        while page:
            for known in page:
                yield known
            page = await self._readers.run(partial(reads.blobs, prefix=prefix, after=page[-1][0]))

    async def due_purges(self, now: float, limit: int) -> list[Purge]:
        return await self._readers.run(partial(reads.due_purges, now=now, limit=limit))

    async def postpone_purge(self, blob: str, due: float) -> None:
        await self._writer.run(partial(delete.postpone_purge, blob=blob, due=due))

    async def forget_purge(self, blob: str) -> None:
        await self._writer.run(partial(delete.forget_purge, blob=blob))


def _rewrite_version(connection: sqlite3.Connection) -> None:
    """The least change that still has to reach the disk."""
    connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
