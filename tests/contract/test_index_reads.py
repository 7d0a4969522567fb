"""What every index adapter reads and deletes, over each adapter."""

import asyncio
import os
from dataclasses import replace
from typing import Any

import pytest

from shared.dicom.model import Level
from shared.storage.index.model import DEFAULT_PARTITION, InstanceRecord, Purge, Scope, ScopeState, Search
from shared.storage.index.port import Index
from tests.contract.records import record
from tests.contract.steps import CREATED, DUE, LATER, PARTITION, as_stored, commit, matches, purges, put, stored, uids

# Reading


@pytest.mark.parametrize("part", ["partition", "study", "series", "instance"])
async def test_looking_up_what_is_not_there(index: Index, part: str) -> None:
    it = record()
    await commit(index, it)
    wrong = replace(it.key, **{part: "9"})
    assert await index.instance(wrong) is None
    scope = Scope(wrong.partition, wrong.study, wrong.series, wrong.instance)
    assert await stored(index, scope) == []
    assert await index.state(scope) == ScopeState(0, 0)
    assert await index.delete(scope, DUE) == []
    assert await purges(index) == set()


async def test_instances_of_a_scope_come_oldest_first(index: Index) -> None:
    keys = [("1", "1.1", "c"), ("1", "1.2", "b"), ("2", "2.1", "a"), ("1", "1.1", "a")]
    await commit(index, *(record(*key) for key in keys))
    assert await uids(index, Scope(DEFAULT_PARTITION, "1")) == ["c", "b", "a"]
    assert await uids(index, Scope(DEFAULT_PARTITION, "1", "1.1")) == ["c", "a"]
    assert await uids(index, Scope(DEFAULT_PARTITION, "1", "1.1", "a")) == ["a"]
    assert await uids(index, PARTITION) == ["c", "b", "a", "a"]


async def test_state_and_instances_at_one_go_are_what_they_are_alone(index: Index) -> None:
    await commit(index, *(record(series=f"1.{number % 2}", instance=f"{number}") for number in range(80)))
    for scope in (Scope(DEFAULT_PARTITION, "1"), Scope(DEFAULT_PARTITION, "1", "1.1"), Scope(DEFAULT_PARTITION, "9")):
        state, instances = await index.read(scope)
        assert state == await index.state(scope)
        assert [found async for found in instances] == await stored(index, scope)


async def test_a_replaced_instance_is_as_old_as_its_new_version(index: Index) -> None:
    names = [f"1.1.{number}" for number in range(300)]
    await commit(index, *(record(instance=name) for name in names))
    await put(index, record(instance=names[0]))
    assert await uids(index, PARTITION) == [*names[1:], names[0]]
    page = await index.search(Search(Level.INSTANCE, PARTITION, limit=2))
    assert [match.key[2] for match in page.matches] == [names[0], names[-1]]


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")  # of the SDK's HTTP client
async def test_large_contents_come_back_whole(index: Index) -> None:
    records = [
        record(instance=f"{number}", metadata=os.urandom(700_000 * (number % 3)), layout=os.urandom(number * 1000))
        for number in range(24)
    ]
    await commit(index, *records)
    assert await stored(index, Scope(DEFAULT_PARTITION, "1")) == [as_stored(it) for it in records]


async def test_a_page_of_a_partition_goes_on_after_a_version(index: Index) -> None:
    records = [record(f"{number % 3}", f"{number % 2}", f"{number}") for number in range(12)]
    oldest_first = [as_stored(it) for it in records]
    await commit(index, *reversed(records), record(partition="other"))
    assert await index.page(DEFAULT_PARTITION, 0, 100) == oldest_first
    assert await index.page(DEFAULT_PARTITION, 0, 5) == oldest_first[:5]
    assert await index.page(DEFAULT_PARTITION, records[4].version, 5) == oldest_first[5:10]
    assert await index.page(DEFAULT_PARTITION, records[4].version - 1, 1) == [oldest_first[4]]
    assert await index.page(DEFAULT_PARTITION, records[-1].version, 5) == []
    assert await index.page("nowhere", 0, 5) == []


