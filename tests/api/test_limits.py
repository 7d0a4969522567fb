"""What one request may take: bytes of its head, time in which nothing comes or is taken, a place among the others."""

import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest

from tests.api.client import DICOM, Api, connection, exchange, read_answer, request_head
from tests.api.files import native, without_pixels
from tests.instances import new_identity
from tests.server import RunningServer, running

IDLE = 0.4
MOST_REQUESTS = 3
MOST_URL = 2000
MOST_HEADERS = 3000
SETTINGS = {
    "DICOM_IDLE_SECONDS": str(IDLE),
    "DICOM_MAX_REQUESTS": str(MOST_REQUESTS),
    "DICOM_MAX_URL_BYTES": str(MOST_URL),
    "DICOM_MAX_HEADER_BYTES": str(MOST_HEADERS),
}
LENGTH = 30_000_000
WAIT = "/v2/changefeed?wait=20&offset=1000000"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("limits") / "data", workers=1, settings=SETTINGS) as started:
        yield started


@pytest.fixture(scope="module")
def strict(limited: RunningServer, http: httpx.Client) -> Api:
    return Api(http, f"{limited.url}/v2")


@pytest.fixture(scope="module")
def large(strict: Api) -> str:
    """The path of an instance whose bytes fit into no buffer on their way."""
    identity = new_identity()
    strict.keep(native(identity, bytes(LENGTH), side=3873))
    return identity.path


def get(strict: Api, path: str, *headers: str) -> int:
    return exchange(strict.base, request_head("GET", path, *headers)).status


