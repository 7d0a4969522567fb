"""A Cosmos DB client at the stand-in, for the tests of the stand-in itself."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy

from tests.azure.cosmos import CosmosStandIn

STUDIES = PartitionKey(path=["/partition", "/study"], kind="MultiHash")
KEY = ["p", "s"]
"""The partition key of documents that ``document`` makes."""


def document(name: str, /, **properties: Any) -> dict[str, Any]:
    return {"id": name, "partition": "p", "study": "s", **properties}


@pytest.fixture
def stand_in(cosmos_stand_in: CosmosStandIn) -> Iterator[CosmosStandIn]:
    """The stand-in, empty."""
    cosmos_stand_in.reset()
    yield cosmos_stand_in
    cosmos_stand_in.reset()


@pytest.fixture
async def client(stand_in: CosmosStandIn) -> AsyncIterator[CosmosClient]:
    async with CosmosClient(stand_in.endpoint, stand_in.key) as connected:
        yield connected


@pytest.fixture
async def database(client: CosmosClient) -> DatabaseProxy:
    return await client.create_database("tests")


@pytest.fixture
async def container(database: DatabaseProxy) -> ContainerProxy:
    """A container of the shape that the index has: its partition key is (/partition, /study)."""
    return await database.create_container("studies", STUDIES)