async def test_a_page_holds_as_many_as_it_may_however_large(index: Index) -> None:
    records = [record(instance=f"{number}", metadata=os.urandom(100_000)) for number in range(60)]
    for start in range(0, 60, 10):
        await commit(index, *records[start : start + 10])
    assert await index.page(DEFAULT_PARTITION, 0, 59) == [as_stored(it) for it in records[:59]]


async def test_what_takes_several_reads_to_their_brim_comes_whole(index: Index) -> None:
    names = [f"{number}" for number in range(320)]
    await commit(
        index, *(record(series="1.1" if number < 64 else "1.2", instance=f"{number}") for number in range(320))
    )
    assert await uids(index, Scope(DEFAULT_PARTITION, "1", "1.1")) == names[:64]
    assert await uids(index, Scope(DEFAULT_PARTITION, "1")) == names
    assert [found.key.instance for found in await index.page(DEFAULT_PARTITION, 0, 1_000)] == names


async def test_reading_goes_on_while_instances_come_and_go(index: Index) -> None:
    records = [record(instance=f"1.1.{number}") for number in range(600)]
    await commit(index, *records)
    read = []
    async for found in index.instances(PARTITION):
        read.append(found.key.instance)
        if len(read) == 100:
            await index.delete(Scope(DEFAULT_PARTITION, "1", "1.1", "1.1.599"), DUE)
            await commit(index, record(instance="new"))
    assert read == [f"1.1.{number}" for number in range(599)] + ["new"]


async def test_the_state_changes_with_every_change(index: Index) -> None:
    scopes = [Scope(DEFAULT_PARTITION, "1"), Scope(DEFAULT_PARTITION, "1", "1.1")]
    first, second, third = record(instance="1"), record(instance="2"), record(instance="2")
    await commit(index, first)
    for scope in [*scopes, Scope(DEFAULT_PARTITION, "1", "1.1", "1")]:
        assert await index.state(scope) == ScopeState(first.version, 1)
    await commit(index, second)
    assert [await index.state(scope) for scope in scopes] == [ScopeState(second.version, 2)] * 2
    await put(index, third)
    assert [await index.state(scope) for scope in scopes] == [ScopeState(third.version, 2)] * 2
    await index.delete(Scope(DEFAULT_PARTITION, "1", "1.1", "2"), DUE)
    assert [await index.state(scope) for scope in scopes] == [ScopeState(first.version, 1)] * 2


# Deleting


@pytest.fixture
async def archive(index: Index) -> list[InstanceRecord]:
    """Two studies: one of CT with two instances and MR with one, and one of US with one instance."""
    records = [
        record("1", "1.1", "1.1.1", Modality="CT"),
        record("1", "1.1", "1.1.2", Modality="CT"),
        record("1", "1.2", "1.2.1", Modality="MR"),
        record("2", "2.1", "2.1.1", Modality="US"),
    ]
    await commit(index, *records)
    return records


@pytest.mark.parametrize(
    ("scope", "gone", "counts"),
    [
        (("1", "1.1", "1.1.1"), [0], {"1.1": (("CT", "MR"), 2, 2, 1), "1.2": (("CT", "MR"), 2, 2, 1)}),
        (("1", "1.2", "1.2.1"), [2], {"1.1": (("CT",), 1, 2, 2)}),
        (("1", "1.1"), [0, 1], {"1.2": (("MR",), 1, 1, 1)}),
        (("1",), [0, 1, 2], {}),
    ],
)
async def test_deleting_takes_what_the_scope_names_and_no_more(
    index: Index, archive: list[InstanceRecord], scope: tuple[str, ...], gone: list[int], counts: dict[str, Any]
) -> None:
    named = Scope(DEFAULT_PARTITION, *scope)
    assert sorted(await index.delete(named, DUE)) == sorted(archive[number].blob for number in gone)
    assert await index.delete(named, DUE) == []
    left = [it for number, it in enumerate(archive) if number not in gone]
    assert await stored(index) == [as_stored(it) for it in left]
    assert await purges(index) == {(archive[number].blob, DUE) for number in gone}
    expected = {**counts, "2.1": (("US",), 1, 1, 1)}
    found = {
        match.key[1]: (match.modalities, match.study_series, match.study_instances, match.series_instances)
        for match in await matches(index, Level.SERIES)
    }
    assert found == expected
    assert {match.key[0] for match in await matches(index, Level.STUDY)} == {it.key.study for it in left}
    assert len(await matches(index, Level.INSTANCE)) == len(left)


