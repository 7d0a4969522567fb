"""Running calls a few at a time while their results are taken in order."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def in_order(calls: AsyncIterable[Coroutine[Any, Any, T]], parallel: int) -> AsyncGenerator[T]:
    """The results of ``calls`` in their order, at most ``parallel`` of them under way.

    The next call is asked for only when there is room for it. When one fails, or the results are no longer
    wanted, those under way are cancelled.
    """
    running: deque[asyncio.Task[T]] = deque()
    try:
        async for call in calls:
            running.append(asyncio.create_task(call))
            if len(running) == parallel:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
