"""What every index adapter does with records, over each adapter. Reading and searching have tests of their own."""

import asyncio
import os
import time
from multiprocessing import get_context
from typing import Any

from shared.dicom.conditions import Equal
from shared.dicom.model import Level
from shared.settings import Settings
from shared.storage import adapters
from shared.storage.index.model import DEFAULT_PARTITION, InstanceKey, Scope, ScopeState, Search
from shared.storage.index.port import CommitResult, Index
from tests.contract.conftest import OpenIndex
from tests.contract.records import PATHS, dataset, record
from tests.contract.steps import (
    CREATED,
    DUE,
    EXISTS,
    PARTITION,
    REPLACED,
    as_stored,
    commit,
    matches,
    purges,
    put,
    stored,
    values,
)

# Committing


async def test_a_record_comes_back_as_it_was_committed(index: Index) -> None:
    it = record(metadata=os.urandom(3000), layout=os.urandom(200), PatientID="P1")
    assert await commit(index, it) == [CREATED]
    assert await index.instance(it.key) == as_stored(it)
    assert await stored(index) == [as_stored(it)]


async def test_an_empty_commit_is_no_error(index: Index) -> None:
    assert await commit(index) == []


async def test_an_identity_that_exists_is_refused_and_left_as_it_is(index: Index) -> None:
    first, second = record(PatientID="first"), record(PatientID="second")
    await commit(index, first)
    assert await commit(index, second) == [EXISTS]
    assert await index.instance(first.key) == as_stored(first)
    (study,) = await matches(index, Level.STUDY)
    assert values(study, Level.STUDY)["00100020"]["Value"] == ["first"]
    assert await purges(index) == set()


async def test_the_same_version_again_gives_the_same_result(index: Index) -> None:
    created, replacing = record(), record()
    assert await commit(index, created) == await commit(index, created) == [CREATED]
    assert await put(index, created) == [CREATED]
    assert await put(index, replacing) == await put(index, replacing) == await commit(index, replacing) == [REPLACED]
    assert await purges(index) == {(created.blob, DUE)}
    assert (await index.state(PARTITION)).instances == 1


async def test_a_replacement_takes_the_place_of_the_old_version(index: Index) -> None:
    old, new = record(PatientID="old", InstanceNumber=1), record(PatientID="new", InstanceNumber=2)
    await commit(index, old)
    assert await put(index, new) == [REPLACED]
    assert await stored(index) == [as_stored(new)]
    (instance,) = await matches(index, Level.INSTANCE)
    assert (instance.study_series, instance.study_instances, instance.series_instances) == (1, 1, 1)
    assert values(instance, Level.INSTANCE)["00200013"]["Value"] == [2]
    assert await matches(index, Level.INSTANCE, Equal(PATHS["InstanceNumber"], (1,))) == ()
    assert len(await matches(index, Level.INSTANCE, Equal(PATHS["InstanceNumber"], (2,)))) == 1
    assert await purges(index) == {(old.blob, DUE)}


async def test_a_replacement_of_nothing_creates(index: Index) -> None:
    assert await put(index, record()) == [CREATED]
    assert await purges(index) == set()


async def test_a_version_that_comes_after_its_successor_does_not_undo_it(index: Index) -> None:
    older, newer = record(PatientID="older"), record(PatientID="newer")
    await put(index, newer)
    assert await put(index, older) == [REPLACED]
    assert await stored(index) == [as_stored(newer)]
    assert await purges(index) == {(older.blob, DUE)}


async def test_records_of_one_commit_are_taken_in_order(index: Index) -> None:
    first, again, other = record(), record(), record(instance="1.1.2")
    assert await commit(index, first, again, other) == [CREATED, EXISTS, CREATED]
    newer, newest = record(PatientID="newer"), record(PatientID="newest")
    assert await put(index, newer, newest) == [REPLACED, REPLACED]
    assert await index.instance(first.key) == as_stored(newest)
    assert await purges(index) == {(first.blob, DUE), (newer.blob, DUE)}


async def test_a_large_commit_is_one(index: Index) -> None:
    records = [record("1", f"1.{number % 7}", f"1.{number % 7}.{number}") for number in range(700)]
    assert await commit(index, *records) == [CREATED] * 700
    assert await stored(index) == [as_stored(it) for it in records]
    (study,) = await matches(index, Level.STUDY)
    assert (study.study_series, study.study_instances) == (7, 700)


