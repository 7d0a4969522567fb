"""The settings choose the storage."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import StorageError
from shared.settings import Settings
from shared.storage.adapters import blob_store
from shared.storage.blobs.azure import AzureBlobs
from shared.storage.blobs.folder import FolderBlobs
from shared.storage.blobs.memory import MemoryBlobs
from tests.server import ROOT

AZURITE = "UseDevelopmentStorage=true"


@pytest.mark.parametrize(
    ("blobs", "adapter"),
    [
        ("data/blobs", FolderBlobs),
        ("./a:b", FolderBlobs),
        ("/srv/https:", FolderBlobs),
        ("C:\\dicom", FolderBlobs),
        ("memory:", MemoryBlobs),
        ("azure:images", AzureBlobs),
        ("https://account.blob.core.windows.net/images", AzureBlobs),
        ("https://127.0.0.1:10000/devstoreaccount1/images", AzureBlobs),
    ],
)
async def test_the_form_of_the_setting_chooses_the_blob_store(blobs: str, adapter: type[object]) -> None:
    store = blob_store(Settings(blobs=blobs, blobs_connection=AZURITE))
    assert type(store) is adapter
    await store.close()


@pytest.mark.parametrize(
    "blobs",
    [
        "azure:",
        "azure:Images",
        "azure:a--b",
        "https://account.blob.core.windows.net",
        "https://account.blob.core.windows.net/images?sig=secret",
        "https://someone:secret@account.blob.core.windows.net/images",
        "http://account.blob.core.windows.net/images",
        "s3://bucket",
        "memory:x",
    ],
)
def test_a_setting_of_no_known_form_is_refused_without_being_quoted(blobs: str) -> None:
    with pytest.raises(StorageError, match="DICOM_BLOBS must be") as raised:
        blob_store(Settings(blobs=blobs, blobs_connection=AZURITE))
    assert "secret" not in raised.value.detail


def test_a_container_needs_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DICOM_BLOBS_CONNECTION", raising=False)
    with pytest.raises(StorageError, match="DICOM_BLOBS_CONNECTION"):
        blob_store(Settings(blobs="azure:images"))


def test_the_account_key_is_not_shown() -> None:
    assert "secret" not in repr(Settings(blobs_connection="AccountName=a;AccountKey=secret"))


def test_a_folder_does_not_pay_for_the_azure_sdk(tmp_path: Path) -> None:
    program = (
        "import sys; from shared.settings import Settings; from shared.storage.adapters import blob_store; "
        f"blob_store(Settings(blobs={str(tmp_path)!r})); "
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('azure', 'aiohttp', 'obstore')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
