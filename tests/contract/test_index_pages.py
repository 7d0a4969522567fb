"""In which order every index adapter gives what it finds, on which page, and against a model of searching."""

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.dicom.conditions import Condition, Equal, Order, Range, Wildcard, Words
from shared.dicom.model import Level
from shared.storage.index.model import DEFAULT_PARTITION, InstanceRecord, Scope, Search
from shared.storage.index.port import Index
from tests.contract.records import PATHS, record, study
from tests.contract.reference import found
from tests.contract.steps import PARTITION, commit, keys, of

NAMES = PATHS["PatientName"]

# Pages and order


@pytest.mark.parametrize(
    ("limit", "offset", "expected"),
    [(3, 0, "987"), (3, 3, "654"), (3, 8, "1"), (9, 0, "987654321"), (100, 5, "4321"), (3, 9, ""), (3, 50, "")],
)
@pytest.mark.parametrize("conditions", [(), (of("PatientSex", Equal, ("f",)),)])
async def test_pages_and_totals(
    index: Index, limit: int, offset: int, expected: str, conditions: tuple[Condition, ...]
) -> None:
    await commit(index, *(study(str(number), PatientSex="F") for number in range(1, 10)))
    for level in Level:
        page = await index.search(Search(level, PARTITION, conditions, limit=limit, offset=offset))
        assert [match.key[0] for match in page.matches] == list(expected)
        assert page.total == 9


async def test_totals_count_matches_and_not_what_they_are_found_by(index: Index) -> None:
    await commit(
        index,
        *(
            record(
                f"{s}", f"{s}.{e}", f"{s}.{e}.{i}", PatientID=f"P{s % 2}", Modality=["CT", "MR"][e], InstanceNumber=i
            )
            for s in range(4)
            for e in range(2)
            for i in range(3)
        ),
    )
    patient, modality = of("PatientID", Equal, ("p1",)), of("Modality", Equal, ("mr",))
    number = of("InstanceNumber", Equal, (2,))
    one_study, one_series = Scope(DEFAULT_PARTITION, "1"), Scope(DEFAULT_PARTITION, "1", "1.1")
    for level, scope, conditions, total in [
        (Level.STUDY, PARTITION, (), 4),
        (Level.STUDY, PARTITION, (patient,), 2),
        (Level.SERIES, PARTITION, (), 8),
        (Level.SERIES, PARTITION, (patient,), 4),
        (Level.SERIES, PARTITION, (patient, modality), 2),
        (Level.SERIES, one_study, (), 2),
        (Level.INSTANCE, PARTITION, (), 24),
        (Level.INSTANCE, PARTITION, (patient,), 12),
        (Level.INSTANCE, PARTITION, (modality,), 12),
        (Level.INSTANCE, PARTITION, (patient, modality), 6),
        (Level.INSTANCE, PARTITION, (number,), 8),
        (Level.INSTANCE, PARTITION, (patient, modality, number), 2),
        (Level.INSTANCE, one_study, (), 6),
        (Level.INSTANCE, one_series, (), 3),
        (Level.INSTANCE, one_series, (patient, number), 1),
    ]:
        page = await index.search(Search(level, scope, conditions, limit=1))
        assert (page.total, len(page.matches)) == (total, 1)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ((Order(NAMES),), "41235"),
        ((Order(NAMES, descending=True),), "32145"),
        ((Order(PATHS["StudyDate"]), Order(NAMES)), "12435"),
        ((Order(PATHS["StudyDate"], descending=True), Order(NAMES, descending=True)), "34215"),
        ((Order(PATHS["StudyInstanceUID"]),), "12345"),
        ((Order(PATHS["ModalitiesInStudy"]),), "25431"),
    ],
)
async def test_order(index: Index, order: tuple[Order, ...], expected: str) -> None:
    await commit(
        index,
        study("1", PatientName="Doe Jr^A", StudyDate="20240101", Modality="XA"),
        study("2", PatientName="Doe^B", StudyDate="20240101", Modality="CR"),
        study("3", PatientName="Émile", StudyDate="20240303", Modality="US"),
        study("4", PatientName="DOE", StudyDate="20240202", Modality="MR"),
        study("5", Modality="CT"),
    )
    await commit(index, record("5", "5.2", "5.2.1", Modality="ZZ"))
    assert [
        match.key[0] for match in (await index.search(Search(Level.STUDY, PARTITION, order=order))).matches
    ] == list(expected)


async def test_order_by_an_attribute_of_a_level_above(index: Index) -> None:
    await commit(
        index,
        *(
            record(s, f"{s}.1", f"{s}.1.{i}", PatientID=patient, InstanceNumber=i)
            for s, patient in (("1", "B"), ("2", "A"))
            for i in (10, 9, 2)
        ),
    )
    order = (Order(PATHS["PatientID"]), Order(PATHS["InstanceNumber"]))
    page = await index.search(Search(Level.INSTANCE, PARTITION, order=order, limit=5))
    assert [match.key[2] for match in page.matches] == ["2.1.2", "2.1.9", "2.1.10", "1.1.2", "1.1.9"]
    assert page.total == 6


