"""What every index adapter finds, over each adapter."""

from typing import Any

import orjson
import pytest

from shared.dicom.conditions import Condition, Equal, Range, Wildcard, Words
from shared.dicom.matching import fold
from shared.dicom.model import Level
from shared.storage.index.model import DEFAULT_PARTITION, InstanceRecord, Match, Scope, Search
from shared.storage.index.port import Index
from tests.contract.records import PATHS, dataset, record, study
from tests.contract.steps import PARTITION, commit, keys, of

NAMES = PATHS["PatientName"]


async def studies(index: Index, *conditions: Condition) -> set[str]:
    return {study for (study,) in await keys(index, Search(Level.STUDY, PARTITION, conditions))}


# What a match tells


@pytest.fixture
async def small(index: Index) -> list[InstanceRecord]:
    """Study 1 with series 1.1 (CT, instances a and b) and 1.2 (MR, instance c); study 2 with series 2.1, instance d."""
    records = [
        record("1", "1.1", "a", metadata=b"of a", PatientID="P1", Modality="CT", InstanceNumber=1),
        record("1", "1.1", "b", metadata=b"of b", PatientID="P1", Modality="CT", InstanceNumber=2),
        record("1", "1.2", "c", metadata=b"of c", PatientID="P1", Modality="MR", InstanceNumber=1),
        record("2", "2.1", "d", metadata=b"of d", PatientID="P2", Modality="CT", InstanceNumber=1),
    ]
    await commit(index, *records)
    return records


def as_told(match: Match) -> tuple[Any, ...]:
    return match.key, match.modalities, match.study_series, match.study_instances, match.series_instances


ALL_STUDIES = [(("2",), ("CT",), 1, 1, 0), (("1",), ("CT", "MR"), 2, 3, 0)]
ALL_SERIES = [
    (("2", "2.1"), ("CT",), 1, 1, 1),
    (("1", "1.2"), ("CT", "MR"), 2, 3, 1),
    (("1", "1.1"), ("CT", "MR"), 2, 3, 2),
]
ALL_INSTANCES = [
    (("2", "2.1", "d"), ("CT",), 1, 1, 1),
    (("1", "1.2", "c"), ("CT", "MR"), 2, 3, 1),
    (("1", "1.1", "b"), ("CT", "MR"), 2, 3, 2),
    (("1", "1.1", "a"), ("CT", "MR"), 2, 3, 2),
]


@pytest.mark.parametrize(
    ("level", "scope", "expected"),
    [
        (Level.STUDY, (), ALL_STUDIES),
        (Level.STUDY, ("1",), ALL_STUDIES[1:]),
        (Level.SERIES, (), ALL_SERIES),
        (Level.SERIES, ("1",), ALL_SERIES[1:]),
        (Level.INSTANCE, (), ALL_INSTANCES),
        (Level.INSTANCE, ("1",), ALL_INSTANCES[1:]),
        (Level.INSTANCE, ("1", "1.1"), ALL_INSTANCES[2:]),
        (Level.INSTANCE, ("1", "2.1"), []),
        (Level.SERIES, ("3",), []),
    ],
)
@pytest.mark.usefixtures("small")
async def test_each_level_in_each_scope(
    index: Index, level: Level, scope: tuple[str, ...], expected: list[tuple[Any, ...]]
) -> None:
    page = await index.search(Search(level, Scope(DEFAULT_PARTITION, *scope)))
    assert [as_told(match) for match in page.matches] == expected
    assert page.total == len(expected)
    assert all(match.metadata is None for match in page.matches)


@pytest.mark.usefixtures("small")
async def test_a_match_holds_the_attributes_of_its_level_and_those_above(index: Index) -> None:
    page = await index.search(Search(Level.INSTANCE, Scope(DEFAULT_PARTITION, "1", "1.1"), limit=1))
    (match,) = page.matches
    assert {level: orjson.loads(content) for level, content in match.datasets.items()} == {
        Level.STUDY: dataset(PatientID="P1", StudyInstanceUID="1"),
        Level.SERIES: dataset(Modality="CT", SeriesInstanceUID="1.1"),
        Level.INSTANCE: dataset(SOPClassUID="1.2.840.10008.5.1.4.1.1.2", SOPInstanceUID="b", InstanceNumber=2),
    }
    for level in (Level.STUDY, Level.SERIES):
        for found_ in (await index.search(Search(level, PARTITION))).matches:
            assert set(found_.datasets) == {each for each in Level if each <= level}


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (Level.STUDY, [b"of d", b"of c"]),
        (Level.SERIES, [b"of d", b"of c", b"of b"]),
        (Level.INSTANCE, [b"of d", b"of c", b"of b", b"of a"]),
    ],
)
@pytest.mark.usefixtures("small")
async def test_the_newest_instances_metadata_comes_when_asked_for(
    index: Index, level: Level, expected: list[bytes]
) -> None:
    page = await index.search(Search(level, PARTITION, with_metadata=True))
    assert [match.metadata for match in page.matches] == expected


