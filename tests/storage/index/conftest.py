"""Several processes with one index on Cosmos DB."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeAlias

import pytest

from shared.storage.index.cosmos import Account, CosmosIndex
from tests.azure.cosmos import CosmosStandIn

DATABASE = "particular"

Process: TypeAlias = Callable[[], Awaitable[CosmosIndex]]


@pytest.fixture
async def process(cosmos_stand_in: CosmosStandIn) -> AsyncIterator[Process]:
    """Opens the index as another process would."""
    cosmos_stand_in.reset()
    opened: list[CosmosIndex] = []

    async def open_one() -> CosmosIndex:
        index = CosmosIndex(Account.by_key(cosmos_stand_in.connection_string, DATABASE))
        await index.open()
        opened.append(index)
        return index

    yield open_one
    cosmos_stand_in.faults()
    for index in opened:
        await index.close()
    cosmos_stand_in.reset()
