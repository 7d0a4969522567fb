"""What is particular to extended query tags in SQLite: who fails in a shared transaction, what rows are left, and that
searches by them find what searches by the same values in columns of their own find."""

import random
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.dicom.attributes import MODALITIES_IN_STUDY, SEARCHABLE, Attribute
from shared.dicom.model import Level
from shared.storage.index.feed import FeedQuery
from shared.storage.index.model import DEFAULT_PARTITION, InstanceRecord, Scope, TagKey, TagValue
from shared.storage.index.port import CommitMode, CommitResult
from shared.storage.index.sqlite import SqliteIndex
from shared.storage.index.tags import TagDefinition, TagError, TagsChanged
from tests.contract.records import record
from tests.contract.steps import CREATED, DUE, REPLACED, stored
from tests.contract.test_index_pages import random_records, random_search
from tests.storage.index.steps import held_back, unwritable

DEFINITIONS = [
    TagDefinition("00101010", "AS", Level.STUDY),
    TagDefinition("00081070", "PN", Level.SERIES),
    TagDefinition("00189087", "FD", Level.INSTANCE),
]
VALUES = {"00101010": "050y", "00081070": "doe^john", "00189087": 1.5}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "index.sqlite"


@pytest.fixture
async def index(path: Path) -> AsyncIterator[SqliteIndex]:
    opened = SqliteIndex(path)
    await opened.open()
    yield opened
    await opened.close()


async def added(index: SqliteIndex) -> tuple[TagKey, ...]:
    known = await index.tags.add(DEFINITIONS, "operation", (await index.tags.all()).generation)
    assert known is not None
    return tuple(tag.index_key for tag in known.tags)


def tagged(it: InstanceRecord, tags: tuple[TagKey, ...], values: Mapping[str, Any] = VALUES) -> InstanceRecord:
    return replace(it, extended=tuple(TagValue(tag, values[tag.path]) for tag in tags if tag.path in values))


async def put(index: SqliteIndex, generation: int, *records: InstanceRecord) -> list[CommitResult]:
    return await index.commit(records, CommitMode.REPLACE, DUE, generation)


def rows(path: Path) -> dict[str, int]:
    """How many values and errors there are."""
    tables = ("study_values", "series_values", "instance_values", "tag_errors")
    with closing(sqlite3.connect(path)) as database:
        return {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}


async def test_in_a_shared_transaction_only_commits_that_know_other_tags_fail(index: SqliteIndex, path: Path) -> None:
    tags = await added(index)
    good = [tagged(record(instance=f"{number}"), tags) for number in range(4)]
    outcomes = await held_back(
        path,
        put(index, 1, good[0], good[1]),
        put(index, 0, record("stale", "stale.1", "1"), record("stale", "stale.1", "2")),
        put(index, 1, good[2]),
        put(index, 2, record("ahead")),
        put(index, 1, good[3]),
    )
    assert outcomes[0] == [CREATED, CREATED]
    assert outcomes[2] == outcomes[4] == [CREATED]
    assert isinstance(outcomes[1], TagsChanged)
    assert isinstance(outcomes[3], TagsChanged)
    assert [found.key.instance for found in await stored(index)] == ["0", "1", "2", "3"]
    assert [entry.key.instance for entry in await index.feed.read(FeedQuery())] == ["0", "1", "2", "3"]


async def test_another_failure_changes_nothing_for_those_that_know_other_tags(index: SqliteIndex, path: Path) -> None:
    outcomes = await held_back(
        path,
        put(index, 0, record(instance="before")),
        index.tags.add(DEFINITIONS, "operation", 0),
        put(index, 0, record(instance="stale")),
        put(index, 1, unwritable("bad")),
        put(index, 1, record(instance="after")),
    )
    assert outcomes[0] == outcomes[4] == [CREATED]
    assert outcomes[1].generation == 1
    assert isinstance(outcomes[2], TagsChanged)
    assert isinstance(outcomes[3], OverflowError)
    assert [found.key.instance for found in await stored(index)] == ["before", "after"]
    assert (await index.tags.all()).generation == 1


