"""What is particular to the index on Cosmos DB: how few calls it makes, its bounds, ranges that split, failures."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

import pytest

from shared.dicom.conditions import Equal, Order, Range
from shared.dicom.model import Level
from shared.errors import PayloadTooLarge, StorageError
from shared.storage.index.cosmos import (
    Account,
    CosmosIndex,
    container,
    parents,
    patience,
    reads,
    recent,
    search,
    writer,
)
from shared.storage.index.model import DEFAULT_PARTITION, InstanceKey, Scope, Search
from shared.storage.index.port import CommitResult
from tests.azure.cosmos import CosmosStandIn, Fault
from tests.contract.records import PATHS, record, study
from tests.contract.steps import CREATED, DUE, EXISTS, PARTITION, as_stored, commit, keys, of, put, stored
from tests.contract.test_index_pages import check_against_the_model, random_records, random_search
from tests.storage.index.conftest import DATABASE, Process

FAILED = CommitResult.FAILED
TOO_LARGE = bytes(1_600_000)
"""Metadata of which no document is made: it would be over 2 MB."""


@pytest.fixture
async def index(process: Process) -> CosmosIndex:
    return await process()


# Calls

Work: TypeAlias = Callable[[CosmosIndex], Awaitable[object]]
SERIES = Scope(DEFAULT_PARTITION, "9", "9.1")


def a_search(level: Level, scope: Scope = PARTITION, **limits: int) -> Work:
    return lambda index: index.search(Search(level, scope, **limits))


@pytest.mark.parametrize(
    ("work", "calls"),
    [
        (lambda index: commit(index, study("1")), ["batch"]),
        (lambda index: commit(index, record("9", "9.1", "new", Modality="CT")), ["batch"]),
        (lambda index: commit(index, *(record("1", "1.1", f"{n}") for n in range(90))), ["batch"]),
        (a_search(Level.STUDY), ["query"]),
        (lambda index: index.search(Search(Level.STUDY, PARTITION, (of("PatientID", Equal, ("p",)),))), ["query"]),
        (a_search(Level.STUDY, limit=1), ["query", "query"]),
        (a_search(Level.SERIES, Scope(DEFAULT_PARTITION, "9")), ["query", "read"]),
        (a_search(Level.INSTANCE, SERIES), ["query", "read", "read"]),
        (a_search(Level.INSTANCE, SERIES, limit=5), ["query", "read", "read"]),
        (lambda index: stored(index, SERIES), ["query"]),
        (lambda index: index.state(SERIES), ["read"]),
        (lambda index: index.instance(InstanceKey(DEFAULT_PARTITION, "9", "9.1", "9.1.1")), ["read"]),
    ],
)
async def test_work_takes_few_calls(
    cosmos_stand_in: CosmosStandIn, process: Process, work: Work, calls: list[str]
) -> None:
    cosmos_stand_in.settings(physical_partitions=1)
    index = await process()
    await commit(index, *(record("9", "9.1", f"9.1.{number}", Modality="CT") for number in range(10)), study("8"))
    for _ in range(2):  # the SDK looks up the ranges, once
        await keys(index, Search(Level.STUDY, PARTITION))
    cosmos_stand_in.forget_counts()
    await work(index)
    assert sorted(call.kind for call in cosmos_stand_in.calls()) == sorted(f"item.{kind}" for kind in calls)


# Instances looked up a moment ago


async def test_an_instance_looked_up_again_takes_no_call(cosmos_stand_in: CosmosStandIn, index: CosmosIndex) -> None:
    await commit(index, it := record())
    found = await index.instance(it.key)
    cosmos_stand_in.forget_counts()
    assert await index.instance(it.key) == found
    assert cosmos_stand_in.calls() == []


async def test_what_this_process_deletes_or_replaces_it_does_not_give_again(index: CosmosIndex) -> None:
    await commit(index, it := record())
    assert await index.instance(it.key) == as_stored(it)
    await put(index, later := record())
    assert await index.instance(it.key) == as_stored(later)
    await index.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    assert await index.instance(it.key) is None


async def test_no_process_gives_what_another_one_has_deleted_or_replaced(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may do so until the change has settled, which is when the change is answered."""
    monkeypatch.setattr(recent, "LEASE_SECONDS", 0.2)
    index, other = await process(), await process()
    await commit(index, it := record())
    assert await other.instance(it.key) == as_stored(it)
    await put(index, later := record())
    assert await other.instance(it.key) == as_stored(it)
    await asyncio.sleep(0.2)
    assert await other.instance(it.key) == as_stored(later)
    await index.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    await asyncio.sleep(0.2)
    assert await other.instance(it.key) is None


