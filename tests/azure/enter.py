"""Enters the containers that DICOM_BLOBS and DICOM_AUDIT name, and prints what it found as JSON, to be looked at."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta

from shared.settings import Settings
from shared.storage.adapters import audit, blob_store
from shared.storage.blobs.azure_container import AzureContainer

MIB = 1024 * 1024


async def chunks(count: int) -> AsyncIterator[bytes]:
    for number in range(count):
        yield bytes([number]) * MIB


async def enter(settings: Settings) -> dict[str, object]:
    blobs = blob_store(settings)
    await blobs.open()
    await blobs.check()
    await blobs.put("small", chunks(1))
    await blobs.put("large", chunks(9))
    large = [chunk async for chunk in blobs.read("large")]
    names = sorted([name async for name, _ in blobs.names()])
    await blobs.close()
    container = AzureContainer.by_identity(settings.blobs)
    url = await container.upload_url("uploaded", timedelta(minutes=5))
    await container.close()
    kept = audit(settings)
    assert kept is not None
    await kept.keep([b"first\n"])
    await kept.keep([b"second\n"])
    await kept.close()
    return {"names": names, "large": [chunk[0] for chunk in large], "upload": url}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(enter(Settings()))))
