"""Requests far larger than the memory that the service may take for them."""

import hashlib
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import httpx
import orjson
import pytest

from tests.instances import Identity, dataset, new_identity, part10, pixel_bytes, streamed
from tests.server import RunningServer, running

pytestmark = pytest.mark.soak

MOST_GROWTH = 120 * 1024 * 1024
"""Bytes by which the service may grow while it works on one request."""
LATER_GROWTH = 16 * 1024 * 1024
"""Bytes by which it may grow after that, at a request of the same kind."""
SAMPLE_SECONDS = 0.05
TIMEOUT_SECONDS = 300
SLOW_SECONDS = 1.5
PARTS = 5_000
HEADER_TEXT = 40_000
"""Characters that each of the many parts has in its header: the metadata of all come to 200 MB."""

BOUNDARY = "a-boundary"
PART_HEAD = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
CLOSING = f"--{BOUNDARY}--\r\n".encode()
MULTIPART = f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'


class Study:
    """Instances that differ in their UID, made from one template."""

    def __init__(self) -> None:
        identity = new_identity()
        self._uid = f"{identity.series}.10000"
        text = "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(256))
        image = dataset(
            Identity(identity.study, identity.series, self._uid), side=128, TextValue=(text * 3)[:HEADER_TEXT]
        )
        self._template = part10(image)
        self.file_bytes = len(self._template)
        self.path = f"/studies/{identity.study}"

    def body(self, parts: int = PARTS) -> Iterator[bytes]:
        """A multipart body of so many."""
        for number in range(10_000, 10_000 + parts):
            uid = f"{self._uid[:-5]}{number}"
            yield PART_HEAD + self._template.replace(self._uid.encode(), uid.encode()) + b"\r\n"
        yield CLOSING


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One worker, warm: what the first request loads is not counted as growth."""
    data = tmp_path_factory.mktemp("soak") / "data"
    try:
        with running(data, workers=1) as server:
            identity = new_identity()
            store(server, iter([PART_HEAD, part10(dataset(identity)), b"\r\n", CLOSING]))
            retrieved(server, identity.path, "application/dicom")
            yield server
    finally:
        shutil.rmtree(data, ignore_errors=True)


class Growth:
    """How many bytes of memory a server takes while a block runs, at most, more than it took before."""

    def __init__(self, server: RunningServer) -> None:
        self._server = server
        self._done = Event()
        self._pool = ThreadPoolExecutor(1)
        self.bytes = 0

    def __enter__(self) -> "Growth":
        self._before = self._server.memory()
        self._most = self._pool.submit(self._watch)
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self.bytes = self._most.result() - self._before
        self._pool.shutdown()

    def _watch(self) -> int:
        most = self._server.memory()
        while not self._done.wait(SAMPLE_SECONDS):
            most = max(most, self._server.memory())
        return most


def test_two_gigabytes_go_in_and_come_out_in_little_memory(server: RunningServer) -> None:
    identity = new_identity()
    image = dataset(identity, side=1024, frames=1024)
    assert pixel_bytes(image) == 2 * 1024**3
    sent = hashlib.sha256()

    def body() -> Iterator[bytes]:
        yield PART_HEAD
        for chunk in streamed(image):
            sent.update(chunk)
            yield chunk
        yield b"\r\n" + CLOSING

    with Growth(server) as growth:
        store(server, body())
    assert growth.bytes < MOST_GROWTH
    with Growth(server) as growth:
        read_little(server, identity.path, "application/dicom")
    assert growth.bytes < MOST_GROWTH
    with Growth(server) as growth:
        length, received = retrieved(server, identity.path, "application/dicom")
    assert growth.bytes < MOST_GROWTH
    assert length > pixel_bytes(image)
    assert received == sent.hexdigest()


@pytest.fixture(scope="module")
def many(server: RunningServer) -> Study:
    """A study stored by one request, which is held to the limit on the way."""
    study = Study()
    with Growth(server) as growth:
        answer = store(server, study.body())
    assert growth.bytes < MOST_GROWTH
    assert len(orjson.loads(answer)["00081199"]["Value"]) == PARTS
    return study


def test_another_request_of_the_kind_takes_no_more_memory(server: RunningServer, many: Study) -> None:
    with Growth(server) as growth:
        store(server, Study().body(PARTS // 5))
    assert growth.bytes < LATER_GROWTH


def test_a_study_of_many_instances_comes_out_in_little_memory(server: RunningServer, many: Study) -> None:
    with Growth(server) as growth:
        length, _ = retrieved(server, many.path, 'multipart/related; type="application/dicom"; transfer-syntax=*')
    assert growth.bytes < MOST_GROWTH
    assert length > PARTS * many.file_bytes


def test_metadata_of_many_instances_come_out_in_little_memory(server: RunningServer, many: Study) -> None:
    with Growth(server) as growth:
        read_little(server, f"{many.path}/metadata", "application/dicom+json")
        length, _ = retrieved(server, f"{many.path}/metadata", "application/dicom+json")
    assert growth.bytes < MOST_GROWTH
    assert length > PARTS * HEADER_TEXT > MOST_GROWTH


def store(server: RunningServer, body: Iterator[bytes]) -> bytes:
    """Send a multipart body of unknown length; gives the answer's body."""
    headers = {"Content-Type": MULTIPART}
    answer = httpx.post(f"{server.url}/v2/studies", content=body, headers=headers, timeout=TIMEOUT_SECONDS)
    assert answer.status_code == 200
    return answer.content


def retrieved(server: RunningServer, path: str, accept: str) -> tuple[int, str]:
    """Length and SHA-256 of an answer's body, read as a stream."""
    length, received = 0, hashlib.sha256()
    headers = {"Accept": accept, "Accept-Encoding": "identity"}
    with httpx.stream("GET", f"{server.url}/v2{path}", headers=headers, timeout=TIMEOUT_SECONDS) as answer:
        assert answer.status_code == 200
        for chunk in answer.iter_raw():
            received.update(chunk)
            length += len(chunk)
    return length, received.hexdigest()


def read_little(server: RunningServer, path: str, accept: str) -> None:
    """Read the beginning of an answer, wait for what the service would read ahead, and hang up."""
    with httpx.stream("GET", f"{server.url}/v2{path}", headers={"Accept": accept}, timeout=TIMEOUT_SECONDS) as answer:
        assert next(answer.iter_raw())
        time.sleep(SLOW_SECONDS)
