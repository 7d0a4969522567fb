"""Bodies pass through the worker as streams, many at once, and clients may leave in the middle of one."""

import hashlib
import socket
import stat
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Barrier

import httpx
import pytest

from tests.instances import Identity, dataset, new_identity, part10, streamed
from tests.server import RunningServer
from tests.worker.client import DICOM, Client
from tests.worker.host import RunningWorker

MIB = 1024 * 1024
AT_ONCE = 20
WAIT_SECONDS = 30.0
LITTLE_ROOM = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)]
"""Of a client that the system takes no more than this for, so that an answer waits until it is read."""
MOST_GROWTH = 48 * MIB
"""Bytes by which the worker and the host's stand-in, one process, may grow while they pass on one body."""
FILE = {"Accept": "application/dicom; transfer-syntax=*"}


def until(true: Callable[[], bool]) -> None:
    """Wait for something to become true."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not true():
        assert time.monotonic() < deadline, "It did not happen in time."
        time.sleep(0.02)


def blobs(data: Path) -> dict[Path, int]:
    """The blobs and their lengths, those being written too."""
    found = {}
    for path in (data / "blobs").rglob("*"):
        try:
            about = path.stat()
        except FileNotFoundError:
            continue
        if stat.S_ISREG(about.st_mode):
            found[path] = about.st_size
    return found


def large(frames: int) -> tuple[Identity, Callable[[], Iterator[bytes]]]:
    """An instance of as many frames of 2 MiB: its identity, and its file in chunks of 1 MiB."""
    identity = new_identity()
    return identity, lambda: streamed(dataset(identity, side=1024, frames=frames))


def connected(worker: RunningWorker | RunningServer, request: str, *headers: str) -> socket.socket:
    """A connection on which the head of a request has been sent."""
    client = socket.create_connection(("127.0.0.1", worker.port))
    client.sendall("\r\n".join([f"{request} HTTP/1.1", "Host: x", *headers, "", ""]).encode())
    return client


def digest(chunks: Iterator[bytes]) -> str:
    found = hashlib.sha256()
    for chunk in chunks:
        found.update(chunk)
    return found.hexdigest()


def test_an_upload_is_written_while_it_arrives(worker: RunningWorker, azure: Client, data: Path) -> None:
    _, chunks = large(frames=12)
    before = sum(blobs(data).values())

    def halting() -> Iterator[bytes]:
        for number, chunk in enumerate(chunks()):
            if number == 18:
                until(lambda: sum(blobs(data).values()) > before + 4 * MIB)
            yield chunk

    assert azure.ask("POST", "/v2/studies", DICOM, halting()).status == 200


def test_a_large_instance_passes_in_bounded_memory(worker: RunningWorker, http: httpx.Client, azure: Client) -> None:
    identity, chunks = large(frames=64)
    before, most = worker.memory(), 0

    def watched(passing: Iterator[bytes]) -> Iterator[bytes]:
        nonlocal most
        for chunk in passing:
            most = max(most, worker.memory())
            yield chunk

    assert azure.ask("POST", "/v2/studies", DICOM, watched(chunks())).status == 200
    with http.stream("GET", f"{worker.url}/v2{identity.path}", headers=FILE) as answer:
        received = digest(watched(answer.iter_raw()))
    assert received == digest(chunks())
    assert most - before < MOST_GROWTH


def test_twenty_at_once(worker: RunningWorker) -> None:
    identities = [new_identity() for _ in range(AT_ONCE)]
    files = [part10(dataset(identity, side=512, frames=16)) for identity in identities]
    started = Barrier(AT_ONCE, lambda: until(lambda: worker.status()["in_flight"] == AT_ONCE), WAIT_SECONDS)

    def halves(file: bytes) -> Iterator[bytes]:
        yield file[: len(file) // 2]
        started.wait()
        yield file[len(file) // 2 :]

    def store(file: bytes) -> int:
        return httpx.post(f"{worker.url}/v2/studies", content=halves(file), headers=DICOM, timeout=60).status_code

    def retrieve(identity: Identity) -> bytes:
        with (
            httpx.Client(transport=httpx.HTTPTransport(socket_options=LITTLE_ROOM), timeout=60) as client,
            client.stream("GET", f"{worker.url}/v2{identity.path}", headers=FILE) as answer,
        ):
            started.wait()
            return answer.read()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        assert list(pool.map(store, files)) == [200] * AT_ONCE
        assert list(pool.map(retrieve, identities)) == files


@pytest.mark.parametrize("framing", ["Content-Length: 99999999", "Transfer-Encoding: chunked"])
def test_a_client_that_leaves_during_an_upload_leaves_nothing(
    framing: str, worker: RunningWorker, azure: Client, data: Path
) -> None:
    identity, chunks = large(frames=16)
    before = blobs(data)
    with connected(worker, "POST /v2/studies", "Content-Type: application/dicom", framing) as client:
        for chunk, _ in zip(chunks(), range(16), strict=False):
            client.sendall(chunk if "Length" in framing else b"%x\r\n%b\r\n" % (len(chunk), chunk))
        until(lambda: sum(blobs(data).values()) > sum(before.values()))
    until(lambda: worker.status()["in_flight"] == 0)
    until(lambda: blobs(data) == before)
    assert worker.open_files(data / "blobs") == []
    assert azure.ask("GET", f"/v2/studies?StudyInstanceUID={identity.study}").status == 204


def test_a_client_that_leaves_during_a_slow_download(worker: RunningWorker, azure: Client, data: Path) -> None:
    identity, chunks = large(frames=48)
    assert azure.ask("POST", "/v2/studies", DICOM, chunks()).status == 200
    before = worker.memory()
    with connected(worker, f"GET /v2{identity.path}", f"Accept: {FILE['Accept']}") as client:
        assert client.recv(1024).startswith(b"HTTP/1.1 200")
        time.sleep(1)
        assert worker.status()["in_flight"] == 1
        assert worker.memory() - before < MOST_GROWTH
    until(lambda: worker.status()["in_flight"] == 0)
    until(lambda: worker.open_files(data / "blobs") == [])
    assert azure.ask("GET", "/health/check").status == 200


@pytest.mark.parametrize("host", ["worker", "local"])
@pytest.mark.parametrize("frames", [2, 24], ids=["short", "long"])
def test_downloads_that_are_given_up_hold_no_file(
    frames: int, host: str, request: pytest.FixtureRequest, azure: Client, data: Path
) -> None:
    asked: RunningWorker | RunningServer = request.getfixturevalue(host)
    identity, chunks = large(frames)
    assert azure.ask("POST", "/v2/studies", DICOM, chunks()).status == 200
    with ExitStack() as clients:
        for _ in range(5):
            client = clients.enter_context(connected(asked, f"GET /v2{identity.path}", f"Accept: {FILE['Accept']}"))
            assert client.recv(1024).startswith(b"HTTP/1.1 200")
        assert asked.open_files(data / "blobs") or frames == 2
    until(lambda: asked.open_files(data / "blobs") == [])
