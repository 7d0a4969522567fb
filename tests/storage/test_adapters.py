"""The settings choose the storage."""

import subprocess
import sys
from pathlib import Path

import pytest

from shared.errors import StorageError
from shared.settings import Settings
from shared.storage.adapters import audit, blob_store, inbox, inbox_errors, index
from shared.storage.audit.azure import AzureAudit
from shared.storage.audit.folder import FolderAudit
from shared.storage.blobs.azure import AzureBlobs
from shared.storage.blobs.folder import FolderBlobs
from shared.storage.blobs.memory import MemoryBlobs
from shared.storage.inbox.azure import AzureInbox
from shared.storage.inbox.folder import FolderInbox
from shared.storage.index.cosmos import CosmosIndex
from shared.storage.index.sqlite import SqliteIndex
from tests.server import ROOT

AZURITE = "UseDevelopmentStorage=true"
COSMOS = "AccountEndpoint=https://account.documents.azure.com:443/;AccountKey=c2VjcmV0;"


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


@pytest.mark.parametrize(
    ("path", "adapter"),
    [
        ("data/index.sqlite", SqliteIndex),
        ("C:\\dicom\\index.sqlite", SqliteIndex),
        ("cosmos:dicom", CosmosIndex),
        ("https://account.documents.azure.com/dicom", CosmosIndex),
        ("https://account.documents.azure.com:443/dicom", CosmosIndex),
    ],
)
async def test_the_form_of_the_setting_chooses_the_index(path: str, adapter: type[object]) -> None:
    chosen = index(Settings(index=path, index_connection=COSMOS))
    assert type(chosen) is adapter
    await chosen.close()


@pytest.mark.parametrize(
    "path",
    [
        "cosmos:",
        "cosmos:a/b",
        "https://account.documents.azure.com",
        "https://account.documents.azure.com/dicom?key=secret",
        "http://account.documents.azure.com/dicom",
        "postgres://someone:secret@host/dicom",
    ],
)
def test_an_index_of_no_known_form_is_refused_without_being_quoted(path: str) -> None:
    with pytest.raises(StorageError, match="DICOM_INDEX must be") as raised:
        index(Settings(index=path, index_connection=COSMOS))
    assert "secret" not in raised.value.detail


def test_a_database_needs_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DICOM_INDEX_CONNECTION", raising=False)
    with pytest.raises(StorageError, match="DICOM_INDEX_CONNECTION"):
        index(Settings(index="cosmos:dicom"))


def test_a_container_needs_its_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DICOM_BLOBS_CONNECTION", raising=False)
    with pytest.raises(StorageError, match="DICOM_BLOBS_CONNECTION"):
        blob_store(Settings(blobs="azure:images"))


def test_the_account_key_is_not_shown() -> None:
    settings = Settings(blobs_connection="AccountKey=secret", index_connection="AccountKey=secret")
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("place", "adapter"),
    [
        ("data/inbox/", FolderInbox),
        ("azure:inbox", AzureInbox),
        ("https://account.blob.core.windows.net/inbox", AzureInbox),
    ],
)
async def test_the_form_of_the_setting_chooses_the_inbox_and_that_of_errors(place: str, adapter: type[object]) -> None:
    settings = Settings(inbox=place, blobs_connection=AZURITE)
    for chosen in (inbox(settings), inbox_errors(settings)):
        assert type(chosen) is adapter
        await chosen.close()


async def test_errors_go_beside_the_inbox_or_where_the_setting_says(tmp_path: Path) -> None:
    for settings, expected in (
        (Settings(inbox=f"{tmp_path}/in/"), "in-errors"),
        (Settings(inbox=f"{tmp_path}/in", inbox_errors=f"{tmp_path}/failed"), "failed"),
    ):
        errors = inbox_errors(settings)
        assert errors is not None
        await errors.open()
        assert (tmp_path / expected).is_dir()


def test_without_the_setting_there_is_no_inbox() -> None:
    settings = Settings(inbox_errors="somewhere")
    assert inbox(settings) is None
    assert inbox_errors(settings) is None


