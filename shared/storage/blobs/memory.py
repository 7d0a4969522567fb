"""Blobs in this process's memory, for trials and tests."""

from collections.abc import AsyncIterator

from obstore.store import MemoryStore

from shared.storage.blobs.objects import Block, ObjectBlobs


class MemoryBlobs(ObjectBlobs):
    """A ``BlobStore`` that lives as long as it is referred to."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())

    async def open(self) -> None:
        """Nothing to set up."""

    async def close(self) -> None:
        """Nothing to let go of."""

    async def put_blocks(self, name: str, blocks: AsyncIterator[Block], mark: str) -> int:
        return await self.put_whole(name, [chunk async for block in blocks for chunk in block], mark)