async def test_a_commit_that_fails_changes_nothing_and_takes_no_other_with_it(index: Index) -> None:
    bad = record("2", "2.1", "2.1.2", PatientID=object())
    good = [record("1", "1.1", f"1.1.{number}") for number in range(20)]
    outcomes = await asyncio.gather(
        *(commit(index, it) for it in good[:10]),
        commit(index, record("2", "2.1", "2.1.1"), bad),
        *(commit(index, it) for it in good[10:]),
        return_exceptions=True,
    )
    assert [outcome for outcome in outcomes if outcome == [CREATED]] == [[CREATED]] * 20
    assert isinstance(outcomes[10], Exception)
    assert len(await stored(index)) == 20
    assert len(await matches(index, Level.STUDY)) == 1


async def test_of_many_commits_of_one_identity_one_wins(index: Index) -> None:
    rivals = [record(PatientID=f"P{number}") for number in range(50)]
    outcomes = await asyncio.gather(*(commit(index, it) for it in rivals))
    winners = [it for it, outcome in zip(rivals, outcomes, strict=True) if outcome == [CREATED]]
    assert len(winners) == 1
    assert outcomes.count([EXISTS]) == 49
    assert await stored(index) == [as_stored(winners[0])]


async def test_counts_are_right_after_many_commits_at_once(index: Index) -> None:
    keys = [(f"{study}", f"{study}.{series}") for study in range(4) for series in range(3)]
    records = [record(study, series, f"{series}.{number}") for study, series in keys for number in range(20)]
    await asyncio.gather(*(commit(index, it) for it in records))
    series = await matches(index, Level.SERIES)
    assert {match.key for match in series} == set(keys)
    assert {(m.study_series, m.study_instances, m.series_instances) for m in series} == {(3, 60, 20)}
    assert (await index.search(Search(Level.INSTANCE, PARTITION, limit=1))).total == 240


def commit_in_a_process(settings: Settings, process: int, results: Any) -> None:
    async def work() -> list[CommitResult]:
        index = adapters.index(settings)
        await index.open()
        records = [record("1", "1.1", f"1.1.{number}", metadata=b"%d" % process) for number in range(100)]
        outcomes = await asyncio.gather(*(commit(index, it) for it in records))
        await index.close()
        return [outcome for (outcome,) in outcomes]

    results.put((process, asyncio.run(work())))


async def test_two_processes_write_at_once(index: Index, index_settings: Settings) -> None:
    context = get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=commit_in_a_process, args=(index_settings, number, results)) for number in (1, 2)]
    for worker in workers:
        worker.start()
    outcomes = dict([await asyncio.to_thread(results.get, timeout=60) for _ in workers])
    for worker in workers:
        await asyncio.to_thread(worker.join)
    assert all({one, other} == {CREATED, EXISTS} for one, other in zip(outcomes[1], outcomes[2], strict=True))
    found = await stored(index)
    assert len(found) == 100
    for instance in found:
        number = int(instance.key.instance.rpartition(".")[2])
        assert outcomes[int(instance.metadata)][number] == CREATED
    assert await index.state(Scope(DEFAULT_PARTITION, "1")) == ScopeState(max(it.version for it in found), 100)


async def test_what_one_process_commits_another_finds(open_index: OpenIndex) -> None:
    one, other = await asyncio.gather(open_index(), open_index())
    await commit(one, record(PatientID="P1", Modality="CT"))
    await commit(other, record(instance="1.1.2", PatientID="P2"))
    assert await stored(one) == await stored(other)
    (match,) = await matches(one, Level.STUDY, Equal(PATHS["PatientID"], ("p2",)))
    assert match.study_instances == 2
    assert len(await one.delete(Scope(DEFAULT_PARTITION, "1"), DUE)) == 2
    assert await commit(other, record(PatientID="P3")) == [CREATED]
    assert len(await stored(one)) == 1


async def test_many_can_open_a_new_index_at_once(open_index: OpenIndex) -> None:
    opened = await asyncio.gather(*(open_index() for _ in range(6)))
    for number, index in enumerate(opened):
        await index.check()
        assert await commit(index, record(instance=f"1.1.{number}")) == [CREATED]
    assert len(await stored(opened[0])) == 6


async def test_an_index_that_was_closed_holds_what_it_held(open_index: OpenIndex) -> None:
    first = await open_index()
    it = record()
    await commit(first, it)
    await first.close()
    assert await stored(await open_index()) == [as_stored(it)]


