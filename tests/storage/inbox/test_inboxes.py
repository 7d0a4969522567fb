"""What every inbox does."""

import time
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest

from shared.errors import BlobExists, StorageError
from shared.storage.inbox.port import Dropped, Inbox

MIB = 1024 * 1024
NAMES = [
    "a.dcm",
    "Müller, Jürgen/CT 1/图像.dcm",
    "a#b?c%41+d&e='f' [g]{h}.dcm",
    "x" * 200,
    "a.",
    "~a",
    "A.DCM",
    "a/b/c/d/e",
]


async def chunks(*data: bytes) -> AsyncIterator[bytes]:
    for chunk in data:
        yield chunk


async def broken() -> AsyncIterator[bytes]:
    yield b"half"
    raise RuntimeError


async def names(inbox: Inbox) -> set[str]:
    return {file.name async for file in inbox.files()}


async def content(inbox: Inbox, file: Dropped) -> bytes:
    return b"".join([chunk async for chunk in inbox.read(file)])


async def found(inbox: Inbox, name: str) -> Dropped:
    file = await inbox.find(name)
    assert file is not None
    return file


@pytest.mark.parametrize("name", NAMES)
async def test_any_name_is_found_read_and_removed(inbox: Inbox, name: str) -> None:
    assert await inbox.put(name, chunks(b"one ", b"two")) == 7
    (listed,) = [file async for file in inbox.files()]
    assert listed.name == name
    assert listed.length == 7
    assert abs(listed.changed - time.time()) < 60
    assert await found(inbox, name) == listed
    assert await content(inbox, listed) == b"one two"
    await inbox.remove(listed)
    assert await names(inbox) == set()
    assert await inbox.find(name) is None
    await inbox.remove(listed)


async def test_an_empty_file(inbox: Inbox) -> None:
    assert await inbox.put("empty", chunks()) == 0
    file = await found(inbox, "empty")
    assert (file.length, await content(inbox, file)) == (0, b"")


async def test_a_large_file_comes_in_chunks(inbox: Inbox) -> None:
    pieces = [bytes([number]) * MIB for number in range(10)]
    assert await inbox.put("large", chunks(*pieces)) == 10 * MIB
    sizes, whole = [], b""
    async for chunk in inbox.read(await found(inbox, "large")):
        sizes.append(len(chunk))
        whole += chunk
    assert whole == b"".join(pieces)
    assert max(sizes) <= 4 * MIB


@pytest.mark.parametrize("size", [3, 6 * MIB])
async def test_a_name_is_put_once(inbox: Inbox, size: int) -> None:
    await inbox.put("name", chunks(b"first"))
    with pytest.raises(BlobExists):
        await inbox.put("name", chunks(bytes(size)))
    assert await content(inbox, await found(inbox, "name")) == b"first"


async def test_a_put_that_breaks_off_leaves_nothing(inbox: Inbox) -> None:
    with pytest.raises(RuntimeError):
        await inbox.put("name", broken())
    assert await names(inbox) == set()


async def test_more_files_than_a_page(inbox: Inbox) -> None:
    expected = {f"{number % 3}/{number}" for number in range(1200 if inbox.grows else 40)}
    for name in expected:
        await inbox.put(name, chunks(b"x"))
    assert await names(inbox) == expected


async def test_what_changed_is_neither_read_nor_removed(inbox: Inbox) -> None:
    await inbox.put("name", chunks(b"before"))
    before = await found(inbox, "name")
    await inbox.remove(before)
    await inbox.put("name", chunks(b"behind"))
    after = await found(inbox, "name")
    assert after.state != before.state
    with pytest.raises(StorageError):
        await content(inbox, before)
    await inbox.remove(before)
    assert await content(inbox, after) == b"behind"


async def test_what_is_gone_can_not_be_read(inbox: Inbox) -> None:
    await inbox.put("name", chunks(b"content"))
    file = await found(inbox, "name")
    await inbox.remove(file)
    with pytest.raises(StorageError):
        await content(inbox, file)


async def test_others_write_by_a_url_where_there_are_urls(inbox: Inbox) -> None:
    url = await inbox.upload_url("some where/file", timedelta(hours=1))
    if url is None:
        assert inbox.grows
        return
    async with httpx.AsyncClient() as http:
        sent = await http.put(url, content=b"from outside", headers={"x-ms-blob-type": "BlockBlob"})
        assert sent.status_code == 201, sent.text
        assert await content(inbox, await found(inbox, "some where/file")) == b"from outside"
        assert (await http.get(url)).status_code == 403
        assert (await http.delete(url)).status_code == 403
