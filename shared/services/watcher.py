"""Waiting for the change feed to grow: one look for all who wait, and none while nobody does."""

import asyncio

from shared.storage.index.feed import Feed

SHORTEST_PAUSE = 0.2
LONGEST_PAUSE = 1.0
"""Seconds from one look to the next: other processes write to the feed too, so it has to be looked at."""
SLACKENING = 1.2
"""How many times as long each pause is as the one before."""
MAX_WAITING = 1000


class Watcher:
    """One for each process. Any number of requests may ask it to wait; those beyond ``MAX_WAITING`` do not."""

    def __init__(self) -> None:
        self._last = 0
        self._waiting = 0
        self._looking: asyncio.Task[None] | None = None
        self._released = False

    async def growth(self, feed: Feed, seen: int, seconds: float) -> int | None:
        """The feed's last number as soon as it is above ``seen``; None once the time is over, or there is no waiting.

        Raises StorageError if the feed can't be read.
        """
        if self._waiting >= MAX_WAITING:
            return None
        clock = asyncio.get_running_loop().time
        deadline = clock() + seconds
        self._waiting += 1
        try:
            while self._last <= seen and not self._released and (left := deadline - clock()) > 0:
                looking = self._look(feed)
                done, _ = await asyncio.wait({looking}, timeout=left)
                if done:
                    looking.result()
        finally:
            self._waiting -= 1
            if not self._waiting and self._looking is not None:
                self._looking.cancel()
                self._looking = None
        return self._last if self._last > seen else None

    def release(self) -> None:
        """Let all go that wait, by the next look, and nobody wait from now on: the process is about to end."""
        self._released = True

    def _look(self, feed: Feed) -> asyncio.Task[None]:
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._await_growth(feed))
        return self._looking

    async def _await_growth(self, feed: Feed) -> None:
        last, pause = self._last, SHORTEST_PAUSE
        while self._last <= last and not self._released:
            await asyncio.sleep(pause)
            self._last = await feed.last_sequence()
            pause = min(pause * SLACKENING, LONGEST_PAUSE)
