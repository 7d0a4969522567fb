"""The index adapters that the contract is tried with."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from shared.settings import Settings
from shared.storage import adapters
from shared.storage.index.port import Index
from tests.azure.cosmos import CosmosAccount

OpenIndex: TypeAlias = Callable[[], Awaitable[Index]]


def in_a_file(request: pytest.FixtureRequest) -> Settings:
    folder: Path = request.getfixturevalue("tmp_path")
    return Settings(index=str(folder / "data" / "index.sqlite"))


def on_cosmos(request: pytest.FixtureRequest) -> Settings:
    account: CosmosAccount = request.getfixturevalue("cosmos_account")
    return Settings(index=f"cosmos:{uuid.uuid4()}", index_connection=account.connection_string)


@pytest.fixture(params=[in_a_file, on_cosmos], ids=["sqlite", "cosmos"])
def index_settings(request: pytest.FixtureRequest) -> Settings:
    """They name an index that does not exist yet."""
    settings: Callable[[pytest.FixtureRequest], Settings] = request.param
    return settings(request)


@pytest.fixture
async def open_index(index_settings: Settings) -> AsyncIterator[OpenIndex]:
    """Opens the same index again, as another process would."""
    async with AsyncExitStack() as opened:

        async def open_one() -> Index:
            index = adapters.index(index_settings)
            await index.open()
            opened.push_async_callback(index.close)
            return index

        yield open_one


@pytest.fixture
async def index(open_index: OpenIndex) -> Index:
    return await open_index()
