"""The connection to a Cosmos DB account: how to sign in, and setting up what is missing."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Self

from azure.core.exceptions import AzureError, ResourceExistsError
from azure.cosmos.aio import CosmosClient
from azure.identity.aio import DefaultAzureCredential

from shared.errors import StorageError
from shared.storage.index.cosmos.container import Container
from shared.storage.index.cosmos.containers import CATALOG, DEFINITIONS, FEED, INDEX
from shared.storage.index.cosmos.patience import Patience, status_of

CONNECT_TIMEOUT_S = 5
ANSWER_TIMEOUT_S = 15
FORBIDDEN = 403

OPTIONS: dict[str, Any] = {
    "connection_timeout": CONNECT_TIMEOUT_S,
    "read_timeout": ANSWER_TIMEOUT_S,
    "retry_total": 0,
    "retry_connect": 0,
    "retry_read": 0,
    "retry_status": 0,
    "no_response_on_write": True,
}
"""The SDK waits as long as throttling answers ask; other trying again is up to ``Patience``.

Reads are as consistent as the account's default, Session: a process reads what it wrote, others an instant later.
"""

for chatty in ("azure.core", "azure.cosmos", "azure.identity"):  # each request is a line at level INFO
    logging.getLogger(chatty).setLevel(logging.WARNING)


class Account:
    """One client, and so one pool of connections, for the whole process."""

    def __init__(self, client: CosmosClient, database: str, credential: DefaultAzureCredential | None) -> None:
        self._client = client
        self._database = database
        self._credential = credential
        proxy = client.get_database_client(database)
        self.index = Container(proxy.get_container_client(INDEX))
        self.feed = Container(proxy.get_container_client(FEED))
        self.catalog = Container(proxy.get_container_client(CATALOG))

    @classmethod
    def by_key(cls, connection: str, database: str) -> Self:
        """A database of the account that a connection string names. Raises StorageError if it is none."""
        try:
            client = CosmosClient.from_connection_string(connection, **OPTIONS)
        except (ValueError, KeyError) as error:
            raise StorageError("DICOM_INDEX_CONNECTION is not a Cosmos DB account's connection string.") from error
        return cls(client, database, None)

    @classmethod
    def by_identity(cls, url: str, database: str) -> Self:
        """A database of the account at an https URL, entered as whoever this process runs for."""
        credential = DefaultAzureCredential()
        return cls(CosmosClient(url, credential, **OPTIONS), database, credential)

    async def open(self) -> None:
        """Connect, and create the database and the containers that are missing. Raises StorageError."""
        await Patience().run(self._client.__aenter__)
        await Patience().run(self._create_missing)

    async def close(self) -> None:
        """Let go of all connections."""
        await self._client.close()
        if self._credential is not None:
            await self._credential.close()

    async def _create_missing(self) -> None:
        with _creating():
            await self._client.create_database_if_not_exists(self._database)
        database = self._client.get_database_client(self._database)
        for name, definition in DEFINITIONS.items():
            with _creating():
                await database.create_container_if_not_exists(name, **definition)


@contextmanager
def _creating() -> Iterator[None]:
    """Another process may have been faster; an identity may use what is there but mostly can't create."""
    try:
        with suppress(ResourceExistsError):
            yield
    except AzureError as error:
        if status_of(error) == FORBIDDEN:
            raise StorageError("The index's database or containers do not exist, and may not be created.") from error
        raise
