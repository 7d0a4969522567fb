"""What the change feed of every index adapter tells, over each adapter. Where an index numbers changes later, that is
done before each read."""

import asyncio
import time
from typing import Any

import pytest

from shared.storage.index.feed import Action, FeedEntry, FeedQuery, State
from shared.storage.index.model import DEFAULT_PARTITION, InstanceRecord, Scope
from shared.storage.index.port import Index
from tests.contract.conftest import OpenIndex
from tests.contract.records import record, study
from tests.contract.steps import CREATED, DUE, EXISTS, REPLACED, commit, put

CREATE, UPDATE, DELETE = Action.CREATE, Action.UPDATE, Action.DELETE


async def feed(index: Index, **query: Any) -> list[FeedEntry]:
    await index.feed.number()
    return await index.feed.read(FeedQuery(**query))


async def latest(index: Index, **query: Any) -> FeedEntry | None:
    await index.feed.number()
    return await index.feed.latest(FeedQuery(**query))


async def sequences(index: Index, **query: Any) -> list[int]:
    return [entry.sequence for entry in await feed(index, **query)]


async def changes(index: Index) -> list[tuple[Action, str, int]]:
    """Action, instance and version of all entries, in order."""
    return [(entry.action, entry.key.instance, entry.version) for entry in await feed(index, limit=10_000)]


async def in_turn(index: Index, *records: InstanceRecord) -> None:
    """Commit records one after the other, each numbered before the next."""
    for it in records:
        assert await put(index, it) in ([CREATED], [REPLACED])
        await index.feed.number()


# What is noted


async def test_a_new_index_has_an_empty_feed(index: Index) -> None:
    assert await feed(index) == []
    assert await latest(index) is None
    assert await index.feed.last_sequence() == 0


async def test_a_creation_is_noted(index: Index) -> None:
    before = time.time_ns() // 1_000
    it = record()
    await commit(index, it)
    (entry,) = await feed(index)
    after = time.time_ns() // 1_000
    assert entry == FeedEntry(1, it.key, CREATE, it.version, entry.time, it.version)
    assert before - 2_000_000 < entry.time < after + 2_000_000
    assert entry.state is State.CURRENT


async def test_a_replacement_is_an_update(index: Index) -> None:
    old, new = record(), record()
    await in_turn(index, old, new)
    assert await changes(index) == [(CREATE, "1.1.1", old.version), (UPDATE, "1.1.1", new.version)]
    assert [entry.state for entry in await feed(index)] == [State.REPLACED, State.CURRENT]
    assert {entry.live for entry in await feed(index)} == {new.version}


async def test_the_same_version_again_is_noted_once(index: Index) -> None:
    created, replacing = record(), record()
    for it in (created, created, replacing, replacing):
        await put(index, it)
    assert await commit(index, replacing) == [REPLACED]
    assert await changes(index) == [(CREATE, "1.1.1", created.version), (UPDATE, "1.1.1", replacing.version)]


async def test_what_changes_nothing_is_not_noted(index: Index) -> None:
    older, newer = record(), record()
    assert await put(index, newer) == [CREATED]
    assert await commit(index, record()) == [EXISTS]
    assert await put(index, older) == [REPLACED]
    assert await index.delete(Scope(DEFAULT_PARTITION, "1", "1.1", "nothing"), DUE) == []
    assert await changes(index) == [(CREATE, "1.1.1", newer.version)]


async def test_a_commit_that_fails_is_not_noted(index: Index) -> None:
    with pytest.raises(Exception, match=r".+"):
        await commit(index, record(), record(instance="1.1.2", PatientID=object()))
    assert await feed(index) == []


async def test_the_records_of_a_commit_are_noted_in_order(index: Index) -> None:
    records = [record(instance="b"), record(instance="a"), record(instance="b"), record(series="1.0", instance="c")]
    assert await put(index, *records) == [CREATED, CREATED, REPLACED, CREATED]
    assert await changes(index) == [
        (action, it.key.instance, it.version)
        for action, it in zip((CREATE, CREATE, UPDATE, CREATE), records, strict=True)
    ]


