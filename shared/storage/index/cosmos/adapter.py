"""The index port over Cosmos DB."""

import logging
from collections.abc import AsyncIterator, Sequence
from functools import partial
from typing import Any

from shared.storage.index.cosmos import reads
from shared.storage.index.cosmos.account import Account
from shared.storage.index.cosmos.delete import delete
from shared.storage.index.cosmos.feed import CosmosFeed
from shared.storage.index.cosmos.operations import CosmosOperations
from shared.storage.index.cosmos.partitions import Partitions
from shared.storage.index.cosmos.patience import Patience
from shared.storage.index.cosmos.plan import draft
from shared.storage.index.cosmos.recent import LEASE_SECONDS, RecentInstances
from shared.storage.index.cosmos.search import find
from shared.storage.index.cosmos.tags import CosmosTags
from shared.storage.index.cosmos.writer import Writer
from shared.storage.index.model import (
    DEFAULT_PARTITION,
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

logger = logging.getLogger(__name__)

CHECK_TIMEOUT_S = 10.0


class CosmosIndex:
    """The index in the containers of an account. See ``Index`` for what each method does.

    What is changed at once are the documents of one study, up to 100 of them: a commit of records of several studies,
    or of more than fit, is several changes, and so is a delete of more than 32 instances.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._index = account.index
        self._partitions = Partitions(account.catalog)
        self._writer = Writer(account.index)
        self._operations = CosmosOperations(account.catalog)
        self._tags = CosmosTags(account.index, account.catalog)
        self._feed = CosmosFeed(account.index, account.feed, account.catalog)
        self._recent = RecentInstances()

    @property
    def tags(self) -> CosmosTags:
        return self._tags

    @property
    def operations(self) -> CosmosOperations:
        return self._operations

    @property
    def feed(self) -> CosmosFeed:
        return self._feed

    @property
    def settle_seconds(self) -> float:
        return LEASE_SECONDS

    async def open(self) -> None:
        try:
            await self._account.open()
            await self._partitions.ensure([DEFAULT_PARTITION])
        except BaseException:
            await self._account.close()
            raise

    async def close(self) -> None:
        await self._writer.finish()
        await self._account.close()

    async def check(self) -> None:
        patience = Patience(CHECK_TIMEOUT_S)
        await self._index.upsert({"id": "check", "partition": "~", "study": "~", "kind": "check"}, patience)
        await self._index.read("check", ["~", "~"], patience)

    async def commit(
        self, records: Sequence[InstanceRecord], mode: CommitMode, purge_due: float, generation: int = 0
    ) -> list[CommitResult]:
        drafts = [draft(record, mode, purge_due) for record in records]
        await self._partitions.ensure({record.key.partition: None for record in records})
        try:
            outcomes = await self._writer.commit(drafts)
        finally:
            if mode is CommitMode.REPLACE:
                self._recent.forget()
        errors = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if errors and len(errors) == len(outcomes):
            raise errors[0]
        for error in errors:
            logger.error("A record could not be committed together with others: %r", type(error.__cause__ or error))
        return [outcome if isinstance(outcome, CommitResult) else CommitResult.FAILED for outcome in outcomes]

    async def delete(self, scope: Scope, purge_due: float) -> list[str]:
        study = (scope.partition, scope.study or "")
        try:
            return await self._writer.change(study, partial(delete, self._index, scope, purge_due))
        finally:
            self._recent.forget()

    def revision(self) -> int | None:
        return None

    async def search(self, search: Search) -> Page:
        return await find(self._index, search)

    async def instance(self, key: InstanceKey) -> StoredInstance | None:
        if (recent := self._recent.find(key)) is not None:
            return recent
        asked = self._recent.now()
        found = await reads.instance(self._index, key)
        if found is not None:
            self._recent.remember(found, asked)
        return found

    def instances(self, scope: Scope) -> AsyncIterator[StoredInstance]:
        return reads.instances(self._index, scope)

    async def read(self, scope: Scope) -> tuple[ScopeState, AsyncIterator[StoredInstance]]:
        return await self.state(scope), self.instances(scope)

    async def page(self, partition: str, after: int, limit: int) -> list[StoredInstance]:
        return await reads.page(self._index, partition, after, limit)

    async def state(self, scope: Scope) -> ScopeState:
        return await reads.state(self._index, scope)

    def changes(self) -> AsyncIterator[list[dict[str, Any]]]:
        """The documents of the container ``index`` that change from now on, page by page for good.

        For hosts that run the functions which Cosmos DB triggers. Raises StorageError.
        """
        return self._index.changes()

    async def partitions(self) -> list[Partition]:
        return await self._partitions.all()

    def blobs(self, prefix: str) -> AsyncIterator[tuple[str, bool]]:
        return reads.blobs(self._index, prefix)

    async def due_purges(self, now: float, limit: int) -> list[Purge]:
        return await reads.due_purges(self._index, now, limit)

    async def postpone_purge(self, blob: str, due: float) -> None:
        await reads.postpone_purge(self._index, blob, due)

    async def forget_purge(self, blob: str) -> None:
        await reads.forget_purge(self._index, blob)
