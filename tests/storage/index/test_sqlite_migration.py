"""An index file that the first version of the program made is brought up to date when it is opened."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from shared.dicom.conditions import Equal
from shared.dicom.model import Level
from shared.errors import StorageError
from shared.storage.index.feed import Action, FeedQuery, State
from shared.storage.index.model import DEFAULT_PARTITION, InstanceKey, Scope, TagValue
from shared.storage.index.sqlite import SqliteIndex
from shared.storage.index.tags import TagDefinition, TagEntry, TagSet
from tests.contract.records import PATHS, record
from tests.contract.steps import CREATED, DUE, PARTITION, commit, matches, purges, stored

FIRST_VERSION = Path(__file__).with_name("version_1.sql")
"""Instance 1.1.1 (replaced once) and 1.1.2 of study 1, and study 2 in the partition ``other``; one that was deleted.
The n-th version was made n milliseconds after 2024-01-01."""

NEW_YEAR = 1_704_067_200_000_000
VERSIONS = {number: (number << 22) + 7 for number in range(1, 6)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    with closing(sqlite3.connect(tmp_path / "index.sqlite")) as made:
        made.executescript(FIRST_VERSION.read_text())
        made.execute("PRAGMA user_version = 1")
    return tmp_path / "index.sqlite"


async def opened(path: Path) -> SqliteIndex:
    index = SqliteIndex(path)
    await index.open()
    return index


def schema_of(path: Path) -> set[tuple[str, ...]]:
    with closing(sqlite3.connect(path)) as database:
        made = database.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema").fetchall()
        statistics = database.execute("SELECT 'statistics', tbl, idx, stat FROM sqlite_stat1").fetchall()
    return {*made, *statistics}


async def test_an_old_index_becomes_what_a_new_one_is(path: Path, tmp_path: Path) -> None:
    before = schema_of(path)
    await (await opened(path)).close()
    await (await opened(tmp_path / "new.sqlite")).close()
    assert schema_of(path) == schema_of(tmp_path / "new.sqlite") > before
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (3,)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_the_feed_begins_with_what_is_there_in_the_order_it_was_stored(path: Path) -> None:
    index = await opened(path)
    entries = await index.feed.read(FeedQuery(with_metadata=True))
    assert [(entry.sequence, entry.key, entry.version, entry.time - NEW_YEAR) for entry in entries] == [
        (1, InstanceKey("other", "2", "2.1", "2.1.1"), VERSIONS[2], 2_000),
        (2, InstanceKey(DEFAULT_PARTITION, "1", "1.1", "1.1.2"), VERSIONS[3], 3_000),
        (3, InstanceKey(DEFAULT_PARTITION, "1", "1.1", "1.1.1"), VERSIONS[5], 5_000),
    ]
    assert {(entry.action, entry.state, entry.metadata) for entry in entries} == {
        (Action.CREATE, State.CURRENT, b"metadata")
    }
    assert await commit(index, record(instance="1.1.3")) == [CREATED]
    await index.delete(Scope("other", "2"), DUE)
    entries = await index.feed.read(FeedQuery(after=3))
    assert [(entry.sequence, entry.action) for entry in entries] == [(4, Action.CREATE), (5, Action.DELETE)]
    await index.close()


async def test_what_was_there_stays(path: Path) -> None:
    index = await opened(path)
    assert [found.key.instance for found in await stored(index)] == ["1.1.2", "1.1.1"]
    (study,) = await matches(index, Level.STUDY, Equal(PATHS["PatientID"], ("p1",)))
    assert (study.study_series, study.study_instances, study.modalities) == (1, 2, ("CT",))
    waiting = {(f"{DEFAULT_PARTITION}/{VERSIONS[1]}.dcm", 1000.0), (f"{DEFAULT_PARTITION}/{VERSIONS[4]}.dcm", 2000.0)}
    assert await purges(index) == waiting
    assert [partition.name for partition in await index.partitions()] == [DEFAULT_PARTITION, "other"]
    await index.close()


async def test_old_instances_can_be_indexed_by_tags(path: Path) -> None:
    index = await opened(path)
    assert await index.tags.all() == TagSet()
    known = await index.tags.add([TagDefinition("00101010", "AS", Level.STUDY)], "operation", 0)
    assert known is not None
    tag = known.tags[0].index_key
    (newest,) = await index.page(DEFAULT_PARTITION, VERSIONS[3], 10)
    await index.tags.index([TagEntry(newest.key, newest.version, (TagValue(tag, "050y"),))])
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("SELECT tag, version, value FROM study_values").fetchall() == [
            (tag.key, VERSIONS[5], "050y")
        ]
    await index.close()


async def test_an_old_index_is_brought_up_to_date_once(path: Path) -> None:
    indexes = await asyncio.gather(*(opened(path) for _ in range(4)))
    assert [await index.feed.last_sequence() for index in indexes] == [3] * 4
    for index in indexes:
        await index.close()
    again = await opened(path)
    assert await again.feed.last_sequence() == 3
    await again.close()


async def test_an_old_index_that_cannot_be_brought_up_to_date_is_left_as_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE tag_errors (other TEXT)")
    before = schema_of(path)
    with pytest.raises(StorageError):
        await opened(path)
    assert schema_of(path) == before
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (1,)
        assert database.execute("SELECT count(*) FROM instances").fetchone() == (3,)


async def test_an_empty_index_begins_with_an_empty_feed(tmp_path: Path) -> None:
    index = await opened(tmp_path / "new.sqlite")
    assert await index.feed.last_sequence() == 0
    assert await stored(index, PARTITION) == []
    await index.close()
