"""How every index adapter keeps operations, over each adapter."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import StorageError
from shared.storage.index.operations import Operation, OperationStatus
from shared.storage.index.port import Index
from tests.contract.conftest import OpenIndex

NOT_STARTED, RUNNING, SUCCEEDED, FAILED, CANCELED = OperationStatus


def operation(id_: str = "a", created: int = 1_000, **changed: Any) -> Operation:
    return Operation(
        **{"id": id_, "type": "reindex", "status": NOT_STARTED, "created": created, "updated": created} | changed
    )


async def ids(index: Index, offset: int = 0, limit: int = 100) -> list[str]:
    return [found.id for found in await index.operations.page(offset, limit)]


async def test_an_operation_comes_back_as_it_was_added(index: Index) -> None:
    it = operation(
        id_="0123456789abcdef0123456789abcdef",
        created=1_700_000_000_000_001,
        status=RUNNING,
        updated=1_700_000_000_000_002,
        input={"tags": [1, 2], "partition": "Ärzte", "nested": {"is": True, "none": None, "big": 2**53 - 1}},
        progress={"done": 0.5, "text": 'quote " and \\ and \n'},
        percent=50,
        leased_until=1_700_000_000_000_003,
        revision=7,
    )
    await index.operations.add(it)
    assert await index.operations.get(it.id) == it
    assert await index.operations.page(0, 10) == [it]
    plain = operation("plain")
    await index.operations.add(plain)
    assert await index.operations.get("plain") == plain


async def test_an_operation_that_is_not_there(index: Index) -> None:
    assert await index.operations.get("nothing") is None
    assert await index.operations.page(0, 10) == []
    assert await index.operations.due(2**62, 10) == []
    assert await index.operations.replace(operation("nothing")) is None
    assert await index.operations.get("nothing") is None


async def test_an_id_that_is_taken_is_refused(index: Index) -> None:
    await index.operations.add(operation(percent=1))
    with pytest.raises(StorageError):
        await index.operations.add(operation(percent=2))
    found = await index.operations.get("a")
    assert found == operation(percent=1)


async def test_pages_are_newest_first(index: Index) -> None:
    for id_, created in (("b", 2), ("d", 4), ("a", 1), ("c", 3)):
        await index.operations.add(operation(id_, created))
    assert await ids(index) == ["d", "c", "b", "a"]
    assert await ids(index, 1, 2) == ["c", "b"]
    assert await ids(index, 4) == []


async def test_an_operation_is_replaced_once_for_each_revision(index: Index) -> None:
    first = operation()
    await index.operations.add(first)
    running = replace(first, status=RUNNING, updated=2_000, progress={"done": 1}, percent=10, leased_until=5_000)
    second = await index.operations.replace(running)
    assert second == replace(running, revision=first.revision + 1)
    assert await index.operations.get("a") == second
    assert await index.operations.replace(replace(first, status=FAILED)) is None
    assert await index.operations.get("a") == second
    third = await index.operations.replace(replace(second, status=SUCCEEDED, percent=100))
    assert third == replace(second, status=SUCCEEDED, percent=100, revision=second.revision + 1)
    assert await index.operations.page(0, 10) == [third]


async def test_of_two_that_replace_at_once_one_wins(open_index: OpenIndex) -> None:
    one, other = await asyncio.gather(open_index(), open_index())
    current = operation()
    await one.operations.add(current)
    for turn in range(5):
        wanted = [replace(current, progress={"turn": turn, "by": number}) for number in range(6)]
        outcomes = await asyncio.gather(
            *((one, other)[number % 2].operations.replace(it) for number, it in enumerate(wanted))
        )
        (winner,) = [outcome for outcome in outcomes if outcome is not None]
        assert await one.operations.get("a") == await other.operations.get("a") == winner
        assert winner.progress == wanted[outcomes.index(winner)].progress
        current = winner
    assert current.revision == 5


@pytest.mark.parametrize(
    ("status", "leased_until", "is_due"),
    [
        (NOT_STARTED, 0, True),
        (RUNNING, 999, True),
        (RUNNING, 1_000, True),
        (RUNNING, 1_001, False),
        (NOT_STARTED, 1_001, False),
        (SUCCEEDED, 0, False),
        (FAILED, 0, False),
        (CANCELED, 0, False),
    ],
)
async def test_what_is_due(index: Index, status: OperationStatus, leased_until: int, is_due: bool) -> None:
    it = operation(status=status, leased_until=leased_until)
    await index.operations.add(it)
    assert await index.operations.due(1_000, 10) == ([it] if is_due else [])


async def test_due_operations_come_oldest_first(index: Index) -> None:
    for id_, created in (("b", 2), ("d", 4), ("a", 1), ("c", 3)):
        await index.operations.add(operation(id_, created))
    leased = await index.operations.get("b")
    assert leased is not None
    await index.operations.replace(replace(leased, leased_until=5_000))
    assert [due.id for due in await index.operations.due(1_000, 10)] == ["a", "c", "d"]
    assert [due.id for due in await index.operations.due(1_000, 2)] == ["a", "c"]
    assert [due.id for due in await index.operations.due(5_000, 10)] == ["a", "b", "c", "d"]


async def test_final_operations_are_forgotten_by_their_last_change(index: Index) -> None:
    for number, status in enumerate(OperationStatus):
        for updated in (999, 1_000):
            await index.operations.add(operation(f"{status}-{updated}", number, status=status, updated=updated))
    assert await index.operations.forget(1_000) == 3
    left = {f"{status}-1000" for status in OperationStatus} | {f"{NOT_STARTED}-999", f"{RUNNING}-999"}
    assert set(await ids(index)) == left
    assert await index.operations.forget(1_000) == 0


async def test_operations_outlive_a_restart(open_index: OpenIndex) -> None:
    first = await open_index()
    await first.operations.add(operation(progress={"done": 3}))
    await first.close()
    assert await (await open_index()).operations.get("a") == operation(progress={"done": 3})
