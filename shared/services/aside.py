"""Metadata and layouts too large for the index: they are kept in blobs beside their instance's, named by the index.

So the index stays small, and a frame of an object with 20 MB of metadata is read without them.
"""

from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

from shared.dicom.transfer_syntax import EXPLICIT_VR_BIG_ENDIAN
from shared.errors import BlobExists
from shared.services.context import Services
from shared.storage.blobs.port import BlobStore
from shared.storage.index.model import InstanceRecord, StoredInstance

LARGE = 100 * 1024
"""From this many bytes on, contents are put aside."""
CHUNK = 1024 * 1024

_METADATA, _LAYOUT = ".metadata", ".layout"
_MARK = b"@"
"""Begins the name of a blob that stands in place of contents, which never begin with it."""


def blobs_of(blob: str) -> tuple[str, ...]:
    """The names of all blobs that an instance may have, its own last."""
    return blob + _METADATA, blob + _LAYOUT, blob


async def remove(blobs: BlobStore, blob: str) -> None:
    """Remove all blobs of an instance. Raises StorageError."""
    for name in blobs_of(blob):
        await blobs.delete(name)


async def put_aside(blobs: BlobStore, record: InstanceRecord) -> InstanceRecord:
    """The record as the index takes it, once what is large is durable beside it. Raises StorageError."""
    return replace(
        record,
        metadata=await _put(blobs, record.blob + _METADATA, record.metadata),
        layout=await _put(blobs, record.blob + _LAYOUT, record.layout),
    )


async def _put(blobs: BlobStore, name: str, content: bytes) -> bytes:
    if len(content) < LARGE:
        return content
    with suppress(BlobExists):  # put aside before: the record is made anew from the same instance
        await blobs.put(name, _chunks(content))
    return _MARK + name.encode()


async def _chunks(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), CHUNK):
        yield content[start : start + CHUNK]


async def fetch(services: Services, held: bytes) -> bytes:
    """The contents that the index holds, or that it names. Raises StorageError."""
    if not held.startswith(_MARK):
        return held
    return b"".join([chunk async for chunk in services.blobs.read(held.removeprefix(_MARK).decode())])


async def with_layout(services: Services, stored: StoredInstance) -> StoredInstance:
    """The instance with what is needed to find its frames and bulk data.

    Big endian values are turned around by their VR, which only the metadata tell.
    """
    layout = await fetch(services, stored.layout)
    if stored.transfer_syntax != EXPLICIT_VR_BIG_ENDIAN:
        return replace(stored, layout=layout)
    return replace(stored, layout=layout, metadata=await fetch(services, stored.metadata))
