"""What holds for every route: methods, versions, headers, CORS, errors, the health check (RFC 9110, RFC 9457)."""

import json
from collections.abc import Callable

import httpx
import pytest

from tests.api.client import DICOM_JSON, Api, exchange, request_head
from tests.api.files import native, without_pixels
from tests.instances import Identity, new_identity
from tests.server import RunningServer

STUDY = "studies/1.2"
SERIES = f"{STUDY}/series/1.2"
INSTANCE = f"{SERIES}/instances/1.2"
READ = {"GET", "HEAD", "OPTIONS"}
ROUTES = {
    "studies": READ | {"POST", "PUT"},
    STUDY: READ | {"POST", "PUT", "DELETE"},
    SERIES: READ | {"DELETE"},
    INSTANCE: READ | {"DELETE"},
    "series": READ,
    "instances": READ,
    f"{STUDY}/series": READ,
    f"{STUDY}/instances": READ,
    f"{SERIES}/instances": READ,
    f"{STUDY}/metadata": READ,
    f"{SERIES}/metadata": READ,
    f"{INSTANCE}/metadata": READ,
    f"{STUDY}/bulkdata": READ,
    f"{SERIES}/bulkdata": READ,
    f"{INSTANCE}/bulkdata": READ,
    f"{STUDY}/pixeldata": READ,
    f"{SERIES}/pixeldata": READ,
    f"{INSTANCE}/pixeldata": READ,
    f"{INSTANCE}/bulkdata/7FE00010": READ,
    f"{INSTANCE}/bulkdata/00880200/0/7FE00010": READ,
    f"{INSTANCE}/frames/1": READ,
}
"""Each route of the data with the methods it takes."""

PREFIXES = ["v1", "v2", "v2/partitions/Microsoft.Default", "V2/Partitions/Microsoft.Default"]
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

SECURITY = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "content-security-policy": "frame-src 'self';",
    "api-supported-versions": "1, 2",
}


@pytest.fixture
def root(server: RunningServer, http: httpx.Client) -> Api:
    return Api(http, server.url)


def methods(header: str) -> set[str]:
    return set(header.split(", "))


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("route", ROUTES)
def test_other_methods_are_405(root: Api, prefix: str, route: str) -> None:
    for method in METHODS - ROUTES[route]:
        answer = root.request(method, f"/{prefix}/{route}")
        assert answer.status_code == 405
        assert methods(answer.headers["allow"]) == ROUTES[route]
        assert answer.json()["title"] == "Method not allowed"


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("route", ROUTES)
def test_options_tells_the_methods(root: Api, prefix: str, route: str) -> None:
    answer = root.request("OPTIONS", f"/{prefix}/{route}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert methods(answer.headers["allow"]) == ROUTES[route]
    assert "access-control-allow-methods" not in answer.headers


@pytest.mark.parametrize("route", ["health/check", "v2/partitions"])
def test_routes_outside_the_partitions(root: Api, route: str) -> None:
    assert methods(root.request("OPTIONS", f"/{route}").headers["allow"]) == READ
    assert root.request("DELETE", f"/{route}").status_code == 405
    assert root.get(f"/{route}").status_code == root.head(f"/{route}").status_code == 200


NOWHERE = [
    "",
    "v2",
    "v2/",
    "studies",
    "v2/study",
    "v2/partitions/Microsoft.Default",
    "v2/partitions/Microsoft.Default/partitions",
    f"v2/{STUDY}/nonsense",
    f"v2/{INSTANCE}/frames",
    f"v2/{INSTANCE}/frames/1/2",
    f"v2/{STUDY}/frames/1",
    "favicon.ico",
    "health",
    "v2//studies",
]


@pytest.mark.parametrize("path", NOWHERE)
@pytest.mark.parametrize("method", sorted(METHODS))
def test_what_is_no_resource_is_404(root: Api, path: str, method: str) -> None:
    answer = root.request(method, f"/{path}")
    assert answer.status_code == 404
    if method != "HEAD":
        assert answer.json()["status"] == 404


@pytest.mark.parametrize("version", ["v3", "v0", "v1.0", "v22", "2", "latest", "v2.0", "v"])
@pytest.mark.parametrize("path", ["studies", "partitions", "studies/1.2/metadata"])
def test_other_versions_are_404(root: Api, version: str, path: str) -> None:
    assert root.get(f"/{version}/{path}").status_code == 404


@pytest.mark.parametrize(
    "write",
    [str.upper, str.title, str.lower, lambda path: f"{path}/", lambda path: f"{path}?", lambda path: f"{path}?&"],
    ids=["upper", "title", "lower", "slash", "question mark", "empty pair"],
)
@pytest.mark.parametrize("resource", ["", "/metadata", "/frames/1", "/bulkdata/7FE00010", "/bulkdata", "/pixeldata"])
def test_paths_are_read_leniently(root: Api, api: Api, resource: str, write: Callable[[str], str]) -> None:
    identity = Identity(*(f"1.2.{number}.77" for number in (1, 2, 3)))
    api.store(native(identity, bytes(512)), method="PUT")
    answer = root.get(write(f"/v2{identity.path}{resource}"))
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("path", ["/v2/studies/", "/v2/Studies", "/v2/studies?", "/v2/studies/?&limit=1"])
def test_searches_too(root: Api, path: str) -> None:
    assert root.get(path).status_code in (200, 204)


def test_a_slash_at_the_end_of_a_store(root: Api) -> None:
    assert root.store(without_pixels(), path="/v2/studies/").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/check", 200),
        ("GET", "/v2/partitions", 200),
        ("GET", "/v2/studies?StudyInstanceUID=1", 204),
        ("GET", "/v2/studies/abc", 400),
        ("GET", "/v2/studies/1.9.9", 404),
        ("HEAD", "/v2/studies/1.9.9", 404),
        ("PATCH", "/v2/studies", 405),
        ("GET", "/v2/studies/1.2?accept=image/jpeg", 406),
        ("POST", "/v2/studies", 415),
        ("OPTIONS", "/v2/studies", 204),
        ("GET", "/nowhere", 404),
    ],
)
def test_every_answer_carries_the_security_headers(root: Api, method: str, path: str, status: int) -> None:
    answer = root.request(method, path)
    assert answer.status_code == status
    assert SECURITY.items() <= dict(answer.headers).items()


