"""What is particular to blobs in a folder: no put leaves a file, and what dead processes left is cleared away."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.storage.blobs import folder
from shared.storage.blobs.folder import PARTIAL, FolderBlobs
from shared.storage.blobs.partial_file import LEFT_BEHIND_SECONDS
from tests.contract.test_blobs import MIB, NAME, broken, chunked, endless


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[FolderBlobs]:
    store = FolderBlobs(tmp_path)
    await store.open()
    yield store
    await store.close()


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize("size", [10, 6 * MIB])
async def test_a_put_that_breaks_off_leaves_no_file(blobs: FolderBlobs, tmp_path: Path, size: int) -> None:
    with pytest.raises(RuntimeError):
        await blobs.put(NAME, broken(bytes(size)))
    assert files(tmp_path) == []


async def test_a_cancelled_put_leaves_no_file(blobs: FolderBlobs, tmp_path: Path) -> None:
    put = asyncio.create_task(blobs.put(NAME, endless()))
    await asyncio.sleep(0.1)
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert files(tmp_path) == []


async def test_folders_that_are_known_are_bounded(blobs: FolderBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "KNOWN_FOLDERS", 3)
    names = [f"partition-{number}/00/1.c.dcm" for number in range(5)] * 2
    for number, name in enumerate(names):
        assert await blobs.put(f"{name}{number}", chunked(b"bytes")) == 5
        assert len(blobs._folders) <= 3


async def test_partial_files_of_dead_processes_go_and_others_stay(tmp_path: Path) -> None:
    partials = tmp_path / PARTIAL
    partials.mkdir()
    old, young = partials / "old", partials / "young"
    for path in (old, young):
        path.write_bytes(b"half an image")
    then = time.time() - LEFT_BEHIND_SECONDS - 60
    os.utime(old, (then, then))
    store = FolderBlobs(tmp_path)
    await store.open()
    await store.close()
    assert list(partials.iterdir()) == [young]
