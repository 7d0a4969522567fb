"""The one place where the settings choose the storage adapters."""

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from shared.errors import StorageError
from shared.settings import Settings
from shared.storage.audit.folder import FolderAudit
from shared.storage.audit.port import AuditStore
from shared.storage.blobs.folder import FolderBlobs
from shared.storage.blobs.port import BlobStore
from shared.storage.inbox.folder import FolderInbox
from shared.storage.inbox.port import Inbox
from shared.storage.index.port import Index
from shared.storage.index.sqlite import SqliteIndex

if TYPE_CHECKING:
    from shared.storage.blobs.azure_container import AzureContainer

MEMORY = "memory:"
AZURE = re.compile(r"(?:azure:|https://[^/?#@]+/(?:[^/?#]+/)?)[a-z0-9](?:-?[a-z0-9]){2,62}")
COSMOS = re.compile(r"(?:cosmos:|https://[^/?#@]+/)[A-Za-z0-9][A-Za-z0-9_-]{0,254}")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
"""What looks like a URL rather than a folder; one letter and a colon is a drive."""


def blob_store(settings: Settings) -> BlobStore:
    """The blob store that ``DICOM_BLOBS`` names. Raises StorageError if it names none."""
    if settings.blobs == MEMORY:
        return _memory()
    if is_container(settings.blobs):
        # Imported only where it is used: the Azure SDK takes over half a second.
        from shared.storage.blobs.azure import AzureBlobs

        return AzureBlobs(_container(settings, "DICOM_BLOBS", settings.blobs))
    return FolderBlobs(_folder("DICOM_BLOBS", settings.blobs, ", memory:"))


def inbox(settings: Settings) -> Inbox | None:
    """The inbox that ``DICOM_INBOX`` names, None if there is none. Raises StorageError if it names nothing usable."""
    if not settings.inbox:
        return None
    _require_apart(settings.inbox, {"DICOM_BLOBS": settings.blobs, "DICOM_INDEX": settings.index})
    return _inbox(settings, "DICOM_INBOX", settings.inbox)


def inbox_errors(settings: Settings) -> Inbox | None:
    """Where files go that can't be imported, None if there is no inbox. Raises StorageError as ``inbox`` does."""
    if not settings.inbox:
        return None
    place = settings.inbox_errors or settings.inbox.rstrip("/\\") + "-errors"
    _require_apart(settings.inbox, {"DICOM_INBOX_ERRORS": place})
    return _inbox(settings, "DICOM_INBOX_ERRORS", place)


def audit(settings: Settings) -> AuditStore | None:
    """Where ``DICOM_AUDIT`` has the audit kept, None if there is no such place. Raises StorageError if it names nothing
    usable."""
    place = settings.audit
    if not place:
        return None
    for setting, other in {"DICOM_BLOBS": settings.blobs, "DICOM_INBOX": settings.inbox}.items():
        if other and is_within(place, other):
            raise StorageError(f"DICOM_AUDIT lies in {setting}, where only instances may lie.")
    if is_container(place):
        from shared.storage.audit.azure import AzureAudit

        return AzureAudit(partial(_container, settings, "DICOM_AUDIT", place))
    return FolderAudit(_folder("DICOM_AUDIT", place))


def _require_apart(inbox: str, others: dict[str, str]) -> None:
    """Raises StorageError if one of the service's own places is in the inbox: all that is there is moved away."""
    for setting, place in others.items():
        if is_within(place, inbox):
            raise StorageError(f"{setting} lies in DICOM_INBOX, from which everything is moved away.")


def is_within(place: str, other: str) -> bool:
    """Whether a setting names the same container as another one, or a folder in the other's."""
    if is_container(place) and is_container(other):
        return container_name(place) == container_name(other)
    return Path(place).resolve().is_relative_to(Path(other).resolve())


def is_container(place: str) -> bool:
    """Whether a setting names a container in Azure."""
    return AZURE.fullmatch(place) is not None


def is_folder(place: str) -> bool:
    """Whether a setting names a folder."""
    return place != MEMORY and not is_container(place)


def container_name(place: str) -> str:
    """The container that a setting names."""
    return re.split("[:/]", place)[-1]


def _memory() -> BlobStore:
    from shared.storage.blobs.memory import MemoryBlobs

    return MemoryBlobs()


def _inbox(settings: Settings, setting: str, place: str) -> Inbox:
    if is_container(place):
        from shared.storage.inbox.azure import AzureInbox

        return AzureInbox(_container(settings, setting, place))
    return FolderInbox(_folder(setting, place))


def _folder(setting: str, place: str, others: str = "") -> Path:
    if SCHEME.match(place):
        raise StorageError(
            f"{setting} must be a folder's path, https://ACCOUNT.blob.core.windows.net/CONTAINER{others} or "
            "azure:CONTAINER."
        )
    return Path(place)


def _container(settings: Settings, setting: str, place: str) -> "AzureContainer":
    from shared.storage.blobs.azure_container import AzureContainer

    if place.startswith("https:"):
        return AzureContainer.by_identity(place)
    if settings.blobs_connection is None:
        raise StorageError(f"{setting} is a container, but DICOM_BLOBS_CONNECTION does not say of which account.")
    connection = settings.blobs_connection.get_secret_value()
    return AzureContainer.by_key(connection, place.removeprefix("azure:"))


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
