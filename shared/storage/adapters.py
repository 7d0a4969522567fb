"""The one place where the settings choose the storage adapters."""

import re
from pathlib import Path

from shared.errors import StorageError
from shared.settings import Settings
from shared.storage.blobs.folder import FolderBlobs
from shared.storage.blobs.port import BlobStore
from shared.storage.index.port import Index
from shared.storage.index.sqlite import SqliteIndex

MEMORY = "memory:"
AZURE = re.compile(r"(?:azure:|https://[^/?#@]+/(?:[^/?#]+/)?)[a-z0-9](?:-?[a-z0-9]){2,62}")
COSMOS = re.compile(r"(?:cosmos:|https://[^/?#@]+/)[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""What looks like a URL rather than a folder; one letter and a colon is a drive."""


def blob_store(settings: Settings) -> BlobStore:
    """The blob store that ``DICOM_BLOBS`` names. Raises StorageError if it names none."""
    if settings.blobs == MEMORY:
        return _memory()
    if AZURE.fullmatch(settings.blobs):
        return _azure(settings)
    if SCHEME.match(settings.blobs):
        raise StorageError(
            "DICOM_BLOBS must be a folder's path, https://ACCOUNT.blob.core.windows.net/CONTAINER, "
            "azure:CONTAINER or memory:."
        )
    return FolderBlobs(Path(settings.blobs))


def _memory() -> BlobStore:
    from shared.storage.blobs.memory import MemoryBlobs

    return MemoryBlobs()


def _azure(settings: Settings) -> BlobStore:
    # Imported only where it is used: the Azure SDK takes over half a second.
    from shared.storage.blobs.azure import AzureBlobs
    from shared.storage.blobs.azure_container import AzureContainer

    if settings.blobs.startswith("https:"):
        return AzureBlobs(AzureContainer.by_identity(settings.blobs))
    if settings.blobs_connection is None:
        raise StorageError("DICOM_BLOBS is a container, but DICOM_BLOBS_CONNECTION does not say of which account.")
    connection = settings.blobs_connection.get_secret_value()
    return AzureBlobs(AzureContainer.by_key(connection, settings.blobs.removeprefix("azure:")))


def index(settings: Settings) -> Index:
    """The index that ``DICOM_INDEX`` names. Raises StorageError if it names none."""
    if COSMOS.fullmatch(settings.index):
        return _cosmos(settings)
    if SCHEME.match(settings.index):
        raise StorageError(
            "DICOM_INDEX must be a SQLite file's path, https://ACCOUNT.documents.azure.com/DATABASE or cosmos:DATABASE."
        )
    return SqliteIndex(Path(settings.index))


def _cosmos(settings: Settings) -> Index:
    from shared.storage.index.cosmos import Account, CosmosIndex

    if settings.index.startswith("https:"):
        url, _, database = settings.index.rpartition("/")
        return CosmosIndex(Account.by_identity(url, database))
    if settings.index_connection is None:
        raise StorageError("DICOM_INDEX is a database, but DICOM_INDEX_CONNECTION does not say of which account.")
    connection = settings.index_connection.get_secret_value()
    return CosmosIndex(Account.by_key(connection, settings.index.removeprefix("cosmos:")))
