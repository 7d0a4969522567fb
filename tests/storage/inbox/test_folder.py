"""What is particular to an inbox in a folder: what users and their programs put there, and what is never touched."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import StorageError
from shared.storage.inbox.folder import EMPTY_SECONDS, PARTIAL, FolderInbox
from shared.storage.inbox.port import Dropped
from tests.storage.inbox.test_inboxes import chunks, content, found, names


@pytest.fixture
async def inbox(folder: Path) -> AsyncIterator[FolderInbox]:
    opened = FolderInbox(folder)
    await opened.open()
    yield opened
    await opened.close()


def drop(path: Path, data: bytes = b"content", age: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (time.time() - age,) * 2)
    return path


def below(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def remove(*folders: Path) -> None:
    for folder in folders:
        folder.rmdir()


async def test_hidden_files_and_folders_are_not_seen(inbox: FolderInbox, folder: Path) -> None:
    for name in (".rsync.dcm.Xa1", ".hidden/a.dcm", "a/.b", "a/b", ".DS_Store", "a/.DS_Store"):
        drop(folder / name)
    assert await names(inbox) == {"a/b", ".DS_Store", "a/.DS_Store"}


async def test_links_are_neither_seen_nor_followed(inbox: FolderInbox, folder: Path, tmp_path: Path) -> None:
    outside = drop(tmp_path / "outside" / "secret.dcm")
    (folder / "file").symlink_to(outside)
    (folder / "directory").symlink_to(outside.parent)
    os.mkfifo(folder / "pipe")
    assert await names(inbox) == set()
    seen = outside.stat()
    state = f"{seen.st_ino}-{seen.st_size}-{seen.st_mtime_ns}"
    for name in ("file", "directory/secret.dcm", "pipe", "../outside/secret.dcm", "directory", str(outside)):
        assert await inbox.find(name) is None
        file = Dropped(name, seen.st_size, seen.st_mtime, state)
        with pytest.raises(StorageError):
            await content(inbox, file)
        await inbox.remove(file)
        assert outside.exists()
    with pytest.raises(StorageError):
        await inbox.put("directory/new.dcm", chunks(b"x"))
    with pytest.raises(StorageError):
        await inbox.put("../new.dcm", chunks(b"x"))
    assert below(outside.parent) == {"secret.dcm"}
    assert not (tmp_path / "new.dcm").exists()


@pytest.mark.parametrize("name", ["", "/", "/a", "a/", "a//b", ".", "..", "a/..", "a\0b", "a/b", "x" * 300])
async def test_names_that_can_not_be_are_not_found(inbox: FolderInbox, folder: Path, name: str) -> None:
    drop(folder / "a")
    assert await inbox.find(name) is None


async def test_names_that_are_no_text(inbox: FolderInbox, folder: Path) -> None:
    drop(folder / os.fsdecode(b"\xff\xfe.dcm"))
    (name,) = await names(inbox)
    assert await content(inbox, await found(inbox, name)) == b"content"


async def test_the_time_of_a_change_is_never_in_the_future(inbox: FolderInbox, folder: Path) -> None:
    drop(folder / "late", age=-7 * 24 * 3600)
    drop(folder / "old", age=3600)
    assert abs((await found(inbox, "late")).changed - time.time()) < 60
    assert (await found(inbox, "old")).changed < time.time() - 3000


async def test_a_file_that_grows_has_another_state(inbox: FolderInbox, folder: Path) -> None:
    path = drop(folder / "file", age=10)
    before = await found(inbox, "file")
    with path.open("ab") as more:
        more.write(b" and more")
    with pytest.raises(StorageError):
        await content(inbox, before)
    await inbox.remove(before)
    assert path.read_bytes() == b"content and more"


async def test_a_file_cut_while_it_is_read_is_told(inbox: FolderInbox, folder: Path) -> None:
    path = drop(folder / "file", bytes(3 * 1024 * 1024))
    reading = inbox.read(await found(inbox, "file"))
    await anext(reading)
    os.truncate(path, 1024 * 1024)
    with pytest.raises(StorageError):
        await anext(reading)


async def test_folders_long_empty_go_and_others_stay(inbox: FolderInbox, folder: Path) -> None:
    kept = drop(folder / "kept" / "file").parent
    (folder / "old" / "inner").mkdir(parents=True)
    (folder / "new").mkdir()
    long_ago = time.time() - EMPTY_SECONDS - 60
    for path in (folder / "old" / "inner", folder / "old", kept, folder):
        os.utime(path, (long_ago, long_ago))
    await names(inbox)
    assert not (folder / "old" / "inner").exists()
    os.utime(folder / "old", (long_ago, long_ago))
    await names(inbox)
    assert below(folder) == {"kept", "new", PARTIAL}


async def test_what_users_remove_is_made_again(inbox: FolderInbox, folder: Path) -> None:
    await inbox.put("a/b", chunks(b"x"))
    (folder / "a" / "b").unlink()
    remove(folder / "a", folder / PARTIAL, folder)
    await inbox.put("a/b", chunks(b"y"))
    assert await names(inbox) == {"a/b"}
    assert below(folder / PARTIAL) == set()


async def test_an_inbox_that_is_gone_is_empty(inbox: FolderInbox, folder: Path) -> None:
    remove(folder / PARTIAL, folder)
    assert await names(inbox) == set()
    assert await inbox.find("a") is None
