"""CPU-heavy work beside the event loop, so that one large instance does not hold up other requests."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LARGE = 256 * 1024
"""Bytes from which work on them takes longer than handing it to a thread is worth avoiding."""


async def offload(size: int, work: Callable[..., T], *args: object) -> T:
    """``work(*args)``, in a thread if the ``size`` in bytes of what it works on is large."""
    return await asyncio.to_thread(work, *args) if size >= LARGE else work(*args)
