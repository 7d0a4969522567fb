"""The change feed: every change of an instance, in order, for good (behaviour of the Microsoft DICOM service)."""

import gzip
import random
import re
import string
from datetime import UTC, datetime, timedelta

import httpx
import orjson
import pytest

from tests.api.client import Api
from tests.api.feed import entries, instances, latest, numbered, sequences, states
from tests.api.files import native, without_pixels
from tests.instances import Identity, new_identity, new_uid

PIXELS = bytes(range(256)) * 2
FIELDS = [
    "sequence",
    "partitionName",
    "studyInstanceUid",
    "seriesInstanceUid",
    "sopInstanceUid",
    "action",
    "timestamp",
    "state",
]
BULK = "7FE00010"


def name_of(partition: Api) -> str:
    return partition.base.rpartition("/")[2]


def keep(api: Api, count: int = 1, study: str | None = None) -> list[Identity]:
    """Store instances of one study, one request each, so that their order is known."""
    first = new_identity(study)
    identities = [first, *(new_identity(first.study, first.series) for _ in range(count - 1))]
    for identity in identities:
        api.keep(without_pixels(identity))
    return identities


def moved(timestamp: str, microseconds: int) -> str:
    """A timestamp so much later, as a query has it."""
    moment = datetime.fromisoformat(timestamp) + timedelta(microseconds=microseconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def test_ten_instances_in_version_1(api: Api, v1: Api) -> None:
    identities = keep(v1, 10)
    mine = f"study={identities[0].study}"
    first, *_ = numbered(api, mine, 10)
    assert len(entries(v1)) == 10
    found = entries(v1, f"offset={first['sequence'] - 1}")
    assert sequences(found) == list(range(first["sequence"], first["sequence"] + 10))
    assert instances(found) == [identity.instance for identity in identities]
    assert states(found) == [("Create", "Current")] * 10
    assert all(entry["metadata"]["00080018"]["Value"] == [entry["sopInstanceUid"]] for entry in found)
    assert instances(entries(v1, f"offset={first['sequence'] + 1}&limit=2")) == instances(found)[2:4]


def test_what_an_entry_says(api: Api, partition: Api) -> None:
    (identity,) = keep(partition)
    (entry,) = numbered(api, f"partition={name_of(partition)}", 1)
    assert list(entry) == [*FIELDS, "metadata"]
    assert entry["partitionName"] == name_of(partition)
    assert (entry["studyInstanceUid"], entry["seriesInstanceUid"], entry["sopInstanceUid"]) == (
        identity.study,
        identity.series,
        identity.instance,
    )
    assert (entry["action"], entry["state"]) == ("Create", "Current")
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{6}Z", entry["timestamp"])
    assert abs(datetime.fromisoformat(entry["timestamp"]) - datetime.now(UTC)) < timedelta(minutes=5)


def test_the_partition_is_named_where_the_request_names_none(api: Api) -> None:
    (identity,) = keep(api)
    (entry,) = numbered(api, f"study={identity.study}", 1)
    assert entry["partitionName"] == "Microsoft.Default"


@pytest.mark.parametrize("how", ["plain", "partition", "forwarded"])
def test_the_metadata_are_those_of_the_metadata_resource(api: Api, partition: Api, how: str) -> None:
    store = partition if how == "partition" else api
    headers = {"x_forwarded_host": "pacs.example.org", "x_forwarded_proto": "https"} if how == "forwarded" else {}
    identity = new_identity()
    store.keep(native(identity, PIXELS))
    numbered(api, f"study={identity.study}", 1)
    (expected,) = store.get(f"{identity.path}/metadata", **headers).json()
    assert "BulkDataURI" in expected[BULK]
    (entry,) = api.get(f"/changefeed?study={identity.study}", **headers).json()
    newest = api.get(f"/changefeed/latest?study={identity.study}", **headers).json()
    assert entry["metadata"] == newest["metadata"] == expected


def test_bulk_data_of_any_partition_can_be_had_by_its_uri(api: Api, partition: Api) -> None:
    identity = new_identity()
    partition.keep(native(identity, PIXELS))
    (entry,) = numbered(api, f"partition={name_of(partition)}", 1)
    answer = httpx.get(entry["metadata"][BULK]["BulkDataURI"], headers={"Accept": "application/octet-stream"})
    assert answer.content == PIXELS


def test_metadata_too_large_for_the_index_are_whole(api: Api) -> None:
    identity = new_identity()
    text = "".join(random.Random(7).choices(string.ascii_letters, k=300_000))
    api.keep(without_pixels(identity, TextValue=text))
    (entry,) = numbered(api, f"study={identity.study}", 1)
    assert entry["metadata"]["0040A160"]["Value"] == [text]
    assert entry["metadata"] == api.metadata(identity.path)[0]


@pytest.mark.parametrize("query", ["includeMetadata=false", "INCLUDEMETADATA=False"])
def test_without_metadata(api: Api, query: str) -> None:
    (identity,) = keep(api)
    mine = f"study={identity.study}&{query}"
    (entry,) = numbered(api, mine, 1)
    assert list(entry) == FIELDS
    assert list(latest(api, mine)) == FIELDS
    assert entry["state"] == "Current"


def test_an_instance_deleted_and_stored_again(api: Api) -> None:
    (identity,) = keep(api)
    mine = f"study={identity.study}"
    assert states([latest(api, mine)] if numbered(api, mine, 1) else []) == [("Create", "Current")]
    assert api.delete(identity.path).status_code == 204
    found = numbered(api, mine, 2)
    assert states(found) == [("Create", "Deleted"), ("Delete", "Deleted")]
    assert all("metadata" not in entry for entry in [*found, latest(api, mine)])
    api.keep(without_pixels(identity))
    found = numbered(api, mine, 3)
    assert states(found) == [("Create", "Replaced"), ("Delete", "Replaced"), ("Create", "Current")]
    assert ["metadata" in entry for entry in found] == [False, False, True]
    assert latest(api, mine) == found[-1]


def test_an_instance_put_in_the_place_of_another(api: Api) -> None:
    identity = new_identity()
    for patient in ("P-1", "P-2"):
        assert api.store(without_pixels(identity, PatientID=patient), method="PUT").status_code == 200
    found = numbered(api, f"study={identity.study}", 2)
    assert states(found) == [("Create", "Replaced"), ("Update", "Current")]
    assert "metadata" not in found[0]
    assert found[1]["metadata"]["00100020"]["Value"] == ["P-2"]


@pytest.mark.parametrize("level", ["study", "series"])
def test_each_instance_of_a_deleted_study_or_series_has_an_entry(api: Api, level: str) -> None:
    identities = keep(api, 3)
    study, series = identities[0].study, identities[0].series
    path = f"/studies/{study}" + (f"/series/{series}" if level == "series" else "")
    assert api.delete(path).status_code == 204
    found = numbered(api, f"study={study}", 6)
    assert states(found) == [("Create", "Deleted")] * 3 + [("Delete", "Deleted")] * 3
    assert set(instances(found[3:])) == {identity.instance for identity in identities}


def test_what_is_refused_has_no_entry(api: Api) -> None:
    (identity,) = keep(api)
    assert api.store(without_pixels(identity)).status_code == 409
    assert api.delete(f"/studies/{identity.study}/series/{new_uid()}").status_code == 404
    keep(api, 1, identity.study)
    assert states(numbered(api, f"study={identity.study}", 2)) == [("Create", "Current")] * 2


def test_a_window_of_time(api: Api) -> None:
    identities = keep(api, 3)
    mine = f"study={identities[0].study}"
    first, second, third = numbered(api, mine, 3)
    times = [entry["timestamp"] for entry in (first, second, third)]
    assert times == sorted(times)

    def window(start: str | None, end: str | None, more: str = "") -> list[int]:
        bounds = [f"startTime={start}"] * (start is not None) + [f"endTime={end}"] * (end is not None)
        return sequences(entries(api, "&".join([mine, *bounds, more])))

    all_three = sequences([first, second, third])
    assert window(times[0], None) == all_three
    assert window(times[0], times[2]) == all_three[:2]
    assert window(moved(times[0], 1), moved(times[2], 1)) == all_three[1:]
    assert window(None, times[0]) == []
    assert window(moved(times[2], 1), None) == []
    assert window(times[0], moved(times[2], 1)) == all_three
    assert window(times[0], None, "offset=1&limit=1") == all_three[1:2]
    assert window(times[1], None, "offset=2") == []


@pytest.mark.parametrize("zone", ["Z", "+00:00", "%2B00:00", "-00", "%200:00"])
def test_a_timestamp_is_a_start_time(api: Api, zone: str) -> None:
    (identity,) = keep(api)
    mine = f"study={identity.study}"
    (entry,) = numbered(api, mine, 1)
    moment = entry["timestamp"].removesuffix("Z")
    assert entries(api, f"{mine}&startTime={moment}{zone}") == [entry]
    assert entries(api, f"{mine}&endTime={moment}{zone}") == []
    assert entries(api, f"{mine}&startTime={moment}1{zone}") == []
    assert entries(api, f"{mine}&endTime={moment}1{zone}") == [entry]


def test_a_window_in_another_zone(api: Api) -> None:
    (identity,) = keep(api)
    mine = f"study={identity.study}"
    (entry,) = numbered(api, mine, 1)
    there = moved(entry["timestamp"], 5 * 3600 * 10**6).removesuffix("Z")
    assert entries(api, f"{mine}&startTime={there}%2B05:00") == [entry]
    assert entries(api, f"{mine}&endTime={there}%2B05:00") == []


def test_the_window_of_all_time(api: Api) -> None:
    """Which .NET clients send where they have no bounds."""
    (identity,) = keep(api)
    mine = f"study={identity.study}"
    numbered(api, mine, 1)
    whole = "startTime=0001-01-01T00:00:00.0000000Z&endTime=9999-12-31T23:59:59.9999999Z"
    assert instances(entries(api, f"{mine}&{whole}")) == [identity.instance]


def test_pages_of_version_2(api: Api, partition: Api) -> None:
    keep(partition, 7)
    mine = f"partition={name_of(partition)}"
    found = numbered(api, mine, 7)
    pages = [entries(api, f"{mine}&limit=3&offset={offset}") for offset in range(0, 12, 3)]
    assert [len(page) for page in pages] == [3, 3, 1, 0]
    assert [entry for page in pages for entry in page] == found
    assert sequences(found) == sorted(set(sequences(found)))


def test_the_number_of_an_entry_finds_it_in_version_1(api: Api, v1: Api) -> None:
    (identity,) = keep(api)
    (entry,) = numbered(api, f"study={identity.study}", 1)
    (found,) = entries(v1, f"offset={entry['sequence'] - 1}&limit=1")
    assert (found["sequence"], found["sopInstanceUid"]) == (entry["sequence"], identity.instance)


def test_numbers_have_no_gaps(api: Api, v1: Api) -> None:
    keep(api, 3)
    last = latest(api)["sequence"]
    found = entries(v1, f"offset={max(last - 100, 0)}&limit=100&includeMetadata=false")
    assert sequences(found)[: min(last, 100)] == list(range(max(last - 100, 0) + 1, last + 1))


def test_version_1_gives_the_first_that_match_after_the_offset(api: Api, v1: Api, partition: Api) -> None:
    identities = keep(partition, 2)
    keep(api, 2)
    identities += keep(partition, 3)
    mine = f"partition={name_of(partition)}"
    found = numbered(api, mine, 5)
    assert instances(found) == [identity.instance for identity in identities]
    assert instances(entries(v1, f"{mine}&limit=3")) == instances(found)[:3]
    after = found[0]["sequence"]
    assert instances(entries(v1, f"{mine}&limit=3&offset={after}")) == instances(found)[1:4]
    assert entries(v1, f"{mine}&offset={found[-1]['sequence']}") == []


def test_filters(api: Api, partition: Api) -> None:
    name = name_of(partition)
    kept, gone = keep(partition, 2), keep(partition, 1)
    assert partition.delete(f"/studies/{gone[0].study}").status_code == 204
    assert partition.store(without_pixels(kept[0]), method="PUT").status_code == 200
    found = numbered(api, f"partition={name}", 5)

    def matching(query: str) -> list[tuple[str, str]]:
        chosen = entries(api, f"partition={name}&{query}")
        newest = api.get(f"/changefeed/latest?partition={name}&{query}")
        assert newest.status_code == (200 if chosen else 204)
        assert newest.content == b"" if not chosen else newest.json() == chosen[-1]
        return [(entry["action"], entry["sopInstanceUid"]) for entry in chosen]

    everything = [(entry["action"], entry["sopInstanceUid"]) for entry in found]
    assert matching("") == everything
    assert matching(f"study={gone[0].study}") == [("Create", gone[0].instance), ("Delete", gone[0].instance)]
    assert matching("action=delete") == [("Delete", gone[0].instance)]
    assert matching("action=UPDATE,Delete") == [each for each in everything if each[0] != "Create"]
    assert matching(f"study={kept[0].study}&action=update") == [("Update", kept[0].instance)]
    assert matching("action=create,update,delete") == everything
    assert matching(f"study={new_uid()}") == []
    assert matching(f"study={gone[0].study}&action=update") == []


@pytest.mark.parametrize("query", ["partition=no-such-partition", f"study={new_uid()}"], ids=["partition", "study"])
def test_nothing_matches(api: Api, v1: Api, query: str) -> None:
    for version in (api, v1):
        assert entries(version, query) == []
        answer = version.get(f"/changefeed/latest?{query}")
        assert (answer.status_code, answer.content) == (204, b"")


def test_the_latest_is_the_last(api: Api, v1: Api) -> None:
    (identity,) = keep(api)
    (entry,) = numbered(api, f"study={identity.study}", 1)
    assert latest(api) == latest(v1) == entry
    assert entries(v1, f"offset={entry['sequence']}") == []


def test_two_hundred_at_once(api: Api, partition: Api) -> None:
    first = new_identity()
    identities = [first, *(new_identity(first.study, first.series) for _ in range(204))]
    partition.keep(*map(without_pixels, identities))
    mine = f"partition={name_of(partition)}"
    numbered(api, mine, 200)
    found = entries(api, f"{mine}&limit=200")
    assert len(found) == 200
    assert all(entry["metadata"]["00080018"]["Value"] == [entry["sopInstanceUid"]] for entry in found)
    assert len(entries(api, mine)) == 100
    rest = entries(api, f"{mine}&limit=200&offset=200")
    assert len(rest) == 5
    assert set(instances(found + rest)) == {identity.instance for identity in identities}


def test_plain_json_gzipped_for_those_who_take_it(api: Api) -> None:
    (identity,) = keep(api)
    numbered(api, f"study={identity.study}", 1)
    for path in ("/changefeed", "/changefeed/latest"):
        resource = f"{path}?study={identity.study}"
        plain = api.get(resource, accept_encoding="identity")
        assert plain.headers["content-type"] == "application/json"
        assert "content-encoding" not in plain.headers
        with api.http.stream("GET", api.base + resource, headers={"Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["content-encoding"] == "gzip"
            assert gzip.decompress(b"".join(answer.iter_raw())) == plain.content
        assert orjson.loads(plain.content)
        head = api.head(resource)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-type"] == "application/json"


def test_the_path_is_read_in_any_letter_case(api: Api) -> None:
    assert api.get("/ChangeFeed/").status_code == 200
    assert api.get("/CHANGEFEED/LATEST").status_code in (200, 204)


def test_there_is_one_feed_for_all_partitions(partition: Api) -> None:
    keep(partition)
    assert partition.get("/changefeed").status_code == 404
    assert partition.get("/changefeed/latest").status_code == 404


def test_the_feed_is_read_only(api: Api) -> None:
    for method in ("POST", "PUT", "DELETE"):
        answer = api.request(method, "/changefeed")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
