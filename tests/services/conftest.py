"""Services over each pair of storages."""

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from shared.services import known_tags, reindex
from shared.services.context import Services, close_services, open_services
from shared.settings import Settings
from shared.storage.index.cosmos import adapter, recent
from shared.storage.index.cosmos.tags import CosmosTags
from tests.azure.azurite import Azurite
from tests.azure.cosmos import CosmosAccount


def on_this_machine(request: pytest.FixtureRequest) -> dict[str, str]:
    folder: Path = request.getfixturevalue("tmp_path")
    return {
        "blobs": str(folder / "blobs"),
        "index": str(folder / f"{uuid4()}.sqlite"),
        "inbox": str(folder / "inbox"),
    }


def in_azure(request: pytest.FixtureRequest) -> dict[str, str]:
    azurite: Azurite = request.getfixturevalue("azurite")
    cosmos: CosmosAccount = request.getfixturevalue("cosmos_account")
    return {
        "blobs": f"azure:{uuid4()}",
        "blobs_connection": azurite.connection,
        "index": f"cosmos:{uuid4()}",
        "index_connection": cosmos.connection_string,
        "inbox": f"azure:{uuid4()}",
    }


Pair = Callable[[pytest.FixtureRequest], dict[str, str]]


@pytest.fixture(params=[on_this_machine, in_azure], ids=["folder+sqlite", "azurite+cosmos"])
def pair(request: pytest.FixtureRequest) -> Pair:
    chosen: Pair = request.param
    return chosen


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Changes are known everywhere soon: here no process goes by old tags, and no commit takes, as long as any may."""
    for module in (known_tags, reindex):
        monkeypatch.setattr(module, "REMEMBERED_SECONDS", 0.2)
    monkeypatch.setattr(CosmosTags, "settle_seconds", 1.0)
    for module in (adapter, recent):
        monkeypatch.setattr(module, "LEASE_SECONDS", 0.3)


@pytest.fixture
async def services(pair: Pair, request: pytest.FixtureRequest) -> AsyncIterator[Services]:
    opened = await open_services(Settings(reconcile_after_seconds=0, **pair(request)))  # type: ignore[arg-type]
    yield opened
    await close_services(opened)


@pytest.fixture
async def other(services: Services) -> AsyncIterator[Services]:
    """Another process over the same storage."""
    opened = await open_services(services.settings)
    yield opened
    await close_services(opened)


@pytest.fixture
async def anew(services: Services, pair: Pair, request: pytest.FixtureRequest) -> AsyncIterator[Services]:
    """Services over the same blobs and an index that is still empty."""
    index = {"index": pair(request)["index"]}
    opened = await open_services(services.settings.model_copy(update=index))
    yield opened
    await close_services(opened)
