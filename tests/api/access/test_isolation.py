"""Two readers, each of a partition of their own: neither ever sees that the other's data are there."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.api.access.asking import Callers
from tests.api.client import DICOM, Api
from tests.instances import Identity, dataset, new_identity, part10

AGE = "00101010"
WAIT_SECONDS = 60.0
READERS = {"p-a": "ReaderA", "p-b": "ReaderB"}
OTHER = {"p-a": "p-b", "p-b": "p-a"}


@pytest.fixture(scope="module")
def readers(callers: Callers, kept: dict[str | None, Identity]) -> dict[str, Api]:
    """The readers by their partition."""
    return {partition: callers.api(role) for partition, role in READERS.items()}


def names(found: Any) -> set[str]:
    """The partitions of entries."""
    return {entry["partitionName"] for entry in found}


def lists(reader: Api, path: str) -> Any:
    answer = reader.get(path)
    assert answer.status_code in (200, 204), answer.text
    return answer.json() if answer.content else []


@pytest.mark.parametrize("partition", READERS)
def test_the_list_of_partitions(partition: str, readers: dict[str, Api]) -> None:
    assert names(lists(readers[partition], "/partitions")) == {partition}


def test_a_reader_of_a_pattern_sees_the_partitions_that_match(callers: Callers, readers: dict[str, Api]) -> None:
    reader = callers.api("ReaderP")
    assert names(lists(reader, "/partitions")) == {"p-a", "p-b"}
    assert names(lists(reader, "/changefeed")) == {"p-a", "p-b"}
    assert names(lists(callers.api("ReaderDefault"), "/partitions")) == {"Microsoft.Default"}


@pytest.mark.parametrize("role", ["DicomDataOwner", "DicomDataReader", "Keeper"])
def test_who_may_read_everything_sees_all(role: str, callers: Callers, readers: dict[str, Api]) -> None:
    everything = {"Microsoft.Default", "p-a", "p-b"}
    assert names(lists(callers.api(role), "/partitions")) == everything
    assert names(lists(callers.api(role), "/changefeed?limit=200")) == everything


@pytest.mark.parametrize("partition", READERS)
@pytest.mark.parametrize("query", ["", "?includeMetadata=false", "?limit=1", "?action=create"])
def test_the_change_feed(partition: str, query: str, readers: dict[str, Api]) -> None:
    for version in ("v1", "v2"):
        reader = Api(readers[partition].http, readers[partition].base.replace("v2", version))
        assert names(lists(reader, f"/changefeed{query}")) == {partition}


@pytest.mark.parametrize("partition", READERS)
def test_the_latest_change(partition: str, readers: dict[str, Api], kept: dict[str | None, Identity]) -> None:
    latest = lists(readers[partition], "/changefeed/latest")
    assert (latest["partitionName"], latest["sopInstanceUid"]) == (partition, kept[partition].instance)
    assert lists(readers[partition], f"/changefeed/latest?partition={partition}") == latest


@pytest.mark.parametrize("partition", READERS)
@pytest.mark.parametrize("foreign", ["other", "Microsoft.Default", "p-new"])
def test_the_feed_of_a_foreign_partition_is_empty(partition: str, foreign: str, readers: dict[str, Api]) -> None:
    name = OTHER[partition] if foreign == "other" else foreign
    reader = readers[partition]
    assert lists(reader, f"/changefeed?partition={name}") == []
    assert reader.get(f"/changefeed/latest?partition={name}").status_code == 204


@pytest.mark.parametrize("partition", READERS)
def test_the_feed_of_a_foreign_study_is_empty(
    partition: str, readers: dict[str, Api], kept: dict[str | None, Identity]
) -> None:
    reader = readers[partition]
    assert lists(reader, f"/changefeed?study={kept[OTHER[partition]].study}") == []
    assert reader.get(f"/changefeed/latest?study={kept[OTHER[partition]].study}").status_code == 204
    assert names(lists(reader, f"/changefeed?study={kept[partition].study}")) == {partition}


def test_waiting_for_changes_ends_with_ones_own_only(callers: Callers, readers: dict[str, Api]) -> None:
    owner = callers.api("DicomDataOwner")
    last = max(entry["sequence"] for entry in lists(owner, "/changefeed?limit=200"))
    with ThreadPoolExecutor(2) as pool:
        version1 = {partition: Api(each.http, each.base.replace("v2", "v1")) for partition, each in readers.items()}
        waiting = {
            partition: pool.submit(lists, each, f"/changefeed?offset={last}&wait=4")
            for partition, each in version1.items()
        }
        time.sleep(0.5)
        callers.api("DicomDataOwner", partition="p-b").keep(part10(dataset(new_identity())))
        assert names(waiting["p-b"].result()) == {"p-b"}
        assert waiting["p-a"].result() == []


def test_remembered_answers_are_not_given_to_others(readers: dict[str, Api], kept: dict[str | None, Identity]) -> None:
    """The same URL, asked for by one who may see it and one who may not, one after the other and again."""
    for partition, reader in readers.items():
        identity, other = kept[partition], readers[OTHER[partition]]
        study = f"/studies/{identity.study}"
        for path in ("/studies", "/series", "/instances", f"{study}/series", f"{study}/metadata", f"{study}/instances"):
            url = f"/partitions/{partition}{path}"
            first, refused, again, refused_again = (each.get(url) for each in (reader, other, reader, other))
            assert (first.status_code, again.status_code) == (200, 200)
            assert first.content == again.content
            assert identity.study in first.text
            assert (refused.status_code, refused_again.status_code) == (400, 400)
            for answer in (refused, refused_again):
                assert answer.json()["detail"] == "Specified PartitionName does not exist."
                assert "etag" not in answer.headers


@pytest.mark.parametrize("path", ["/partitions", "/changefeed", "/changefeed?limit=200", "/changefeed/latest"])
def test_the_same_list_is_another_one_for_each(path: str, readers: dict[str, Api]) -> None:
    for _ in range(2):
        for partition, reader in readers.items():
            assert OTHER[partition] not in reader.get(path).text
            assert partition in reader.get(path).text


def test_an_entity_tag_proves_nothing_to_others(readers: dict[str, Api], kept: dict[str | None, Identity]) -> None:
    url = f"/partitions/p-a{kept['p-a'].path}/metadata"
    tag = readers["p-a"].get(url).headers["etag"]
    assert readers["p-a"].get(url, if_none_match=tag).status_code == 304
    assert readers["p-b"].get(url, if_none_match=tag).status_code == 400


def test_the_same_instance_in_two_partitions_stays_two(callers: Callers, readers: dict[str, Api]) -> None:
    identity = new_identity()
    for partition in READERS:
        file = part10(dataset(identity, PatientName=f"Secret^{partition}"))
        callers.api("DicomDataOwner", partition=partition).keep(file)
    for partition, reader in readers.items():
        base = f"/partitions/{partition}"
        file = reader.get(f"{base}{identity.path}", f"{DICOM}; transfer-syntax=*").content
        assert f"Secret^{partition}".encode() in file
        found = reader.get(f"{base}/studies?StudyInstanceUID={identity.study}").text
        assert f"Secret^{partition}" in found
        assert f"Secret^{OTHER[partition]}" not in found
        feed = reader.get(f"/changefeed?study={identity.study}").text
        assert f"Secret^{partition}" in feed
        assert f"Secret^{OTHER[partition]}" not in feed
    assert callers.api("EraserB").delete(f"/partitions/p-b{identity.path}").status_code == 204
    assert readers["p-a"].get(f"/partitions/p-a{identity.path}/metadata").status_code == 200


@pytest.fixture(scope="module")
def tagged(callers: Callers, kept: dict[str | None, Identity]) -> str:
    """The id of the operation that made the patient's age searchable, which some in each partition have not."""
    tagger = callers.api("Tagger", "DicomDataReader")
    body = json.dumps([{"path": AGE, "level": "Instance"}]).encode()
    answer = tagger.request("POST", "/extendedquerytags", content=body)
    assert answer.status_code == 202, answer.text
    operation: str = answer.json()["id"]
    deadline = time.monotonic() + WAIT_SECONDS
    while tagger.get(f"/operations/{operation}").status_code == 202:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return operation


