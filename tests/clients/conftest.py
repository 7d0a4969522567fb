"""One server for the tests of all clients, and the studies that each finds in a data partition of its own."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.api.client import Api
from tests.clients.archive import Archive
from tests.server import RunningServer, running


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("clients") / "data", workers=2) as server:
        yield server


@pytest.fixture(scope="session")
def archive() -> Archive:
    return Archive()


@pytest.fixture
def empty_url(server: RunningServer) -> str:
    """A data partition that nothing was stored in."""
    return f"{server.url}/v2/partitions/{uuid4()}"


@pytest.fixture(scope="module")
def url(server: RunningServer, archive: Archive) -> str:
    """A data partition that holds the archive."""
    url = f"{server.url}/v2/partitions/{uuid4()}"
    with httpx.Client() as client:
        Api(client, url).keep(*archive.files)
    return url
