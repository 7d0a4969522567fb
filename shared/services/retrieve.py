"""Retrieving instances as they were stored, several read ahead in bounded memory."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Collection
from typing import TypeAlias

from shared.dicom.model import ByteRange
from shared.errors import NotFound
from shared.services.context import Services
from shared.services.delete import missing
from shared.storage.index.model import InstanceKey, Scope, StoredInstance

READ_AHEAD = 16
"""Most instances read before their turn."""
READ_AHEAD_BYTES = 8 * 1024 * 1024
"""Most bytes read before their turn."""
WHOLE_READ = 2 * 1024 * 1024
"""Instances up to this many bytes are read in one go, and ahead; larger ones are streamed in their turn."""

Content: TypeAlias = AsyncIterator[bytes]
_Ahead: TypeAlias = tuple[StoredInstance, asyncio.Task[list[bytes]] | None]
"""An instance, and its bytes being read unless they are to be streamed."""


async def instance(services: Services, scope: Scope) -> StoredInstance:
    """The instance a path names. Raises NotFound."""
    key = InstanceKey(scope.partition, scope.study or "", scope.series or "", scope.instance or "")
    stored = await services.index.instance(key)
    if stored is None:
        raise NotFound(missing(scope))
    return stored


def content(services: Services, stored: StoredInstance, offset: int = 0, length: int | None = None) -> Content:
    """An instance's bytes as they were received, or a part of them."""
    return services.blobs.read(stored.blob, offset, stored.length - offset if length is None else length)


async def transfer_syntaxes(services: Services, scope: Scope) -> set[str]:
    """Those that the instances of a scope are stored in."""
    return {stored.transfer_syntax async for stored in services.index.instances(scope)}


async def files(services: Services, scope: Scope) -> AsyncIterator[tuple[StoredInstance, Content]]:
    """Every instance of a scope with its bytes, oldest first. Read each before asking for the next.

    Raises NotFound when the scope holds nothing.
    """
    ahead: deque[_Ahead] = deque()
    found = False
    try:
        async for stored in services.index.instances(scope):
            found = True
            ahead.append((stored, _read_whole(services, stored)))
            while _enough(ahead):
                yield _turn(services, *ahead[0])
                ahead.popleft()
        while ahead:
            yield _turn(services, *ahead[0])
            ahead.popleft()
    finally:
        unread = [task for _, task in ahead if task is not None]
        for task in unread:
            task.cancel()
        await asyncio.gather(*unread, return_exceptions=True)
    if not found:
        raise NotFound(missing(scope))


def _enough(ahead: Collection[_Ahead]) -> bool:
    size = sum(stored.length for stored, whole in ahead if whole is not None)
    return len(ahead) > READ_AHEAD or size > READ_AHEAD_BYTES


def _read_whole(services: Services, stored: StoredInstance) -> asyncio.Task[list[bytes]] | None:
    if stored.length > WHOLE_READ:
        return None
    return asyncio.create_task(_read(services, stored))


async def _read(services: Services, stored: StoredInstance) -> list[bytes]:
    return await services.blobs.read_ranges(stored.blob, [ByteRange(0, stored.length)])


def _turn(
    services: Services, stored: StoredInstance, whole: asyncio.Task[list[bytes]] | None
) -> tuple[StoredInstance, Content]:
    return stored, content(services, stored) if whole is None else _await(whole)


async def _await(whole: asyncio.Task[list[bytes]]) -> AsyncIterator[bytes]:
    for chunk in await whole:
        yield chunk
