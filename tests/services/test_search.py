"""What each match of a search answers, where neighbours have only some of it in common."""

from typing import Any

import orjson
import pytest

from shared.dicom.model import Level
from shared.dicomweb.query import parse_query
from shared.services import search as searching
from shared.services.context import Services
from shared.services.search import search
from shared.storage.index.model import Scope
from tests.instances import new_identity
from tests.services.storing import PARTITION, URL, named, store

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"
PATIENT_NAME, MODALITIES, MODALITY = "00100010", "00080061", "00080060"
STUDY_SERIES, STUDY_INSTANCES, SERIES_INSTANCES = "00201206", "00201208", "00201209"
RETRIEVE_URL = "00081190"

EVERYWHERE = Scope(PARTITION)

Answers = dict[str, dict[str, Any]]


async def found(services: Services, level: Level, query: str, uid: str, scope: Scope = EVERYWHERE) -> Answers:
    """What is answered, by the first value of one of the attributes."""
    answered = await search(services, level, scope, parse_query(query, level), 2, URL)
    objects = [orjson.loads(each) async for each in answered.objects]
    assert len(objects) == answered.count
    assert all(list(each) == sorted(each) for each in objects)
    return {values(each, uid)[0]: each for each in objects}


def values(answer: dict[str, Any], tag: str) -> Any:
    return answer[tag]["Value"]


async def test_neighbours_of_other_series_and_studies(services: Services) -> None:
    first, apart = new_identity(), new_identity()
    beside = new_identity(first.study, first.series)
    other = new_identity(first.study)
    await store(
        services,
        [
            named(first, "A^B", Modality="CT"),
            named(apart, "C^D", Modality="US"),
            named(beside, "A^B", Modality="CT"),
            named(other, "A^B", Modality="MR"),
        ],
    )
    series = await found(services, Level.SERIES, "", SERIES)
    counts = {uid: values(each, SERIES_INSTANCES) for uid, each in series.items()}
    assert counts == {first.series: [2], other.series: [1], apart.series: [1]}
    assert values(series[other.series], RETRIEVE_URL) == [f"{URL}/studies/{first.study}/series/{other.series}"]
    studies = await found(services, Level.STUDY, "", STUDY)
    assert values(studies[first.study], STUDY_SERIES) == [2]
    assert values(studies[apart.study], STUDY_SERIES) == [1]
    asked = "includefield=ModalitiesInStudy,NumberOfStudyRelatedInstances,NumberOfSeriesRelatedInstances"
    instances = await found(services, Level.INSTANCE, asked, INSTANCE)
    told = (STUDY, SERIES, PATIENT_NAME, MODALITY, MODALITIES, STUDY_INSTANCES, SERIES_INSTANCES, RETRIEVE_URL)
    assert {uid: [*(values(each, tag)[0] for tag in told)] for uid, each in instances.items()} == {
        each.instance: [each.study, each.series, {"Alphabetic": name}, modality, *rest, URL + each.path]
        for each, name, modality, *rest in (
            (first, "A^B", "CT", "CT", 3, 2),
            (beside, "A^B", "CT", "CT", 3, 2),
            (other, "A^B", "MR", "CT", 3, 1),
            (apart, "C^D", "US", "US", 1, 1),
        )
    }
    assert values(instances[other.instance], MODALITIES) == ["CT", "MR"]


async def test_of_a_named_series_only_its_uids_are_answered(services: Services) -> None:
    first = new_identity()
    beside = new_identity(first.study, first.series)
    await store(services, [named(first), named(beside)])
    scope = Scope(PARTITION, first.study, first.series)
    answers = await found(services, Level.INSTANCE, "", INSTANCE, scope)
    assert answers.keys() == {first.instance, beside.instance}
    for each in answers.values():
        assert (values(each, STUDY), values(each, SERIES)) == ([first.study], [first.series])
        assert not each.keys() & {PATIENT_NAME, MODALITY, MODALITIES}


async def test_more_matches_than_are_made_together(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "TOGETHER", 2)
    first = new_identity()
    identities = [first, *(new_identity(first.study, first.series) for _ in range(4))]
    await store(services, [named(each) for each in identities])
    scope = Scope(PARTITION, first.study, first.series)
    answers = await found(services, Level.INSTANCE, "", INSTANCE, scope)
    assert answers.keys() == {each.instance for each in identities}
