"""Tasks that no request waits for: two work at once, a few wait for their turn, all end with the process's services."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from shared.telemetry import describe
from shared.telemetry.meters import meters
from shared.telemetry.metrics import BACKGROUND

logger = logging.getLogger(__name__)

PARALLEL = 2
MOST_TASKS = 16


class Background:
    """The background tasks of one process."""

    def __init__(self) -> None:
        self._turn = asyncio.Semaphore(PARALLEL)
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Do some work as soon as it is its turn; gives whether it was taken, which it is not while many wait."""
        if len(self._tasks) >= MOST_TASKS:
            return False
        task = asyncio.create_task(self.run(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do some work when it is its turn. What it raises is logged."""
        meters.add(BACKGROUND, 1)
        try:
            async with self._turn:
                await work()
        except Exception as error:
            logger.error("Work in the background failed: %s", describe(error))
        finally:
            meters.add(BACKGROUND, -1)

    async def close(self) -> None:
        """Break off whatever is under way or waits."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
