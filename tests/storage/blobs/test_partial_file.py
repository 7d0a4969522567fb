"""Publishing files together: each is durable before it has its name, and none takes another one with it."""

import asyncio
import os
from collections.abc import Sequence
from itertools import count
from pathlib import Path

import pytest

from shared.errors import BlobExists
from shared.storage.blobs.partial_file import WRITTEN_AT_ONCE, PartialFile, publish, publish_alone
from shared.storage.blobs.publisher import Publisher
from tests.contract.test_blobs import chunked

numbers = count()


def make_folder(folder: Path) -> None:
    folder.mkdir(exist_ok=True)


async def no_thread(*_: object) -> None:
    raise AssertionError("A small file is not written before it is published.")


async def received(root: Path, name: str, *chunks: bytes) -> PartialFile:
    file = PartialFile(root / name, root / f"{name.replace('/', '~')}~{next(numbers)}", make_folder)
    await file.receive(chunked(*chunks), no_thread)
    return file


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


async def test_each_file_is_durable_before_it_has_its_name_and_each_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[tuple[str, str]] = []
    fsync, link = os.fsync, os.link

    def noted_fsync(handle: int) -> None:
        fsync(handle)
        steps.append(("durable", Path(os.readlink(f"/proc/self/fd/{handle}")).name))

    def noted_link(source: Path, name: Path) -> None:
        steps.append(("named", source.name))
        link(source, name)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(os, "link", noted_link)
    files = [await received(tmp_path, name, b"content") for name in ("a/1", "b/2", "a/3", "b/4")]
    assert publish(files) == [None] * 4
    named = [name for what, name in steps if what == "named"]
    assert len(named) == 4
    assert all(steps.index(("durable", name)) < steps.index(("named", name)) for name in named)
    last_named = max(place for place, (what, _) in enumerate(steps) if what == "named")
    assert sorted(steps[last_named + 1 :]) == [("durable", "a"), ("durable", "b")]


async def test_a_file_that_fails_takes_no_other_with_it_and_leaves_nothing(tmp_path: Path) -> None:
    publish_alone(await received(tmp_path, "a/taken", b"first"))
    (tmp_path / "file").write_bytes(b"")
    names = ("a/1", "a/taken", "file/2", "a/3")
    taken, nowhere = publish([await received(tmp_path, name, b"new") for name in names])[1:3]
    assert isinstance(taken, BlobExists)
    assert isinstance(nowhere, OSError)
    assert contents(tmp_path) == {"a/taken": b"first", "file": b"", "a/1": b"new", "a/3": b"new"}


async def test_chunks_are_written_to_the_last_byte(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writev = os.writev

    def hesitant(handle: int, chunks: Sequence[bytes]) -> int:
        return writev(handle, [*chunks[:3], memoryview(chunks[3])[:1]] if len(chunks) > 3 else chunks)

    monkeypatch.setattr(os, "writev", hesitant)
    chunks = [os.urandom(number % 7) for number in range(2 * WRITTEN_AT_ONCE + 10)]
    publish_alone(await received(tmp_path, "a/1", *chunks))
    assert contents(tmp_path) == {"a/1": b"".join(chunks)}


async def test_files_that_come_while_others_are_published_are_published_next(tmp_path: Path) -> None:
    publisher = Publisher()
    publisher.start()

    async def publish_one(number: int) -> None:
        await asyncio.sleep(0.001 * (number % 10))
        await publisher.publish(await received(tmp_path, f"a/{number % 90}", bytes([number])))

    outcomes = await asyncio.gather(*(publish_one(number) for number in range(100)), return_exceptions=True)
    await asyncio.to_thread(publisher.stop)
    assert [type(outcome) for outcome in outcomes].count(BlobExists) == 10
    assert outcomes.count(None) == 90
    assert set(contents(tmp_path)) == {f"a/{number}" for number in range(90)}
