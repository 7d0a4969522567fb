"""Blobs in a container of an Azure storage account."""

from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from io import BytesIO
from typing import Any

from azure.core import MatchConditions
from azure.storage.blob import BlobBlock

from shared.errors import BlobMissing, StorageError
from shared.storage.blobs.azure_container import AzureContainer, azure_errors
from shared.storage.blobs.in_order import in_order
from shared.storage.blobs.objects import MARK, Block, ObjectBlobs, size_of

PARALLEL_BLOCKS = 4
"""Blocks of one upload in memory and on their way."""


class AzureBlobs(ObjectBlobs):
    """A ``BlobStore`` over a container.

    A blob uploaded in blocks comes to be when its list of blocks is committed. Azure discards blocks that never
    are after a week; until then they can't be seen.
    """

    def __init__(self, container: AzureContainer) -> None:
        super().__init__(container.store())
        self._container = container

    async def open(self) -> None:
        await self._container.open()

    async def close(self) -> None:
        await self._container.close()

    async def put_blocks(self, name: str, blocks: AsyncIterator[Block], mark: str) -> int:
        # By the Azure SDK, since obstore can write in parts or create-only, but not both.
        async with aclosing(in_order(self._staging(name, blocks, mark), PARALLEL_BLOCKS)) as staged:
            sizes = [(block, size) async for block, size in staged]
        with azure_errors():
            await self._container.blob(name).commit_block_list(
                [block for block, _ in sizes], metadata={MARK: mark}, match_condition=MatchConditions.IfMissing
            )
        return sum(size for _, size in sizes)

    async def _staging(
        self, name: str, blocks: AsyncIterator[Block], mark: str
    ) -> AsyncIterator[Coroutine[Any, Any, tuple[BlobBlock, int]]]:
        number = 0
        async for block in blocks:
            yield self._stage(name, f"{mark}{number:06}", block)
            number += 1

    async def _stage(self, name: str, block_id: str, block: Block) -> tuple[BlobBlock, int]:
        """Upload one block. Its id holds the put's mark, since puts of one name share its uncommitted blocks."""
        try:
            with azure_errors():
                await self._container.blob(name).stage_block(block_id, BytesIO(b"".join(block)))
        except BlobMissing as error:
            raise StorageError("The container of the blob store is missing.") from error
        return BlobBlock(block_id), size_of(block)
