"""Retrieving instances as they were stored."""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import TypeAlias

from shared.errors import NotFound
from shared.services.context import Services
from shared.services.delete import missing
from shared.storage.index.model import InstanceKey, Scope, StoredInstance

Content: TypeAlias = AsyncIterator[bytes]


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
    ahead: deque[StoredInstance] = deque()
    found = False

    async def blobs() -> AsyncIterator[tuple[str, int]]:
        async for stored in services.index.instances(scope):
            ahead.append(stored)
            yield stored.blob, stored.length

    async with aclosing(services.blobs.read_in_turn(blobs())) as contents:  # type: ignore[type-var]
        async for content in contents:
            found = True
            yield ahead.popleft(), content
    if not found:
        raise NotFound(missing(scope))
