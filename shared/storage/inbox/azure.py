"""An inbox that is a container of an Azure storage account.

All by the Azure SDK: obstore does not take every name that users may give a blob, such as ``a//b``, and can't list a
container that holds one.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import ResourceModifiedError
from azure.storage.blob import BlobProperties

from shared.errors import BlobMissing
from shared.storage.blobs.azure import AzureBlobs
from shared.storage.blobs.azure_container import AzureContainer, azure_errors
from shared.storage.blobs.objects import MARK, Block
from shared.storage.inbox.port import Dropped


class AzureInbox:
    """An ``Inbox`` over a container. A blob is seen once it is whole."""

    grows = False

    def __init__(self, container: AzureContainer) -> None:
        self._container = container
        self._blobs = _NamedByUsers(container)

    async def open(self) -> None:
        await self._blobs.open()

    async def close(self) -> None:
        await self._blobs.close()

    async def files(self) -> AsyncIterator[Dropped]:
        with azure_errors():
            async for found in self._container.blobs():
                if _is_file(found):
                    yield _dropped(found)

    async def find(self, name: str) -> Dropped | None:
        with suppress(BlobMissing), azure_errors():
            found = await self._container.blob(name).get_blob_properties()
            return _dropped(found) if _is_file(found) else None
        return None

    async def read(self, file: Dropped) -> AsyncIterator[bytes]:
        with azure_errors():
            download = await self._container.blob(file.name).download_blob(**_as_found(file))
            async for chunk in download.chunks():
                yield chunk

    async def put(self, name: str, chunks: AsyncIterator[bytes]) -> int:
        return await self._blobs.put(name, chunks)

    async def remove(self, file: Dropped) -> None:
        with suppress(BlobMissing), azure_errors(), suppress(ResourceModifiedError):
            await self._container.blob(file.name).delete_blob(delete_snapshots="include", **_as_found(file))

    async def upload_url(self, name: str, lifetime: timedelta) -> str | None:
        return await self._container.upload_url(name, lifetime)


class _NamedByUsers(AzureBlobs):
    """Puts that take any name a blob can have."""

    async def put_whole(self, name: str, block: Block, mark: str) -> int:
        async def blocks() -> AsyncIterator[Block]:
            if block:
                yield block

        return await self.put_blocks(name, blocks(), mark)

    async def _length_of_own(self, name: str, mark: str) -> int | None:
        with suppress(BlobMissing), azure_errors():
            found = await self._container.blob(name).get_blob_properties()
            return found.size if found.metadata.get(MARK) == mark else None
        return None


def _dropped(found: BlobProperties) -> Dropped:
    return Dropped(found.name, found.size, found.last_modified.timestamp(), found.etag.strip('"'))


def _is_file(found: BlobProperties) -> bool:
    """Accounts with a hierarchical namespace show folders as blobs."""
    return (found.metadata or {}).get("hdi_isfolder") != "true"


def _as_found(file: Dropped) -> dict[str, Any]:
    return {"etag": f'"{file.state}"', "match_condition": MatchConditions.IfNotModified}
