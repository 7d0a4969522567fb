"""Data partitions: each a name space of its own, on every route (behaviour of the Microsoft DICOM service)."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.api.client import DICOM, OCTETS, Api
from tests.api.files import native, without_pixels
from tests.api.store_answers import REFERENCED, RETRIEVE_URL
from tests.instances import new_identity

PIXELS = bytes(range(256)) * 2
DEFAULT = "Microsoft.Default"


def names(api: Api) -> list[str]:
    return [partition["partitionName"] for partition in api.get("/partitions").json()]


def inside(api: Api, name: str) -> Api:
    return Api(api.http, f"{api.base}/partitions/{name}")


@pytest.fixture
def pair(api: Api) -> tuple[Api, Api]:
    """Two data partitions."""
    one, other = (inside(api, f"pair-{uuid4().hex}") for _ in range(2))
    for partition in (one, other):
        partition.keep(without_pixels())
    return one, other


def test_the_list(api: Api) -> None:
    first, *_ = found = api.get("/partitions").json()
    assert (first["partitionKey"], first["partitionName"]) == (1, DEFAULT)
    assert all(partition.keys() == {"partitionKey", "partitionName", "createdDate"} for partition in found)
    keys = [partition["partitionKey"] for partition in found]
    assert keys == sorted(set(keys))


def test_the_list_is_plain_json(api: Api) -> None:
    answer = api.get("/partitions")
    assert answer.headers["content-type"] == "application/json"
    assert api.head("/partitions").status_code == 200


@pytest.mark.parametrize("names_study", [True, False])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_store_creates_the_partition(api: Api, names_study: bool, method: str) -> None:
    name = f"new-{uuid4().hex}"
    partition, identity = inside(api, name), new_identity()
    assert name not in names(api)
    path = f"/studies/{identity.study}" if names_study else "/studies"
    answer = partition.store(without_pixels(identity), path=path, method=method)
    assert answer.status_code == 200
    (item,) = answer.json()[REFERENCED]["Value"]
    assert item[RETRIEVE_URL]["Value"] == [partition.base + identity.path]
    assert names(api).count(name) == 1
    (entry,) = (entry for entry in api.get("/partitions").json() if entry["partitionName"] == name)
    age = datetime.now(UTC) - datetime.fromisoformat(entry["createdDate"])
    assert 0 <= age.total_seconds() < 60


RESOURCES = [
    "{study}",
    "{study}/metadata",
    "{study}/bulkdata",
    "{study}/pixeldata",
    "{study}/series/{series}",
    "{study}/series/{series}/metadata",
    "{study}/series/{series}/instances/{instance}",
    "{study}/series/{series}/instances/{instance}/metadata",
    "{study}/series/{series}/instances/{instance}/frames/1",
    "{study}/series/{series}/instances/{instance}/bulkdata/7FE00010",
]


@pytest.mark.parametrize("resource", RESOURCES)
def test_reads_stay_inside(pair: tuple[Api, Api], api: Api, resource: str) -> None:
    here, elsewhere = pair
    identity = new_identity()
    here.keep(native(identity, PIXELS))
    path = "/studies/" + resource.format(study=identity.study, series=identity.series, instance=identity.instance)
    assert here.get(path).status_code == 200
    assert elsewhere.get(path).status_code == 404
    assert api.get(path).status_code == 404


@pytest.mark.parametrize("query", ["studies", "series", "instances"])
def test_searches_stay_inside(pair: tuple[Api, Api], api: Api, query: str) -> None:
    here, elsewhere = pair
    identity = new_identity()
    here.keep(native(identity, PIXELS))
    assert len(here.search(query)) == 2
    assert len(elsewhere.search(query)) == 1
    assert api.search(f"{query}?StudyInstanceUID={identity.study}") == []


def test_the_same_uids_live_in_every_partition(pair: tuple[Api, Api]) -> None:
    here, elsewhere = pair
    identity = new_identity()
    files = {here: native(identity, PIXELS), elsewhere: native(identity, bytes(512))}
    for partition, file in files.items():
        partition.keep(file)
    for partition, file in files.items():
        assert partition.get(identity.path, DICOM).content == file
        (dataset,) = partition.metadata(identity.path)
        uri = dataset["7FE00010"]["BulkDataURI"]
        assert uri == f"{partition.base}{identity.path}/bulkdata/7FE00010"
        assert partition.http.get(uri, headers={"accept": OCTETS}).content == file[-512:]
    assert here.delete(identity.path).status_code == 204
    assert elsewhere.get(identity.path).status_code == 200


def test_requests_without_a_partition_are_those_of_the_default(api: Api) -> None:
    identity, other = new_identity(), new_identity()
    default = inside(api, DEFAULT)
    api.keep(without_pixels(identity))
    default.keep(without_pixels(other))
    assert default.get(identity.path).status_code == api.get(other.path).status_code == 200


READS = [("GET", "/studies"), ("GET", "/studies/1.2"), ("GET", "/studies/1.2/metadata"), ("DELETE", "/studies/1.2")]


@pytest.mark.parametrize(("method", "path"), READS)
def test_an_unknown_partition_is_400_and_not_created(api: Api, method: str, path: str) -> None:
    name = f"unknown-{uuid4().hex}"
    answer = inside(api, name).request(method, path)
    assert answer.status_code == 400
    assert answer.json()["detail"] == "Specified PartitionName does not exist."
    assert name not in names(api)


@pytest.mark.parametrize("store", [True, False])
@pytest.mark.parametrize(
    "name", ["a%20b", "a*b", "a" * 65, "%C3%A9", "a%2Fb", "%2E%2E", "a%00b", "a:b", "a'b", "a%5Cb", "a\\b"]
)
def test_bad_names_are_refused(api: Api, name: str, store: bool) -> None:
    partition = inside(api, name)
    answer = partition.store(without_pixels()) if store else partition.get("/studies")
    assert answer.status_code == (404 if name == "a%2Fb" else 400)
    assert not [known for known in names(api) if not set(known) <= set(GOOD_NAME)]


GOOD_NAME = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_"


@pytest.mark.parametrize("name", ["x", "A.b-C_9", "a" * 64, "-", "...", "a..b"])
def test_good_names(api: Api, name: str) -> None:
    partition, identity = inside(api, name), new_identity()
    partition.keep(without_pixels(identity))
    assert partition.get(identity.path).status_code == 200
    assert name in names(api)


def test_names_differ_by_letter_case(api: Api) -> None:
    name = f"case-{uuid4().hex}"
    lower, upper = inside(api, name), inside(api, name.upper())
    identity = new_identity()
    lower.keep(without_pixels(identity))
    assert upper.get(identity.path).status_code == 400
    upper.keep(without_pixels())
    assert upper.get(identity.path).status_code == 404
    assert lower.get(identity.path).status_code == 200
