"""The proof that a blob store works: a small blob written, read back and removed."""

import os
import secrets
from collections.abc import AsyncIterator

from shared.dicom.model import ByteRange
from shared.errors import StorageError
from shared.storage.blobs.port import BlobStore

HEALTH = "~health"
"""Where the probe writes; no partition can have that name."""


async def write_and_read(blobs: BlobStore) -> None:
    """Raises StorageError when blobs can't be written or don't read back as they were written."""
    name = f"{HEALTH}/{os.getpid()}-{secrets.token_hex(8)}"
    await blobs.put(name, _once(b"ok"))
    try:
        if await blobs.read_ranges(name, [ByteRange(0, 2)]) != [b"ok"]:
            raise StorageError("A blob just written reads back otherwise.")
    finally:
        await blobs.delete(name)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