async def test_a_large_commit_is_noted_whole(index: Index) -> None:
    records = [record("1", f"1.{number % 7}", f"1.{number % 7}.{number}") for number in range(300)]
    await commit(index, *records)
    entries = await feed(index, limit=1_000)
    assert [entry.sequence for entry in entries] == list(range(1, 301))
    assert {entry.key for entry in entries} == {it.key for it in records}
    assert {entry.live for entry in entries} == {it.version for it in records}


@pytest.mark.parametrize(
    ("scope", "deleted"),
    [
        (("1",), ["c", "b", "a"]),
        (("1", "1.1"), ["c", "b"]),
        (("1", "1.1", "b"), ["b"]),
    ],
)
async def test_a_deletion_is_noted_for_each_instance_oldest_version_first(
    index: Index, scope: tuple[str, ...], deleted: list[str]
) -> None:
    series = {"a": "1.2", "b": "1.1", "c": "1.1"}
    oldest_first = {name: record("1", series[name], name) for name in "cba"}
    await in_turn(index, *(oldest_first[name] for name in "abc"), study("2"))
    await index.delete(Scope(DEFAULT_PARTITION, *scope), DUE)
    entries = await feed(index, after=4)
    assert [(entry.sequence, entry.action, entry.key, entry.version) for entry in entries] == [
        (number, DELETE, oldest_first[name].key, oldest_first[name].version) for number, name in enumerate(deleted, 5)
    ]
    assert {entry.state for entry in entries} == {State.DELETED}
    states = {entry.key.instance: entry.state for entry in await feed(index, limit=4)}
    gone = {name: State.DELETED if name in deleted else State.CURRENT for name in "abc"}
    assert states == {**gone, "2.1.1": State.CURRENT}


async def test_states_after_deletion_and_creation_anew(index: Index) -> None:
    first, again = record(), record()
    await in_turn(index, first)
    await index.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    assert [entry.state for entry in await feed(index)] == [State.DELETED, State.DELETED]
    await in_turn(index, again)
    entries = await feed(index)
    assert [entry.action for entry in entries] == [CREATE, DELETE, CREATE]
    assert [entry.version for entry in entries] == [first.version, first.version, again.version]
    assert [entry.state for entry in entries] == [State.REPLACED, State.REPLACED, State.CURRENT]


async def test_only_the_very_same_instance_makes_an_entry_current(index: Index) -> None:
    it = record()
    others = [record("2"), record(series="1.2"), record(partition="other")]
    await in_turn(index, it, *others)
    await index.delete(Scope(DEFAULT_PARTITION, "1", "1.1"), DUE)
    states = [entry.state for entry in await feed(index)]
    assert states == [State.DELETED, State.CURRENT, State.CURRENT, State.CURRENT, State.DELETED]


async def test_metadata_comes_with_current_entries_when_asked_for(index: Index) -> None:
    await in_turn(index, record(metadata=b"of old"), record(instance="1.1.2", metadata=b"of other"))
    await in_turn(index, record(metadata=b"of new"), record(instance="1.1.3", metadata=b"of gone"))
    await index.delete(Scope(DEFAULT_PARTITION, "1", "1.1", "1.1.3"), DUE)
    told = [entry.metadata for entry in await feed(index, with_metadata=True)]
    assert told == [None, b"of other", b"of new", None, None]
    assert {entry.metadata for entry in await feed(index)} == {None}
    newest = await latest(index, with_metadata=True, actions=(UPDATE,))
    assert newest is not None
    assert newest.metadata == b"of new"


async def test_a_deletion_is_not_current_though_its_version_lives_again(index: Index) -> None:
    it = record(metadata=b"back")
    await in_turn(index, it)
    await index.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    await in_turn(index, it)
    entries = await feed(index, with_metadata=True)
    assert [entry.state for entry in entries] == [State.CURRENT, State.REPLACED, State.CURRENT]
    assert [entry.metadata for entry in entries] == [b"back", None, b"back"]


# Reading parts of it


