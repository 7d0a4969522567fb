"""The embedded host tells of every file in the inbox: once it is whole, a few at a time, and again until it is gone."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local import watching
from local.watching import Watch
from shared.errors import StorageError
from shared.services.inbox import TAKEN_AT_ONCE, StillGrowing
from shared.storage.inbox.folder import FolderInbox
from tests.services.dropping import let_age

WAIT_SECONDS = 20.0


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorter times than users have."""
    monkeypatch.setattr(watching, "POLL_FOLDER_SECONDS", 0.02)
    monkeypatch.setattr(watching, "GROWING_PAUSE_SECONDS", 0.2)
    monkeypatch.setattr(watching, "FAILED_PAUSE_SECONDS", 0.5)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "inbox"


@pytest.fixture
async def inbox(folder: Path) -> FolderInbox:
    opened = FolderInbox(folder)
    await opened.open()
    return opened


def drop(folder: Path, *names: str, age: float = 10) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
        let_age(path, age)


@asynccontextmanager
async def watched(inbox: FolderInbox, handler: Callable[[Any], Awaitable[None]]) -> AsyncIterator[None]:
    task = asyncio.create_task(Watch(inbox, handler).run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not true():  # noqa: ASYNC110 (there is no event to wait for)
            await asyncio.sleep(0.01)


async def test_files_are_told_of_by_name(inbox: FolderInbox, folder: Path) -> None:
    told: list[str] = []

    async def handler(blob: Any) -> None:
        told.append(blob.blob_name)
        (folder / blob.blob_name).unlink()

    drop(folder, "a", "b/c d/e.dcm")
    async with watched(inbox, handler):
        await until(lambda: len(told) == 2)
        drop(folder, "later")
        await until(lambda: len(told) == 3)
        await asyncio.sleep(0.2)
    assert sorted(told) == ["a", "b/c d/e.dcm", "later"]


async def test_a_file_that_changes_is_let_be(inbox: FolderInbox, folder: Path) -> None:
    told: list[str] = []

    async def handler(blob: Any) -> None:
        told.append(blob.blob_name)
        (folder / blob.blob_name).unlink()

    drop(folder, "being written", age=0)
    drop(folder, "whole")
    async with watched(inbox, handler):
        await until(lambda: told == ["whole"])
        await asyncio.sleep(0.3)
        assert told == ["whole"]
        let_age(folder / "being written", watching.QUIET_SECONDS + 1)
        await until(lambda: told == ["whole", "being written"])


async def test_a_few_are_taken_at_once_and_each_by_one(inbox: FolderInbox, folder: Path) -> None:
    under_way: set[str] = set()
    most = 0
    release = asyncio.Event()

    async def handler(blob: Any) -> None:
        nonlocal most
        assert blob.blob_name not in under_way
        under_way.add(blob.blob_name)
        most = max(most, len(under_way))
        await release.wait()
        (folder / blob.blob_name).unlink()
        under_way.discard(blob.blob_name)

    drop(folder, *(f"{number}" for number in range(12)))
    async with watched(inbox, handler):
        await until(lambda: len(under_way) == TAKEN_AT_ONCE)
        await asyncio.sleep(0.2)
        assert most == TAKEN_AT_ONCE
        release.set()
        await until(lambda: left(folder) == 0)
    assert most == TAKEN_AT_ONCE


def left(folder: Path) -> int:
    return sum(path.is_file() for path in folder.iterdir())


async def test_one_that_takes_long_holds_up_no_others(inbox: FolderInbox, folder: Path) -> None:
    told: list[str] = []

    async def handler(blob: Any) -> None:
        told.append(blob.blob_name)
        if blob.blob_name == "long":
            await asyncio.sleep(WAIT_SECONDS)
        (folder / blob.blob_name).unlink()

    drop(folder, "long")
    async with watched(inbox, handler):
        await until(lambda: told == ["long"])
        for name in "abc":
            drop(folder, name)
            await until(lambda name=name: told[-1] == name)
    assert told.count("long") == 1


@pytest.mark.parametrize("error", [StillGrowing(), StorageError("SECRET"), RuntimeError("SECRET")])
async def test_what_fails_is_told_of_again_after_a_while(
    inbox: FolderInbox, folder: Path, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    times: dict[str, list[float]] = {}

    async def handler(blob: Any) -> None:
        times.setdefault(blob.blob_name, []).append(asyncio.get_running_loop().time())
        if blob.blob_name == "SECRET bad" and len(times[blob.blob_name]) < 3:
            raise error
        (folder / blob.blob_name).unlink()

    drop(folder, "SECRET bad", "good")
    with caplog.at_level(logging.INFO):
        async with watched(inbox, handler):
            await until(lambda: left(folder) == 0)
    assert len(times["good"]) == 1
    first, second, third = times["SECRET bad"]
    pause = 0.2 if isinstance(error, StillGrowing) else 0.5
    assert min(second - first, third - second) >= pause
    assert "SECRET" not in caplog.text
    assert len(caplog.records) == (0 if isinstance(error, StillGrowing) else 2)


async def test_where_many_fail_no_more_are_tried_for_a_while(
    inbox: FolderInbox, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MAX_RESTING", 8)
    monkeypatch.setattr(watching, "FAILED_PAUSE_SECONDS", 60)
    tried: list[str] = []

    async def handler(blob: Any) -> None:
        tried.append(blob.blob_name)
        raise StorageError("The index is down.")

    drop(folder, *(f"{number}" for number in range(50)))
    async with watched(inbox, handler):
        await until(lambda: len(tried) >= 8)
        await asyncio.sleep(0.3)
    assert len(tried) <= 8 + TAKEN_AT_ONCE


async def test_an_inbox_that_can_not_be_read_is_looked_at_again(
    inbox: FolderInbox, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[str] = []

    async def handler(blob: Any) -> None:
        told.append(blob.blob_name)
        (folder / blob.blob_name).unlink()

    away = folder.with_name("away")
    os.rename(folder, away)
    os.symlink(folder, folder)  # a loop, which is an error other than that nothing is there
    async with watched(inbox, handler):
        await until(lambda: "could not be read" in caplog.text)
        os.unlink(folder)
        os.rename(away, folder)
        drop(folder, "a")
        await until(lambda: told == ["a"])


async def test_without_an_inbox_nothing_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    async def services() -> Any:
        return SimpleNamespace(inbox=None)

    monkeypatch.setattr(watching, "process", SimpleNamespace(services=services))

    async def handler(_: Any) -> None:
        raise AssertionError

    await asyncio.wait_for(watching.run(None, handler), 5)