async def test_a_lease_begins_before_the_instance_is_read(
    cosmos_stand_in: CosmosStandIn, index: CosmosIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "LEASE_SECONDS", 0.2)
    await commit(index, it := record())
    cosmos_stand_in.faults(Fault(kind="item.read", delay_ms=250))
    assert await index.instance(it.key) == as_stored(it)
    cosmos_stand_in.forget_counts()
    assert await index.instance(it.key) == as_stored(it)
    assert cosmos_stand_in.counts()["item.read"].calls == 1


async def test_few_instances_are_remembered_and_no_large_ones(
    cosmos_stand_in: CosmosStandIn, index: CosmosIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "MOST_INSTANCES", 1)
    monkeypatch.setattr(recent, "LEASE_SECONDS", 60.0)
    first, last, large = record(instance="1"), record(instance="2"), record(instance="3", metadata=bytes(70_000))
    await commit(index, first, last, large)
    for it in (first, last, large):
        await index.instance(it.key)
    cosmos_stand_in.forget_counts()
    for it in (last, first, large, large):
        await index.instance(it.key)
    assert cosmos_stand_in.counts()["item.read"].calls == 3


async def test_commits_that_wait_together_share_a_batch(cosmos_stand_in: CosmosStandIn, index: CosmosIndex) -> None:
    cosmos_stand_in.forget_counts()
    records = [record(instance=f"1.1.{number}") for number in range(300)]
    assert await asyncio.gather(*(commit(index, it) for it in records)) == [[CREATED]] * 300
    assert cosmos_stand_in.counts()["item.batch"].calls <= 5


async def test_processes_that_store_into_one_series_hardly_get_in_each_others_way(
    cosmos_stand_in: CosmosStandIn, process: Process
) -> None:
    processes = [await process() for _ in range(4)]
    for number, index in enumerate(processes):
        await commit(index, record(instance=f"first.{number}", PatientID="P"))
    cosmos_stand_in.forget_counts()

    async def one_by_one(number: int, index: CosmosIndex) -> None:
        for each in range(10):
            assert await commit(index, record(instance=f"{number}.{each}", PatientID="P")) == [CREATED]

    await asyncio.gather(*(one_by_one(*each) for each in enumerate(processes)))
    assert cosmos_stand_in.counts()["item.batch"].calls == 40
    assert (await processes[0].state(Scope(DEFAULT_PARTITION, "1"))).instances == 44


# Bounds


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("split", [False, True])
async def test_searches_find_the_same_whichever_way_they_go(
    cosmos_stand_in: CosmosStandIn, index: CosmosIndex, monkeypatch: pytest.MonkeyPatch, seed: int, split: bool
) -> None:
    monkeypatch.setattr(search, "MOST_WHOLE", 4)
    monkeypatch.setattr(parents, "GROUP", 3)
    chance = random.Random(seed)
    records = random_records(chance, 150)
    await commit(index, *records)
    if split:
        cosmos_stand_in.split(DATABASE, "index")
    totals = [await check_against_the_model(index, records, random_search(chance)) for _ in range(120)]
    assert sum(total > 4 for total in totals) > 25


PATIENTS = Order(PATHS["PatientID"])


@pytest.mark.parametrize(
    "sought",
    [
        Search(Level.SERIES, PARTITION, (of("StudyDate", Range, "20240101", None),)),
        Search(Level.INSTANCE, PARTITION, (of("Modality", Equal, ("ct",)),)),
        Search(Level.SERIES, PARTITION, order=(PATIENTS,)),
        Search(Level.STUDY, PARTITION, order=(Order(PATHS["PatientSex"]), PATIENTS), limit=1),
        Search(Level.STUDY, PARTITION, offset=5),
    ],
)
async def test_what_would_look_at_too_much_is_refused(
    index: CosmosIndex, monkeypatch: pytest.MonkeyPatch, sought: Search
) -> None:
    await commit(index, *(study(f"{n}", PatientSex="F", StudyDate="20240101", Modality="CT") for n in range(4)))
    found = await index.search(sought)
    assert found.total == 4
    monkeypatch.setattr(parents, "MOST_PARENTS", 3)
    monkeypatch.setattr(search, "MOST_ROWS", 3)
    with pytest.raises(PayloadTooLarge, match="Narrow it"):
        await index.search(sought)


