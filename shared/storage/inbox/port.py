"""The inbox port: files that others drop under names of their choice, to be imported; and those that could not be."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Dropped:
    """A file as it was found.

    ``length`` is in bytes, ``changed`` in seconds since the epoch; ``state`` is another one whenever the content is.
    Names are ``/``-separated and otherwise anything that the storage lets users write.
    """

    name: str
    length: int
    changed: float
    state: str


class Inbox(Protocol):
    """Files that come and go. ``tests/storage/inbox`` holds the adapters to it."""

    grows: bool
    """Whether a file can be seen while it is still being written."""

    async def open(self) -> None:
        """Connect and set up what is missing; safe to call in several processes at once."""

    async def close(self) -> None:
        """Let go of every connection."""

    def files(self) -> AsyncIterator[Dropped]:
        """Every file, in no order; one that comes or goes meanwhile may be given or not."""

    async def find(self, name: str) -> Dropped | None:
        """One file; None if there is no file of that name within the inbox."""

    def read(self, file: Dropped) -> AsyncIterator[bytes]:
        """Stream a file's content, in chunks of at most 4 MiB. Raises StorageError if it is no longer as found."""

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        """Create a file from a stream; gives its length in bytes.

        Durable when it returns. Nothing is visible under ``name`` before that, nor if ``chunks`` or the
        write raises. Raises BlobExists if the name is taken.
        """

    async def remove(self, file: Dropped) -> None:
        """Remove a file, unless it changed since it was found; one that is not there is no error."""

    async def upload_url(self, name: str, lifetime: timedelta) -> str | None:
        """A URL by which others may write that one file for so long; None where there are no such URLs."""
