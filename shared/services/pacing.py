"""Long work gives way to stores: while others change the index it rests nine times as long as it works."""

import time

from shared.services.context import Services
from shared.services.running import Run

REST_FACTOR = 9
"""Leaves a tenth of one core, and of the index, to the work."""


class Pace:
    """The pace of one run."""

    def __init__(self, services: Services, run: Run) -> None:
        self._feed = services.index.feed
        self._run = run
        self._last: int | None = None
        self._began = time.monotonic()

    async def step(self) -> None:
        """To be called after each step of the work. Raises Stopped once the run's time is used up."""
        took = time.monotonic() - self._began
        last = await self._feed.last_sequence()
        if self._last not in (None, last):
            await self._run.rest(took * REST_FACTOR)
        self._last = last
        self._began = time.monotonic()