@pytest.fixture
async def mixed(index: Index) -> list[FeedEntry]:
    """Creations 1 to 6 in partitions and studies A/1, B/1, A/2, B/2, C/1 and A/1; 7 updates the first, 8 deletes it."""
    places = [("A", "1"), ("B", "1"), ("A", "2"), ("B", "2"), ("C", "1"), ("A", "1")]
    records = [
        record(uid, f"{uid}.1", f"{uid}.1.{number}", partition=name) for number, (name, uid) in enumerate(places)
    ]
    await in_turn(index, *records, record("1", "1.1", "1.1.0", partition="A"))
    await index.delete(Scope("A", "1", "1.1", "1.1.0"), DUE)
    entries = await feed(index)
    assert [entry.sequence for entry in entries] == list(range(1, 9))
    return entries


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [1, 2, 3, 4, 5, 6, 7, 8]),
        ({"after": 3}, [4, 5, 6, 7, 8]),
        ({"after": 8}, []),
        ({"after": 2**63 - 1, "skip": 2**62}, []),
        ({"limit": 3}, [1, 2, 3]),
        ({"skip": 2, "limit": 3}, [3, 4, 5]),
        ({"after": 1, "skip": 2, "limit": 3}, [4, 5, 6]),
        ({"skip": 8}, []),
        ({"partitions": ("A",)}, [1, 3, 6, 7, 8]),
        ({"partitions": ("A",), "after": 1, "skip": 1, "limit": 2}, [6, 7]),
        ({"partitions": ("C", "B")}, [2, 4, 5]),
        ({"partitions": ("A", "B"), "skip": 2, "limit": 4}, [3, 4, 6, 7]),
        ({"partitions": ("A", "nowhere"), "after": 6}, [7, 8]),
        ({"partitions": ("nowhere",)}, []),
        ({"partitions": ()}, []),
        ({"study": "1"}, [1, 2, 5, 6, 7, 8]),
        ({"study": "1", "partitions": ("B",)}, [2]),
        ({"study": "1", "partitions": ("B", "C")}, [2, 5]),
        ({"study": "1", "after": 1, "skip": 1, "limit": 2}, [5, 6]),
        ({"study": "nothing"}, []),
        ({"actions": (DELETE,)}, [8]),
        ({"actions": (CREATE, DELETE), "skip": 4}, [5, 6, 8]),
        ({"actions": (UPDATE,), "partitions": ("A",), "study": "1"}, [7]),
        ({"actions": ()}, []),
    ],
)
@pytest.mark.usefixtures("mixed")
async def test_parts_of_the_feed(index: Index, query: dict[str, Any], expected: list[int]) -> None:
    assert await sequences(index, **query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, 8),
        ({"skip": 3, "limit": 1}, 8),
        ({"actions": (CREATE, UPDATE)}, 7),
        ({"partitions": ("B", "C")}, 5),
        ({"partitions": ("B",)}, 4),
        ({"study": "2"}, 4),
        ({"study": "2", "partitions": ("A",)}, 3),
        ({"after": 7}, 8),
        ({"after": 8}, None),
        ({"partitions": ("nowhere",)}, None),
    ],
)
@pytest.mark.usefixtures("mixed")
async def test_the_latest_entry(index: Index, query: dict[str, Any], expected: int | None) -> None:
    found = await latest(index, **query)
    assert (found and found.sequence) == expected


