"""The import as Azure runs it: the function that a blob triggers, and the timer that takes up what was left."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.storage.blob import BlobServiceClient, ContainerClient

from tests.azure.azurite import Azurite
from tests.instances import Identity, dataset, new_identity, part10
from tests.services.dropping import let_age, zipped
from tests.worker.client import Client
from tests.worker.host import RunningWorker, worker_over
from tests.worker.test_triggers import DATA

INBOX, ERRORS = "dropped", "dropped-errors"


@pytest.fixture(scope="module")
def importing(
    tmp_path_factory: pytest.TempPathFactory, azurite: Azurite, http: httpx.Client
) -> Iterator[RunningWorker]:
    """A worker whose inbox is a container."""
    settings = {"DICOM_INBOX": f"azure:{INBOX}", "DICOM_BLOBS_CONNECTION": azurite.connection}
    folder = tmp_path_factory.mktemp("importing")
    with worker_over(folder, folder / "data", settings) as running:
        assert Client(http, running.url).ask("GET", "/health/check").status == 200
        yield running
        assert running.failures() == []


@pytest.fixture(scope="module")
def container(azurite: Azurite) -> Iterator[Callable[[str], ContainerClient]]:
    with BlobServiceClient.from_connection_string(azurite.connection) as service:
        yield service.get_container_client


def told_of(name: str) -> dict[str, str]:
    """What the host sends."""
    return {"Connection": "DICOM_BLOBS_CONNECTION", "ContainerName": INBOX, "BlobName": name}


def is_stored(client: Client, identity: Identity, file: bytes, partition: str = "") -> bool:
    accept = {"Accept": "application/dicom; transfer-syntax=*"}
    answer = client.ask("GET", f"/v2{partition}{identity.path}", accept)
    return answer.status == 200 and answer.body == file


def trigger(worker: RunningWorker) -> dict[str, Any]:
    (function,) = (each for each in worker.functions() if each["name"] == "import_file")
    (binding,) = function["raw_bindings"]
    return dict(httpx.Response(200, content=binding).json())


def test_the_container_is_the_one_of_the_settings(importing: RunningWorker) -> None:
    found = trigger(importing)
    assert (found["path"], found["connection"]) == (f"{INBOX}/{{name}}", "DICOM_BLOBS_CONNECTION")
    assert found["source"] == "LogsAndContainerScan"


@pytest.mark.parametrize("name", ["image.dcm", "partitions/ward/Müller, Jürgen/IM 1#?%41"])
def test_a_blob_is_imported(
    importing: RunningWorker, http: httpx.Client, container: Callable[[str], ContainerClient], name: str
) -> None:
    identity = new_identity()
    file = part10(dataset(identity, side=1500))
    container(INBOX).upload_blob(name, file)
    for _ in range(2):
        assert importing.invoke("import_file", told_of(name)).status_code == 200
    partition = "/partitions/ward" if name.startswith("partitions/") else ""
    assert is_stored(Client(http, importing.url), identity, file, partition)
    assert list(container(INBOX).list_blob_names()) == []


def test_an_archive_of_which_some_fails_is_set_aside(
    importing: RunningWorker, http: httpx.Client, container: Callable[[str], ContainerClient]
) -> None:
    identity = new_identity()
    file = part10(dataset(identity))
    container(INBOX).upload_blob("study.zip", zipped({"a": file, "b": b"no DICOM"}))
    assert importing.invoke("import_file", told_of("study.zip")).status_code == 200
    assert is_stored(Client(http, importing.url), identity, file)
    assert list(container(INBOX).list_blob_names()) == []
    assert set(container(ERRORS).list_blob_names()) == {"study.zip", "study.zip.json"}


def test_the_timer_takes_up_what_was_left(tmp_path: Path, http: httpx.Client) -> None:
    identities = {name: new_identity() for name in ("left", "tree/left too", "just dropped")}
    inbox = tmp_path / "data" / "inbox"
    for name, identity in identities.items():
        path = inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(part10(dataset(identity)))
        let_age(path, 60 if name == "just dropped" else 3600)
    with worker_over(tmp_path, tmp_path / "data") as worker:
        assert worker.invoke("import_left", DATA["timerTrigger"]).status_code == 200
        assert worker.failures() == []
        client = Client(http, worker.url)
        for name, identity in identities.items():
            assert is_stored(client, identity, part10(dataset(identity))) is (name != "just dropped")
    assert [path.name for path in inbox.iterdir() if path.is_file()] == ["just dropped"]


def test_a_failure_is_told_to_the_host_and_leaves_the_blob(
    tmp_path: Path, azurite: Azurite, http: httpx.Client, container: Callable[[str], ContainerClient]
) -> None:
    settings = {"DICOM_INBOX": f"azure:{INBOX}", "DICOM_BLOBS_CONNECTION": azurite.connection}
    with worker_over(tmp_path, tmp_path / "data", settings) as worker:
        assert Client(http, worker.url).ask("GET", "/health/check").status == 200
        container(INBOX).upload_blob("image.dcm", part10(dataset(new_identity())))
        (tmp_path / "data" / "blobs" / "~partial").rmdir()
        (tmp_path / "data" / "blobs" / "~partial").write_text("in the way")
        assert worker.invoke("import_file", told_of("image.dcm")).status_code == 500
        assert list(container(INBOX).list_blob_names()) == ["image.dcm"]
        assert not [failure for failure in worker.failures() if "image.dcm" in failure]
    container(INBOX).delete_blob("image.dcm")