async def test_ties_are_broken_by_newest_first(index: Index) -> None:
    await commit(index, *(study(uid, PatientSex="F") for uid in "abcd"))
    for descending in (False, True):
        order = (Order(PATHS["PatientSex"], descending),)
        assert await keys(index, Search(Level.STUDY, PARTITION, order=order)) == [("d",), ("c",), ("b",), ("a",)]


# Anything at all, against a plain model of what a search means


def random_records(chance: random.Random, count: int) -> list[InstanceRecord]:
    def some(*values: Any) -> Any:
        return chance.choice([*values, None])

    records = {}
    for _ in range(count):
        study_ = chance.randrange(12)
        series, instance = f"{study_}.{chance.randrange(3)}", chance.randrange(6)
        records.pop((study_, series, instance), None)
        records[study_, series, instance] = record(
            str(study_),
            series,
            f"{series}.{instance}",
            PatientName=some("Doe^John", "Doe^Jane", "Roe", {"Alphabetic": "Li^An", "Ideographic": "李^安"}),
            PatientID=some("P1", "P2", "p10"),
            StudyDate=some("20240101", "20240102", "20250101"),
            Modality=some("CT", "MR", "SR"),
            SeriesNumber=some(1, 2, 10),
            SeriesDescription=some("Head", "head neck", "Ärm"),
            InstanceNumber=some(1, 2, 3),
        )
    return list(records.values())


def random_condition(chance: random.Random, level: Level) -> Condition:
    choices: list[Condition] = [
        of("PatientName", Equal, chance.choice([("doe^john",), ("roe", "li^an"), ("李^安",)])),
        of("PatientName", Wildcard, chance.choice([("doe*",), ("*^j*",), ("李*",), ("?oe", "li*")])),
        of("PatientName", Words, chance.choice([("do",), ("doe", "ja"), ("an", "李"), ("j",)])),
        of("PatientID", Equal, chance.choice([("p1",), ("p2", "p10")])),
        of("PatientID", Wildcard, chance.choice([("p1*",), ("p?",), ("*0",)])),
        of("StudyDate", Range, *chance.choice([("20240102", None), (None, "20240101"), ("20240101", "20240102")])),
        of("ModalitiesInStudy", Equal, chance.choice([("ct",), ("mr", "sr")])),
        of("ModalitiesInStudy", Wildcard, ("?r",)),
        of("StudyInstanceUID", Equal, ("1", "2", "3", "4")),
    ]
    if level >= Level.SERIES:
        choices += [
            of("Modality", Equal, chance.choice([("ct",), ("mr", "sr")])),
            of("SeriesNumber", Equal, chance.choice([(1,), (2, 10)])),
            of("SeriesDescription", Wildcard, chance.choice([("head*",), ("*r?",), ("är*",)])),
        ]
    if level is Level.INSTANCE:
        choices += [of("InstanceNumber", Equal, chance.choice([(1,), (2, 3)])), of("SOPInstanceUID", Equal, ("1.0.1",))]
    return chance.choice(choices)


def random_search(chance: random.Random) -> Search:
    level = chance.choice(list(Level))
    study_ = str(chance.randrange(12))
    scopes = [PARTITION, PARTITION, PARTITION, Scope(DEFAULT_PARTITION, study_)]
    if level is Level.INSTANCE:
        scopes.append(Scope(DEFAULT_PARTITION, study_, f"{study_}.{chance.randrange(3)}"))
    conditions = {condition.path: condition for condition in (random_condition(chance, level) for _ in range(3))}
    sortable = ["PatientID", "StudyDate", "StudyInstanceUID"]
    sortable += ["SeriesNumber", "Modality"] * (level >= Level.SERIES) + ["InstanceNumber"] * (level is Level.INSTANCE)
    order = [Order(PATHS[keyword], chance.random() < 0.5) for keyword in chance.sample(sortable, 2)]
    return Search(
        level=level,
        scope=chance.choice(scopes),
        conditions=tuple(conditions.values())[: chance.randrange(4)],
        order=tuple(order[: chance.randrange(3)]),
        limit=chance.choice([1, 3, 10, 200]),
        offset=chance.choice([0, 0, 1, 5, 100]),
    )


async def check_against_the_model(index: Index, records: Sequence[InstanceRecord], search: Search) -> int:
    expected = found(records, search)
    page = await index.search(search)
    end = search.offset + search.limit
    assert ([match.key for match in page.matches], page.total) == (expected[search.offset : end], len(expected)), search
    return len(expected)


@pytest.mark.parametrize("seed", range(4))
async def test_searches_find_what_a_plain_model_finds(index: Index, seed: int) -> None:
    chance = random.Random(seed)
    records = random_records(chance, 150)
    elsewhere = (replace(it, key=replace(it.key, partition="other"), blob=f"other/{it.blob}") for it in records[:50])
    await commit(index, *elsewhere)
    await commit(index, *records)
    totals = [await check_against_the_model(index, records, random_search(chance)) for _ in range(250)]
    assert sum(total > 0 for total in totals) > 50
