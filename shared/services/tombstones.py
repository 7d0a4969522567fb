"""What was deleted, written beside the blobs, so that an index made anew from them does not bring it back.

One blob for each delete request lists the names of the blobs that it took out of the index.
"""

from collections.abc import AsyncIterator, Sequence

from shared.services.aside import remove
from shared.services.context import Services
from shared.storage.versions import new_version

FOLDER = "~deleted"
"""No partition can have that name."""


async def bury(services: Services, names: Sequence[str]) -> None:
    """Note that the blobs are deleted. Raises StorageError."""
    await services.blobs.put(f"{FOLDER}/{new_version()}.txt", _once("\n".join(names).encode()))


async def buried(services: Services) -> set[str]:
    """The names of all deleted blobs that may still be there."""
    found: set[str] = set()
    async for tombstone, _ in services.blobs.names(f"{FOLDER}/"):
        found.update(await _listed(services, tombstone))
    return found


async def sweep(services: Services, before: float) -> int:
    """Drop the tombstones made before a time (seconds since the epoch) with what they list; gives how many.

    By then the purge has removed those blobs, but for ones that resisted it.
    """
    old = [tombstone async for tombstone, created in services.blobs.names(f"{FOLDER}/") if created < before]
    for tombstone in old:
        for name in await _listed(services, tombstone):
            await remove(services.blobs, name)
        await services.blobs.delete(tombstone)
    return len(old)


async def _listed(services: Services, tombstone: str) -> list[str]:
    content = b"".join([chunk async for chunk in services.blobs.read(tombstone)])
    return content.decode().split("\n")


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