@pytest.mark.parametrize("place", ["azure:Images", "s3://bucket", "memory:", "https://account.blob.core.windows.net"])
def test_an_inbox_of_no_known_form_is_refused(place: str) -> None:
    with pytest.raises(StorageError, match="DICOM_INBOX must be"):
        inbox(Settings(inbox=place, blobs_connection=AZURITE))
    with pytest.raises(StorageError, match="DICOM_INBOX_ERRORS must be"):
        inbox_errors(Settings(inbox="inbox", inbox_errors=place, blobs_connection=AZURITE))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"inbox": "data"}, "DICOM_BLOBS"),
        ({"inbox": "data/blobs/"}, "DICOM_BLOBS"),
        ({"inbox": "data/inbox", "index": "data/inbox/index.sqlite"}, "DICOM_INDEX"),
        ({"inbox": "data/inbox", "inbox_errors": "data/inbox/errors"}, "DICOM_INBOX_ERRORS"),
        ({"inbox": "azure:dicom", "blobs": "azure:dicom"}, "DICOM_BLOBS"),
        ({"inbox": "azure:dicom", "blobs": "https://account.blob.core.windows.net/dicom"}, "DICOM_BLOBS"),
        ({"inbox": "azure:dropped", "inbox_errors": "azure:dropped"}, "DICOM_INBOX_ERRORS"),
    ],
)
def test_the_service_does_not_import_what_is_its_own(settings: dict[str, str], named: str) -> None:
    chosen = Settings(**{"blobs": "data/blobs", **settings}, blobs_connection=AZURITE)  # type: ignore[arg-type]
    with pytest.raises(StorageError, match=f"^{named} lies in DICOM_INBOX"):
        _ = inbox(chosen), inbox_errors(chosen)


def test_a_folder_does_not_pay_for_the_azure_sdk(tmp_path: Path) -> None:
    program = (
        "import sys; from shared.settings import Settings; "
        "from shared.storage.adapters import audit, blob_store, inbox, index; "
        f"settings = Settings(blobs={str(tmp_path)!r}, index={str(tmp_path / 'index.sqlite')!r}, "
        f"inbox={str(tmp_path / 'inbox')!r}); "
        "blob_store(settings); index(settings); inbox(settings); "
        "print(sorted(name for name in sys.modules if name.split('.')[0] in ('azure', 'aiohttp', 'obstore')))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("place", "adapter"),
    [
        ("data/audit", FolderAudit),
        ("C:\\audit", FolderAudit),
        ("azure:audit", AzureAudit),
        ("https://account.blob.core.windows.net/audit", AzureAudit),
    ],
)
async def test_the_form_of_the_setting_chooses_where_the_audit_is_kept(place: str, adapter: type[object]) -> None:
    store = audit(Settings(audit=place, blobs_connection=AZURITE))
    assert type(store) is adapter
    await store.close()


@pytest.mark.parametrize("place", [None, ""])
def test_without_a_place_no_audit_is_kept(place: str | None) -> None:
    assert audit(Settings(audit=place)) is None


@pytest.mark.parametrize(
    "place", ["memory:", "azure:Audit", "s3://bucket", "http://account.blob.core.windows.net/audit"]
)
def test_a_place_for_the_audit_of_no_known_form_is_refused(place: str) -> None:
    with pytest.raises(StorageError, match="DICOM_AUDIT must be"):
        audit(Settings(audit=place, blobs_connection=AZURITE))


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"audit": "data/blobs", "blobs": "data/blobs"}, "DICOM_BLOBS"),
        ({"audit": "data/blobs/audit", "blobs": "data/blobs"}, "DICOM_BLOBS"),
        ({"audit": "data/inbox/../inbox/audit", "inbox": "data/inbox"}, "DICOM_INBOX"),
        ({"audit": "azure:images", "blobs": "https://account.blob.core.windows.net/images"}, "DICOM_BLOBS"),
        ({"audit": "azure:drop", "inbox": "azure:drop"}, "DICOM_INBOX"),
    ],
)
def test_the_audit_lies_where_nothing_is_taken_for_an_instance(settings: dict[str, str], setting: str) -> None:
    with pytest.raises(StorageError, match=f"DICOM_AUDIT lies in {setting}"):
        audit(Settings(**settings))
