"""Pages of what the index lists, where not all of it counts."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

READ_AT_ONCE = 200


async def page_of(
    read: Callable[[int, int], Awaitable[list[T]]], counts: Callable[[T], bool], offset: int, limit: int
) -> list[T]:
    """``limit`` members after the first ``offset``, of those that count; ``read`` takes an offset and a limit."""
    found: list[T] = []
    seen = 0
    while batch := await read(seen, READ_AT_ONCE):
        seen += len(batch)
        found += filter(counts, batch)
        if len(found) >= offset + limit or len(batch) < READ_AT_ONCE:
            break
    return found[offset : offset + limit]
