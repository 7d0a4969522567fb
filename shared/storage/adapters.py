"""The one place where the settings choose the storage adapters."""

from pathlib import Path

from shared.settings import Settings
from shared.storage.blobs.folder import FolderBlobs
from shared.storage.blobs.port import BlobStore
from shared.storage.index.port import Index
from shared.storage.index.sqlite import SqliteIndex


def blob_store(settings: Settings) -> BlobStore:
    """The blob store that ``DICOM_BLOBS`` names."""
    return FolderBlobs(Path(settings.blobs))


def index(settings: Settings) -> Index:
    """The index that ``DICOM_INDEX`` names."""
    return SqliteIndex(Path(settings.index))
