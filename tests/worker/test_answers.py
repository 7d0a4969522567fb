"""Behind the Functions host the service answers as it does on the embedded host, byte for byte."""

import re
from dataclasses import dataclass, field

import pytest

from tests.instances import Identity, dataset, multipart, new_identity, part10
from tests.worker.app_functions import HTTP_ROUTES
from tests.worker.client import DICOM, PARTS, Client
from tests.worker.conftest import TAG
from tests.worker.routing import HttpRoute

COUNTS = "metrics"
GET_ROUTES = [route for route in HTTP_ROUTES if "GET" in route.methods and route.template != COUNTS]
EVERYTHING = {"Accept": "*/*"}
ORIGIN = {"Origin": "http://localhost:3000", "Host": "localhost:8443"}


@dataclass(frozen=True, slots=True)
class Case:
    """A request, and the status that both hosts answer. ``{study}``, ``{series}``, ``{instance}`` stand for UIDs."""

    method: str
    path: str
    status: int
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes | None = None

    def __str__(self) -> str:
        about = "-".join(map(str, self.headers.values()))
        return f"{self.method} {self.path} {self.status} {about}".strip()


def accept(media_type: str) -> dict[str, str]:
    return {"Accept": media_type}


INSTANCE = "/v2/studies/{study}/series/{series}/instances/{instance}"
WARD = "/v2/partitions/ward"
CASES = [
    Case("GET", "/v2/studies?StudyInstanceUID={study}", 200),
    Case("GET", "/v1/studies?StudyInstanceUID={study}", 200),
    Case("GET", "/V2/Studies?StudyInstanceUID={study}", 200),
    Case("GET", "/v2/studies/?StudyInstanceUID={study}", 200),
    Case("GET", "/v2/studies?StudyInstanceUID={study}&includefield=all", 200, {"Accept-Encoding": "gzip"}),
    Case("GET", "/v2/studies?StudyInstanceUID={study}", 200, accept("multipart/related; type=application/dicom+xml")),
    Case("GET", "/v2/studies?StudyInstanceUID={study}", 200, ORIGIN),
    Case("GET", "/v2/studies?PatientName=Test%5EPatient&StudyInstanceUID={study}", 200),
    Case("GET", "/v2/studies?PatientName=no%20one%2Bat%2Ball", 204),
    Case("GET", "/v2/studies?fuzzymatching=true&PatientName=pat&StudyInstanceUID={study}", 200),
    Case("GET", "/v2/instances?StudyInstanceUID={study}&limit=1&offset=1&orderby=InstanceNumber", 200),
    Case("GET", "/v2/studies?limit=-1", 400),
    Case("GET", "/v2/studies?NoSuchAttribute=1", 400),
    Case("GET", "/v3/studies", 404),
    Case("GET", "/v2/studies/1.2.3", 404),
    Case("GET", "/v2/studies/not-a-uid", 400),
    Case("GET", "/v2/studies/{study}", 406, accept("text/html")),
    Case("GET", "/v2/studies/{study}", 200, accept("multipart/related; type=application/dicom; transfer-syntax=*")),
    Case("GET", "/v2/studies/{study}/metadata", 200, {"Accept-Encoding": "gzip"}),
    Case("GET", INSTANCE, 200, accept("application/dicom; transfer-syntax=*")),
    Case("GET", INSTANCE, 206, accept("application/dicom; transfer-syntax=*") | {"Range": "bytes=128-1000"}),
    Case("GET", INSTANCE, 206, accept("application/dicom; transfer-syntax=*") | {"Range": "bytes=0-9,128-131"}),
    Case("GET", INSTANCE, 416, accept("application/dicom; transfer-syntax=*") | {"Range": "bytes=99999999-"}),
    Case("GET", f"{INSTANCE}/frames/1,3", 200),
    Case("GET", f"{INSTANCE}/frames/2", 200, accept("application/octet-stream")),
    Case("GET", f"{INSTANCE}/frames/0", 400),
    Case("GET", f"{INSTANCE}/frames/4", 404),
    Case("GET", f"{INSTANCE}/bulkdata/7FE00010", 200, accept("application/octet-stream")),
    Case("GET", f"{INSTANCE}/bulkdata/7FE00010", 206, accept("application/octet-stream") | {"Range": "bytes=-16"}),
    Case("GET", f"{INSTANCE}/bulkdata/00100010", 404, accept("application/octet-stream")),
    Case("GET", f"{INSTANCE}/bulkdata/", 200),
    Case("GET", "/v2/partitions", 200),
    Case("GET", f"{WARD}/studies/{{study}}/metadata", 200),
    Case("GET", f"{WARD}/studies/{{study}}/series?limit=1", 200),
    Case("GET", "/v2/partitions/no-such-ward/studies", 400),
    Case("GET", "/v2/partitions/bad%20name/studies", 400),
    Case("GET", "/", 404),
    Case("GET", "/v2", 404),
    Case("GET", "/v2/studies/{study}/no-such-thing", 404),
    Case("PATCH", "/v2/studies", 405),
    Case("DELETE", "/v2/studies", 405),
    Case("OPTIONS", "/v2/studies", 204),
    Case("OPTIONS", "/v2/studies", 204, ORIGIN | {"Access-Control-Request-Method": "POST"}),
    Case("POST", "/v2/studies", 415, {"Content-Type": "text/plain"}, b"hello"),
    Case("POST", "/v2/studies", 400, PARTS, b"no boundary in here"),
    Case("POST", "/v2/studies", 409, DICOM, b"no DICOM"),
    Case("POST", f"{WARD}/studies/1.2.3", 409, PARTS, multipart([part10(dataset(new_identity()))])),
    Case("POST", "/v2/studies", 406, DICOM | accept("text/html"), b"\0" * 1000),
    Case("DELETE", "/v2/studies/1.2.3", 404),
    Case("DELETE", "/v2/studies/1.2.3.", 400),
]