@pytest.mark.parametrize("partition", READERS)
def test_errors_of_tags(
    partition: str, tagged: str, callers: Callers, readers: dict[str, Api], kept: dict[str | None, Identity]
) -> None:
    everyones = lists(callers.api("DicomDataReader"), f"/extendedquerytags/{AGE}/errors")
    assert names(everyones) == {"Microsoft.Default", "p-a", "p-b"}
    (mine,) = lists(readers[partition], f"/extendedquerytags/{AGE}/errors")
    assert mine["sopInstanceUid"] == kept[partition].instance
    assert lists(readers[partition], f"/extendedquerytags/{AGE}/errors?limit=1") == [mine]
    assert lists(readers[partition], f"/extendedquerytags/{AGE}/errors?offset=1") == []


def test_how_many_errors_there_are_is_told_to_those_who_may_see_all(
    tagged: str, callers: Callers, readers: dict[str, Api]
) -> None:
    for path in ("/extendedquerytags", f"/extendedquerytags/{AGE}"):
        assert '"count":3' in callers.api("DicomDataReader").get(path).text
        assert "count" not in readers["p-a"].get(path).text


def test_operations_tell_of_no_partition(tagged: str, readers: dict[str, Api]) -> None:
    for path in ("/operations", f"/operations/{tagged}"):
        answers = [reader.get(path) for reader in readers.values()]
        assert [answer.status_code for answer in answers] == [200, 200]
        assert answers[0].json() == answers[1].json()
        assert not [answer for answer in answers if "p-a" in answer.text or "p-b" in answer.text]
