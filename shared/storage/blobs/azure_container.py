"""One container of an Azure storage account: how to sign in, and all that is done to it but reading and writing blobs.

That is setting it up, listing it, URLs by which others may write one blob, and access tiers.
"""

import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias

from azure.core.credentials import AccessToken
from azure.core.exceptions import AzureError, ClientAuthenticationError, ResourceExistsError, ResourceNotFoundError
from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob import BlobProperties, BlobSasPermissions, UserDelegationKey, generate_blob_sas
from azure.storage.blob.aio import BlobClient, BlobServiceClient, LinearRetry
from obstore.auth.azure import AzureAsyncCredentialProvider
from obstore.exceptions import BaseError
from obstore.store import AzureStore

from shared.errors import BlobExists, BlobMissing, StorageError

if TYPE_CHECKING:
    from obstore.store import AzureConfig

CONNECT_TIMEOUT = timedelta(seconds=5)
ANSWER_TIMEOUT = timedelta(seconds=20)
RETRIES = 5
"""Spread over a few seconds."""
FIRST_RETRY = timedelta(seconds=0.2)
RETRY_TIMEOUT = timedelta(seconds=30)
"""No request is sent again later than this."""
READ_PART = 4 * 1024 * 1024
"""A stream is read by requests of this many bytes."""
STORAGE_SCOPE = "https://storage.azure.com/.default"
ENTRY_LIFETIME = timedelta(hours=1)
CLOCK_SKEW = timedelta(minutes=5)

Tier: TypeAlias = Literal["Hot", "Cool", "Cold"]
"""The access tiers whose blobs can be read at once."""

for chatty in ("azure.core", "azure.identity"):  # each request is a line at level INFO
    logging.getLogger(chatty).setLevel(logging.WARNING)