# Kinds of matching

PEOPLE = {
    "1": "Doe^John",
    "2": "Doe^Jane^^Dr",
    "3": "Doering^Johann Sebastian",
    "4": "Müller^Jörg",
    "5": {"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう"},
    "6": {"Ideographic": "洪^吉洞", "Phonetic": "홍^길동"},
    "7": "Doe",
    "8": "[x]*?^y",
}


@pytest.fixture
async def people(index: Index) -> None:
    await commit(index, *(study(uid, PatientName=name) for uid, name in PEOPLE.items()), study("9"))


def names(*values: str) -> tuple[str, ...]:
    return tuple(str(fold("PN", value)) for value in values)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Equal(NAMES, names("DOE^JOHN")), "1"),
        (Equal(NAMES, names("doe")), "7"),
        (Equal(NAMES, names("Doe^John^^^")), "1"),
        (Equal(NAMES, names("muller^jorg")), "4"),
        (Equal(NAMES, names("MÜLLER^Jörg", "Doe")), "47"),
        (Equal(NAMES, names("Yamada^Tarou")), "5"),
        (Equal(NAMES, names("Yamada^Tarou=山田^太郎=やまだ^たろう")), "5"),
        (Equal(NAMES, names("山田^太郎")), "5"),
        (Equal(NAMES, names("やまだ^たろう")), "5"),
        (Equal(NAMES, names("=洪^吉洞")), "6"),
        (Equal(NAMES, names("洪^吉洞=홍^길동")), "6"),
        (Equal(NAMES, names("山田")), ""),
        (Equal(NAMES, names("Yamada")), ""),
        (Wildcard(NAMES, names("doe*")), "1237"),
        (Wildcard(NAMES, names("doe^*")), "12"),
        (Wildcard(NAMES, names("*JOH*")), "13"),
        (Wildcard(NAMES, names("doe^j???")), "1"),
        (Wildcard(NAMES, names("*tarou")), "5"),
        (Wildcard(NAMES, names("山田*")), "5"),
        (Wildcard(NAMES, names("*길동")), "6"),
        (Wildcard(NAMES, names("?üller*", "*sebastian")), "34"),
        (Wildcard(NAMES, names("[x]*")), "8"),
        (Wildcard(NAMES, names("[*")), "8"),
        (Wildcard(NAMES, names("[a-z]*")), ""),
        (Words(NAMES, ("joh",)), "13"),
        (Words(NAMES, ("do",)), "1237"),
        (Words(NAMES, ("jo", "do")), ""),
        (Words(NAMES, ("do", "jo")), "13"),
        (Words(NAMES, ("doe", "jo")), "13"),
        (Words(NAMES, ("doering", "seb")), ""),
        (Words(NAMES, ("joh", "seb")), "3"),
        (Words(NAMES, ("ohn",)), ""),
        (Words(NAMES, ("山",)), "5"),
        (Words(NAMES, ("太", "やま")), "5"),
        (Words(NAMES, ("[x]*?", "y")), "8"),
        (Words(NAMES, ("*",)), ""),
        (Words(NAMES, (".", ".")), ""),
    ],
    ids=repr,
)
@pytest.mark.usefixtures("people")
async def test_matching_of_names(index: Index, condition: Condition, expected: str) -> None:
    assert await studies(index, condition) == set(expected)


