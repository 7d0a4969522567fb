"""One data folder served twice: by the worker behind the stand-in of the Functions host, and by the embedded host."""

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from tests.instances import Identity, dataset, multipart, new_identity, part10
from tests.server import RunningServer, running
from tests.worker.client import PARTS, Client
from tests.worker.host import RunningWorker, worker_over

SETTINGS = {"DICOM_CORS_ORIGINS": "loopback"}
TAG = "00101010"
WAIT_SECONDS = 60.0


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data")


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory, data: Path) -> Iterator[RunningWorker]:
    with worker_over(tmp_path_factory.mktemp("worker"), data, SETTINGS) as running_worker:
        yield running_worker


@pytest.fixture
def worker(started: RunningWorker) -> Iterator[RunningWorker]:
    """The worker; nothing may go wrong in it unseen during a test."""
    before = started.failures()
    yield started
    assert started.failures() == before


@pytest.fixture(scope="session")
def local(started: RunningWorker, data: Path) -> Iterator[RunningServer]:
    with running(data, workers=1, settings=SETTINGS) as server:
        yield server


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60.0) as client:
        yield client


@pytest.fixture
def azure(http: httpx.Client, worker: RunningWorker) -> Client:
    """The Functions host's side."""
    return Client(http, worker.url)


@pytest.fixture
def embedded(http: httpx.Client, local: RunningServer) -> Client:
    """The embedded host's side."""
    return Client(http, local.url)


@pytest.fixture(scope="session")
def kept(http: httpx.Client, started: RunningWorker) -> list[Identity]:
    """Three instances of one series, stored through the worker in the default partition and in one named ``ward``."""
    first = new_identity()
    identities = [first, *(new_identity(first.study, first.series) for _ in range(2))]
    files = [part10(dataset(identity, frames=3, InstanceNumber=n)) for n, identity in enumerate(identities)]
    client = Client(http, started.url)
    for place in ("/v2", "/v2/partitions/ward"):
        answer = client.ask("POST", f"{place}/studies", PARTS, multipart(files))
        assert answer.status == 200, answer.body
    return identities


@pytest.fixture(scope="session")
def indexed(http: httpx.Client, started: RunningWorker) -> str:
    """The id of an operation that has ended: it indexed an extended query tag, ``TAG``."""
    client = Client(http, started.url)
    answer = client.ask("POST", "/v2/extendedquerytags", content=orjson.dumps([{"path": TAG, "level": "Study"}]))
    assert answer.status == 202, answer.body
    operation: str = orjson.loads(answer.body)["id"]
    deadline = time.monotonic() + WAIT_SECONDS
    while client.ask("GET", f"/v2/operations/{operation}").status == 202 and time.monotonic() < deadline:
        time.sleep(0.1)
    return operation
