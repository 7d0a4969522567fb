"""Extended query tags and operations on Cosmos DB: how few calls they take, and that any of them may fail."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

import pytest

from shared.dicom.model import Level
from shared.errors import StorageError
from shared.storage.index.cosmos import Account, CosmosIndex, patience
from shared.storage.index.model import DEFAULT_PARTITION, Scope
from shared.storage.index.operations import Operation, OperationStatus
from shared.storage.index.port import CommitMode
from shared.storage.index.tags import QueryStatus, QueryTag, TagDefinition, TagError
from tests.azure.cosmos import CosmosStandIn, Fault
from tests.contract.records import record
from tests.contract.steps import CREATED, DUE, REPLACED
from tests.contract.tag_steps import COMMENT, PROTOCOL, READER, add, commit, entry, found, put, told
from tests.storage.index.conftest import Process

ONCE = [Fault(status=449), Fault(cut=True, when="after")]
RECORDS = [record(f"{n % 2}", f"{n % 2}.1", f"{n}") for n in range(6)]

OLDER, OLD, NEWER = (record(instance=name) for name in ("older", "old", "newer"))


def operation(name: str = "op") -> Operation:
    return Operation(name, "reindex", OperationStatus.NOT_STARTED, 1, 1)


Step: TypeAlias = Callable[[CosmosIndex], Awaitable[object]]


async def nothing(index: CosmosIndex) -> None:
    """Is there before."""


async def tags(index: CosmosIndex) -> None:
    await add(index, READER, PROTOCOL, COMMENT)


async def tags_and_instances(index: CosmosIndex) -> None:
    await tags(index)
    await commit(index, *RECORDS)


async def a_removed_tag(index: CosmosIndex) -> None:
    await tags_and_instances(index)
    await index_values(index)
    await record_errors(index)
    await index.tags.remove(3)


async def an_operation(index: CosmosIndex) -> None:
    await index.operations.add(operation())


async def index_values(index: CosmosIndex) -> None:
    known = (await index.tags.all()).tags
    await index.tags.index([entry(it, dict.fromkeys(known, it.key.instance)) for it in RECORDS[:4]])


async def record_errors(index: CosmosIndex) -> None:
    errors = [TagError(3, it.key, it.version, n, "Bad.") for n, it in enumerate(RECORDS[4:])]
    await index.tags.record_errors(errors)


async def add_a_tag(index: CosmosIndex) -> object:
    return await index.tags.add([TagDefinition("00181020", "LO", Level.SERIES)], "more", 1)


async def everything(index: CosmosIndex) -> object:
    """What can be found of tags and operations."""
    values = [
        await found(index, tag, f"{it.key.instance}") for tag in (await index.tags.all()).tags[:3] for it in RECORDS
    ]
    keys = range(1, 5)
    errors = [await index.tags.errors(key, 0, 10) for key in keys]
    return (
        await index.tags.all(),
        values,
        errors,
        await index.tags.error_counts(keys),
        await index.operations.page(0, 9),
    )


CHANGES: list[tuple[Step, Step]] = [
    (nothing, lambda index: index.tags.add([READER], "op", 0)),
    (tags, add_a_tag),
    (tags, lambda index: index.tags.remove(2)),
    (tags, lambda index: index.tags.set_ready([1, 2])),
    (tags, lambda index: index.tags.set_query_status(1, QueryStatus.DISABLED)),
    (tags_and_instances, index_values),
    (tags_and_instances, record_errors),
    (nothing, lambda index: index.operations.add(operation())),
    (an_operation, lambda index: index.operations.replace(replace(operation(), percent=5))),
]


@pytest.mark.parametrize(("before", "act"), CHANGES)
@pytest.mark.parametrize("fault", ONCE, ids=repr)
async def test_a_call_that_fails_once_is_made_up_for(
    cosmos_stand_in: CosmosStandIn, process: Process, before: Step, act: Step, fault: Fault
) -> None:
    outcomes = []
    nth, calls = 0, 1
    while nth <= calls:
        cosmos_stand_in.reset()
        index = await process()
        await before(index)
        cosmos_stand_in.forget_counts()
        cosmos_stand_in.faults(*([replace(fault, nth=nth)] if nth else []))
        given = await act(index)
        calls = max(calls, len(cosmos_stand_in.calls()))
        cosmos_stand_in.faults()
        outcomes.append((given, await everything(index)))
        nth += 1
    assert calls > 1
    assert all(outcome == outcomes[0] for outcome in outcomes)


@pytest.mark.parametrize("fault", ONCE, ids=repr)
async def test_erasing_ends_though_a_call_fails(cosmos_stand_in: CosmosStandIn, process: Process, fault: Fault) -> None:
    for nth in range(1, 7):
        cosmos_stand_in.reset()
        index = await process()
        await a_removed_tag(index)
        cosmos_stand_in.faults(replace(fault, nth=nth))
        rounds = 0
        while await index.tags.erase(3, 4):
            rounds += 1
        assert 2 <= rounds <= 3
        cosmos_stand_in.faults()
        assert await index.tags.erase(3, 4) == 0
        (reader, protocol) = (await index.tags.all()).tags
        assert await found(index, reader, "3") == {"1"}
        assert await found(index, protocol, "2") == {"0.1"}


async def test_what_fails_for_good_is_told(
    cosmos_stand_in: CosmosStandIn, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = await process()
    await tags_and_instances(index)
    monkeypatch.setattr(patience, "DEADLINE_S", 0.2)
    cosmos_stand_in.faults(Fault(kind="item.batch", status=449, times=None))
    for act in (add_a_tag, index_values, record_errors, an_operation):
        with pytest.raises(StorageError):
            await act(index)


# Calls


def kinds(stand_in: CosmosStandIn) -> list[str]:
    """What was called, but for the ranges that the SDK looks up once."""
    return [call.kind for call in stand_in.calls() if call.kind != "ranges.read"]


async def test_indexing_takes_few_calls(cosmos_stand_in: CosmosStandIn, process: Process) -> None:
    cosmos_stand_in.settings(physical_partitions=1)
    index = await process()
    known = await add(index, READER, PROTOCOL, COMMENT)
    records = [record(instance=f"{n}") for n in range(98)]
    await commit(index, *records)
    cosmos_stand_in.forget_counts()
    entries = [entry(it, dict.fromkeys(known, f"{n}")) for n, it in enumerate(records)]
    await index.tags.index(entries)
    assert kinds(cosmos_stand_in) == ["item.read", "item.query", "item.batch"]
    cosmos_stand_in.forget_counts()
    await index.tags.index(entries)
    assert kinds(cosmos_stand_in) == ["item.read", "item.query"]
    cosmos_stand_in.forget_counts()
    await index.tags.all()
    await index.tags.error_counts([tag.key for tag in known])
    assert kinds(cosmos_stand_in) == ["item.read", "item.read"]


async def test_instances_that_give_the_same_values_to_their_study_do_not_get_in_each_others_way(
    cosmos_stand_in: CosmosStandIn, process: Process
) -> None:
    processes = [await process() for _ in range(3)]
    known = await add(processes[0], READER, PROTOCOL, COMMENT)
    for number, index in enumerate(processes):
        await commit(index, record(instance=f"first.{number}"), values=dict.fromkeys(known, "x"))
    cosmos_stand_in.forget_counts()
    generation = (await processes[0].tags.all()).generation

    async def one_by_one(number: int, index: CosmosIndex) -> None:
        for each in range(10):
            it = replace(record(instance=f"{number}.{each}"), extended=told(dict.fromkeys(known, "x")))
            assert await index.commit([it], CommitMode.CREATE, DUE, generation) == [CREATED]

    await asyncio.gather(*(one_by_one(*each) for each in enumerate(processes)))
    assert cosmos_stand_in.counts()["item.batch"].calls == 30


# Changes at the same time


async def test_a_value_does_not_pass_to_the_version_that_comes_meanwhile(
    cosmos_stand_in: CosmosStandIn, process: Process
) -> None:
    one, other = await process(), await process()
    reader, _, comment = await add(one, READER, PROTOCOL, COMMENT)
    old, kept = record(instance="replaced"), record(instance="kept")
    await commit(one, old, kept)
    cosmos_stand_in.faults(Fault(kind="item.batch", delay_ms=300))
    indexing = asyncio.create_task(
        other.tags.index([entry(it, {comment: it.key.instance, reader: it.key.instance}) for it in (old, kept)])
    )
    await asyncio.sleep(0.1)
    assert await put(one, record(instance="replaced")) == [REPLACED]
    await indexing
    assert await found(one, comment, "replaced") == await found(one, reader, "replaced") == set()
    assert await found(one, comment, "kept") == {"kept"}
    assert await found(one, reader, "kept") == {"1"}


async def by_commit(index: CosmosIndex, reader: QueryTag) -> None:
    await commit(index, NEWER, values={reader: "new"})


async def by_indexing(index: CosmosIndex, reader: QueryTag) -> None:
    await commit(index, NEWER)
    await index.tags.index([entry(NEWER, {reader: "new"})])


async def by_commits_of_the_same_value(index: CosmosIndex, reader: QueryTag) -> None:
    for it in (OLDER, NEWER):
        await commit(index, it, values={reader: "new"})


@pytest.mark.parametrize("come", [by_commit, by_indexing, by_commits_of_the_same_value])
async def test_a_newer_value_that_comes_meanwhile_stays(
    cosmos_stand_in: CosmosStandIn, process: Process, come: Callable[[CosmosIndex, QueryTag], Awaitable[None]]
) -> None:
    one, other = await process(), await process()
    (reader,) = await add(one, READER)
    await commit(one, OLD)
    cosmos_stand_in.faults(Fault(kind="item.batch", delay_ms=500))
    indexing = asyncio.create_task(other.tags.index([entry(OLD, {reader: "old"})]))
    await asyncio.sleep(0.1)
    await come(one, reader)
    assert not indexing.done()
    await indexing
    assert await found(one, reader, "new") == {"1"}
    assert await found(one, reader, "old") == set()


async def test_a_study_that_began_anew_meanwhile_is_told_nothing_of_before(
    cosmos_stand_in: CosmosStandIn, process: Process
) -> None:
    one, other = await process(), await process()
    (reader,) = await add(one, READER)
    old = record(instance="1")
    await commit(one, old)
    cosmos_stand_in.faults(Fault(kind="item.batch", delay_ms=300))
    indexing = asyncio.create_task(other.tags.index([entry(old, {reader: "old"})]))
    await asyncio.sleep(0.1)
    await one.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    await commit(one, record(instance="2"))
    await indexing
    assert await found(one, reader, "old") == set()


def test_commits_settle_after_the_longest_that_one_may_take(cosmos_stand_in: CosmosStandIn) -> None:
    index = CosmosIndex(Account.by_key(cosmos_stand_in.connection_string, "settling"))
    assert index.tags.settle_seconds > patience.DEADLINE_S
