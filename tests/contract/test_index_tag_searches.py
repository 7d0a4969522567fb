"""What every index adapter finds by extended query tags, over each adapter."""

import random
from dataclasses import replace
from typing import Any

import pytest

from shared.dicom.attributes import BY_PATH, LEVEL_UID, MODALITIES_IN_STUDY
from shared.dicom.conditions import Condition, Equal, Range, Wildcard, Words
from shared.dicom.matching import fold
from shared.dicom.model import Level
from shared.storage.index.model import DEFAULT_PARTITION, InstanceRecord, Scope, Search, TagValue
from shared.storage.index.port import Index
from shared.storage.index.tags import QueryTag, TagDefinition, TagEntry
from tests.contract.records import record, study
from tests.contract.steps import CREATED, PARTITION, keys, of
from tests.contract.tag_steps import COMMENT, PROTOCOL, READER, add, commit
from tests.contract.test_index_pages import random_records, random_search

# Kinds of matching

VALUES = {
    "PN": ["Doe^John", "Müller^Jörg", "Yamada^Tarou=山田^太郎=やまだ^たろう", "Doering^Johann Sebastian"],
    "LO": ["Head", "head neck", "Ärm", "a*b"],
    "CS": ["ORIGINAL", "DERIVED", "A_1"],
    "AS": ["012M", "050Y"],
    "UI": ["1.2.3", "1.2.30"],
    "DA": ["20240101", "20240229", "20250301"],
    "TM": ["10", "101112.5", "235959"],
    "DT": ["2024", "20240101101112.25", "20240101101112+0100"],
    "IS": ["-5", "7", "10"],
    "US": ["0", "512", "65535"],
    "SL": ["-2147483648", "3", "2147483647"],
    "FD": ["-1.5", "0.1", "1e3"],
    "FL": ["2", "2.5"],
    "SS": ["-7", "7"],
    "UL": ["4294967295", "12"],
    "AE": ["ARCHIVE", "MODALITY 1"],
    "SH": ["x1", "x2"],
}


def folded(vr: str, *values: str) -> tuple[Any, ...]:
    return tuple(fold(vr, value) for value in values)


def names(*values: str) -> tuple[str, ...]:
    return folded("PN", *values)


MATCHES: list[tuple[str, Condition, set[int]]] = [
    ("PN", Equal("", names("DOE^JOHN")), {0}),
    ("PN", Equal("", names("muller^jorg", "山田^太郎")), {1, 2}),
    ("PN", Equal("", names("Doe")), set()),
    ("PN", Wildcard("", names("doe*")), {0, 3}),
    ("PN", Wildcard("", names("山田*", "*jo?n")), {0, 2}),
    ("PN", Words("", ("do",)), {0, 3}),
    ("PN", Words("", ("doe", "jo")), {0, 3}),
    ("PN", Words("", ("doering", "jo")), {3}),
    ("PN", Words("", ("joh", "seb")), {3}),
    ("PN", Words("", ("太",)), {2}),
    ("PN", Words("", ("ohn",)), set()),
    ("LO", Equal("", ("head",)), {0}),
    ("LO", Equal("", ("head", "a*b")), {0, 3}),
    ("LO", Equal("", ("arm",)), set()),
    ("LO", Wildcard("", ("head*",)), {0, 1}),
    ("LO", Wildcard("", ("?rm",)), {2}),
    ("LO", Wildcard("", ("*",)), {0, 1, 2, 3}),
    ("CS", Wildcard("", ("*i*",)), {0, 1}),
    ("AS", Equal("", ("050y",)), {1}),
    ("UI", Equal("", ("1.2.3",)), {0}),
    ("UI", Equal("", ("1.2.30", "1.2")), {1}),
    ("DA", Equal("", ("20240229",)), {1}),
    ("DA", Range("", "20240102", None), {1, 2}),
    ("DA", Range("", None, "20240229"), {0, 1}),
    ("DA", Range("", "20240101", "20240229"), {0, 1}),
    ("DA", Range("", None, None), {0, 1, 2}),
    ("TM", Range("", "100000.000000", "105959.999999"), {0, 1}),
    ("TM", Range("", "101112.500000", None), {1, 2}),
    ("DT", Range("", "20240101101112.000000", "20240101101112.999999"), {1, 2}),
    ("DT", Range("", None, "20240101000000.000000"), {0}),
    ("IS", Equal("", (7,)), {1}),
    ("IS", Range("", -5, 7), {0, 1}),
    ("US", Equal("", (0, 65535)), {0, 2}),
    ("SL", Range("", None, 3), {0, 1}),
    ("SL", Equal("", (2147483647,)), {2}),
    ("FD", Equal("", (0.1,)), {1}),
    ("FD", Range("", 0.05, 1000.0), {1, 2}),
    ("FD", Equal("", (1000.0,)), {2}),
    ("FL", Equal("", (2.0,)), {0}),
    ("SS", Range("", -7, 0), {0}),
    ("UL", Equal("", (4294967295,)), {0}),
    ("AE", Wildcard("", ("mod*",)), {1}),
    ("SH", Equal("", ("x2",)), {1}),
]


