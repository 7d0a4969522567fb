"""Requests as clients make them get what the document says of them."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.checks import CHECKS
from schemathesis.schemas import BaseSchema

from tests.api.client import DICOM, DICOM_PARTS, DICOM_XML, OCTETS
from tests.instances import dataset, multipart, new_identity, new_uid, part10
from tests.openapi.conftest import KEPT, TAGS, Service

CHECKED = ("status_code_conformance", "content_type_conformance", "response_headers_conformance")
SCHEMA = "response_schema_conformance"
KNOWN = {
    "partition": "p",
    "study": KEPT.study,
    "series": KEPT.series,
    "instance": KEPT.instance,
    "frames": "1",
    "reference": "7FE00010",
    "tag": TAGS[0],
    "operation": "0" * 32,
    "upload": "0" * 32,
}

WAIT_SECONDS = 30

STUDY = "/studies/{study}"
SERIES = f"{STUDY}/series/{{series}}"
INSTANCE = f"{SERIES}/instances/{{instance}}"
FRAMES = f"{INSTANCE}/frames/{{frames}}"
TAG = "/extendedquerytags/{tag}"
OPERATION = "/operations/{operation}"
XML_PARTS = f'multipart/related; type="{DICOM_XML}"'

SEARCHES = ["/studies", "/series", "/instances", f"{STUDY}/series", f"{STUDY}/instances", f"{SERIES}/instances"]
METADATA = [f"{level}/metadata" for level in (STUDY, SERIES, INSTANCE)]
VALUES = [f"{level}/{kind}" for level in (STUDY, SERIES, INSTANCE) for kind in ("bulkdata", "pixeldata")]
SINGLE = [INSTANCE, FRAMES, f"{INSTANCE}/bulkdata/{{reference}}"]
LISTS = ["/extendedquerytags", f"{TAG}/errors", "/operations"]


class Client:
    """Asks for operations by method and path of the document, and holds the answers against it."""

    def __init__(self, http: httpx.Client, service: Service) -> None:
        self._http = http
        self._base = f"{service.url}/v2"
        document = http.get(f"{self._base}/api.json").json()
        self.operations = [(method.upper(), path) for path, methods in document["paths"].items() for method in methods]
        self._described: BaseSchema = schemathesis.openapi.from_dict(document)

    def ask(
        self, status: int | None, method: str, path: str, known: dict[str, str] = KNOWN, **options: Any
    ) -> httpx.Response:
        """Options are those of httpx; the status is any that is described if it is None."""
        answer = self._http.request(method, self._base + path.format(**known), **options)
        case = self._described[path][method].Case(path_parameters=known)
        checks = CHECKED if method == "HEAD" else (*CHECKED, SCHEMA)
        case.validate_response(answer, checks=[CHECKS.get_one(name) for name in checks])
        assert status in (None, answer.status_code), answer.text
        return answer

    def read(self, status: int, path: str, known: dict[str, str] = KNOWN, **options: Any) -> None:
        """GET and HEAD."""
        self.ask(status, "GET", path, known, **options)
        assert self.ask(status, "HEAD", path, known, **options).content == b""

    def wait(self, known: dict[str, str]) -> None:
        """Ask for an operation until it has ended."""
        deadline = time.monotonic() + WAIT_SECONDS
        while self.ask(None, "GET", OPERATION, known).status_code == 202:
            assert time.monotonic() < deadline
            time.sleep(0.02)


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with httpx.Client(headers={"Authorization": f"Bearer {service.token}"}, timeout=60) as http:
        yield Client(http, service)


@pytest.mark.parametrize("path", SEARCHES)
def test_searches(client: Client, path: str) -> None:
    client.read(200, path)
    client.read(200, path, headers={"Accept": XML_PARTS})
    client.read(200, path, params={"limit": 1000, "includefield": "all", "orderby": "-PatientName"})
    client.read(200, path, params={"accept": "application/json", "fuzzymatching": "true", "PatientName": "Test"})
    client.read(204, path, params={"PatientName": "Nobody"})
    client.read(400, path, params={"limit": 0})
    client.read(406, path, headers={"Accept": "image/png"})


@pytest.mark.parametrize("path", [*METADATA, *SINGLE])
def test_what_has_an_entity_tag(client: Client, path: str) -> None:
    tag = client.ask(200, "GET", path).headers["ETag"]
    client.read(304, path, headers={"If-None-Match": tag})
    client.read(404, path, KNOWN | {"instance": "1", "series": "1", "study": "1"})
    client.read(400, path, KNOWN | {"study": "a"})
    client.read(406, path, headers={"Accept": "image/png"})


@pytest.mark.parametrize("path", METADATA)
def test_metadata(client: Client, path: str) -> None:
    client.read(200, path, headers={"Accept": XML_PARTS})


@pytest.mark.parametrize(("path", "media_type"), [*zip(SINGLE, (DICOM, OCTETS, OCTETS), strict=True)])
def test_what_has_ranges(client: Client, path: str, media_type: str) -> None:
    client.read(200, path, headers={"Accept": media_type})
    client.ask(206, "GET", path, headers={"Range": "bytes=0-9"})
    client.ask(206, "GET", path, headers={"Range": "bytes=0-9", "Accept": media_type})
    client.ask(206, "GET", path, headers={"Range": "bytes=0-9,20-29", "Accept": media_type})
    client.ask(416, "GET", path, headers={"Range": "bytes=9999999-"})


@pytest.mark.parametrize("path", [STUDY, SERIES, INSTANCE, *VALUES])
def test_several_values_and_files(client: Client, path: str) -> None:
    client.read(200, path)
    client.read(404, path, KNOWN | {"study": "1", "series": "1", "instance": "1"})
    client.read(406, path, headers={"Accept": "image/png"})


@pytest.mark.parametrize("path", [STUDY, SERIES, INSTANCE])
def test_archives(client: Client, path: str) -> None:
    client.read(200, path, headers={"Accept": "application/zip"})


def test_frames(client: Client) -> None:
    client.read(200, FRAMES, KNOWN | {"frames": "2,1"})
    client.read(404, FRAMES, KNOWN | {"frames": "3"})
    client.read(400, FRAMES, KNOWN | {"frames": "0"})


def test_the_change_feed(client: Client) -> None:
    client.read(200, "/changefeed")
    client.read(200, "/changefeed", params={"startTime": "2020-01-01T00:00:00Z", "action": "create,delete"})
    client.read(400, "/changefeed", params={"limit": 0})
    client.read(200, "/changefeed/latest")
    client.read(204, "/changefeed/latest", params={"study": "1"})


@pytest.mark.parametrize("path", LISTS)
def test_lists(client: Client, path: str) -> None:
    client.read(200, path, params={"limit": 1})
    client.read(400, path, params={"limit": 201})


def test_partitions(client: Client) -> None:
    client.read(200, "/partitions")


@pytest.mark.parametrize("path", ["/api.json", "/api.yaml"])
def test_the_document_itself(client: Client, path: str) -> None:
    tag = client.ask(200, "GET", path).headers["ETag"]
    client.read(304, path, headers={"If-None-Match": tag})


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("path", ["/studies", STUDY])
def test_stores(client: Client, method: str, path: str) -> None:
    study = new_uid()
    first, second = (part10(dataset(new_identity(study))) for _ in range(2))
    known, bare, parts = {"study": study}, {"Content-Type": DICOM}, {"Content-Type": f"{DICOM_PARTS}; boundary=b"}
    client.ask(200, method, path, known, content=first, headers=bare | {"Accept": DICOM_XML})
    client.ask(202, method, path, known, content=multipart([second, b""], "b"), headers=parts)
    client.ask(204, method, path, known, content=multipart([], "b"), headers=parts)
    client.ask(409, method, path, known, content=b"none", headers=bare)
    client.ask(400, method, path, known, content=b"none", headers=parts)
    client.ask(415, method, path, known, content=b"none", headers={"Content-Type": "text/plain"})
    client.ask(406, method, path, known, content=first, headers=bare | {"Accept": "image/png"})


def test_deletes(client: Client) -> None:
    for path in (INSTANCE, SERIES, STUDY):
        made = new_identity()
        known = {"study": made.study, "series": made.series, "instance": made.instance}
        client.ask(200, "POST", "/studies", content=part10(dataset(made)), headers={"Content-Type": DICOM})
        client.ask(204, "DELETE", path, known)
        client.ask(404, "DELETE", path, known)


def test_extended_query_tags(client: Client) -> None:
    known = {"tag": "00102180"}
    started = client.ask(202, "POST", "/extendedquerytags", json=[{"path": "Occupation", "level": "Study"}]).json()
    client.ask(409, "POST", "/extendedquerytags", json=[{"path": "Occupation", "level": "Study"}])
    client.ask(400, "POST", "/extendedquerytags", json=[])
    client.ask(413, "POST", "/extendedquerytags", content=bytes(1024 * 1024 + 1))
    client.read(200, TAG, known)
    client.read(400, TAG, {"tag": "nothing"})
    client.read(404, TAG, {"tag": "00101050"})
    client.ask(200, "PATCH", TAG, known, json={"queryStatus": "Disabled"})
    client.ask(400, "PATCH", TAG, known, json={"level": "Series"})
    client.wait({"operation": started["id"]})
    client.ask(204, "DELETE", TAG, known)
    client.ask(404, "DELETE", TAG, known)


def test_operations(client: Client) -> None:
    first = client.ask(200, "GET", "/operations").json()[-1]
    known = {"operation": first["operationId"]}
    client.wait(known)
    client.read(200, OPERATION, known)
    client.ask(409, "DELETE", OPERATION, known)
    client.read(404, OPERATION, {"operation": "0" * 32})
    client.ask(404, "DELETE", OPERATION, {"operation": "0" * 32})


def test_uploads(client: Client) -> None:
    offered = client.ask(201, "POST", "/uploads", json={"fileName": "a.zip"}).json()
    client.ask(400, "POST", "/uploads", json=[])
    known = {"upload": offered["url"].rpartition("/")[2]}
    client.ask(201, "PUT", "/uploads/{upload}", known, content=b"none")
    client.ask(409, "PUT", "/uploads/{upload}", known, content=b"none")
    client.ask(404, "PUT", "/uploads/{upload}", {"upload": "none"}, content=b"none")


def test_a_partition(client: Client) -> None:
    client.read(200, "/partitions/{partition}/studies", {"partition": "p"})
    client.read(400, "/partitions/{partition}/studies", {"partition": "none"})


def test_nobody_gets_in_without_a_token(service: Service) -> None:
    with httpx.Client() as http:
        client = Client(http, service)
        for method, path in client.operations:
            if not path.startswith("/api."):
                refusal = client.ask(401, method, path)
                assert refusal.headers["WWW-Authenticate"].startswith("Bearer ")


def test_those_who_may_not(service: Service) -> None:
    with httpx.Client() as http:
        client = Client(http, service)
        http.headers["Authorization"] = f"Bearer {service.issuer.token(roles=['DicomDataReader'])}"
        client.read(200, "/studies")
        client.ask(403, "DELETE", STUDY)


def test_addresses_are_those_of_the_client(service: Service) -> None:
    answer = httpx.get(
        f"{service.url}/V2/api.json", headers={"X-Forwarded-Host": "a.example", "X-Forwarded-Proto": "https"}
    )
    assert answer.json()["servers"] == [{"url": "https://a.example/v2"}]
    assert httpx.get(f"{service.url}/v3/api.json").status_code == 404
    assert answer.headers["Content-Type"] == "application/json"
    assert httpx.get(f"{service.url}/v1/api.yaml").headers["Content-Type"] == "application/yaml"


def test_other_methods(service: Service) -> None:
    refused = httpx.request("TRACE", f"{service.url}/v2/studies")
    assert refused.status_code == 405
    assert refused.headers["Allow"] == "GET, HEAD, POST, PUT, OPTIONS"
