"""One server for all API tests. They know it by its URL only, so that any pair of storages can be behind it."""

from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.api.client import Api
from tests.azure.azurite import Azurite
from tests.azure.cosmos import CosmosAccount
from tests.server import RunningServer, running


def on_this_machine(request: pytest.FixtureRequest) -> dict[str, str]:
    return {}


def in_azure(request: pytest.FixtureRequest) -> dict[str, str]:
    azurite: Azurite = request.getfixturevalue("azurite")
    cosmos: CosmosAccount = request.getfixturevalue("cosmos_account")
    return {
        "DICOM_BLOBS": f"azure:{uuid4()}",
        "DICOM_BLOBS_CONNECTION": azurite.connection,
        "DICOM_INDEX": f"cosmos:{uuid4()}",
        "DICOM_INDEX_CONNECTION": cosmos.connection_string,
        "DICOM_INBOX": f"azure:{uuid4()}",
    }


@pytest.fixture(scope="session", params=[on_this_machine, in_azure], ids=["folder+sqlite", "azurite+cosmos"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    settings = request.param(request)
    with running(tmp_path_factory.mktemp("api") / "data", workers=2, settings=settings) as started:
        yield started


@pytest.fixture(scope="session")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60.0) as client:
        yield client


@pytest.fixture(scope="session")
def api(server: RunningServer, http: httpx.Client) -> Api:
    """Version 2, no partition named."""
    return Api(http, f"{server.url}/v2")


@pytest.fixture(scope="session")
def v1(server: RunningServer, http: httpx.Client) -> Api:
    """Version 1, no partition named."""
    return Api(http, f"{server.url}/v1")


def _new_partition(api: Api) -> Api:
    return Api(api.http, f"{api.base}/partitions/p-{uuid4().hex}")


@pytest.fixture
def partition(api: Api) -> Api:
    """A data partition of its own, which the first store creates."""
    return _new_partition(api)


@pytest.fixture(scope="module")
def shelf(api: Api) -> Api:
    """A data partition that the tests of one module share."""
    return _new_partition(api)