@pytest.fixture
async def things(index: Index) -> None:
    await commit(
        index,
        study("1", StudyDate="20240101", StudyTime="101112.5", AccessionNumber="A-1", SeriesNumber=1, Modality="CT"),
        study("2", StudyDate="20240201", StudyTime="10", AccessionNumber="a*1", SeriesNumber="2", Modality="MR"),
        study("3", StudyDate="2024.03.01", StudyTime="235959", AccessionNumber="a1]", SeriesNumber=10, Modality="CTA"),
        study("4", StudyDate="rubbish", AccessionNumber="Ångström", SeriesNumber="x"),
        record(
            "1",
            "1.2",
            "1.2.1",
            SeriesNumber=3,
            Modality="SR",
            RequestAttributesSequence=[
                {"ScheduledProcedureStepID": "S1", "RequestedProcedureID": "R1"},
                {"ScheduledProcedureStepID": "S2"},
            ],
        ),
    )


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (of("StudyDate", Equal, ("20240101",)), "1"),
        (of("StudyDate", Equal, ("20240101", "20240301")), "13"),
        (of("StudyDate", Range, "20240101", "20240201"), "12"),
        (of("StudyDate", Range, "20240102", None), "23"),
        (of("StudyDate", Range, None, "20240101"), "1"),
        (of("StudyDate", Range, None, None), "123"),
        (of("StudyTime", Range, "101112.000000", "101112.999999"), "1"),
        (of("StudyTime", Range, "100000.000000", "105959.999999"), "12"),
        (of("AccessionNumber", Equal, ("a-1",)), "1"),
        (of("AccessionNumber", Equal, ("a*1",)), "2"),
        (of("AccessionNumber", Equal, ("ångström",)), "4"),
        (of("AccessionNumber", Equal, ("angstrom",)), ""),
        (of("AccessionNumber", Wildcard, ("a*",)), "123"),
        (of("AccessionNumber", Wildcard, ("a?1",)), "12"),
        (of("AccessionNumber", Wildcard, ("*]",)), "3"),
        (of("AccessionNumber", Wildcard, ("?ngstr?m", "a-1")), "14"),
        (of("AccessionNumber", Wildcard, ("ångs*",)), "4"),
        (of("AccessionNumber", Wildcard, ("*",)), "1234"),
        (of("StudyInstanceUID", Equal, ("1", "3", "77")), "13"),
        (of("ModalitiesInStudy", Equal, ("ct",)), "1"),
        (of("ModalitiesInStudy", Equal, ("sr", "mr")), "12"),
        (of("ModalitiesInStudy", Wildcard, ("ct*",)), "13"),
        (of("PatientID", Equal, ("p",)), ""),
    ],
    ids=repr,
)
@pytest.mark.usefixtures("things")
async def test_matching_of_studies(index: Index, condition: Condition, expected: str) -> None:
    assert await studies(index, condition) == set(expected)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (of("SeriesNumber", Equal, (1,)), ["1.1"]),
        (of("SeriesNumber", Equal, (2, 3)), ["2.1", "1.2"]),
        (of("SeriesNumber", Range, 3, None), ["3.1", "1.2"]),
        (of("Modality", Equal, ("ct",)), ["1.1"]),
        (of("SeriesInstanceUID", Equal, ("1.2",)), ["1.2"]),
        (of("StudyDate", Equal, ("20240101",)), ["1.1", "1.2"]),
        (of("ModalitiesInStudy", Equal, ("ct",)), ["1.1", "1.2"]),
        (of("RequestAttributesSequence.ScheduledProcedureStepID", Equal, ("s1",)), ["1.2"]),
        (of("RequestAttributesSequence.RequestedProcedureID", Wildcard, ("r*",)), ["1.2"]),
    ],
    ids=repr,
)
@pytest.mark.usefixtures("things")
async def test_matching_of_series(index: Index, condition: Condition, expected: list[str]) -> None:
    found_ = await keys(index, Search(Level.SERIES, PARTITION, (condition,)))
    assert {series for _, series in found_} == set(expected)


async def test_any_character_may_follow_the_beginning_of_a_pattern(index: Index) -> None:
    followers = ["", "!", "z", "~", "é", "\u4e00", "\uffee", "\U0001f600"]
    await commit(index, *(study(str(n), PatientID=f"P{follower}") for n, follower in enumerate(followers)))
    assert await studies(index, of("PatientID", Wildcard, ("p*",))) == set("01234567")
    assert await studies(index, of("PatientID", Wildcard, ("p?",))) == set("1234567")


@pytest.mark.usefixtures("things")
async def test_all_conditions_must_hold(index: Index) -> None:
    ct, date = of("ModalitiesInStudy", Equal, ("ct",)), of("StudyDate", Range, "20240101", "20241231")
    assert await studies(index, ct, date) == {"1"}
    assert await studies(index, ct, date, of("AccessionNumber", Wildcard, ("a*",))) == {"1"}
    assert await studies(index, ct, of("StudyDate", Equal, ("20240201",))) == set()


async def test_one_study_found_through_several_series_counts_once(index: Index) -> None:
    await commit(
        index, *(record("1", f"1.{n}", f"1.{n}.1", Modality=modality) for n, modality in enumerate(["CT", "CT", "MR"]))
    )
    assert await keys(index, Search(Level.STUDY, PARTITION, (of("ModalitiesInStudy", Equal, ("ct", "mr")),))) == [
        ("1",)
    ]


async def test_a_series_whose_modality_changes_changes_its_study(index: Index) -> None:
    await commit(index, study("1", Modality="CT"))
    await commit(index, record("1", "1.1", "1.1.2", Modality="Mr"))
    page = await index.search(Search(Level.STUDY, PARTITION))
    assert page.matches[0].modalities == ("Mr",)
    assert await studies(index, of("ModalitiesInStudy", Equal, ("ct",))) == set()
    assert await studies(index, of("ModalitiesInStudy", Equal, ("mr",))) == {"1"}
