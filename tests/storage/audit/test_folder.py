"""The audit in a folder: whole lines, durable, one file a day and process; what a process left is seen to."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
import threading
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


def open_files(audit: Path) -> list[Path]:
    links = [link.resolve() for link in Path("/proc/self/fd").iterdir() if link.exists()]
    return [path for path in links if path.is_relative_to(audit)]


def files(audit: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(audit.glob("*.jsonl"))}


def spools(audit: Path) -> list[Path]:
    return list(audit.glob("*.spool"))


async def test_lines_are_in_the_file_and_durable_when_kept(tmp_path: Path, synced: list[str]) -> None:
    audit = tmp_path / "new" / "audit"
    store = FolderAudit(audit)
    assert store.write(b"1\n")
    assert store.write(b"2\n")
    assert files(audit) == {}
    await store.keep([b"3\n", b"4\n"])
    (name,) = files(audit)
    assert files(audit)[name] == b"1\n2\n3\n4\n"
    assert synced == [name]
    assert store.write(b"5\n")
    await store.keep([])
    assert files(audit) == {name: b"1\n2\n3\n4\n5\n"}
    await store.close()
    assert spools(audit) == []


async def test_lines_may_come_while_others_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, goes_on, really = FolderAudit(tmp_path), threading.Event(), os.fdatasync

    def fdatasync(file: int) -> None:
        goes_on.wait(20)
        really(file)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    store.write(b"1\n")
    keeping = asyncio.create_task(store.keep([]))
    await asyncio.sleep(0.01)
    assert store.write(b"2\n")
    assert store.write(b"3\n")
    goes_on.set()
    await keeping
    assert list(files(tmp_path).values()) == [b"1\n"]
    await store.keep([])
    assert list(files(tmp_path).values()) == [b"1\n2\n3\n"]
    await store.close()


async def test_files_are_only_added_to(tmp_path: Path) -> None:
    store = FolderAudit(tmp_path)
    await store.keep([b"1\n"])
    (name,) = files(tmp_path)
    (tmp_path / name).write_bytes(b"somebody else's\n" * 3)
    await store.keep([b"2\n"])
    assert files(tmp_path) == {name: b"somebody else's\n" * 3 + b"2\n"}
    assert (tmp_path / name).stat().st_mode & 0o007 == 0
    await store.close()


async def test_each_day_has_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = NOON
    monkeypatch.setattr(folder.time, "time", lambda: now)
    store = FolderAudit(tmp_path)
    await store.keep([b"noon\n"])
    now = NOON + DAY / 2 - 1
    await store.keep([b"just before midnight\n"])
    now += 1
    await store.keep([b"midnight\n"])
    found = files(tmp_path)
    assert [name[:10] for name in found] == ["2023-11-15", "2023-11-16"]
    assert list(found.values()) == [b"noon\njust before midnight\n", b"midnight\n"]
    assert len(open_files(tmp_path)) == 1
    await store.close()
    assert not open_files(tmp_path)


async def test_two_processes_have_two_files(tmp_path: Path) -> None:
    for _ in range(2):
        store = FolderAudit(tmp_path)
        store.write(b"1\n")
        await store.keep([])
        await store.close()
    assert len(files(tmp_path)) == 2


async def test_lines_that_find_no_room_are_taken_back_whole(tmp_path: Path) -> None:
    store = FolderAudit(tmp_path)
    await store.keep([b"short\n"])
    with no_file_longer_than(10):
        with pytest.raises(StorageError, match="The audit folder failed: File too large"):
            await store.keep([b"long enough\n"])
        assert list(files(tmp_path).values()) == [b"short\n"]
    await store.keep([b"long enough\n"])
    assert sorted(files(tmp_path).values()) == [b"long enough\n", b"short\n"]
    await store.close()


async def test_without_room_for_a_spool_lines_are_not_taken_at_once(tmp_path: Path) -> None:
    store = FolderAudit(tmp_path)
    with no_file_longer_than(1000):
        assert not store.write(b"1\n")
    assert spools(tmp_path) == []
    assert store.write(b"1\n")
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
    assert not store.write(b"2\n")
    await store.keep([b"1\n"])
    assert sorted(files(tmp_path).values()) == [b"", b"1\n"]
    assert store.write(b"2\n")
    await store.keep([])
    assert sorted(files(tmp_path).values()) == [b"", b"1\n2\n"]
    await store.close()


async def test_a_disk_that_hangs_is_not_asked_again_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, goes_on, really = FolderAudit(tmp_path), threading.Event(), os.fdatasync
    asked = []

    def fdatasync(file: int) -> None:
        asked.append(file)
        goes_on.wait(20)
        really(file)

    monkeypatch.setattr(os, "fdatasync", fdatasync)
    store.write(b"1\n")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await store.keep([])
    for _ in range(3):
        with pytest.raises(StorageError, match="The audit folder does not answer"):
            await store.keep([b"1\n"])
    assert len(asked) == 1
    goes_on.set()
    await until(lambda: len(asyncio.all_tasks()) == 1)
    await store.keep([b"1\n"])
    assert list(files(tmp_path).values()) == [b"1\n1\n"]
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
    await audit.record(b"0\n")
    await until(lambda: audit.waiting == 0)
    with no_file_longer_than(1):
        await audit.record(b"1\n")
        await until(lambda: not audit.works)
        await audit.record(b"2\n")
    await until(lambda: audit.works)
    await audit.record(b"3\n")
    await audit.close()
    assert sorted(b"".join(files(tmp_path).values()).split()) == [b"0", b"1", b"2", b"3"]
    assert spools(tmp_path) == []


WRITER = """
import asyncio, os, pathlib, sys
from shared.audit import Trail
from shared.storage.audit.folder import FolderAudit

