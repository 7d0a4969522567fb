"""Calls run a few at a time, their results come in order."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest

from shared.storage.blobs.in_order import in_order


class Calls:
    """Calls numbered from 0, each done when ``doors`` opens for it."""

    def __init__(self, count: int, failing: int | None = None) -> None:
        self.doors = [asyncio.Event() for _ in range(count)]
        self.failing = failing
        self.begun = 0
        self.cancelled: list[int] = []

    async def each(self) -> AsyncIterator[Coroutine[Any, Any, int]]:
        for number in range(len(self.doors)):
            self.begun += 1
            yield self._call(number)

    async def _call(self, number: int) -> int:
        try:
            await self.doors[number].wait()
        except asyncio.CancelledError:
            self.cancelled.append(number)
            raise
        if number == self.failing:
            raise ValueError
        return number


async def test_results_keep_the_order_of_their_calls() -> None:
    calls = Calls(10)
    taking = asyncio.create_task(_all(calls, 4))
    for door in reversed(calls.doors):
        await asyncio.sleep(0)
        door.set()
    assert await taking == list(range(10))


async def test_no_more_than_so_many_run() -> None:
    calls = Calls(10)
    taking = asyncio.create_task(_all(calls, 4))
    for done in range(10):
        await asyncio.sleep(0.001)
        assert calls.begun == min(done + 4, 10)
        calls.doors[done].set()
    assert await taking == list(range(10))


async def test_a_failure_ends_those_under_way() -> None:
    calls = Calls(10, failing=1)
    taking = asyncio.create_task(_all(calls, 4))
    for door in calls.doors[:2]:
        await asyncio.sleep(0.001)
        door.set()
    with pytest.raises(ValueError):  # noqa: PT011
        await taking
    assert calls.cancelled == [2, 3, 4]


async def test_leaving_early_ends_those_under_way() -> None:
    calls = Calls(10)
    calls.doors[0].set()
    results = in_order(calls.each(), 4)
    assert await anext(results) == 0
    await asyncio.sleep(0)
    await results.aclose()
    assert calls.cancelled == [1, 2, 3]


async def _all(calls: Calls, parallel: int) -> list[int]:
    return [result async for result in in_order(calls.each(), parallel)]