async def test_of_versions_that_share_a_transaction_the_last_leaves_its_values(index: SqliteIndex, path: Path) -> None:
    tags = await added(index)
    versions = [
        tagged(record(), tags),
        tagged(record(), tags, {"00189087": 2.5}),
        tagged(record(), tags, {"00101010": "051y"}),
    ]
    assert await put(index, 1, *versions) == [CREATED, REPLACED, REPLACED]
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT version, value FROM study_values").fetchall() == [(versions[2].version, "051y")]
        assert database.execute("SELECT version FROM series_values").fetchall() == [(versions[0].version,)]
    assert rows(path)["instance_values"] == 0


async def test_values_and_errors_go_with_what_they_belong_to(index: SqliteIndex, path: Path) -> None:
    tags = await added(index)
    records = [tagged(record(series=series, instance=name), tags) for series, name in (("1.1", "a"), ("1.2", "b"))]
    await put(index, 1, *records)
    await index.tags.record_errors([TagError(tags[0].key, it.key, it.version, 1, "bad") for it in records])
    assert rows(path) == {"study_values": 1, "series_values": 2, "instance_values": 2, "tag_errors": 2}
    await index.delete(Scope(DEFAULT_PARTITION, "1", "1.2"), DUE)
    assert rows(path) == {"study_values": 1, "series_values": 1, "instance_values": 1, "tag_errors": 1}
    await put(index, 1, record(series="1.1", instance="a"))
    assert rows(path) == {"study_values": 1, "series_values": 1, "instance_values": 0, "tag_errors": 0}
    await index.delete(Scope(DEFAULT_PARTITION, "1"), DUE)
    assert set(rows(path).values()) == {0}


async def test_erasing_goes_in_steps_and_leaves_what_other_tags_have(index: SqliteIndex, path: Path) -> None:
    tags = await added(index)
    records = [tagged(record(instance=f"{number}"), tags) for number in range(5)]
    await put(index, 1, *records)
    instance_tag = tags[2].key
    errors = [TagError(tag, it.key, it.version, 1, "bad") for it in records[:3] for tag in (instance_tag, tags[0].key)]
    await index.tags.record_errors(errors)
    assert await index.tags.remove(instance_tag)
    left = []
    for erased in (4, 3, 1, 0):
        assert await index.tags.erase(instance_tag, 4 if erased != 3 else 3) == erased
        left.append((rows(path)["instance_values"], rows(path)["tag_errors"]))
    assert left == [(1, 6), (0, 4), (0, 3), (0, 3)]
    assert await index.tags.error_counts([tag.key for tag in tags]) == {tags[0].key: 3}
    assert rows(path)["study_values"] == rows(path)["series_values"] == 1


async def test_a_key_is_never_given_again(index: SqliteIndex, path: Path) -> None:
    first = await added(index)
    for tag in first:
        assert await index.tags.remove(tag.key)
    assert (await index.tags.all()).generation == 4
    await index.close()
    again = SqliteIndex(path)
    await again.open()
    second = await added(again)
    assert min(tag.key for tag in second) > max(tag.key for tag in first)
    assert (await again.tags.all()).generation == 5
    await again.close()


# Searches


def shadow(number: int, attribute: Attribute) -> TagDefinition:
    """A tag whose values are those of a searchable attribute."""
    return TagDefinition(f"0099{number:04X}", attribute.vr, attribute.level)


@pytest.mark.parametrize("seed", range(4))
async def test_tags_are_searched_like_attributes(index: SqliteIndex, seed: int) -> None:
    chance = random.Random(seed)
    attributes = [attribute for attribute in SEARCHABLE if attribute.path != MODALITIES_IN_STUDY]
    known = await index.tags.add([shadow(*each) for each in enumerate(attributes)], "operation", 0)
    assert known is not None
    tags = {attribute.path: tag.index_key for attribute, tag in zip(attributes, known.tags, strict=True)}
    records = [
        replace(
            it,
            extended=tuple(
                TagValue(tags[path], value) for told in it.levels.values() for path, value in told.match.items()
            ),
        )
        for it in random_records(chance, 150)
    ]
    await put(index, 1, *records)
    found = 0
    for _ in range(250):
        search = random_search(chance)
        renamed = tuple(
            replace(it, path=tags[it.path].path) if it.path in tags and chance.random() < 0.7 else it
            for it in search.conditions
        )
        expected = await index.search(search)
        assert await index.search(replace(search, conditions=renamed, tags=tuple(tags.values()))) == expected, renamed
        found += bool(expected.total and renamed != search.conditions)
    assert found > 20