@pytest.mark.parametrize("path", ["/v2/studies?PatientID={}", "/v2/studies/{}", "/v2/{}", "/{}"])
def test_a_url_over_the_limit_is_414(strict: Api, path: str) -> None:
    answer = strict.http.get(strict.base.removesuffix("/v2") + path.format("1" * MOST_URL))
    assert answer.status_code == 414
    assert answer.json() == {
        "type": "about:blank",
        "title": "URL too long",
        "status": 414,
        "detail": f"Path and query of a request are at most {MOST_URL} bytes long.",
    }
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_bytes_of_the_url_are_counted_as_they_were_sent(strict: Api) -> None:
    path, sign = "/v2/partitions?x=", "%41"
    room = MOST_URL - len(path) + 1
    assert get(strict, path + "a" * room) == 200
    assert get(strict, path + sign * (room // 3 + 1)) == 414
    assert get(strict, "/v2/" + sign * (MOST_URL // 3 + 1)) == 414


@pytest.mark.parametrize(
    "headers",
    [
        ["X-Any: " + "x" * MOST_HEADERS],
        [f"X-{number}: " + "x" * 60 for number in range(60)],
        ["Accept: " + "a" * MOST_HEADERS],
        ["Authorization: Bearer " + "a" * MOST_HEADERS],
        ["X-" + "a" * MOST_HEADERS + ": 1"],
    ],
    ids=lambda headers: headers[0][:10],
)
@pytest.mark.parametrize("path", ["/v2/studies", "/health/check", "/nowhere"])
def test_headers_over_the_limit_are_431(strict: Api, headers: list[str], path: str) -> None:
    answer = exchange(strict.base, request_head("GET", path, *headers))
    assert answer.status == 431
    assert answer.headers["content-type"] == "application/problem+json"
    assert b'"Request headers too large"' in answer.body


@pytest.mark.parametrize("count", [101, 1000])
def test_headers_without_number_are_431(strict: Api, count: int) -> None:
    assert get(strict, "/v2/studies", *(f"X-{number}: 1" for number in range(count))) == 431


def test_headers_below_the_limit_pass(strict: Api) -> None:
    assert get(strict, "/v2/studies", "X-Any: " + "x" * (MOST_HEADERS - 100)) == 204


class TestTime:
    def head(self, length: int = 100_000) -> bytes:
        return request_head("POST", "/v2/studies", f"Content-Type: {DICOM}", f"Content-Length: {length}")

    @pytest.mark.parametrize("begun", [b"", bytes(1000)], ids=["nothing", "a part"])
    def test_a_body_that_does_not_come_is_408(self, strict: Api, begun: bytes) -> None:
        began = time.monotonic()
        with connection(strict.base) as opened:
            opened.sendall(self.head() + begun)
            answer = read_answer(opened)
            assert opened.recv(1) == b""
        assert answer.status == 408
        assert b"Nothing came of the request body for 0.4 seconds." in answer.body
        assert IDLE <= time.monotonic() - began < IDLE + 5

    @pytest.mark.parametrize(
        ("method", "path"),
        [("POST", "/v2/uploads"), ("PUT", f"/v2/uploads/{'0' * 32}"), ("POST", "/v2/extendedquerytags")],
    )
    def test_nor_does_any_other_function_wait_for_one(self, strict: Api, method: str, path: str) -> None:
        head = request_head(method, path, "Content-Type: application/json", "Content-Length: 10")
        assert exchange(strict.base, head).status == 408

    def test_a_body_that_comes_slowly_is_taken(self, strict: Api) -> None:
        identity = new_identity()
        file = without_pixels(identity)
        began = time.monotonic()
        step = -(-len(file) // 6)
        with connection(strict.base) as opened:
            opened.sendall(self.head(len(file)))
            for start in range(0, len(file), step):
                time.sleep(IDLE / 3)
                opened.sendall(file[start : start + step])
            assert read_answer(opened).status == 200
        assert time.monotonic() - began > IDLE
        assert strict.get(identity.path).status_code == 200

    def test_what_came_whole_before_is_kept(self, strict: Api) -> None:
        identity = new_identity()
        part = b"--x\r\nContent-Type: application/dicom\r\n\r\n" + without_pixels(identity) + b"\r\n--x\r\n"
        head = request_head(
            "POST",
            "/v2/studies",
            f'Content-Type: multipart/related; type="{DICOM}"; boundary=x',
            "Content-Length: 9999",
        )
        assert exchange(strict.base, head + part).status == 408
        assert strict.get(identity.path).status_code == 200


@contextmanager
def unread(strict: Api, path: str) -> Iterator[socket.socket]:
    """A connection on which an answer is begun that nobody takes."""
    with connection(strict.base) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        opened.sendall(request_head("GET", path, "Accept: application/dicom"))
        yield opened


def received(opened: socket.socket, length: int) -> int:
    """How many of so many bytes come until the connection is closed."""
    left = length
    with suppress(ConnectionError):
        while left and (chunk := opened.recv(min(left, 1_000_000))):
            left -= len(chunk)
    return length - left


class TestAnswers:
    def test_one_that_is_not_taken_is_broken_off(self, strict: Api, large: str) -> None:
        with unread(strict, f"/v2{large}") as opened:
            time.sleep(3 * IDLE)
            assert received(opened, LENGTH) < LENGTH

    def test_one_that_is_taken_slowly_comes_whole(self, strict: Api, large: str) -> None:
        with unread(strict, f"/v2{large}") as opened:
            for _ in range(6):
                time.sleep(IDLE / 2)
                assert received(opened, LENGTH // 6) == LENGTH // 6
            assert received(opened, 1) == 1


@contextmanager
def asked_to_wait(strict: Api) -> Iterator[bool]:
    """A request for changes that don't come, and whether it is under way rather than refused."""
    with connection(strict.base) as opened:
        opened.sendall(request_head("GET", WAIT))
        yield not select.select([opened], [], [], 0.1)[0]


class TestPlaces:
    @staticmethod
    @contextmanager
    def waiting(strict: Api, count: int) -> Iterator[None]:
        """So many requests under way, which wait for changes."""
        with ExitStack() as stack:
            for _ in range(count):
                while not stack.enter_context(asked_to_wait(strict)):
                    pass
            yield

    def test_a_request_for_which_there_is_no_place_is_429(self, strict: Api) -> None:
        with self.waiting(strict, MOST_REQUESTS):
            answer = strict.get("/studies")
            assert answer.status_code == 429
            assert answer.json()["title"] == "Too many requests"
            assert int(answer.headers["retry-after"]) > 0
            assert answer.headers["x-frame-options"] == "SAMEORIGIN"
            assert strict.store(without_pixels()).status_code == 429

    @pytest.mark.parametrize(("method", "path"), [("GET", "/health/check"), ("OPTIONS", "/v2/studies")])
    def test_who_looks_after_the_service_gets_an_answer(self, strict: Api, method: str, path: str) -> None:
        with self.waiting(strict, MOST_REQUESTS):
            assert strict.http.request(method, strict.base.removesuffix("/v2") + path).status_code in (200, 204)

    def test_one_below_the_limit_passes(self, strict: Api) -> None:
        with self.waiting(strict, MOST_REQUESTS - 1):
            assert strict.get("/studies").status_code in (200, 204)

    def test_places_are_given_back(self, strict: Api) -> None:
        with self.waiting(strict, MOST_REQUESTS):
            assert strict.get("/studies").status_code == 429
        self.until_free(strict)
        for path in ("/studies", "/studies/1.2", "/studies/x", "/nowhere", "/studies?limit=x") * MOST_REQUESTS:
            assert strict.get(path).status_code != 429
            assert strict.head(path).status_code != 429

    def test_a_streamed_answer_keeps_its_place_to_its_end(self, strict: Api, large: str) -> None:
        with ExitStack() as stack:
            for _ in range(MOST_REQUESTS):
                stack.enter_context(unread(strict, f"/v2{large}"))
            time.sleep(0.2)
            assert strict.get("/studies").status_code == 429
        self.until_free(strict)
        for _ in range(MOST_REQUESTS + 1):
            assert strict.get(large, DICOM).status_code == 200

    @staticmethod
    def until_free(strict: Api) -> None:
        deadline = time.monotonic() + 10
        while strict.get("/partitions").status_code == 429:
            assert time.monotonic() < deadline
            time.sleep(0.05)
