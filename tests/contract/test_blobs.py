"""What every blob adapter does, over each adapter."""

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from shared.dicom.model import ByteRange
from shared.errors import BlobExists, BlobMissing
from shared.settings import Settings
from shared.storage.adapters import blob_store
from shared.storage.blobs.port import BlobStore
from tests.azure.azurite import Azurite
from tests.azure.connections import connections_closed

NAME = "Microsoft.Default/0a/123.dcm"
MIB = 1024 * 1024


def on_azurite(request: pytest.FixtureRequest) -> Settings:
    azurite: Azurite = request.getfixturevalue("azurite")
    return Settings(blobs=f"azure:{uuid.uuid4()}", blobs_connection=azurite.connection)


def in_a_folder(request: pytest.FixtureRequest) -> Settings:
    folder: Path = request.getfixturevalue("tmp_path")
    return Settings(blobs=str(folder / "blobs"))


def in_memory(_: pytest.FixtureRequest) -> Settings:
    return Settings(blobs="memory:")


@pytest.fixture(params=[in_a_folder, in_memory, on_azurite], ids=["folder", "memory", "azurite"])
async def blobs(request: pytest.FixtureRequest) -> AsyncIterator[BlobStore]:
    settings: Callable[[pytest.FixtureRequest], Settings] = request.param
    store = blob_store(settings(request))
    await store.open()
    yield store
    await store.close()
    await connections_closed()