async def test_more_waiting_changes_than_there_is_room_for_are_refused(
    index: CosmosIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MOST_WAITING", 10)
    outcomes = await asyncio.gather(
        *(commit(index, record(instance=f"{n}")) for n in range(20)), return_exceptions=True
    )
    assert sum(outcome == [CREATED] for outcome in outcomes) == 10
    assert all("Too many" in str(outcome) for outcome in outcomes if outcome != [CREATED])
    assert len(await stored(index)) == 10
    assert await commit(index, *(record(instance=f"more.{n}") for n in range(30))) == [CREATED] * 30


# Splits


async def test_nothing_is_lost_when_ranges_split(cosmos_stand_in: CosmosStandIn, index: CosmosIndex) -> None:
    records = [record(f"{n % 20}", f"{n % 20}.1", f"{n}", PatientID="P") for n in range(100)]
    await commit(index, *records[:50])
    assert len(await stored(index)) == 50
    reading = index.instances(PARTITION)
    read = [await anext(reading)]
    for _ in range(3):
        cosmos_stand_in.split(DATABASE, "index")
    assert await commit(index, *records[50:]) == [CREATED] * 50
    read += [found async for found in reading]
    assert read[:50] == [as_stored(it) for it in records[:50]]
    assert await stored(index) == [as_stored(it) for it in records]
    page = await index.search(Search(Level.INSTANCE, PARTITION, limit=10, offset=20))
    assert [match.key[2] for match in page.matches] == [it.key.instance for it in reversed(records[70:80])]
    assert page.total == 100
    assert len(await index.delete(Scope(DEFAULT_PARTITION, "0"), DUE)) == 5
    assert len(await index.due_purges(1e12, 100)) == 5
    assert len([name async for name, _ in index.blobs("")]) == 100


# Failures


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # of the SDK's HTTP client
async def test_what_is_too_large_takes_no_other_with_it(index: CosmosIndex) -> None:
    records = [record(instance="1"), record(instance="2", metadata=TOO_LARGE), record(instance="3"), study("2")]
    assert await commit(index, *records) == [CREATED, FAILED, CREATED, CREATED]
    assert {found.key.instance for found in await stored(index)} == {"1", "3", "2.1.1"}
    with pytest.raises(StorageError):
        await commit(index, record(instance="4", metadata=TOO_LARGE))


async def test_a_study_that_fails_takes_no_other_with_it(
    cosmos_stand_in: CosmosStandIn, index: CosmosIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "DEADLINE_S", 0.3)
    await commit(index, study("0"))
    cosmos_stand_in.faults(Fault(kind="item.batch", status=400, nth=2))
    outcomes = await commit(index, *(study(f"{n}") for n in range(1, 5)))
    assert sorted(outcomes) == [CREATED, CREATED, CREATED, FAILED]
    missing = str(outcomes.index(FAILED) + 1)
    assert {found.key.study for found in await stored(index)} == set("01234") - {missing}
    assert (await commit(index, *(study(f"{n}") for n in range(1, 5)))).count(EXISTS) == 3


async def test_an_outage_fails_what_waits_without_trying_each(
    cosmos_stand_in: CosmosStandIn, index: CosmosIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "DEADLINE_S", 0.5)
    cosmos_stand_in.faults(Fault(kind="item.batch", status=449, times=None))
    began = asyncio.get_running_loop().time()
    outcomes = await asyncio.gather(
        *(commit(index, record(instance=f"{n}")) for n in range(300)), return_exceptions=True
    )
    assert all(isinstance(outcome, StorageError) for outcome in outcomes)
    assert asyncio.get_running_loop().time() - began < 2
    cosmos_stand_in.faults()
    assert await commit(index, record()) == [CREATED]


async def test_a_call_that_hangs_is_given_up_at_the_deadline(
    cosmos_stand_in: CosmosStandIn, index: CosmosIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "DEADLINE_S", 0.3)
    cosmos_stand_in.faults(Fault(kind="item.batch", delay_ms=2000))
    with pytest.raises(StorageError, match="does not answer"):
        await commit(index, record())


READS: list[Work] = [
    lambda index: index.search(Search(Level.STUDY, PARTITION, limit=2)),
    lambda index: index.search(
        Search(Level.INSTANCE, PARTITION, (of("PatientID", Equal, ("p",)),), with_metadata=True)
    ),
    lambda index: stored(index),
    lambda index: stored(index, Scope(DEFAULT_PARTITION, "1")),
    lambda index: index.instance(InstanceKey(DEFAULT_PARTITION, "1", "1.1", "5")),
    lambda index: index.state(Scope(DEFAULT_PARTITION, "1", "1.1")),
    lambda index: index.partitions(),
    lambda index: index.due_purges(1e12, 3),
    lambda index: all_blobs(index),
]


async def all_blobs(index: CosmosIndex) -> set[tuple[str, bool]]:
    return {each async for each in index.blobs("")}


@pytest.mark.parametrize("read", READS)
@pytest.mark.parametrize("fault", [Fault(status=503), Fault(status=429, retry_after_ms=1), Fault(cut=True)], ids=repr)
async def test_a_read_whose_call_fails_once_gives_the_same(
    cosmos_stand_in: CosmosStandIn, index: CosmosIndex, monkeypatch: pytest.MonkeyPatch, read: Work, fault: Fault
) -> None:
    monkeypatch.setattr(reads, "PAGE_INSTANCES", 5)
    monkeypatch.setattr(container, "MOST_ROWS_AT_ONCE", 4)
    monkeypatch.setattr(recent, "LEASE_SECONDS", 0.0)
    await commit(index, *(record("1", f"1.{n % 2}", f"{n}", PatientID="P") for n in range(12)), study("2"), study("3"))
    await index.delete(Scope(DEFAULT_PARTITION, "1", "1.0"), DUE)
    for _ in range(2):
        expected = await read(index)
        calls = len(cosmos_stand_in.calls())
        cosmos_stand_in.forget_counts()
    for nth in range(1, calls + 1):
        cosmos_stand_in.faults(replace(fault, nth=nth))
        assert await read(index) == expected
    cosmos_stand_in.faults()
    assert expected


async def test_replicas_that_lag_behind_do_not_make_it_look_as_if_nothing_were_there(
    cosmos_stand_in: CosmosStandIn, index: CosmosIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recent, "LEASE_SECONDS", 0.0)
    await commit(index, it := record())
    assert await index.instance(it.key) is not None
    cosmos_stand_in.faults(Fault(kind="item.read", status=404, substatus=1002, times=None))
    with pytest.raises(StorageError):
        await index.instance(it.key)


async def test_a_throttled_commit_waits_as_long_as_it_is_told(
    cosmos_stand_in: CosmosStandIn, index: CosmosIndex
) -> None:
    cosmos_stand_in.faults(Fault(kind="item.batch", status=429, retry_after_ms=300))
    began = asyncio.get_running_loop().time()
    assert await commit(index, record()) == [CREATED]
    assert asyncio.get_running_loop().time() - began > 0.3


async def test_who_gives_up_waiting_disturbs_no_other(cosmos_stand_in: CosmosStandIn, index: CosmosIndex) -> None:
    cosmos_stand_in.faults(Fault(kind="item.batch", delay_ms=200))
    waiting = [asyncio.create_task(commit(index, record(instance=f"{n}"))) for n in range(3)]
    await asyncio.sleep(0.05)
    waiting[1].cancel()
    assert await waiting[0] == await waiting[2] == [CREATED]
    assert len(await stored(index)) == 3


async def test_a_replacement_deleted_meanwhile_is_created(cosmos_stand_in: CosmosStandIn, process: Process) -> None:
    one, other = await process(), await process()
    await commit(one, record(PatientID="P1"))
    cosmos_stand_in.faults(Fault(kind="item.batch", delay_ms=300, nth=2))
    replacing = asyncio.create_task(put(other, record(PatientID="P2")))
    await asyncio.sleep(0.1)
    await one.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    assert await replacing == [CREATED]
    assert await keys(one, Search(Level.STUDY, PARTITION, (of("PatientID", Equal, ("p2",)),))) == [("1",)]
    assert len(await one.due_purges(1e12, 10)) == 1


# Opening


async def test_what_exists_need_not_be_created(cosmos_stand_in: CosmosStandIn, process: Process) -> None:
    await process()
    for kind in ("database.create", "container.create"):
        cosmos_stand_in.faults(Fault(kind=kind, status=403, times=None))
        await (await process()).check()


async def test_what_may_not_be_created_is_told(cosmos_stand_in: CosmosStandIn, process: Process) -> None:
    for kind in ("database.create", "container.create"):
        cosmos_stand_in.faults(Fault(kind=kind, status=403, times=None))
        with pytest.raises(StorageError, match="may not be created"):
            await process()


async def test_a_wrong_key_is_told(cosmos_stand_in: CosmosStandIn) -> None:
    wrong = replace(cosmos_stand_in.account, key="d3Jvbmc=")
    with pytest.raises(StorageError, match="credentials"):
        await CosmosIndex(Account.by_key(wrong.connection_string, DATABASE)).open()


async def test_an_account_that_can_not_be_reached_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "DEADLINE_S", 0.5)
    account = Account.by_key("AccountEndpoint=http://127.0.0.1:9/;AccountKey=d3Jvbmc=;", DATABASE)
    with pytest.raises(StorageError):
        await CosmosIndex(account).open()


@pytest.mark.parametrize("connection", ["", "nonsense", "AccountEndpoint=https://a/;", "AccountKey=secret"])
def test_a_connection_string_that_is_none_is_refused_without_being_quoted(connection: str) -> None:
    with pytest.raises(StorageError, match="DICOM_INDEX_CONNECTION") as raised:
        Account.by_key(connection, DATABASE)
    assert "secret" not in raised.value.detail


async def test_the_check_fails_when_nothing_can_be_written(cosmos_stand_in: CosmosStandIn, index: CosmosIndex) -> None:
    await index.check()
    cosmos_stand_in.faults(Fault(kind="item.upsert", status=403, times=None))
    with pytest.raises(StorageError):
        await index.check()
    cosmos_stand_in.faults()
    await index.check()
    assert await stored(index) == []