ORIGIN = "http://localhost:3000"


@pytest.mark.parametrize("origin", [ORIGIN, "http://127.0.0.1", "https://127.0.0.1:8443", "http://[::1]:3000"])
@pytest.mark.parametrize("path", ["/v2/studies", "/v2/studies/1.2/metadata", "/v2/partitions", "/v2/studies/abc"])
def test_pages_of_this_machine_may_call(root: Api, origin: str, path: str) -> None:
    answer = root.get(path, Origin=origin)
    assert answer.headers["access-control-allow-origin"] == origin
    assert "Origin" in answer.headers["vary"]
    exposed = methods(answer.headers["access-control-expose-headers"])
    assert exposed >= {"Content-Range", "Warning", "ETag", "Location"}


@pytest.mark.parametrize("path", ["/v2/studies", "/v2/studies/1.2", "/v2/studies/1.2/series/1/instances/1/frames/1"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_preflight(root: Api, path: str, method: str) -> None:
    answer = root.request(
        "OPTIONS",
        path,
        Origin=ORIGIN,
        Access_Control_Request_Method=method,
        Access_Control_Request_Headers="accept,authorization,range,content-type",
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert method in methods(answer.headers["access-control-allow-methods"])
    allowed = {name.lower() for name in methods(answer.headers["access-control-allow-headers"])}
    assert allowed >= {"accept", "authorization", "range", "content-type", "if-none-match"}


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "http://localhost.evil.example", "null", "http://127.0.0.1.evil.example", "http://[", ""],
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_pages_of_other_machines_may_not(root: Api, origin: str, method: str) -> None:
    answer = root.request(method, "/v2/studies", Origin=origin, Access_Control_Request_Method="GET")
    assert "access-control-allow-origin" not in answer.headers
    assert "Origin" in answer.headers["vary"]


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        (None, "application/problem+json"),
        ("*/*", "application/problem+json"),
        (DICOM_JSON, "application/problem+json"),
        ("image/jpeg", "application/problem+json"),
        ("application/json", "application/problem+json"),
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/plain, application/problem+json;q=0.5", "text/plain; charset=utf-8"),
        ("text/*", "text/plain; charset=utf-8"),
    ],
)
def test_problems_are_json_unless_text_is_preferred(api: Api, accept: str | None, content_type: str) -> None:
    answer = api.get("/studies/abc", accept)
    assert (answer.status_code, answer.headers["content-type"]) == (400, content_type)
    sentence = answer.text if content_type.startswith("text") else answer.json()["detail"]
    assert sentence.startswith("The study UID in the path failed validation for VR 'UI'")
    if content_type == "application/problem+json":
        assert answer.json().keys() == {"type", "title", "status", "detail"}


def test_health(root: Api) -> None:
    answer = root.get("/health/check")
    assert answer.headers["content-type"] == "application/json"
    found = answer.json()
    assert found["overallStatus"] == "Healthy"
    assert {detail["name"]: detail["status"] for detail in found["details"]} == {
        "blobs": "Healthy",
        "index": "Healthy",
        "audit": "Healthy",
        "inbox": "Healthy",
    }
    assert all(detail["description"] for detail in found["details"])


def test_json_of_some_size_is_compressed_where_it_is_asked_for(root: Api) -> None:
    answers = [
        exchange(root.base, request_head("GET", "/v2/partitions", *headers))
        for headers in (("Accept-Encoding: gzip",), ("Accept-Encoding: identity",), ())
    ]
    assert [answer.headers.get("content-encoding") for answer in answers][1:] == [None, None]
    assert json.loads(answers[1].body) == json.loads(answers[2].body)


def test_head_of_an_error_has_no_body(api: Api) -> None:
    answer = api.head(new_identity().path)
    assert (answer.status_code, answer.content) == (404, b"")
    assert answer.headers["content-type"] == "application/problem+json"