def filled(path: str, identity: Identity) -> str:
    """The path with the UIDs of an instance."""
    for name in ("study", "series", "instance"):
        path = path.replace(f"{{{name}}}", getattr(identity, name))
    return path


@pytest.mark.parametrize("case", CASES, ids=str)
def test_same_answer(case: Case, azure: Client, embedded: Client, kept: list[Identity]) -> None:
    path = filled(case.path, kept[1])
    ours, theirs = (client.ask(case.method, path, case.headers, case.content) for client in (azure, embedded))
    assert ours.comparable == theirs.comparable
    assert ours.status == case.status


def path_of(route: HttpRoute) -> str:
    """A path that the function answers."""
    values = {
        "version": "v2",
        "partition": "ward",
        "frames": "1",
        "reference": "7FE00010",
        "tag": TAG,
        "path": "no/such/path",
    }
    return "/" + re.sub(r"\{\*?(\w+)\}", lambda found: values.get(found[1], found[0]), route.template)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("route", GET_ROUTES, ids=str)
def test_same_answer_of_every_function(
    route: HttpRoute, method: str, azure: Client, embedded: Client, kept: list[Identity], indexed: str
) -> None:
    path = filled(path_of(route), kept[0]).replace("{operation}", indexed)
    ours, theirs = (client.ask(method, path, EVERYTHING) for client in (azure, embedded))
    assert ours.comparable == theirs.comparable
    assert ours.status == (404 if path.endswith("no/such/path") else 200)
    assert bool(ours.body) == (method == "GET")


def test_both_count_under_the_same_names(azure: Client, embedded: Client) -> None:
    ours, theirs = (client.ask("GET", f"/{COUNTS}") for client in (azure, embedded))
    assert (ours.status, theirs.status) == (200, 200)
    kinds = [re.findall(rb"^# TYPE .*$", answer.body, re.MULTILINE) for answer in (ours, theirs)]
    assert kinds[0]
    assert kinds[0] == kinds[1]


def test_an_entity_tag_of_one_host_holds_on_the_other(azure: Client, embedded: Client, kept: list[Identity]) -> None:
    path = filled("/v2/studies/{study}/metadata", kept[0])
    tag = embedded.ask("GET", path).header("etag")
    assert azure.ask("GET", path, {"If-None-Match": tag}).status == 304


@pytest.mark.parametrize("place", ["/v2", "/v2/partitions/ward"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_is_stored_through_one_host_is_the_others_too(
    place: str, method: str, azure: Client, embedded: Client
) -> None:
    identity = new_identity()
    body = multipart([part10(dataset(identity, frames=2))])
    path = f"{place}{identity.path}"
    outcomes = []
    for writer, reader in ((azure, embedded), (embedded, azure)):
        stored = writer.ask(method, f"{place}/studies/{identity.study}", PARTS, body)
        file = reader.ask("GET", path, {"Accept": "application/dicom; transfer-syntax=*"})
        again = reader.ask("POST", f"{place}/studies", PARTS, body)
        deleted = writer.ask("DELETE", path)
        gone = reader.ask("GET", path)
        assert [answer.status for answer in (stored, again, deleted, gone)] == [200, 409, 204, 404]
        assert file.body in body
        outcomes.append([answer.comparable for answer in (stored, again, deleted, gone)])
    assert outcomes[0] == outcomes[1]
    assert b"http://dicom.example.org:8443/v2" in outcomes[0][0].body


def test_warnings_name_the_host_that_was_asked(azure: Client, embedded: Client) -> None:
    several = dataset(new_identity(), PatientName="One^A", StudyID="1")
    several.add_new("AccessionNumber", "SH", ["A", "B"])
    body = part10(several)
    path = f"/v2/studies/{several.StudyInstanceUID}"
    answers = []
    for client in (azure, embedded):
        answers.append(client.ask("POST", path, DICOM, body).comparable)
        assert client.ask("DELETE", path).status == 204
    assert answers[0] == answers[1]
    assert answers[0].header("warning").startswith("299 dicom.example.org")
