"""The extended query tags as this process knows them, so that storing need not ask for them each time."""

import asyncio
import time

from shared.storage.index.tags import Tags, TagSet

REMEMBERED_SECONDS = 1.0


class KnownTags:
    """One for each process."""

    def __init__(self) -> None:
        self._known = TagSet()
        self._asked = -REMEMBERED_SECONDS
        self._turn = asyncio.Lock()

    async def current(self, tags: Tags) -> TagSet:
        """All tags as they were at most ``REMEMBERED_SECONDS`` ago. Raises StorageError."""
        if self._is_old():
            async with self._turn:
                if self._is_old():
                    await self._ask(tags)
        return self._known

    async def after(self, outdated: TagSet, tags: Tags) -> TagSet:
        """All tags, where the index was found to know others than these. Raises StorageError."""
        async with self._turn:
            if self._known.generation == outdated.generation:
                await self._ask(tags)
        return self._known

    def _is_old(self) -> bool:
        return time.monotonic() - self._asked >= REMEMBERED_SECONDS

    async def _ask(self, tags: Tags) -> None:
        asked = time.monotonic()
        self._known, self._asked = await tags.all(), asked
