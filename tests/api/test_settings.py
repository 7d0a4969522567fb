"""What the settings change, on a server of its own: limits of requests, the public URL, origins."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.client import DICOM, Api, chunked, connection, exchange, read_answer, request_head
from tests.api.files import native, without_pixels
from tests.api.store_answers import RETRIEVE_URL, referenced
from tests.instances import multipart, new_identity
from tests.server import RunningServer, running

MOST_BYTES = 200_000
MOST_PARTS = 5
PUBLIC_URL = "https://pacs.example.org/dicom"
SETTINGS = {
    "DICOM_MAX_REQUEST_BYTES": str(MOST_BYTES),
    "DICOM_MAX_PARTS": str(MOST_PARTS),
    "DICOM_PUBLIC_URL": PUBLIC_URL,
    "DICOM_CORS_ORIGINS": "https://viewer.example.org, https://other.example.org",
}
PIXELS = bytes(2 * 400 * 400)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("limited") / "data", workers=1, settings=SETTINGS) as started:
        yield started


@pytest.fixture
def strict(limited: RunningServer, http: httpx.Client) -> Api:
    return Api(http, f"{limited.url}/v2")


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize("form", ["single part", "multipart"])
def test_a_body_over_the_limit_is_413(strict: Api, method: str, form: str) -> None:
    identity = new_identity()
    file = native(identity, PIXELS, side=400)
    answer = (strict.store_one if form == "single part" else strict.store)(file, method=method)
    assert answer.status_code == 413
    assert answer.json()["detail"].startswith(f"The request exceeded the allowed limit of {MOST_BYTES} bytes.")
    assert strict.get(identity.path).status_code == 404


def test_a_chunked_body_over_the_limit_is_413_and_what_came_whole_is_kept(strict: Api) -> None:
    small, large = new_identity(), new_identity()
    body = multipart([without_pixels(small), native(large, PIXELS, side=400)])
    head = request_head(
        "POST",
        "/v2/studies",
        'Content-Type: multipart/related; type="application/dicom"; boundary=a-boundary',
        "Transfer-Encoding: chunked",
    )
    with connection(strict.base) as opened:
        opened.sendall(head + chunked(body, 10_000))
        assert read_answer(opened).status == 413
    assert strict.get(small.path).status_code == 200
    assert strict.get(large.path).status_code == 404


def test_a_declared_length_over_the_limit_is_413_at_once(strict: Api) -> None:
    head = request_head("POST", "/v2/studies", f"Content-Type: {DICOM}", f"Content-Length: {MOST_BYTES + 1}")
    assert exchange(strict.base, head).status == 413


def test_after_a_413_the_connection_is_used_again_or_said_to_end(strict: Api) -> None:
    file = native(new_identity(), PIXELS, side=400)
    for _ in range(20):
        answer = strict.store_one(file)
        assert answer.status_code == 413
        assert "connection" not in answer.headers
    with connection(strict.base) as opened:
        head = request_head("POST", "/v2/studies", f"Content-Type: {DICOM}", f"Content-Length: {MOST_BYTES + 1}")
        opened.sendall(head + bytes(1000))
        answer_read = read_answer(opened)
        assert answer_read.status == 413
        assert answer_read.headers["connection"] == "close"


def test_a_body_of_just_the_limit_is_taken(strict: Api) -> None:
    identity = new_identity()
    file = native(identity, PIXELS[: 2 * 300 * 300], side=300)
    file = native(identity, PIXELS[: 2 * 300 * 300 + MOST_BYTES - len(file)], side=300)
    assert len(file) == MOST_BYTES
    assert strict.store_one(file).status_code == 200


def test_too_many_parts_are_413_and_the_first_are_kept(strict: Api) -> None:
    identities = [new_identity() for _ in range(MOST_PARTS + 1)]
    files = [without_pixels(identity) for identity in identities]
    assert strict.store(*files[:MOST_PARTS]).status_code == 200
    assert strict.store(*files).status_code == 413
    others = [new_identity() for _ in range(MOST_PARTS + 1)]
    assert strict.store(*map(without_pixels, others)).status_code == 413
    assert {strict.get(identity.path).status_code for identity in others[:MOST_PARTS]} == {200}
    assert strict.get(others[-1].path).status_code == 404


@pytest.mark.parametrize("headers", [{}, {"X_Forwarded_Host": "evil.example"}, {"Host": "evil.example"}])
def test_urls_begin_with_the_public_url(strict: Api, headers: dict[str, str]) -> None:
    identity = new_identity()
    answer = strict.request("POST", "/studies", content=without_pixels(identity), content_type=DICOM, **headers)
    (entry,) = referenced(answer)
    assert entry[RETRIEVE_URL]["Value"] == [f"{PUBLIC_URL}/v2{identity.path}"]


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://viewer.example.org", True),
        ("https://other.example.org", True),
        ("http://viewer.example.org", False),
        ("https://viewer.example.org.evil.example", False),
        ("http://localhost", False),
    ],
)
def test_only_the_origins_named_may_call(strict: Api, origin: str, allowed: bool) -> None:
    answer = strict.get("/studies", Origin=origin)
    assert answer.headers.get("access-control-allow-origin") == (origin if allowed else None)


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Host": "127.0.0.1.evil.example:80"}])
def test_without_access_control_it_answers_browsers_by_its_own_names_only(strict: Api, headers: dict[str, str]) -> None:
    answer = strict.get("/studies", Accept_Language="en", **headers)
    assert answer.status_code == 403
    assert "without access control" in answer.json()["detail"].lower()


def test_the_name_of_the_public_url_is_its_own(strict: Api) -> None:
    assert strict.get("/studies", Host="pacs.example.org", Accept_Language="en").status_code in (200, 204)


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
def test_without_access_control_pages_of_others_change_nothing(strict: Api, origin: str) -> None:
    body = b'[{"path": "00101010", "level": "Instance"}]'
    refused = strict.request("POST", "/extendedquerytags", content=body, Origin=origin, Content_Type="text/plain")
    assert refused.status_code == 403
    assert strict.get("/extendedquerytags").json() == []
