"""The index port: what every index adapter does. ``tests/contract`` holds the adapters to it."""

from collections.abc import AsyncIterator, Sequence
from enum import StrEnum
from typing import Protocol

from shared.storage.index.feed import Feed
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
from shared.storage.index.operations import Operations
from shared.storage.index.tags import Tags


class CommitMode(StrEnum):
    """``CREATE`` refuses an identity that exists, ``REPLACE`` puts the new version in its place."""

    CREATE = "create"
    REPLACE = "replace"


class CommitResult(StrEnum):
    """What became of one record. ``FAILED``: it could not be committed while others were, or that is not known."""

    CREATED = "created"
    REPLACED = "replaced"
    EXISTS = "exists"
    FAILED = "failed"


class Index(Protocol):
    """Searchable state of every live instance, and what belongs to it.

    A call that returns is durable; one that raises changed nothing.
    """

    @property
    def feed(self) -> Feed:
        """The log of all changes."""

    @property
    def tags(self) -> Tags:
        """The extended query tags."""

    @property
    def operations(self) -> Operations:
        """The long work."""

    @property
    def settle_seconds(self) -> float:
        """How long after a delete or a replacement another process may still look up what is gone."""

    async def open(self) -> None:
        """Connect and set up what is missing; safe to call in several processes at once."""

    async def close(self) -> None:
        """Finish what is under way and let go of every connection."""

    async def check(self) -> None:
        """Prove that the index can be read and written, else raise StorageError."""

    async def commit(
        self, records: Sequence[InstanceRecord], mode: CommitMode, purge_due: float, generation: int = 0
    ) -> list[CommitResult]:
        """Make the records visible, in order, each with its study, series and partition, noting it in the feed.

        ``generation`` is that of the extended query tags whose values the records carry. Raises TagsChanged where the
        index knows others; one that can't tell at once says so by ``Tags.settle_seconds``.

        One result per record. Committing the same version again gives the same result as before, so
        that a lost answer can be retried. A replaced version's blob is queued for purge at ``purge_due``; so is that
        of a replacement older than the live version, which counts as replaced the moment it was stored.

        Where not all records can be committed in one transaction, some may fail alone; if all do, this raises.
        """

    async def delete(self, scope: Scope, purge_due: float) -> list[str]:
        """Remove all instances of a study, series or instance at once, queue their blobs, note it in the feed.

        Gives the blobs' names; none when nothing is there. Emptied series and studies go with their instances.
        """

    def revision(self) -> int | None:
        """A number that stays the same only while nothing changes; None where that can't be told at once."""

    async def search(self, search: Search) -> Page:
        """Find studies, series or instances."""

    async def instance(self, key: InstanceKey) -> StoredInstance | None:
        """Look one instance up."""

    def instances(self, scope: Scope) -> AsyncIterator[StoredInstance]:
        """All instances of a study, series or instance, oldest version first, read page by page.

        A scope that holds nothing gives nothing.
        """

    async def read(self, scope: Scope) -> tuple[ScopeState, AsyncIterator[StoredInstance]]:
        """A state of the scope and, from then or later, its instances: ``state`` and ``instances`` at one go."""

    async def page(self, partition: str, after: int, limit: int) -> list[StoredInstance]:
        """The first instances of a partition with versions above ``after``, oldest first."""

    async def state(self, scope: Scope) -> ScopeState:
        """The entity-tag state of a study, series or instance; zeros when nothing is there."""

    async def partitions(self) -> list[Partition]:
        """All data partitions by key; the default partition always exists, with key 1."""

    def blobs(self, prefix: str) -> AsyncIterator[tuple[str, bool]]:
        """The names under a prefix of all blobs that the index knows; False with those that wait to be purged."""

    async def due_purges(self, now: float, limit: int) -> list[Purge]:
        """Blobs whose purge is due, at most ``limit``, longest due first."""

    async def postpone_purge(self, blob: str, due: float) -> None:
        """Set a new due time after a failed removal."""

    async def forget_purge(self, blob: str) -> None:
        """The blob is removed: drop its entry."""