async def test_a_deleted_instance_can_be_committed_again(index: Index, archive: list[InstanceRecord]) -> None:
    await index.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    again = record("1", "1.1", "1.1.1", Modality="XA")
    assert await commit(index, again) == [CREATED]
    assert await index.instance(again.key) == as_stored(again)
    assert {match.key: match.modalities for match in await matches(index, Level.STUDY)} == {
        ("1",): ("XA",),
        ("2",): ("US",),
    }


async def test_deletes_and_commits_at_once_leave_right_counts(index: Index) -> None:
    async def churn(number: int) -> None:
        uid = f"1.1.{number}"
        for _ in range(5):
            await commit(index, record(instance=uid))
            await index.delete(Scope(DEFAULT_PARTITION, "1", "1.1", uid), DUE)
        await commit(index, record(instance=uid))

    await asyncio.gather(*(churn(number) for number in range(16)))
    (series,) = await matches(index, Level.SERIES)
    assert (series.study_series, series.study_instances, series.series_instances) == (1, 16, 16)
    assert (await index.search(Search(Level.INSTANCE, PARTITION, limit=1))).total == 16
    assert len(await purges(index)) == 80


# The purge queue


async def test_purges_come_due_in_order(index: Index) -> None:
    blobs = {}
    for uid, due in (("1", 30.0), ("2", 10.0), ("3", 20.0), ("4", 99.0)):
        it = record(instance=uid)
        await commit(index, it)
        await index.delete(Scope(DEFAULT_PARTITION, "1", "1.1", uid), due)
        blobs[uid] = it.blob
    assert await index.due_purges(5.0, 10) == []
    assert await index.due_purges(30.0, 10) == [
        Purge(blobs["2"], 10.0),
        Purge(blobs["3"], 20.0),
        Purge(blobs["1"], 30.0),
    ]
    assert await index.due_purges(30.0, 2) == [Purge(blobs["2"], 10.0), Purge(blobs["3"], 20.0)]
    await index.postpone_purge(blobs["2"], 50.0)
    await index.forget_purge(blobs["3"])
    assert await index.due_purges(60.0, 10) == [Purge(blobs["1"], 30.0), Purge(blobs["2"], 50.0)]


async def test_purges_that_are_not_queued_can_be_forgotten(index: Index) -> None:
    await index.forget_purge("nothing")
    await index.postpone_purge("nothing", 5.0)
    assert await index.due_purges(LATER, 10) == []


# The blobs that are known


async def blobs(index: Index, prefix: str) -> dict[str, bool]:
    return {name: live async for name, live in index.blobs(prefix)}


async def test_known_blobs_are_live_or_wait_for_their_purge(index: Index, archive: list[InstanceRecord]) -> None:
    await index.delete(Scope(DEFAULT_PARTITION, "1", "1.1"), DUE)
    prefix = archive[0].blob[:3]
    assert all(it.blob.startswith(prefix) for it in archive)
    assert await blobs(index, prefix) == {it.blob: number > 1 for number, it in enumerate(archive)}
    await index.forget_purge(archive[0].blob)
    assert archive[0].blob not in await blobs(index, prefix)


async def test_known_blobs_are_told_by_prefix_however_many(index: Index) -> None:
    many = [record(instance=f"1.1.{number}") for number in range(1100)]
    for start in range(0, 1100, 100):
        await commit(index, *many[start : start + 100])
    assert await blobs(index, many[0].blob[:3]) == {it.blob: True for it in many}
    assert await blobs(index, many[0].blob) == {many[0].blob: True}
    assert await blobs(index, "no such prefix") == {}