async def chunked(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def broken(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk
    raise RuntimeError("the body broke off")


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield bytes(MIB)
        await asyncio.sleep(0.001)


async def whole(store: BlobStore, name: str, offset: int = 0, length: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in store.read(name, offset, length)])


async def names(store: BlobStore, prefix: str = "") -> set[str]:
    return {name async for name, _ in store.names(prefix)}


async def test_a_blob_comes_back_as_it_was_put(blobs: BlobStore) -> None:
    assert await blobs.put(NAME, chunked(b"abc", b"", b"defg")) == 7
    assert await whole(blobs, NAME) == b"abcdefg"


async def test_an_empty_blob_is_a_blob(blobs: BlobStore) -> None:
    assert await blobs.put(NAME, chunked()) == 0
    assert await whole(blobs, NAME) == b""
    assert await names(blobs) == {NAME}


async def test_a_large_blob_is_written_and_read_in_pieces(blobs: BlobStore) -> None:
    pieces = [os.urandom(MIB + 17) for _ in range(12)]
    assert await blobs.put(NAME, chunked(*pieces)) == 12 * (MIB + 17)
    read = [chunk async for chunk in blobs.read(NAME)]
    assert b"".join(read) == b"".join(pieces)
    assert max(map(len, read)) <= MIB


async def test_a_part_of_a_blob_can_be_read(blobs: BlobStore) -> None:
    await blobs.put(NAME, chunked(b"0123456789"))
    assert await whole(blobs, NAME, 3) == b"3456789"
    assert await whole(blobs, NAME, 3, 4) == b"3456"
    assert await blobs.read_ranges(NAME, [ByteRange(8, 2), ByteRange(0, 1), ByteRange(4, 0)]) == [b"89", b"0", b""]


async def test_a_name_is_taken_once(blobs: BlobStore) -> None:
    await blobs.put(NAME, chunked(b"first"))
    with pytest.raises(BlobExists):
        await blobs.put(NAME, chunked(b"second"))
    assert await whole(blobs, NAME) == b"first"


async def test_of_many_puts_of_one_name_one_wins(blobs: BlobStore) -> None:
    contents = [bytes([number]) * 1000 for number in range(16)]
    results = await asyncio.gather(*(blobs.put(NAME, chunked(data)) for data in contents), return_exceptions=True)
    assert sum(result == 1000 for result in results) == 1
    assert sum(isinstance(result, BlobExists) for result in results) == 15
    assert await whole(blobs, NAME) == contents[[result == 1000 for result in results].index(True)]


async def test_of_many_large_puts_of_one_name_one_wins_whole(blobs: BlobStore) -> None:
    contents = [bytes([number]) * MIB for number in range(4)]
    puts = (blobs.put(NAME, chunked(*[data] * 9)) for data in contents)
    results = await asyncio.gather(*puts, return_exceptions=True)
    assert sum(result == 9 * MIB for result in results) == 1
    assert sum(isinstance(result, BlobExists) for result in results) == 3
    assert await whole(blobs, NAME) == 9 * contents[[result == 9 * MIB for result in results].index(True)]


@pytest.mark.parametrize("size", [10, 10 * MIB])
async def test_a_blob_is_not_there_before_its_put_is_done(blobs: BlobStore, size: int) -> None:
    received, go_on = asyncio.Event(), asyncio.Event()

    async def halting() -> AsyncIterator[bytes]:
        yield bytes(size)
        received.set()
        await go_on.wait()
        yield b"end"

    put = asyncio.create_task(blobs.put(NAME, halting()))
    await received.wait()
    assert await names(blobs) == set()
    with pytest.raises(BlobMissing):
        await whole(blobs, NAME)
    go_on.set()
    assert await put == size + 3
    assert await names(blobs) == {NAME}


@pytest.mark.parametrize("size", [10, 6 * MIB])
async def test_a_put_that_breaks_off_leaves_nothing(blobs: BlobStore, size: int) -> None:
    with pytest.raises(RuntimeError):
        await blobs.put(NAME, broken(bytes(size)))
    assert await names(blobs) == set()
    assert await blobs.put(NAME, chunked(b"again")) == 5


async def test_a_cancelled_put_leaves_nothing(blobs: BlobStore) -> None:
    put = asyncio.create_task(blobs.put(NAME, endless()))
    await asyncio.sleep(0.1)
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put
    assert await names(blobs) == set()


async def test_what_is_not_there_is_missing(blobs: BlobStore) -> None:
    with pytest.raises(BlobMissing):
        await whole(blobs, NAME)
    with pytest.raises(BlobMissing):
        await blobs.read_ranges(NAME, [ByteRange(0, 1)])


async def test_a_blob_shorter_than_expected_is_missing_data(blobs: BlobStore) -> None:
    await blobs.put(NAME, chunked(b"short"))
    with pytest.raises(BlobMissing):
        await blobs.read_ranges(NAME, [ByteRange(0, 100)])
    with pytest.raises(BlobMissing):
        await blobs.read_ranges(NAME, [ByteRange(0, 1), ByteRange(50, 1)])
    for offset in (0, 50):
        with pytest.raises(BlobMissing):
            await whole(blobs, NAME, offset, 100)


async def test_a_deleted_blob_is_gone_and_may_be_deleted_again(blobs: BlobStore) -> None:
    await blobs.put(NAME, chunked(b"x"))
    await blobs.delete(NAME)
    await blobs.delete(NAME)
    assert await names(blobs) == set()


async def test_names_are_listed_by_prefix(blobs: BlobStore) -> None:
    for name in ("a/00/1.dcm", "a/01/2.dcm", "ab/00/3.dcm", ".dots/00/4.dcm"):
        await blobs.put(name, chunked(b"x"))
    assert await names(blobs) == {"a/00/1.dcm", "a/01/2.dcm", "ab/00/3.dcm", ".dots/00/4.dcm"}
    assert await names(blobs, "a/") == {"a/00/1.dcm", "a/01/2.dcm"}
    assert await names(blobs, "a/01/2") == {"a/01/2.dcm"}
    assert await names(blobs, "none/") == set()


async def test_a_prefix_may_end_within_a_name(blobs: BlobStore) -> None:
    for name in ("a/00/1.dcm", "a/01/2.dcm", "ab/00/3.dcm"):
        await blobs.put(name, chunked(b"x"))
    assert await names(blobs, "a") == {"a/00/1.dcm", "a/01/2.dcm", "ab/00/3.dcm"}
    assert await names(blobs, "a/0") == {"a/00/1.dcm", "a/01/2.dcm"}
    assert await names(blobs, "a/00/1") == {"a/00/1.dcm"}
    assert await names(blobs, "c/") == set()


async def test_a_listing_tells_when_a_blob_was_created(blobs: BlobStore) -> None:
    before = time.time()
    await blobs.put(NAME, chunked(b"x"))
    [created] = [created async for _, created in blobs.names()]
    assert before - 2 <= created <= time.time() + 1


async def test_a_reader_may_stop_early(blobs: BlobStore) -> None:
    await blobs.put(NAME, chunked(*[bytes(MIB)] * 8))
    reading = blobs.read(NAME)
    assert len(await anext(reading)) <= MIB
    await reading.aclose()  # type: ignore[attr-defined]
    assert len(await whole(blobs, NAME)) == 8 * MIB


async def test_the_check_leaves_nothing_behind(blobs: BlobStore) -> None:
    await blobs.check()
    assert await names(blobs) == set()