# Partitions


async def test_the_default_partition_is_there_from_the_start(index: Index) -> None:
    (default,) = await index.partitions()
    assert (default.key, default.name) == (1, DEFAULT_PARTITION)
    assert abs(default.created - time.time()) < 60


async def test_a_commit_makes_its_partition(index: Index) -> None:
    await commit(index, record(partition="b"), record(partition="a"), record(partition="b", instance="2"))
    found = await index.partitions()
    assert [partition.name for partition in found] == [DEFAULT_PARTITION, "b", "a"]
    assert len({partition.key for partition in found}) == 3


async def test_partitions_do_not_see_each_other(index: Index) -> None:
    ours, theirs = record(PatientID="P1"), record(partition="other", PatientID="P2")
    assert await commit(index, ours, theirs) == [CREATED, CREATED]
    for it, patient in ((ours, "p1"), (theirs, "p2")):
        scope = Scope(it.key.partition)
        assert await stored(index, scope) == [as_stored(it)]
        assert await index.instance(it.key) == as_stored(it)
        for level in Level:
            (match,) = await matches(index, level, Equal(PATHS["PatientID"], (patient,)), scope=scope)
            assert match.study_instances == 1
    assert await matches(index, Level.STUDY, Equal(PATHS["PatientID"], ("p2",))) == ()
    assert len(await index.delete(Scope("other", "1"), DUE)) == 1
    assert await stored(index) == [as_stored(ours)]
    assert await index.state(Scope("other", "1")) == ScopeState(0, 0)


async def test_a_partition_that_does_not_exist_holds_nothing(index: Index) -> None:
    nowhere = Scope("nowhere")
    assert await index.search(Search(Level.STUDY, nowhere)) == await index.search(Search(Level.INSTANCE, nowhere))
    assert (await index.search(Search(Level.SERIES, nowhere, offset=5))).total == 0
    assert await stored(index, nowhere) == []
    assert await index.instance(InstanceKey("nowhere", "1", "1.1", "1.1.1")) is None


# Merged attributes of studies and series


async def test_the_newest_instance_wins_and_clears_nothing(index: Index) -> None:
    await commit(index, record(instance="1", StudyID="S", Modality="CT", SeriesDescription="old"))
    await commit(index, record(instance="2", PatientID="P1", PatientName="Doe^John", SeriesDescription="new"))
    await commit(index, record(instance="3", PatientID=None, PatientName="Roe^Jane", SeriesDescription=""))
    (series,) = await matches(index, Level.SERIES)
    assert values(series, Level.STUDY) == dataset(
        PatientID="P1", PatientName="Roe^Jane", StudyID="S", StudyInstanceUID="1"
    )
    assert list(values(series, Level.STUDY)) == sorted(values(series, Level.STUDY))
    assert values(series, Level.SERIES) == dataset(Modality="CT", SeriesDescription="new", SeriesInstanceUID="1.1")
    for keyword, value, found in (
        ("PatientID", "p1", 1),
        ("PatientName", "roe^jane", 1),
        ("PatientName", "doe^john", 0),
        ("StudyID", "s", 1),
        ("SeriesDescription", "new", 1),
        ("SeriesDescription", "old", 0),
    ):
        assert len(await matches(index, Level.SERIES, Equal(PATHS[keyword], (value,)))) == found


async def test_merging_gives_the_same_in_one_commit_and_in_many(open_index: OpenIndex) -> None:
    index = await open_index()
    told = [{"PatientID": "A"}, {"PatientName": "N"}, {"PatientID": "B"}, {"PatientID": "A"}, {"StudyID": "S"}]
    for number, values_ in enumerate(told):
        await commit(index, record("1", "1.1", f"1.1.{number}", **values_))
    await commit(index, *(record("2", "2.1", f"2.1.{number}", **values_) for number, values_ in enumerate(told)))
    merged = [values(match, Level.STUDY) for match in await matches(index, Level.STUDY)]
    for study, uid in zip(merged, ("2", "1"), strict=True):
        assert study == dataset(PatientID="A", PatientName="N", StudyID="S", StudyInstanceUID=uid)


async def test_refused_records_say_nothing_of_their_study(index: Index) -> None:
    await commit(index, record(PatientID="P1"))
    await commit(index, record(PatientID="P2"))
    assert len(await matches(index, Level.STUDY, Equal(PATHS["PatientID"], ("p1",)))) == 1
