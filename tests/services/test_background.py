"""Tasks that no request waits for are few, and end with their process."""

import asyncio
from functools import partial

import pytest

from shared.services.background import MOST_TASKS, PARALLEL, Background


class Tasks:
    """Notes which tasks work."""

    def __init__(self) -> None:
        self.let_go = asyncio.Event()
        self.under_way: list[int] = []
        self.broken_off: list[int] = []

    async def work(self, number: int) -> None:
        self.under_way.append(number)
        try:
            await self.let_go.wait()
        except asyncio.CancelledError:
            self.broken_off.append(number)
            raise
        finally:
            self.under_way.remove(number)


async def test_few_work_at_once_and_some_wait() -> None:
    background, tasks = Background(), Tasks()
    taken = [background.start(partial(tasks.work, number)) for number in range(MOST_TASKS + 3)]
    assert taken == [True] * MOST_TASKS + [False] * 3
    await asyncio.sleep(0)
    assert tasks.under_way == list(range(PARALLEL))
    tasks.let_go.set()
    await background.run(partial(tasks.work, 100))
    assert tasks.under_way == []
    assert background.start(partial(tasks.work, 101))
    await background.close()


async def test_closing_breaks_off_what_works_and_what_waits() -> None:
    background, tasks = Background(), Tasks()
    for number in range(PARALLEL + 2):
        background.start(partial(tasks.work, number))
    await asyncio.sleep(0)
    await background.close()
    assert tasks.under_way == []
    assert sorted(tasks.broken_off) == list(range(PARALLEL))
    tasks.let_go.set()
    await background.run(partial(tasks.work, 100))


async def test_a_failure_is_logged_without_its_message(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise ValueError("Doe^Jane")

    background = Background()
    for _ in range(2 * PARALLEL):
        await background.run(fail)
    assert "ValueError" in caplog.text
    assert "Doe" not in caplog.text
