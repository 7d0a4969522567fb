"""The change feed: every change of an instance, in the order of its number, for good."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from shared.storage.index.model import InstanceKey


class Action(StrEnum):
    """What happened to an instance. ``UPDATE`` put another version in the place of the one that was there."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


class State(StrEnum):
    """What an entry's version is today: the live one, one that another took the place of, or gone with its instance."""

    CURRENT = "Current"
    REPLACED = "Replaced"
    DELETED = "Deleted"


@dataclass(frozen=True, slots=True)
class FeedEntry:
    """One change.

    ``sequence`` counts from 1 without gaps. ``version`` is the one that was created or deleted. ``time`` is in
    microseconds since the epoch, UTC, and never falls from one entry to the next. ``live`` is the instance's version at
    the time of reading, None if there is none; ``metadata`` that version's, where it was asked for and the entry
    is current, as the index keeps it.
    """

    sequence: int
    key: InstanceKey
    action: Action
    version: int
    time: int
    live: int | None
    metadata: bytes | None = field(default=None, repr=False)

    @property
    def state(self) -> State:
        """The entry's state at the time of reading. That of a deletion is never current."""
        if self.live is None:
            return State.DELETED
        is_current = self.live == self.version and self.action is not Action.DELETE
        return State.CURRENT if is_current else State.REPLACED


@dataclass(frozen=True, slots=True)
class FeedQuery:
    """Which entries to read, in the order of their numbers.

    Those with numbers above ``after`` and times from ``start`` to before ``end`` (microseconds since the epoch), in one
    of ``partitions``, of ``study``, with one of ``actions``; None stands for any. The first ``skip`` are passed over.
    """

    after: int = 0
    skip: int = 0
    limit: int = 100
    start: int | None = None
    end: int | None = None
    partitions: tuple[str, ...] | None = None
    study: str | None = None
    actions: tuple[Action, ...] | None = None
    with_metadata: bool = False


class Feed(Protocol):
    """The ordered log. Whoever reads sees the same entries under the same numbers, never n+1 before n."""

    async def read(self, query: FeedQuery) -> list[FeedEntry]:
        """The entries that a query asks for."""

    async def latest(self, query: FeedQuery) -> FeedEntry | None:
        """The entry with the highest number among those that a query asks for; ``skip`` and ``limit`` do not count."""

    async def last_sequence(self) -> int:
        """The highest number; 0 where nothing has happened yet. As cheap as the index allows."""

    async def number(self, studies: frozenset[tuple[str, str]] | None = None) -> int:
        """Number the changes that wait for it, of these studies (partition and UID) or of all; gives how many.

        Each change gets exactly one number, however often and by how many processes at once this is called, and
        wherever it is broken off. Nothing ever waits where an index numbers changes in the transaction that makes them.
        """

    async def cursor(self, name: str) -> int:
        """How far a reader that keeps its place here has come: the number of the last entry it was done with."""

    async def move_cursor(self, name: str, seen: int, to: int) -> bool:
        """Move a reader's place, if it is still at ``seen``; gives whether it was."""
