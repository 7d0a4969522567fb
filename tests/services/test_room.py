"""Memory for data sets that are parsed at the same time."""

import asyncio

import pytest

from shared.errors import ServiceUnavailable
from shared.services import room as rooms
from shared.services.room import LIGHT, STEP, Growing, Room, Share

MOST = 100 * STEP


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms, "PATIENCE", 0.01)


async def is_waiting(task: asyncio.Task[None]) -> bool:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return not task.done()


async def test_small_data_sets_take_nothing() -> None:
    share = Share(Room(0))
    for _ in range(10):
        with Growing(share) as growing:
            await growing.grow(LIGHT)
            assert growing.light
    assert share.held == 0


async def test_a_large_one_takes_in_steps_and_gives_all_back() -> None:
    share = Share(Room(MOST))
    with Growing(share) as growing:
        await growing.grow(LIGHT + 1)
        assert share.held == growing.enough == LIGHT + 1 + STEP
        await growing.grow(growing.enough)
        assert share.held == LIGHT + 1 + STEP
        await growing.grow(growing.enough + 1)
        assert share.held == LIGHT + 2 + 2 * STEP
        assert not growing.light
    assert share.held == 0


async def test_others_wait_until_there_is_room() -> None:
    room = Room(MOST)
    first, second = Share(room), Share(room)
    await first.take(MOST)
    waiting = asyncio.create_task(second.take(1))
    assert await is_waiting(waiting)
    first.give_back(1)
    await waiting
    assert (first.held, second.held) == (MOST - 1, 1)


async def test_the_first_always_gets_on() -> None:
    room = Room(MOST)
    first, second = Share(room), Share(room)
    await first.take(MOST - 1)
    await second.take(1)
    waiting = asyncio.create_task(second.take(1))
    assert await is_waiting(waiting)
    await first.take(10 * MOST)
    assert await is_waiting(waiting)
    first.give_back(first.held)
    await waiting
    await second.take(10 * MOST)


async def test_one_alone_may_be_larger_than_the_room() -> None:
    await Share(Room(MOST)).take(10 * MOST)


async def test_one_at_a_time_when_all_are_larger() -> None:
    room, under_way, most = Room(MOST), 0, 0

    async def parse() -> None:
        nonlocal under_way, most
        with Share(room) as share:
            await share.take(2 * MOST)
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    await asyncio.gather(*(parse() for _ in range(20)))
    assert most == 1


@pytest.mark.usefixtures("impatient")
async def test_who_waits_too_long_is_told_to_come_again() -> None:
    room = Room(MOST)
    first, second = Share(room), Share(room)
    await first.take(MOST)
    with pytest.raises(ServiceUnavailable) as refused:
        await second.take(1)
    assert int(refused.value.headers["Retry-After"]) > 0
    assert second.held == 0
    first.give_back(MOST)
    await second.take(MOST)


async def test_who_gives_up_waiting_holds_nothing() -> None:
    room = Room(MOST)
    first, second, third = Share(room), Share(room), Share(room)
    await first.take(MOST)
    waiting = asyncio.create_task(second.take(1))
    assert await is_waiting(waiting)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    first.give_back(MOST)
    await third.take(MOST)
    assert second.held == 0