async def test_times_never_fall_and_bound_what_is_read(index: Index) -> None:
    for number in range(6):
        await in_turn(index, record(f"{number % 2}", f"{number % 2}.1", f"{number}"))
        await asyncio.sleep(0.005)
    entries = await feed(index)
    times = [entry.time for entry in entries]
    assert times == sorted(times)
    for start, end in ((times[2], None), (None, times[4]), (times[1], times[3]), (times[3] + 1, times[4])):
        window = [
            entry for entry in entries if (start is None or entry.time >= start) and (end is None or entry.time < end)
        ]
        of_study = [entry for entry in window if entry.key.study == "1"]
        bounds = {"start": start, "end": end}
        assert await feed(index, **bounds) == window
        assert await feed(index, **bounds, skip=1, limit=2) == window[1:3]
        assert await feed(index, **bounds, after=3) == [entry for entry in window if entry.sequence > 3]
        assert await feed(index, **bounds, study="1", skip=1) == of_study[1:]
        assert await feed(index, **bounds, partitions=(DEFAULT_PARTITION,)) == window
        assert await latest(index, **bounds) == (window[-1] if window else None)
    assert await feed(index, start=times[-1] + 1) == []
    assert await feed(index, end=times[0]) == []
    assert await feed(index, start=0, end=2**62) == entries


# Many writers and readers


async def test_numbers_have_no_gaps_while_several_write(open_index: OpenIndex) -> None:
    one, other = await asyncio.gather(open_index(), open_index())
    records = [record(f"{number % 5}", f"{number % 5}.1", f"{number % 5}.1.{number}") for number in range(60)]
    is_done = asyncio.Event()

    async def write(index: Index, share: list[InstanceRecord]) -> None:
        for it in share:
            await asyncio.gather(commit(index, it), index.feed.number())
        await index.delete(Scope(DEFAULT_PARTITION, share[0].key.study, f"{share[0].key.study}.1", "nothing"), DUE)

    async def watch(index: Index) -> list[FeedEntry]:
        seen: list[FeedEntry] = []
        while not is_done.is_set():
            last = await index.feed.last_sequence()
            read = await index.feed.read(FeedQuery(limit=1_000))
            assert len(read) >= max(last, len(seen))
            assert [entry.sequence for entry in read] == list(range(1, len(read) + 1))
            assert [(entry.key, entry.time) for entry in read[: len(seen)]] == [(e.key, e.time) for e in seen]
            seen = read
        return seen

    watching = asyncio.ensure_future(watch(one))
    await asyncio.gather(*(write(index, records[part::4]) for part, index in enumerate((one, other, one, other))))
    await asyncio.gather(one.feed.number(), other.feed.number())
    is_done.set()
    await watching
    entries = await feed(one, limit=1_000)
    assert entries == await feed(other, limit=1_000)
    assert [entry.sequence for entry in entries] == list(range(1, 61))
    assert {(entry.key, entry.version) for entry in entries} == {(it.key, it.version) for it in records}
    assert [entry.time for entry in entries] == sorted(entry.time for entry in entries)
    assert await one.feed.last_sequence() == await other.feed.last_sequence() == 60


async def test_the_feed_outlives_a_restart(open_index: OpenIndex) -> None:
    first = await open_index()
    await in_turn(first, record())
    await first.feed.move_cursor("reader", 0, 1)
    await first.close()
    second = await open_index()
    await in_turn(second, record())
    assert [(entry.sequence, entry.action) for entry in await feed(second)] == [(1, CREATE), (2, UPDATE)]
    assert await second.feed.cursor("reader") == 1


# Cursors


async def test_a_cursor_moves_from_where_it_was_seen(index: Index) -> None:
    assert await index.feed.cursor("reader") == 0
    assert await index.feed.move_cursor("reader", 1, 2) is False
    assert await index.feed.cursor("reader") == 0
    assert await index.feed.move_cursor("reader", 0, 5) is True
    assert await index.feed.move_cursor("reader", 0, 6) is False
    assert await index.feed.cursor("reader") == 5
    assert await index.feed.move_cursor("reader", 5, 9) is True
    assert await index.feed.cursor("reader") == 9
    assert await index.feed.cursor("other") == 0


async def test_one_of_many_moves_a_cursor(open_index: OpenIndex) -> None:
    one, other = await asyncio.gather(open_index(), open_index())
    for seen in (0, 10):
        moved = await asyncio.gather(
            *(index.feed.move_cursor("reader", seen, seen + 10) for index in (one, other) for _ in range(5))
        )
        assert sorted(moved) == [False] * 9 + [True]
    assert await one.feed.cursor("reader") == await other.feed.cursor("reader") == 20
