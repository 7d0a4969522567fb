"""The index adapters that the contract is tried with."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import pytest

from shared.storage.index.port import Index
from shared.storage.index.sqlite import SqliteIndex

ADAPTERS: dict[str, Callable[[Path], Index]] = {"sqlite": lambda folder: SqliteIndex(folder / "data" / "index.sqlite")}

OpenIndex: TypeAlias = Callable[[], Awaitable[Index]]


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
async def open_index(adapter: str, tmp_path: Path) -> AsyncIterator[OpenIndex]:
    """Opens the same index again, as another process would."""
    async with AsyncExitStack() as opened:

        async def open_one() -> Index:
            index = ADAPTERS[adapter](tmp_path)
            await index.open()
            opened.push_async_callback(index.close)
            return index

        yield open_one


@pytest.fixture
async def index(open_index: OpenIndex) -> Index:
    return await open_index()
