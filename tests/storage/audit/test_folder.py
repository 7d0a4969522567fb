"""The audit in a folder: whole lines, durable, one file a day and process."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from shared.audit import Trail
from shared.errors import StorageError
from shared.storage.audit import folder
from shared.storage.audit.folder import FolderAudit
from tests.audit.waiting import until
from tests.server import ROOT

NOON = 1_700_049_600.0
"""2023-11-15, 12:00 UTC."""
DAY = 86_400.0


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were made durable so far."""
    names: list[str] = []
    really = os.fdatasync

    def fdatasync(file: int) -> None:
        names.append(Path(f"/proc/self/fd/{file}").readlink().name)
        really(file)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    return names


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """As a full disk does, the system takes part of a write and refuses the rest."""
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)


def the_file(audit: Path) -> Path:
    (found,) = audit.iterdir()
    return found


def open_files(audit: Path) -> list[Path]:
    links = [link.resolve() for link in Path("/proc/self/fd").iterdir() if link.exists()]
    return [path for path in links if path.is_relative_to(audit)]


def files(audit: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(audit.iterdir())}


async def test_a_line_is_in_the_file_at_once_and_durable_when_kept(tmp_path: Path, synced: list[str]) -> None:
    store = FolderAudit(tmp_path / "new" / "audit")
    assert store.write(b"1\n")
    assert store.write(b"2\n")
    assert list(files(tmp_path / "new" / "audit").values()) == [b"1\n2\n"]
    assert synced == []
    await store.keep([b"3\n", b"4\n"])
    (name,) = files(tmp_path / "new" / "audit")
    assert files(tmp_path / "new" / "audit")[name] == b"1\n2\n3\n4\n"
    assert synced == [name]
    await store.close()


async def test_files_are_only_added_to(tmp_path: Path) -> None:
    store = FolderAudit(tmp_path)
    store.write(b"1\n")
    path = the_file(tmp_path)
    path.write_bytes(b"somebody else's\n" * 3)
    store.write(b"2\n")
    assert path.read_bytes() == b"somebody else's\n" * 3 + b"2\n"
    assert path.stat().st_mode & 0o007 == 0
    await store.close()


async def test_each_day_has_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: list[str]) -> None:
    now = NOON
    monkeypatch.setattr(folder.time, "time", lambda: now)
    store = FolderAudit(tmp_path)
    store.write(b"noon\n")
    now = NOON + DAY / 2 - 1
    store.write(b"just before midnight\n")
    now += 1
    store.write(b"midnight\n")
    await store.keep([])
    found = files(tmp_path)
    assert [name[:10] for name in found] == ["2023-11-15", "2023-11-16"]
    assert list(found.values()) == [b"noon\njust before midnight\n", b"midnight\n"]
    assert synced == list(found)
    synced.clear()
    store.write(b"later\n")
    await store.keep([])
    assert synced == [list(found)[1]]
    assert len(open_files(tmp_path)) == 1
    await store.close()
    assert not open_files(tmp_path)


async def test_two_processes_have_two_files(tmp_path: Path) -> None:
    for _ in range(2):
        store = FolderAudit(tmp_path)
        store.write(b"1\n")
        await store.close()
    assert len(files(tmp_path)) == 2


async def test_a_line_that_finds_no_room_is_taken_back_whole(tmp_path: Path) -> None:
    store = FolderAudit(tmp_path)
    store.write(b"short\n")
    with no_file_longer_than(10):
        assert not store.write(b"long enough\n")
        assert list(files(tmp_path).values()) == [b"short\n"]
        with pytest.raises(StorageError, match="The audit folder failed: File too large"):
            await store.keep([b"long enough\n"])
    await store.keep([b"long enough\n"])
    assert sorted(files(tmp_path).values()) == [b"long enough\n", b"short\n"]
    await store.close()


async def test_what_could_not_be_made_durable_goes_into_a_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = FolderAudit(tmp_path)
    store.write(b"1\n")
    with monkeypatch.context() as broken:

        def fdatasync(file: int) -> None:
            raise OSError(5, "Input/output error")

        broken.setattr(os, "fdatasync", fdatasync)
        with pytest.raises(StorageError, match="Input/output error"):
            await store.keep([])
    await store.keep([b"1\n"])
    assert list(files(tmp_path).values()) == [b"1\n", b"1\n"]
    await store.close()


async def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = FolderAudit(tmp_path / "file" / "audit")
    assert not store.write(b"1\n")
    with pytest.raises(StorageError, match="The audit folder failed"):
        await store.keep([b"1\n"])
    with pytest.raises(StorageError, match="The audit folder can't be made: Not a directory"):
        await store.check()


async def test_a_trail_goes_on_when_there_is_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.audit.trail.FIRST_RETRY", 0.01)
    audit = Trail(FolderAudit(tmp_path))
    with no_file_longer_than(4):
        for number in range(4):
            await audit.record(b"%d\n" % number)
        assert not audit.works
    await until(lambda: audit.works)
    await audit.record(b"4\n")
    await audit.close()
    assert sorted(set(b"".join(files(tmp_path).values()).splitlines())) == [b"0", b"1", b"2", b"3", b"4"]


WRITER = """
import asyncio, os, pathlib, sys
from shared.audit import Trail
from shared.storage.audit.folder import FolderAudit

async def main():
    audit = Trail(FolderAudit(pathlib.Path(sys.argv[1])))
    for number in range(100):
        await audit.record(b"%d\\n" % number)
        os.write(1, b"%d\\n" % number)
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""


def test_a_record_that_was_taken_outlives_its_process(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    killed = subprocess.run(command, cwd=ROOT, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    (recorded,) = files(tmp_path).values()
    assert recorded == killed.stdout == b"".join(b"%d\n" % number for number in range(100))
