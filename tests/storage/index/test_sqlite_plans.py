"""How SQLite goes about searches and reads of the feed: it must not look at more than it has to."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from shared.dicom.conditions import Condition, Equal, Range, Wildcard
from shared.dicom.model import Level
from shared.storage.index.feed import Action, FeedQuery
from shared.storage.index.model import DEFAULT_PARTITION, Scope, Search, TagKey
from shared.storage.index.sqlite import feed, reads, schema, search, values
from shared.storage.index.sqlite.connection import connect
from tests.contract.steps import PARTITION, of


class Recording:
    """A connection that remembers what it was asked."""

    def __init__(self, inner: sqlite3.Connection) -> None:
        self._inner = inner
        self.asked: list[tuple[str, Any]] = []

    def execute(self, statement: str, parameters: Any = ()) -> sqlite3.Cursor:
        self.asked.append((statement, parameters))
        return self._inner.execute(statement, parameters)

    def plans(self) -> list[str]:
        return [step for statement, given in self.asked for step in self.plan(statement, given)]

    def plan(self, statement: str, given: Any) -> list[str]:
        return [step[3] for step in self._inner.execute(f"EXPLAIN QUERY PLAN {statement}", given)]

    def scans(self) -> list[str]:
        """The steps that look at all there is, but for a page and the short lists that a statement was given."""
        short = ("SCAN page", "SCAN json_each")
        return [step for step in self.plans() if step.startswith("SCAN") and not step.startswith(short)]


@pytest.fixture
def recording(tmp_path: Path) -> Iterator[Recording]:
    with closing(connect(tmp_path / "index.sqlite", writes=True)) as made:
        schema.create(made)
    with closing(connect(tmp_path / "index.sqlite", writes=True)) as opened:
        yield Recording(opened)


def searched(recording: Recording, *searches: Search) -> Recording:
    for each in searches:
        search.find(recording, each)  # type: ignore[arg-type]
    return recording


# Searches by attributes


@pytest.mark.parametrize(
    ("level", "condition", "index_name"),
    [
        (Level.STUDY, None, "studies_by_partition"),
        (Level.STUDY, of("StudyInstanceUID", Equal, ("1", "2")), "studies_by_partition_uid"),
        (Level.STUDY, of("PatientID", Equal, ("p1",)), "studies_by_partition_PatientID"),
        (Level.STUDY, of("PatientID", Wildcard, ("p1*",)), "studies_by_partition_PatientID"),
        (Level.STUDY, of("PatientName", Equal, ("doe^john",)), "studies_by_partition_PatientName"),
        (Level.STUDY, of("PatientName", Wildcard, ("doe*",)), "studies_by_partition_PatientName"),
        (Level.STUDY, of("AccessionNumber", Equal, ("a",)), "studies_by_partition_AccessionNumber"),
        (Level.STUDY, of("StudyDate", Range, "20240101", "20240102"), "studies_by_partition_StudyDate"),
        (Level.SERIES, None, "series_by_partition"),
        (Level.SERIES, of("SeriesInstanceUID", Equal, ("1",)), "series_by_partition_uid_study"),
        (Level.SERIES, of("Modality", Equal, ("ct",)), "series_by_partition_Modality"),
        (Level.SERIES, of("PatientID", Equal, ("p1",)), "studies_by_partition_PatientID"),
        (Level.INSTANCE, None, "instances_by_partition_version"),
        (Level.INSTANCE, of("SOPInstanceUID", Equal, ("1",)), "instances_by_partition_uid_series"),
        (Level.INSTANCE, of("PatientID", Equal, ("p1",)), "studies_by_partition_PatientID"),
    ],
)
async def test_a_selective_search_is_led_by_an_index(
    recording: Recording, level: Level, condition: Condition | None, index_name: str
) -> None:
    conditions = () if condition is None else (condition,)
    # a page that is full has its total counted too
    searched(recording, Search(level, PARTITION, conditions, limit=0))
    assert len(recording.asked) == 2
    assert any(f"INDEX {index_name} " in step for step in recording.plans())
    assert recording.scans() == []


async def test_newest_first_needs_no_sorting(recording: Recording) -> None:
    searched(
        recording,
        *(Search(level, PARTITION) for level in Level),
        *(Search(level, Scope(DEFAULT_PARTITION, "1")) for level in Level),
        Search(Level.INSTANCE, Scope(DEFAULT_PARTITION, "1", "1.1")),
        Search(Level.STUDY, PARTITION, (of("PatientID", Equal, ("p1",)),)),
        Search(Level.STUDY, PARTITION, (of("ModalitiesInStudy", Equal, ("ct",)),)),
    )
    assert [step for step in recording.plans() if "TEMP B-TREE" in step] == []


# Searches by extended query tags

TAGS = {
    Level.STUDY: TagKey(1, "00101010", Level.STUDY, "AS"),
    Level.SERIES: TagKey(2, "00081070", Level.SERIES, "PN"),
    Level.INSTANCE: TagKey(3, "00189087", Level.INSTANCE, "FD"),
}
STUDY_TAG, SERIES_TAG, INSTANCE_TAG = (
    Equal(TAGS[Level.STUDY].path, ("050y",)),
    Wildcard(TAGS[Level.SERIES].path, ("doe*",)),
    Range(TAGS[Level.INSTANCE].path, 1.0, 2.0),
)
BY_STUDY_VALUE = "v0 USING COVERING INDEX study_values_by_tag_partition_value (tag=? AND partition=? AND value=?)"
BY_SERIES_VALUE = "v0 USING COVERING INDEX series_values_by_tag_partition_value (tag=? AND partition=? AND value>? "
BY_INSTANCE_VALUE = "v0 USING COVERING INDEX instance_values_by_tag_partition_value (tag=? AND partition=? AND value>? "


@pytest.mark.parametrize(
    ("level", "scope", "conditions", "led_by"),
    [
        (Level.STUDY, (), [STUDY_TAG], BY_STUDY_VALUE),
        (Level.SERIES, (), [STUDY_TAG], BY_STUDY_VALUE),
        (Level.INSTANCE, (), [STUDY_TAG], BY_STUDY_VALUE),
        (Level.SERIES, (), [SERIES_TAG], BY_SERIES_VALUE),
        (Level.INSTANCE, (), [SERIES_TAG], BY_SERIES_VALUE),
        (Level.INSTANCE, (), [INSTANCE_TAG], BY_INSTANCE_VALUE),
        (Level.INSTANCE, (), [STUDY_TAG, SERIES_TAG, INSTANCE_TAG], BY_STUDY_VALUE),
        (Level.STUDY, (), [STUDY_TAG, of("ModalitiesInStudy", Equal, ("ct",))], BY_STUDY_VALUE),
        (Level.STUDY, (), [STUDY_TAG, of("StudyDescription", Equal, ("x",))], BY_STUDY_VALUE),
        # what is known to be rarer goes before
        (Level.STUDY, (), [STUDY_TAG, of("PatientID", Equal, ("p",))], "studies_by_partition_PatientID"),
        (Level.STUDY, (), [STUDY_TAG, of("StudyDate", Equal, ("20240101",))], "studies_by_partition_StudyDate"),
        (Level.INSTANCE, (), [INSTANCE_TAG, of("PatientID", Equal, ("p",))], "studies_by_partition_PatientID"),
        (Level.INSTANCE, ("1",), [INSTANCE_TAG], "studies_by_partition_uid"),
        (Level.SERIES, ("1",), [SERIES_TAG], "studies_by_partition_uid"),
    ],
)
async def test_a_search_by_tags_is_led_by_its_rarest_condition(
    recording: Recording, level: Level, scope: tuple[str, ...], conditions: list[Condition], led_by: str
) -> None:
    where = Scope(DEFAULT_PARTITION, *scope)
    searched(recording, Search(level, where, tuple(conditions), limit=0, tags=tuple(TAGS.values())))
    for statement, given in recording.asked:
        first = next(step for step in recording.plan(statement, given) if step.startswith("SEARCH"))
        assert led_by in first
    assert recording.scans() == []


async def test_erasing_a_tag_looks_at_no_other(recording: Recording) -> None:
    assert values.erase(recording, 1, 100) == 0  # type: ignore[arg-type]
    assert len(recording.asked) == 4
    assert recording.scans() == []


# The feed


@pytest.mark.parametrize("direction", ["ASC", "DESC"])
@pytest.mark.parametrize(
    ("query", "led_by"),
    [
        (FeedQuery(after=5), "feed USING INTEGER PRIMARY KEY (rowid>?)"),
        (FeedQuery(start=1, end=2), "feed USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
        (FeedQuery(actions=(Action.CREATE,)), "feed USING INTEGER PRIMARY KEY (rowid>?)"),
        (FeedQuery(actions=(Action.DELETE,)), "feed USING COVERING INDEX feed_but_creations (sequence>?)"),
        (
            FeedQuery(actions=(Action.UPDATE,), partitions=("a", "b"), end=5),
            "feed USING COVERING INDEX feed_but_creations (sequence>? AND sequence<?)",
        ),
        (FeedQuery(partitions=("a",)), "feed USING COVERING INDEX feed_by_partition (partition=? AND rowid>?)"),
        (FeedQuery(study="1", start=1), "feed USING COVERING INDEX feed_by_study (study=? AND rowid>?)"),
        (FeedQuery(study="1", partitions=("a",)), "feed USING INDEX feed_by_study (study=? AND rowid>?)"),
    ],
)
async def test_a_page_of_the_feed_is_found_in_order(
    recording: Recording, query: FeedQuery, led_by: str, direction: str
) -> None:
    assert feed.entries(recording, query, direction) == []  # type: ignore[arg-type]
    plans = recording.plans()
    assert f"SEARCH {led_by}" in plans
    assert [step for step in plans if "TEMP B-TREE" in step] == []
    assert recording.scans() == []


async def test_a_page_of_several_partitions_takes_the_first_entries_of_each(recording: Recording) -> None:
    assert feed.entries(recording, FeedQuery(partitions=("a", "b")), "ASC") == []  # type: ignore[arg-type]
    of_each = "SEARCH feed USING COVERING INDEX feed_by_partition (partition=? AND rowid>?)"
    plans = recording.plans()
    assert plans.index("SEARCH partitions USING INTEGER PRIMARY KEY (rowid=?)") < plans.index(of_each)
    assert recording.scans() == []


# Pages of instances


@pytest.mark.parametrize(
    ("scope", "led_by"),
    [
        (Scope(DEFAULT_PARTITION), "instances_by_partition_version (partition=? AND version>?)"),
        (Scope(DEFAULT_PARTITION, "1"), "instances_by_study_partition_version (study=? AND partition=? AND version>?)"),
        (
            Scope(DEFAULT_PARTITION, "1", "1.1"),
            "instances_by_series_partition_version (series=? AND partition=? AND version>?)",
        ),
    ],
)
async def test_a_page_of_instances_is_found_in_order(recording: Recording, scope: Scope, led_by: str) -> None:
    assert reads.instances(recording, scope, reads.START) == ([], None)  # type: ignore[arg-type]
    assert f"SEARCH i USING COVERING INDEX {led_by}" in recording.plans()
    assert [step for step in recording.scans() if "subquery" not in step] == []