@pytest.fixture(params=list(Level), ids=lambda level: level.name.lower())
async def valued(index: Index, request: pytest.FixtureRequest) -> dict[str, QueryTag]:
    """A tag of each VR, and one study each for the values of ``VALUES``; the last study has none."""
    definitions = [TagDefinition(f"0009{n:04X}", vr, request.param) for n, vr in enumerate(VALUES)]
    tags = dict(zip(VALUES, await add(index, *definitions), strict=True))
    for number in range(max(map(len, VALUES.values()))):
        values = {tags[vr]: several[number] for vr, several in VALUES.items() if number < len(several)}
        assert await commit(index, study(f"{number}"), values=values) == [CREATED]
    assert await commit(index, study("99")) == [CREATED]
    return tags


async def test_every_kind_of_matching(index: Index, valued: dict[str, QueryTag]) -> None:
    for vr, condition, expected in MATCHES:
        tag = valued[vr]
        sought = replace(condition, path=tag.definition.path)
        search = Search(Level.INSTANCE, PARTITION, (sought,), tags=tuple(each.index_key for each in valued.values()))
        assert {study_ for study_, _, _ in await keys(index, search)} == {f"{n}" for n in expected}, (vr, condition)


# Together with other conditions


@pytest.mark.parametrize("seed", range(3))
async def test_searches_by_tags_find_what_searches_by_the_same_attributes_find(index: Index, seed: int) -> None:
    chance = random.Random(seed)
    attributes = [
        attribute
        for attribute in BY_PATH.values()
        if attribute.path not in LEVEL_UID.values() and attribute.path != MODALITIES_IN_STUDY
    ]
    definitions = [TagDefinition(f"0009{n:04X}", each.vr, each.level) for n, each in enumerate(attributes)]
    tags = dict(zip((each.path for each in attributes), await add(index, *definitions), strict=True))

    def with_values(it: InstanceRecord) -> InstanceRecord:
        values = {path: value for own in it.levels.values() for path, value in own.match.items()}
        return replace(
            it, extended=tuple(TagValue(tags[path].index_key, values[path]) for path in tags if path in values)
        )

    # half of them are there before
    records = random_records(chance, 120)
    await commit(index, *records[:40])
    await commit(index, *map(with_values, records[40:]))
    await index.tags.index([TagEntry(it.key, it.version, with_values(it).extended) for it in records[:40]])
    some_found = 0
    for _ in range(150):
        search = random_search(chance)
        sought = [
            replace(each, path=tags[each.path].definition.path) if each.path in tags and chance.random() < 0.7 else each
            for each in search.conditions
        ]
        by_tags = replace(search, conditions=tuple(sought), tags=tuple(tag.index_key for tag in tags.values()))
        expected = await index.search(search)
        assert await index.search(by_tags) == expected, by_tags
        some_found += by_tags != search and expected.total > 0
    assert some_found > 20


async def test_all_conditions_must_hold(index: Index) -> None:
    reader, protocol, comment = await add(index, READER, PROTOCOL, COMMENT)
    for n, (name, head, text) in enumerate([("A", "x", "1"), ("A", "y", "1"), ("B", "x", "2"), ("A", "x", "2")]):
        it = record(f"{n}", f"{n}.1", f"{n}.1.1", PatientID=f"P{n % 2}", Modality="CT", InstanceNumber=n)
        await commit(index, it, values={reader: name, protocol: head, comment: text})
    tags = tuple(tag.index_key for tag in (reader, protocol, comment))
    by_name, by_head = Equal(READER.path, ("a",)), Equal(PROTOCOL.path, ("x",))
    by_text, by_patient = Equal(COMMENT.path, ("1",)), of("PatientID", Equal, ("p0",))
    for conditions, expected in [
        ((by_name,), "013"),
        ((by_name, by_head), "03"),
        ((by_name, by_head, by_text), "0"),
        ((by_head, by_patient), "02"),
        ((by_head, by_text, by_patient, by_name), "0"),
        ((by_text, of("InstanceNumber", Range, 1, None)), "1"),
        ((by_head, of("Modality", Equal, ("mr",))), ""),
        ((by_head, of("ModalitiesInStudy", Equal, ("ct",)), of("StudyInstanceUID", Equal, ("2", "3"))), "23"),
    ]:
        search = Search(Level.INSTANCE, PARTITION, conditions, tags=tags, limit=2)
        page = await index.search(search)
        assert page.total == len(expected)
        assert [key[0] for key in (match.key for match in page.matches)] == list(reversed(expected))[:2]


async def test_searches_by_tags_within_a_study_and_series(index: Index) -> None:
    protocol, comment = await add(index, PROTOCOL, COMMENT)
    for n in range(8):
        it = record(f"{n // 4}", f"{n // 2}", f"{n}")
        await commit(index, it, values={protocol: f"{n // 2 % 2}", comment: f"{n % 2}"})
    tags = (protocol.index_key, comment.index_key)
    by_protocol, by_comment = Equal(PROTOCOL.path, ("1",)), Equal(COMMENT.path, ("1",))
    one_study, one_series = Scope(DEFAULT_PARTITION, "1"), Scope(DEFAULT_PARTITION, "1", "3")
    for level, scope, conditions, expected in [
        (Level.SERIES, one_study, (by_protocol,), ["3"]),
        (Level.INSTANCE, one_study, (by_comment,), ["7", "5"]),
        (Level.INSTANCE, one_study, (by_comment, by_protocol), ["7"]),
        (Level.INSTANCE, one_series, (by_comment,), ["7"]),
    ]:
        found_ = await keys(index, Search(level, scope, conditions, tags=tags))
        assert [key[-1] for key in found_] == expected
