"""Waiting in tests, not for ever."""

import asyncio
from collections.abc import Awaitable, Callable

SOON = 20.0


async def soon(done: Awaitable[object]) -> None:
    """Returns when it is done, which has to be soon."""
    async with asyncio.timeout(SOON):
        await done


async def until(is_true: Callable[[], bool]) -> None:
    """Returns when it is true, which has to be soon."""
    async with asyncio.timeout(SOON):
        while not is_true():  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0.001)
