"""The embedded host imports what users drop into the folder beside its data."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.instances import Identity, dataset, new_identity, part10
from tests.server import RunningServer, running
from tests.services.dropping import let_age, zipped

IMPORT_SECONDS = 60.0
DICOM = {"Accept": "application/dicom; transfer-syntax=*"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("inbox") / "data") as started:
        yield started


@pytest.fixture(scope="module")
def http(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{server.url}/v2", timeout=60) as client:
        yield client


def drop(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def is_stored(http: httpx.Client, identity: Identity, partition: str = "") -> bytes | None:
    """The bytes of an instance, None if it is not stored."""
    answer = http.get(f"{partition}{identity.path}", headers=DICOM)
    return answer.content if answer.status_code == 200 else None


def appears(http: httpx.Client, identity: Identity, file: bytes, partition: str = "") -> bool:
    deadline = time.monotonic() + IMPORT_SECONDS
    while time.monotonic() < deadline:
        if (found := is_stored(http, identity, partition)) is not None:
            return found == file
        time.sleep(0.2)
    return False


def goes(path: Path) -> bool:
    deadline = time.monotonic() + IMPORT_SECONDS
    while path.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
    return not path.exists()


def test_the_host_says_where_the_inbox_is(server: RunningServer) -> None:
    inbox = (server.data / "inbox").resolve()
    assert f"Files dropped into {inbox} are imported." in server.log.read_text()
    assert inbox.is_dir()
    assert (server.data / "inbox-errors").is_dir()


def test_a_tree_and_an_archive(server: RunningServer, http: httpx.Client) -> None:
    in_tree = [new_identity() for _ in range(20)]
    in_archive = [new_identity() for _ in range(20)]
    in_ward = new_identity()
    inbox = server.data / "inbox"
    for number, identity in enumerate(in_tree):
        drop(inbox / "CD 1" / f"Séries {number % 3}" / f"IM{number}", part10(dataset(identity)))
    drop(inbox / "CD 1" / "DICOMDIR", b"what media have")
    drop(inbox / "partitions" / "ward" / "one.dcm", part10(dataset(in_ward)))
    drop(inbox / "export.zip", zipped({f"a/{n}": part10(dataset(each)) for n, each in enumerate(in_archive)}))
    for identity in (*in_tree, *in_archive):
        assert appears(http, identity, part10(dataset(identity)))
    assert appears(http, in_ward, part10(dataset(in_ward)), "/partitions/ward")
    assert goes(inbox / "export.zip")
    assert goes(inbox / "CD 1" / "DICOMDIR")
    assert [path for path in inbox.rglob("*") if path.is_file()] == []
    assert [path for path in (server.data / "inbox-errors").rglob("*") if path.is_file()] == []


def test_a_bad_file_is_set_aside_beside_the_reason(server: RunningServer, http: httpx.Client) -> None:
    dropped, errors = server.data / "inbox" / "letters", server.data / "inbox-errors" / "letters"
    drop(server.data / "elsewhere.txt", b"SECRET " * 100)
    let_age(server.data / "elsewhere.txt", 3600)
    dropped.mkdir()
    (server.data / "elsewhere.txt").rename(dropped / "SECRET name.txt")
    assert goes(dropped / "SECRET name.txt")
    assert (errors / "SECRET name.txt").read_bytes() == b"SECRET " * 100
    told = json.loads((errors / "SECRET name.txt.json").read_text())
    assert told["name"] == "letters/SECRET name.txt"
    assert told["failures"][0]["failureReason"] == 43264
    assert "SECRET" not in server.log.read_text()


def test_a_file_that_is_written_slowly_is_stored_whole(server: RunningServer, http: httpx.Client) -> None:
    identity = new_identity()
    file = part10(dataset(identity, side=200))
    path = server.data / "inbox" / "slow.dcm"
    with path.open("wb") as writing:
        for start in range(0, len(file), len(file) // 2 + 1):
            writing.write(file[start : start + len(file) // 2 + 1])
            writing.flush()
            time.sleep(4)
    assert appears(http, identity, file)
    assert goes(path)
    assert not (server.data / "inbox-errors" / "slow.dcm").exists()


def test_what_was_dropped_while_nothing_ran_or_a_kill_broke_off(tmp_path: Path) -> None:
    server = RunningServer(tmp_path / "data")
    inbox = server.data / "inbox"
    identities = [new_identity() for _ in range(200)]
    for number, identity in enumerate(identities):
        drop(inbox / f"{number % 7}" / f"{number}", part10(dataset(identity, side=256)))
    drop(inbox / "all.zip", zipped({str(n): part10(dataset(each, side=256)) for n, each in enumerate(identities)}))
    for path in inbox.rglob("*"):
        if path.is_file():
            let_age(path, 3600)
    for seconds in (0.1, 0.4):
        server.start()
        time.sleep(seconds)
        server.kill()
    server.start()
    try:
        assert goes(inbox / "all.zip")
        assert all(goes(inbox / f"{number % 7}" / f"{number}") for number in range(len(identities)))
        with httpx.Client(base_url=f"{server.url}/v2", timeout=60) as http:
            for identity in identities:
                assert is_stored(http, identity) == part10(dataset(identity, side=256))
        assert [path for path in (server.data / "inbox-errors").rglob("*") if path.is_file()] == []
    finally:
        server.stop()
