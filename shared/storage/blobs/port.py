"""The blob port: what every blob adapter does. ``tests/contract`` holds the adapters to it."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from shared.dicom.model import ByteRange, Chunk


class BlobStore(Protocol):
    """Immutable byte strings by name. Names are ``/``-separated, safe as file and URL paths."""

    async def open(self) -> None:
        """Connect and set up what is missing; safe to call in several processes at once."""

    async def close(self) -> None:
        """Let go of every connection."""

    async def check(self) -> None:
        """Prove that blobs can be written and read, else raise StorageError."""

    async def put(self, name: str, chunks: AsyncIterator[Chunk]) -> int:
        """Create a blob from a stream; gives its length in bytes.

        Durable when it returns. Nothing is visible under ``name`` before that, nor if ``chunks`` or the
        write raises. Raises BlobExists if the name is taken.
        """

    def read(self, name: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Stream a blob or a part of it, in chunks of at most 1 MiB. Raises BlobMissing at the first chunk."""

    def read_in_turn(self, blobs: AsyncIterator[tuple[str, int]]) -> AsyncIterator[AsyncIterator[bytes]]:
        """The contents of blobs, given by name and length, in their order. Read each before asking for the next.

        A store prepares what lies ahead as suits it, in bounded memory. Raises BlobMissing.
        """

    async def read_ranges(self, name: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        """Read several parts at once, in order. Meant for frames: the parts are held in memory."""

    async def delete(self, name: str) -> None:
        """Remove a blob; one that is not there is no error."""

    def names(self, prefix: str = "") -> AsyncIterator[tuple[str, float]]:
        """Names under a prefix with their time of creation (seconds since the epoch), in no order."""
