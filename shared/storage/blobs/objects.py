"""Blobs in an object store, through ``obstore``: what all its stores have in common."""

import secrets
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from typing import Any, TypeAlias

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, GenericError, PermissionDeniedError, UnauthenticatedError
from obstore.store import ObjectStore

from shared.dicom.model import ByteRange, Chunk
from shared.errors import BlobExists, BlobMissing, StorageError
from shared.storage.blobs.ahead import read_ahead
from shared.storage.blobs.in_order import in_order
from shared.storage.blobs.probe import write_and_read
from shared.storage.blobs.spans import cut, spans

CHUNK = 1024 * 1024
BLOCK = 4 * 1024 * 1024
"""A blob of no more bytes is written by one request, a larger one by blocks of about this size."""
READ_PART = 2 * 1024 * 1024
"""A stream is read by requests of this many bytes, so that a slow reader keeps none open."""
PARALLEL_READS = 3
"""Requests of one read under way; as many parts of a stream are in memory."""
LIST_PAGE = 1000

MARK = "put"
"""Metadata of a blob: which put created it."""

Block: TypeAlias = list[Chunk]


class ObjectBlobs(ABC):
    """A ``BlobStore`` over an obstore store."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @abstractmethod
    async def open(self) -> None: ...

    @abstractmethod
    async def close(self) -> None: ...

    async def check(self) -> None:
        await write_and_read(self)

    async def put(self, name: str, chunks: AsyncIterator[Chunk]) -> int:
        blocks = _blocks(chunks)
        head: deque[Block] = deque([await anext(blocks, []), await anext(blocks, [])])
        mark = secrets.token_hex(8)
        try:
            if not head[1]:
                return await self.put_whole(name, head[0], mark)
            return await self.put_blocks(name, _chain(head, blocks), mark)
        except StorageError:
            # A write whose answer was lost either failed, or met its own blob when it was sent again.
            length = await self._length_of_own(name, mark)
            if length is None:
                raise
            return length

    async def put_whole(self, name: str, block: Block, mark: str) -> int:
        try:
            with storage_errors():
                await obstore.put_async(
                    self._store, name, block, attributes={MARK: mark}, mode="create", use_multipart=False
                )
        except BlobMissing as error:
            raise StorageError("The container of the blob store is missing.") from error
        return size_of(block)

    @abstractmethod
    async def put_blocks(self, name: str, blocks: AsyncIterator[Block], mark: str) -> int:
        """Create a blob too large for one request. Gives its length and raises as ``put`` does."""

    async def _length_of_own(self, name: str, mark: str) -> int | None:
        """The length of a blob if it is there and bears the mark."""
        try:
            with storage_errors():
                found = await obstore.get_async(self._store, name, options={"head": True})
        except BlobMissing:
            return None
        return found.meta["size"] if found.attributes.get(MARK) == mark else None

    async def read(self, name: str, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        end = await self._length(name) if length is None else offset + length
        parts = (ByteRange(start, min(READ_PART, end - start)) for start in range(offset, end, READ_PART))
        async with aclosing(self._contents(name, parts)) as contents:
            async for content in contents:
                for start in range(0, len(content), CHUNK):
                    yield bytes(content[start : start + CHUNK])

    def read_in_turn(self, blobs: AsyncIterator[tuple[str, int]]) -> AsyncIterator[AsyncIterator[bytes]]:
        return read_ahead(self, blobs)

    async def read_ranges(self, name: str, ranges: Sequence[ByteRange]) -> list[bytes]:
        covering = spans(ranges)
        contents = [content async for content in self._contents(name, covering)]
        return [cut(part, covering, contents) for part in ranges]

    def _contents(self, name: str, parts: Iterable[ByteRange]) -> AsyncGenerator[memoryview]:
        async def requests() -> AsyncIterator[Coroutine[Any, Any, memoryview]]:
            for part in parts:
                yield self._content(name, part)

        return in_order(requests(), PARALLEL_READS)

    async def _content(self, name: str, part: ByteRange) -> memoryview:
        with storage_errors():
            try:
                found = memoryview(
                    await obstore.get_range_async(self._store, name, start=part.offset, length=part.length)
                )
            except GenericError:
                if await self._length(name) > part.offset:
                    raise
                found = memoryview(b"")
        if len(found) != part.length:
            raise BlobMissing("A stored file is shorter than the index says.")
        return found

    async def _length(self, name: str) -> int:
        with storage_errors():
            return (await obstore.head_async(self._store, name))["size"]

    async def delete(self, name: str) -> None:
        with suppress(BlobMissing), storage_errors():
            await obstore.delete_async(self._store, name)

    async def names(self, prefix: str = "") -> AsyncIterator[tuple[str, float]]:
        folder = prefix.rpartition("/")[0]
        with storage_errors():
            async for page in obstore.list(self._store, folder or None, chunk_size=LIST_PAGE):
                for found in page:
                    if found["path"].startswith(prefix):
                        yield found["path"], found["last_modified"].timestamp()


@contextmanager
def storage_errors() -> Iterator[None]:
    """obstore's errors in the words of the port; theirs name URLs and may quote answers."""
    try:
        yield
    except FileNotFoundError as error:
        raise BlobMissing("The stored file of an indexed instance is missing.") from error
    except AlreadyExistsError as error:
        raise BlobExists("A blob of that name exists.") from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise StorageError("The blob store did not accept the service's credentials.") from error
    except BaseError as error:
        raise StorageError("The blob store failed or could not be reached.") from error


def size_of(block: Block) -> int:
    """In bytes."""
    return sum(map(len, block))


async def _blocks(chunks: AsyncIterator[Chunk]) -> AsyncIterator[Block]:
    block: Block = []
    size = 0
    async for chunk in chunks:
        if chunk:
            block.append(chunk)
            size += len(chunk)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


async def _chain(head: deque[Block], rest: AsyncIterator[Block]) -> AsyncIterator[Block]:
    while head:
        yield head.popleft()
    async for block in rest:
        yield block
