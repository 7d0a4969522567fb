"""Reading small blobs ahead of their turn, in bounded memory: what stores do for which each read is a journey."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection
from typing import TypeAlias

from shared.dicom.model import ByteRange
from shared.storage.blobs.port import BlobStore

READ_AHEAD = 16
"""Most blobs read before their turn."""
READ_AHEAD_BYTES = 8 * 1024 * 1024
"""Most bytes read before their turn."""
WHOLE_READ = 2 * 1024 * 1024
"""Blobs up to this many bytes are read in one go, and ahead; larger ones are streamed in their turn."""

_Ahead: TypeAlias = tuple[str, int, asyncio.Task[list[bytes]] | None]
"""A blob's name and length, and its bytes being read unless they are to be streamed."""


async def read_ahead(store: BlobStore, blobs: AsyncIterator[tuple[str, int]]) -> AsyncIterator[AsyncIterator[bytes]]:
    """The contents of blobs, given by name and length, in their order."""
    ahead: deque[_Ahead] = deque()
    try:
        async for name, length in blobs:
            ahead.append((name, length, _read_whole(store, name, length)))
            while _enough(ahead):
                yield _content(store, *ahead[0])
                ahead.popleft()
        while ahead:
            yield _content(store, *ahead[0])
            ahead.popleft()
    finally:
        unread = [task for _, _, task in ahead if task is not None]
        for task in unread:
            task.cancel()
        await asyncio.gather(*unread, return_exceptions=True)


def _enough(ahead: Collection[_Ahead]) -> bool:
    size = sum(length for _, length, whole in ahead if whole is not None)
    return len(ahead) > READ_AHEAD or size > READ_AHEAD_BYTES


def _read_whole(store: BlobStore, name: str, length: int) -> asyncio.Task[list[bytes]] | None:
    if length > WHOLE_READ:
        return None
    return asyncio.create_task(_read(store, name, length))


async def _read(store: BlobStore, name: str, length: int) -> list[bytes]:
    return await store.read_ranges(name, [ByteRange(0, length)])


def _content(store: BlobStore, name: str, length: int, whole: asyncio.Task[list[bytes]] | None) -> AsyncIterator[bytes]:
    return store.read(name, 0, length) if whole is None else _await(whole)


async def _await(whole: asyncio.Task[list[bytes]]) -> AsyncIterator[bytes]:
    for chunk in await whole:
        yield chunk
