"""Operations: long work that requests start and do not wait for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


class OperationStatus(StrEnum):
    """Where an operation stands. The last three are final."""

    NOT_STARTED = "notStarted"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens any more."""
        return self in (OperationStatus.SUCCEEDED, OperationStatus.FAILED, OperationStatus.CANCELED)


@dataclass(frozen=True, slots=True)
class Operation:
    """One piece of long work. All times are in microseconds since the epoch, UTC.

    ``input`` is what was asked for and ``progress`` how far it came, both JSON objects that only the work's own type
    understands; whoever takes an operation up goes on from there. ``percent`` (0 to 100) is None where it is unknown.
    ``leased_until`` is when whoever works at it counts as dead. ``revision`` grows with each change.
    """

    id: str
    type: str
    status: OperationStatus
    created: int
    updated: int
    input: Mapping[str, Any] = field(default_factory=dict)
    progress: Mapping[str, Any] = field(default_factory=dict)
    percent: int | None = None
    leased_until: int = 0
    revision: int = 0


class Operations(Protocol):
    """The operations of the last days."""

    async def add(self, operation: Operation) -> None:
        """Take a new operation in. Raises StorageError, also if there is one with its id."""

    async def get(self, operation: str) -> Operation | None:
        """The operation with that id."""

    async def page(self, offset: int, limit: int) -> list[Operation]:
        """Operations, newest first."""

    async def replace(self, operation: Operation) -> Operation | None:
        """Put an operation in the place of the one with its id, if that has still its revision.

        Gives it with the next revision; None if somebody else was faster.
        """

    async def due(self, now: int, limit: int) -> list[Operation]:
        """Operations that are not final and that nobody holds a lease of, oldest first."""

    async def forget(self, before: int) -> int:
        """Drop the final ones last changed before a time; gives how many."""
