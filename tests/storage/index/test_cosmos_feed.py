"""How the index on Cosmos DB notes changes beside what they change, and tells of them."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from shared.storage.index.cosmos import CosmosIndex, container, delete, outbox
from shared.storage.index.model import DEFAULT_PARTITION, Scope
from tests.azure.cosmos import CosmosStandIn, Fault
from tests.contract.records import record, study
from tests.contract.steps import CREATED, DUE, commit, put
from tests.storage.index.conftest import Process
from tests.storage.index.entries import FAULTS, check

# The outbox


@pytest.mark.parametrize(("records", "batches"), [(1, 1), (97, 1), (98, 2), (100, 2), (194, 2)])
async def test_a_batch_holds_as_much_as_it_may(
    cosmos_stand_in: CosmosStandIn, process: Process, records: int, batches: int
) -> None:
    index = await process()
    cosmos_stand_in.forget_counts()
    stored_ = [record(instance=f"{number}") for number in range(records)]
    assert await commit(index, *stored_) == [CREATED] * records
    assert cosmos_stand_in.counts()["item.batch"].calls == batches
    assert await index.feed.number() == records


async def test_replacements_in_series_of_their_own_fit_a_batch(
    cosmos_stand_in: CosmosStandIn, process: Process
) -> None:
    index = await process()
    for _ in range(2):
        records = [record("1", f"1.{number}", f"{number}") for number in range(32)]
        cosmos_stand_in.forget_counts()
        await put(index, *records)
    assert cosmos_stand_in.counts()["item.batch"].calls == 2  # the first was refused: all are there
    assert await index.feed.number() == 64
    await check(index)


async def test_deletions_in_series_of_their_own_fit_a_batch(cosmos_stand_in: CosmosStandIn, process: Process) -> None:
    index = await process()
    await commit(index, *(record("1", f"1.{number}", f"{number}") for number in range(2 * delete.MOST_AT_ONCE)))
    cosmos_stand_in.forget_counts()
    await index.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    assert cosmos_stand_in.counts()["item.batch"].calls == 2
    assert await index.feed.number() == 4 * delete.MOST_AT_ONCE
    await check(index)


Act: TypeAlias = Callable[[CosmosIndex], Awaitable[object]]
CHANGES: list[Act] = [
    lambda index: commit(index, record("2", "2.1", "new")),
    lambda index: commit(index, record(instance="new"), record("1", "1.2", "new")),
    lambda index: put(index, record(), record(), record(instance="new")),
    lambda index: index.delete(Scope(DEFAULT_PARTITION, "1"), DUE),
    lambda index: index.delete(Scope(DEFAULT_PARTITION, "1", "1.1", "1.1.1"), DUE),
]


@pytest.mark.parametrize("act", CHANGES)
@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_a_change_is_noted_once_whichever_call_fails(
    cosmos_stand_in: CosmosStandIn, process: Process, act: Act, fault: Fault
) -> None:
    nth, calls, expected = 0, 1, set[Any]()
    while nth <= calls:
        cosmos_stand_in.reset()
        index, other = await process(), await process()
        await commit(index, record(), record(instance="1.1.2"))
        cosmos_stand_in.forget_counts()
        cosmos_stand_in.faults(*([replace(fault, nth=nth)] if nth else []))
        await act(other)
        calls = len(cosmos_stand_in.calls())
        cosmos_stand_in.faults()
        await index.feed.number()
        entries = await check(index)
        expected = expected or {(entry.action, entry.key) for entry in entries}
        assert {(entry.action, entry.key) for entry in entries} == expected
        nth += 1


# What Cosmos DB triggers


async def test_what_changes_from_now_on_is_told(
    cosmos_stand_in: CosmosStandIn, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container, "POLL_S", 0.02)
    index = await process()
    await commit(index, study("before"))
    told: list[dict[str, Any]] = []

    more = asyncio.Event()

    async def listen() -> None:
        async for page in index.changes():
            assert page
            told.extend(page)
            more.set()

    async def heard(wanted: int) -> list[dict[str, Any]]:
        async with asyncio.timeout(5):
            while len(events := [each for each in told if each["kind"] == outbox.EVENT]) < wanted:
                await more.wait()
                more.clear()
        return events

    listening = asyncio.ensure_future(listen())
    await asyncio.sleep(0.2)
    await commit(index, *(study(f"{number}") for number in range(5)))
    assert {each["study"] for each in await heard(5)} == set("01234")
    cosmos_stand_in.faults(Fault(kind="item.change-feed", status=503, times=3))
    cosmos_stand_in.split("particular", "index")
    await commit(index, record("0", "0.1", "more", partition="other"))
    assert [(each["partition"], each["study"]) for each in (await heard(6))[5:]] == [("other", "0")]
    assert "before" not in {each["study"] for each in told}
    listening.cancel()
    with suppress(asyncio.CancelledError):
        await listening


# Cursors


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_a_place_is_moved_by_one_whichever_call_fails(
    cosmos_stand_in: CosmosStandIn, process: Process, fault: Fault
) -> None:
    index = await process()
    for nth in range(1, 4):
        for seen, to in ((0, 5), (5, 7)):
            cosmos_stand_in.faults(replace(fault, nth=nth))
            assert await index.feed.move_cursor(f"reader{nth}", seen, to)
            cosmos_stand_in.faults()
            assert not await index.feed.move_cursor(f"reader{nth}", seen, to + 1)
            assert await index.feed.cursor(f"reader{nth}") == to
