"""Many wait for the feed to grow, one looks."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from shared.errors import StorageError
from shared.services import watcher
from shared.services.watcher import Watcher
from shared.storage.index.feed import FeedEntry, FeedQuery

LONG = 30.0


class Counted:
    """A feed that only has a last number, and counts how often it was asked for it."""

    def __init__(self, last: int = 0) -> None:
        self.last = last
        self.looks = 0
        self.broken = False

    async def last_sequence(self) -> int:
        self.looks += 1
        if self.broken:
            raise StorageError("The index failed.")
        return self.last

    async def read(self, query: FeedQuery) -> list[FeedEntry]:
        raise NotImplementedError

    async def latest(self, query: FeedQuery) -> FeedEntry | None:
        raise NotImplementedError

    async def number(self, studies: frozenset[tuple[str, str]] | None = None) -> int:
        raise NotImplementedError

    async def cursor(self, name: str) -> int:
        raise NotImplementedError

    async def move_cursor(self, name: str, seen: int, to: int) -> bool:
        raise NotImplementedError


@pytest.fixture(autouse=True)
async def no_task_is_left() -> AsyncIterator[None]:
    yield
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "SHORTEST_PAUSE", 0.01)
    monkeypatch.setattr(watcher, "LONGEST_PAUSE", 0.02)


async def timed(waiting: Awaitable[int | None]) -> tuple[int | None, float]:
    began = time.monotonic()
    return await waiting, time.monotonic() - began


async def begun(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


async def test_time_passes_where_nothing_happens() -> None:
    found, seconds = await timed(Watcher().growth(Counted(5), 5, 0.5))
    assert found is None
    assert 0.5 <= seconds < 1.5


async def test_growth_is_told_within_a_second() -> None:
    feed, watching = Counted(5), Watcher()
    waiting = asyncio.create_task(watching.growth(feed, 5, LONG))
    await asyncio.sleep(1)
    feed.last = 7
    assert (await timed(waiting))[0] == 7
    assert (await timed(watching.growth(feed, 5, LONG)))[1] < 0.1


async def test_what_is_not_above_the_number_seen_is_no_growth(quick: None) -> None:
    feed = Counted(5)
    assert await Watcher().growth(feed, 5, 0.2) is None
    assert await Watcher().growth(feed, 9, 0.2) is None
    assert await Watcher().growth(feed, 4, 0.2) == 5


async def test_one_looks_for_all(quick: None) -> None:
    feed, watching = Counted(), Watcher()
    began = time.monotonic()
    waiting = [asyncio.create_task(watching.growth(feed, seen % 3, LONG)) for seen in range(900)]
    await begun(lambda: feed.looks > 10)
    assert feed.looks <= (time.monotonic() - began) / watcher.SHORTEST_PAUSE
    feed.last = 3
    assert await asyncio.gather(*waiting) == [3] * 900


async def test_looks_become_rarer() -> None:
    feed = Counted()
    await Watcher().growth(feed, 0, 5.0)
    assert 3 <= feed.looks <= 13


async def test_nobody_looks_where_nobody_waits(quick: None) -> None:
    feed, watching = Counted(), Watcher()
    waiting = [asyncio.create_task(watching.growth(feed, 0, LONG)) for _ in range(3)]
    await begun(lambda: feed.looks > 2)
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    looks = feed.looks
    await asyncio.sleep(0.2)
    assert feed.looks == looks


async def test_one_who_goes_away_leaves_the_others_waiting(quick: None) -> None:
    feed, watching = Counted(), Watcher()
    leaving, staying = (asyncio.create_task(watching.growth(feed, 0, LONG)) for _ in range(2))
    await begun(lambda: feed.looks > 2)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    feed.last = 1
    assert await staying == 1


async def test_one_who_comes_as_the_last_one_goes_waits(quick: None) -> None:
    feed, watching = Counted(), Watcher()
    leaving = asyncio.create_task(watching.growth(feed, 0, LONG))
    await begun(lambda: feed.looks > 2)
    leaving.cancel()
    coming = asyncio.create_task(watching.growth(feed, 0, LONG))
    await asyncio.gather(leaving, return_exceptions=True)
    await asyncio.sleep(0.05)
    assert not coming.done()
    feed.last = 1
    assert await coming == 1


async def test_beyond_the_bound_nobody_waits(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "MAX_WAITING", 2)
    feed, watching = Counted(), Watcher()
    waiting = [asyncio.create_task(watching.growth(feed, 0, LONG)) for _ in range(2)]
    await begun(lambda: feed.looks > 0)
    found, seconds = await timed(watching.growth(feed, 0, LONG))
    assert found is None
    assert seconds < 0.1
    feed.last = 1
    assert await asyncio.gather(*waiting) == [1, 1]
    assert await watching.growth(feed, 0, LONG) == 1


async def test_a_failure_is_told_to_all_and_the_next_one_looks_anew(quick: None) -> None:
    feed, watching = Counted(), Watcher()
    waiting = [asyncio.create_task(watching.growth(feed, 0, LONG)) for _ in range(3)]
    await begun(lambda: feed.looks > 0)
    feed.broken = True
    failures = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(failure) for failure in failures] == [StorageError] * 3
    feed.broken, feed.last = False, 1
    assert await watching.growth(feed, 0, LONG) == 1


async def test_a_process_that_is_about_to_end_lets_all_go(quick: None) -> None:
    feed, watching = Counted(), Watcher()
    waiting = [asyncio.create_task(watching.growth(feed, 0, LONG)) for _ in range(3)]
    await begun(lambda: feed.looks > 0)
    watching.release()
    found, seconds = await timed(asyncio.gather(*waiting))  # type: ignore[arg-type]
    assert found == [None] * 3
    assert seconds < 1
    assert (await timed(watching.growth(feed, 0, LONG)))[1] < 0.1