async def main():
    audit = Trail(FolderAudit(pathlib.Path(sys.argv[1])))
    for number in range(1000):
        await audit.record(b"%d\\n" % number)
        os.write(1, b"%d\\n" % number)
        await asyncio.sleep(float(sys.argv[2]))
    os.kill(os.getpid(), 9)

asyncio.run(main())
"""
NUMBERS = b"".join(b"%d\n" % number for number in range(1000))


def written_and_killed(audit: Path, pace: float) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-c", WRITER, str(audit), str(pace)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, check=False)


@pytest.mark.parametrize("pace", [0.0, 0.001])
async def test_a_record_that_was_taken_outlives_its_process(tmp_path: Path, pace: float) -> None:
    killed = await asyncio.to_thread(written_and_killed, tmp_path, pace)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert killed.stdout == NUMBERS
    assert len(spools(tmp_path)) == 1
    store = FolderAudit(tmp_path)
    await store.keep([])
    assert spools(tmp_path) == []
    found = [int(line) for content in files(tmp_path).values() for line in content.split()]
    assert set(found) == set(range(1000))
    assert len(found) < 2 * 1000
    await store.close()


async def test_what_is_given_back_when_the_process_ends_is_left_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    audit = Trail(FolderAudit(tmp_path))
    with monkeypatch.context() as broken:

        def fdatasync(file: int) -> None:
            raise OSError(5, "Input/output error")

        broken.setattr(os, "fdatasync", fdatasync)
        await audit.record(b"1\n")
        await audit.close()
    store = FolderAudit(tmp_path)
    await store.keep([b"2\n"])
    await store.close()
    assert b"".join(files(tmp_path).values()) == b"1\n2\n"
    assert spools(tmp_path) == []


async def test_the_spool_of_a_living_process_is_left_alone(tmp_path: Path) -> None:
    living, other = FolderAudit(tmp_path), FolderAudit(tmp_path)
    living.write(b"1\n")
    await other.keep([b"2\n"])
    assert list(files(tmp_path).values()) == [b"2\n"]
    await living.keep([])
    assert sorted(files(tmp_path).values()) == [b"1\n", b"2\n"]
    await living.close()
    await other.close()


@pytest.mark.parametrize("content", [b"", b"x", bytes(16), b"\xff" * 16, bytes(15) + b"\xff" + bytes(100)])
async def test_a_spool_that_was_never_finished_does_no_harm(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "2023-11-15-host-1-00000000.spool").write_bytes(content)
    store = FolderAudit(tmp_path)
    await store.keep([b"1\n"])
    assert spools(tmp_path) == []
    assert b"".join(files(tmp_path).values()).endswith(b"1\n")
    await store.close()