class AzureContainer:
    """A container and the connections to it, one a process. ``credential`` is None where an account key signs."""

    def __init__(self, service: BlobServiceClient, name: str, credential: DefaultAzureCredential | None) -> None:
        self._service = service
        self._container = service.get_container_client(name)
        self._credential = credential
        self._token: AccessToken | None = None

    @classmethod
    def by_key(cls, connection: str, name: str) -> Self:
        """A container of the account that a connection string names. Raises StorageError if it holds no key."""
        try:
            service = BlobServiceClient.from_connection_string(connection, **_client_options())
        except ValueError as error:
            raise StorageError("DICOM_BLOBS_CONNECTION is not a storage account's connection string.") from error
        if not hasattr(service.credential, "account_key"):
            raise StorageError("DICOM_BLOBS_CONNECTION does not hold a storage account's key.")
        return cls(service, name, None)

    @classmethod
    def by_identity(cls, url: str) -> Self:
        """The container at an https URL, entered as whoever this process runs for.

        In Azure that is its managed identity (``AZURE_CLIENT_ID`` chooses a user-assigned one), on a developer's
        machine whoever is signed in to the Azure CLI; ``DefaultAzureCredential`` tries these and more.
        """
        account_url, _, name = url.rstrip("/").rpartition("/")
        credential = DefaultAzureCredential()
        return cls(BlobServiceClient(account_url, credential, **_client_options()), name, credential)

    def store(self) -> AzureStore:
        """The container as obstore reads and writes it. Raises StorageError if the account's key is malformed."""
        url = self._service.url.rstrip("/")
        config: AzureConfig = {"account_name": self._service.account_name or "", "endpoint": url}
        provider = None
        if self._credential is None:
            config["account_key"] = self._account_key
        else:
            provider = AzureAsyncCredentialProvider(self._credential)
        try:
            return AzureStore(
                self._container.container_name,
                config=config,
                credential_provider=provider,
                client_options={
                    "allow_http": url.startswith("http://"),
                    "connect_timeout": CONNECT_TIMEOUT,
                    "timeout": ANSWER_TIMEOUT,
                },
                retry_config={
                    "max_retries": RETRIES,
                    "retry_timeout": RETRY_TIMEOUT,
                    "backoff": {"init_backoff": FIRST_RETRY, "max_backoff": ANSWER_TIMEOUT, "base": 2},
                },
            )
        except BaseError as error:
            raise StorageError("DICOM_BLOBS_CONNECTION holds a malformed key.") from error

    async def open(self) -> None:
        """Create the container unless it is there. Raises StorageError, and then is closed."""
        try:
            with azure_errors():
                if not await self._container.exists():
                    with suppress(ResourceExistsError):
                        await self._container.create_container()
        except StorageError:
            await self.close()
            raise

    async def close(self) -> None:
        await self._service.close()
        if self._credential is not None:
            await self._credential.close()

    def blob(self, name: str) -> BlobClient:
        """The client of one blob."""
        return self._container.get_blob_client(name)

    def blobs(self) -> AsyncIterator[BlobProperties]:
        """Every blob of the container, page by page. To be read within ``azure_errors``."""
        return self._container.list_blobs(include=["metadata"])

    async def upload_url(self, name: str, lifetime: timedelta) -> str:
        """A URL by which one blob can be written, not read, for so long. Raises StorageError.

        It is signed with the account's key, or where that is unknown with a user delegation key.
        """
        url = self.blob(name).url
        with azure_errors():
            return f"{url}?{await self._signature(name, BlobSasPermissions(create=True, write=True), lifetime)}"

    async def entry(self, name: str) -> tuple[str, dict[str, str]]:
        """The URL and the headers by which this process can make an append blob and add to it, now.

        The URL is encoded. Raises StorageError.
        """
        url = self.blob(name).url
        with azure_errors():
            if self._credential is not None:
                return url, {"Authorization": f"Bearer {await self._access_token(self._credential)}"}
            return f"{url}?{await self._signature(name, BlobSasPermissions(create=True, add=True), ENTRY_LIFETIME)}", {}

    async def _access_token(self, credential: DefaultAzureCredential) -> str:
        """The last one as long as it is good: not every credential keeps them."""
        if self._token is None or self._token.expires_on < time.time() + CLOCK_SKEW.total_seconds():
            self._token = await credential.get_token(STORAGE_SCOPE)
        return self._token.token

    async def _signature(self, name: str, permission: BlobSasPermissions, lifetime: timedelta) -> str:
        expiry = datetime.now(UTC) + lifetime
        return generate_blob_sas(
            self._service.account_name or "",
            self._container.container_name,
            name,
            account_key=None if self._credential else self._account_key,
            user_delegation_key=await self._delegation_key(expiry) if self._credential else None,
            permission=permission,
            expiry=expiry,
            protocol=None if self._service.url.startswith("http://") else "https",
        )

    async def _delegation_key(self, expiry: datetime) -> UserDelegationKey:
        return await self._service.get_user_delegation_key(datetime.now(UTC) - CLOCK_SKEW, expiry)

    async def set_tier(self, name: str, tier: Tier) -> None:
        """Move a blob to another access tier. Raises BlobMissing and StorageError."""
        with azure_errors():
            await self.blob(name).set_standard_blob_tier(tier)

    @property
    def _account_key(self) -> str:
        return str(self._service.credential.account_key)


def _client_options() -> dict[str, Any]:
    return {
        "retry_policy": LinearRetry(backoff=1, random_jitter_range=1, retry_total=RETRIES),
        "connection_timeout": CONNECT_TIMEOUT.total_seconds(),
        "read_timeout": ANSWER_TIMEOUT.total_seconds(),
        "max_single_get_size": READ_PART,
        "max_chunk_get_size": READ_PART,
    }


@contextmanager
def azure_errors() -> Iterator[None]:
    """The Azure SDK's errors in the words of the port; theirs name URLs and quote answers."""
    try:
        yield
    except ResourceExistsError as error:
        raise BlobExists("A blob of that name exists.") from error
    except ResourceNotFoundError as error:
        raise BlobMissing("The stored file of an indexed instance is missing.") from error
    except AzureError as error:
        if _refused(error):
            raise StorageError("The blob store did not accept the service's credentials.") from error
        raise StorageError("The blob store failed or could not be reached.") from error


def _refused(error: AzureError) -> bool:
    return isinstance(error, ClientAuthenticationError) or getattr(error, "status_code", None) in (401, 403)
