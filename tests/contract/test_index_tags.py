"""How every index adapter keeps extended query tags and their values, over each adapter."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import pytest

from shared.dicom.conditions import Equal
from shared.dicom.model import Level
from shared.storage.index.model import DEFAULT_PARTITION, InstanceRecord, Scope, Search
from shared.storage.index.port import CommitMode, Index
from shared.storage.index.tags import (
    QueryStatus,
    TagDefinition,
    TagEntry,
    TagsChanged,
    TagSet,
    TagStatus,
)
from tests.contract.conftest import OpenIndex
from tests.contract.records import record
from tests.contract.steps import CREATED, DUE, PARTITION, REPLACED, keys
from tests.contract.tag_steps import COMMENT, PRIVATE, PROTOCOL, READER, Values, add, commit, entry, found, put, told

# The set of tags


async def test_a_new_index_has_no_tags(index: Index) -> None:
    assert await index.tags.all() == TagSet(0, ())
    assert await index.tags.error_counts([1, 2]) == {}
    assert await index.tags.errors(1, 0, 10) == []
    assert not await index.tags.remove(1)
    assert not await index.tags.set_query_status(1, QueryStatus.DISABLED)
    assert await index.tags.erase(1, 10) == 0


async def test_tags_are_kept_as_they_were_added(index: Index) -> None:
    after = await index.tags.add([READER, PRIVATE], "operation", 0)
    assert after is not None
    assert after.generation != 0
    assert [tag.definition for tag in after.tags] == [READER, PRIVATE]
    assert {(tag.status, tag.query_status, tag.operation) for tag in after.tags} == {
        (TagStatus.ADDING, QueryStatus.ENABLED, "operation")
    }
    assert await index.tags.all() == after
    (more,) = await add(index, PROTOCOL)
    found_ = await index.tags.all()
    assert found_.tags == (*after.tags, more)
    assert found_.generation not in (0, after.generation)
    assert [tag.key for tag in found_.tags] == sorted({tag.key for tag in found_.tags})


async def test_nothing_is_added_to_a_set_that_has_changed(index: Index) -> None:
    first = await index.tags.add([READER], "one", 0)
    assert first is not None
    assert await index.tags.add([PROTOCOL], "two", 0) is None
    assert await index.tags.remove(first.tags[0].key)
    assert await index.tags.add([PROTOCOL], "two", first.generation) is None
    assert (await index.tags.all()).tags == ()


async def test_of_many_that_add_at_once_one_wins(open_index: OpenIndex) -> None:
    one, other = await asyncio.gather(open_index(), open_index())
    outcomes = await asyncio.gather(
        *((one, other)[number % 2].tags.add([READER, PROTOCOL], f"{number}", 0) for number in range(10))
    )
    (winner,) = [outcome for outcome in outcomes if outcome is not None]
    assert await one.tags.all() == await other.tags.all() == winner


async def test_a_removed_tag_is_gone_and_its_key_never_given_again(index: Index) -> None:
    reader, protocol = await add(index, READER, PROTOCOL)
    before = await index.tags.all()
    assert await index.tags.remove(protocol.key)
    assert not await index.tags.remove(protocol.key)
    after = await index.tags.all()
    assert after.tags == (reader,)
    assert after.generation != before.generation
    (again,) = await add(index, PROTOCOL)
    assert again.key not in (reader.key, protocol.key)


async def test_the_states_of_tags(index: Index) -> None:
    reader, protocol, comment = await add(index, READER, PROTOCOL, COMMENT)
    before = await index.tags.all()
    await index.tags.set_ready([reader.key, 77])
    await index.tags.release([protocol.key, 78])
    assert await index.tags.set_query_status(comment.key, QueryStatus.DISABLED)
    assert await index.tags.set_query_status(comment.key, QueryStatus.DISABLED)
    assert not await index.tags.set_query_status(79, QueryStatus.DISABLED)
    assert await index.tags.all() == TagSet(
        before.generation,
        (
            replace(reader, status=TagStatus.READY, operation=None),
            replace(protocol, operation=None),
            replace(comment, query_status=QueryStatus.DISABLED),
        ),
    )
    assert await index.tags.set_query_status(comment.key, QueryStatus.ENABLED)
    assert (await index.tags.all()).tags[2] == comment


async def test_tags_outlive_a_restart(open_index: OpenIndex) -> None:
    first = await open_index()
    (tag,) = await add(first, COMMENT)
    await commit(first, record(), values={tag: "kept"})
    before = await first.tags.all()
    await first.close()
    second = await open_index()
    assert await second.tags.all() == before
    assert await found(second, tag, "kept") == {"1.1.1"}


async def test_a_commit_that_does_not_know_the_tags_is_refused_or_settles(index: Index) -> None:
    await add(index, COMMENT)
    if index.tags.settle_seconds:
        assert await index.commit([record()], CommitMode.CREATE, DUE, 0) == [CREATED]
    else:
        with pytest.raises(TagsChanged):
            await index.commit([record()], CommitMode.CREATE, DUE, 0)
        assert await index.instance(record().key) is None


# Values of instances that are committed, and of those that are there


async def committed(index: Index, it: InstanceRecord, values: Values) -> None:
    assert await commit(index, it, values=values) == [CREATED]


async def indexed(index: Index, it: InstanceRecord, values: Values) -> None:
    assert await commit(index, it) == [CREATED]
    await index.tags.index([entry(it, values)])


Take: TypeAlias = Callable[[Index, InstanceRecord, Values], Any]


@pytest.mark.parametrize("take", [committed, indexed])
async def test_values_are_found_at_their_level_and_below(index: Index, take: Take) -> None:
    reader, protocol, comment, private = await add(index, READER, PROTOCOL, COMMENT, PRIVATE)
    await take(index, record("1", "1.1", "a"), {reader: "Doe^John", protocol: "Head", comment: "one", private: "x"})
    await take(index, record("1", "1.2", "b"), {protocol: "Neck", comment: "two", private: "x"})
    await take(index, record("2", "2.1", "c"), {reader: "Roe^Jane", protocol: "Head", private: ""})
    assert await found(index, reader, "doe^john") == {"1"}
    assert await found(index, reader, "Doe^John", Level.SERIES) == {"1.1", "1.2"}
    assert await found(index, reader, "Doe^John", Level.INSTANCE) == {"a", "b"}
    assert await found(index, protocol, "head") == {"1.1", "2.1"}
    assert await found(index, protocol, "NECK", Level.INSTANCE) == {"b"}
    assert await found(index, comment, "one") == {"a"}
    assert await found(index, private, "X") == {"a", "b"}
    assert await found(index, comment, "x") == await found(index, private, "one") == set()


@pytest.mark.parametrize("take", [committed, indexed])
async def test_values_do_not_reach_into_other_partitions_studies_or_series(index: Index, take: Take) -> None:
    tags = await add(index, READER, PROTOCOL, COMMENT)
    values = dict.fromkeys(tags, "here")
    await take(index, record(), values)
    for other in (record(partition="other"), record("2"), record(series="1.2", instance="b"), record(instance="c")):
        await commit(index, other)
    for tag, expected in zip(tags, ("1", "1.1", "1.1.1"), strict=True):
        assert await found(index, tag, "here") == {expected}
        elsewhere = Search(Level.STUDY, Scope("other"), (Equal(READER.path, ("here",)),), tags=(tags[0].index_key,))
        assert await keys(index, elsewhere) == []


async def test_many_values_are_indexed_at_once(index: Index) -> None:
    tags = await add(index, *(replace(COMMENT, path=f"0009{n:04X}", level=Level(1 + n % 3)) for n in range(30)))
    records = [record(f"{n % 4}", f"{n % 4}.1", f"{n}") for n in range(150)]
    await commit(index, *records)
    await index.tags.index([entry(it, {tag: f"{it.key.instance}-{n}" for n, tag in enumerate(tags)}) for it in records])
    assert await found(index, tags[0], "148-0") == {"0"}
    assert await found(index, tags[1], "149-1") == {"1.1"}
    assert await found(index, tags[2], "7-2") == {"7"}
    assert await found(index, tags[29], "149-29") == {"149"}
    assert await found(index, tags[0], "4-0") == set()


async def test_indexing_again_changes_nothing(index: Index) -> None:
    tags = await add(index, READER, PROTOCOL, COMMENT)
    it = record()
    await commit(index, it)
    for _ in range(2):
        await index.tags.index([entry(it, dict.fromkeys(tags, "same"))])
    for tag in tags:
        assert len(await found(index, tag, "same")) == 1
    state = await index.state(PARTITION)
    assert (state.version, state.instances) == (it.version, 1)


async def test_nothing_to_index_is_no_error(index: Index) -> None:
    await index.tags.index([])
    await index.tags.record_errors([])
    it = record()
    await commit(index, it)
    await index.tags.index([TagEntry(it.key, it.version, ())])


# Which value counts


@pytest.mark.parametrize("definition", [READER, PROTOCOL])
@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["commit 1 a", "commit 2 b"], "b"),
        (["commit 2 b", "commit 1 a"], "b"),
        (["commit 1 a", "commit 2 -"], "a"),
        (["commit 2 b", "commit 1 a", "commit 3 a"], "a"),
        (["commit 1 -", "commit 2 -", "index 1 a", "index 2 b"], "b"),
        (["commit 1 -", "commit 2 -", "index 2 b", "index 1 a"], "b"),
        (["commit 1 -", "commit 2 b", "index 1 a"], "b"),
        (["commit 1 -", "commit 2 -", "commit 3 c", "index 2 b", "index 1 a"], "c"),
        (["commit 1 a", "commit 2 -", "index 2 b"], "b"),
        (["commit 1 a", "commit 2 -", "index 2 b", "commit 3 a"], "a"),
        (["commit 1 a", "commit 2 -", "commit 3 a", "index 2 b"], "a"),
        (["commit 1 a", "commit 3 a", "commit 2 -", "index 2 b"], "a"),
        (["commit 1 -", "commit 3 -", "commit 2 -", "index 2 b", "index 3 c", "index 1 a"], "c"),
    ],
    ids=" ".join,
)
async def test_of_several_values_the_newest_versions_counts(
    index: Index, definition: TagDefinition, steps: list[str], expected: str
) -> None:
    (tag,) = await add(index, definition)
    records = {str(n): record(instance=f"{n}") for n in range(1, 4)}
    for step in steps:
        action, number, value = step.split()
        values = {} if value == "-" else {tag: value}
        if action == "commit":
            assert await commit(index, records[number], values=values) == [CREATED]
        else:
            await index.tags.index([entry(records[number], values)])
    assert [value for value in "abc" if await found(index, tag, value)] == [expected]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_of_several_values_in_one_call_the_newest_versions_counts(index: Index, order: tuple[int, ...]) -> None:
    reader, protocol, late = await add(index, READER, PROTOCOL, replace(READER, path="00081048"))
    records = [record(instance=f"{n}") for n in range(3)]
    await commit(index, *records)
    entries = [entry(it, {reader: value, protocol: value}) for it, value in zip(records, "abc", strict=True)]
    await index.tags.index([entries[n] for n in order])
    others = [replace(record(instance=f"other {n}"), extended=told({late: value})) for n, value in enumerate("abc")]
    await commit(index, *(others[n] for n in order))
    for tag in (reader, protocol, late):
        assert [value for value in "abc" if await found(index, tag, value)] == ["c"]


async def test_the_value_of_an_instance_goes_with_its_version(index: Index) -> None:
    (tag,) = await add(index, COMMENT)
    old, new, newest = record(), record(), record()
    await commit(index, old, values={tag: "old"})
    assert await put(index, new) == [REPLACED]
    assert await found(index, tag, "old") == set()
    await index.tags.index([entry(old, {tag: "old"})])
    assert await found(index, tag, "old") == set()
    await index.tags.index([entry(new, {tag: "new"})])
    assert await found(index, tag, "new") == {"1.1.1"}
    assert await put(index, newest, values={tag: "newest"}) == [REPLACED]
    assert await found(index, tag, "new") == set()
    assert await found(index, tag, "newest") == {"1.1.1"}
    assert await put(index, newest) == [REPLACED]  # the same version again
    assert await found(index, tag, "newest") == {"1.1.1"}
    await index.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    assert await found(index, tag, "newest") == set()


async def test_what_is_not_live_tells_nothing(index: Index) -> None:
    tags = await add(index, READER, PROTOCOL, COMMENT)
    old, new, gone, live = record(), record(), record(instance="gone"), record(instance="live")
    await commit(index, old, gone, live)
    await put(index, new)
    await index.delete(Scope(DEFAULT_PARTITION, "1", "1.1", "gone"), DUE)
    never = record("never", "never.1", "never.1.1")
    await index.tags.index([entry(it, dict.fromkeys(tags, "dead")) for it in (old, gone, never)])
    for tag in tags:
        assert await found(index, tag, "dead") == set()
    await index.tags.index([entry(it, dict.fromkeys(tags, "alive")) for it in (old, live, gone)])
    assert [await found(index, tag, "alive") for tag in tags] == [{"1"}, {"1.1"}, {"live"}]


async def test_values_of_studies_and_series_go_with_their_last_instance(index: Index) -> None:
    tags = await add(index, READER, PROTOCOL)
    await commit(index, record(), values=dict.fromkeys(tags, "before"))
    await index.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    await commit(index, record())
    for tag in tags:
        assert await found(index, tag, "before") == set()
    await commit(index, record(instance="2"), values=dict.fromkeys(tags, "after"))
    assert [await found(index, tag, "after") for tag in tags] == [{"1"}, {"1.1"}]


async def test_commits_at_once_leave_the_newest_value(open_index: OpenIndex) -> None:
    one, other = await asyncio.gather(open_index(), open_index())
    tags = await add(one, READER, PROTOCOL)
    records = [record(instance=f"{n}") for n in range(40)]
    older, newer = records[:20], records[20:]
    await commit(one, *older)
    await asyncio.gather(
        *(commit((one, other)[n % 2], it, values=dict.fromkeys(tags, f"{n}")) for n, it in enumerate(newer)),
        *((one, other)[n % 2].tags.index([entry(it, dict.fromkeys(tags, "old"))]) for n, it in enumerate(older)),
    )
    for tag in tags:
        assert len(await found(one, tag, "19")) == 1
        assert await found(one, tag, "old") == set()
