"""What is particular to blobs on Azure: requests, faults, credentials, upload URLs and tiers."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest

from shared.dicom.model import ByteRange
from shared.errors import BlobExists, BlobMissing, StorageError
from shared.storage.blobs import azure_container
from shared.storage.blobs.azure import AzureBlobs
from shared.storage.blobs.azure_container import AzureContainer
from tests.azure.azurite import ACCOUNT, KEY, Azurite, connection_string
from tests.azure.connections import connections_closed
from tests.azure.proxy import Fault, Proxy, once, proxy
from tests.contract.test_blobs import MIB, NAME, broken, chunked, names, whole
from tests.server import free_port

SMALL = [b"0123456789" * 1000] * 3
LARGE = [bytes([number]) * MIB for number in range(9)]
PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def opened(connection: str, name: str) -> AsyncIterator[AzureBlobs]:
    blobs = AzureBlobs(AzureContainer.by_key(connection, name))
    try:
        await blobs.open()
        yield blobs
    finally:
        await blobs.close()


@pytest.fixture(autouse=True)
async def tidy() -> AsyncIterator[None]:
    yield
    await connections_closed()


@pytest.fixture
def container() -> str:
    return str(uuid.uuid4())


@pytest.fixture
async def blobs(azurite: Azurite, container: str) -> AsyncIterator[AzureBlobs]:
    async with opened(azurite.connection, container) as store:
        yield store


@pytest.fixture
async def faults(azurite: Azurite) -> AsyncIterator[Proxy]:
    async with proxy(azurite.port) as served:
        yield served


def through(faults: Proxy) -> str:
    return connection_string(f"http://127.0.0.1:{faults.port}/{ACCOUNT}")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes what is opened afterwards try again once only, and not wait for long."""
    monkeypatch.setattr(azure_container, "RETRIES", 1)
    monkeypatch.setattr(azure_container, "ANSWER_TIMEOUT", timedelta(seconds=0.2))


@pytest.fixture
async def faulty(blobs: AzureBlobs, faults: Proxy, container: str) -> AsyncIterator[AzureBlobs]:
    """The same container as ``blobs``, by way of the proxy."""
    async with opened(through(faults), container) as store:
        faults.requests.clear()
        yield store


async def test_a_small_blob_is_one_request(faulty: AzureBlobs, faults: Proxy) -> None:
    await faulty.put(NAME, chunked(*[bytes(MIB)] * 3))
    assert len(faults.requests) == 1


async def test_a_large_blob_is_a_request_for_each_block_and_one_for_their_list(
    faulty: AzureBlobs, faults: Proxy
) -> None:
    await faulty.put(NAME, chunked(*LARGE))
    assert sum("comp=block&" in request for request in faults.requests) == 3
    assert "comp=blocklist" in faults.requests[-1]
    assert len(faults.requests) == 4


async def test_neighbouring_ranges_are_one_request(faulty: AzureBlobs, faults: Proxy, blobs: AzureBlobs) -> None:
    await blobs.put(NAME, chunked(*LARGE))
    ranges = [ByteRange(5 * MIB, 10), ByteRange(8, 100), ByteRange(5 * MIB + 20, 10)]
    assert await faulty.read_ranges(NAME, ranges) == [b"\5" * 10, b"\0" * 100, b"\5" * 10]
    assert len(faults.requests) == 2


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.CUT_BEFORE, Fault.CUT_AFTER])
@pytest.mark.parametrize(
    ("chunks", "request_words"),
    [(SMALL, "PUT"), (LARGE, "comp=block&"), (LARGE, "comp=blocklist")],
    ids=["put", "block", "commit"],
)
async def test_a_write_that_fails_once_leaves_the_whole_blob_or_nothing(
    faulty: AzureBlobs, faults: Proxy, blobs: AzureBlobs, chunks: list[bytes], request_words: str, fault: Fault
) -> None:
    faults.choose = once(request_words, fault=fault)
    assert await faulty.put(NAME, chunked(*chunks)) == sum(map(len, chunks))
    assert await whole(blobs, NAME) == b"".join(chunks)


@pytest.mark.usefixtures("impatient")
async def test_a_write_that_keeps_failing_says_so_and_leaves_nothing(
    faulty: AzureBlobs, faults: Proxy, blobs: AzureBlobs
) -> None:
    for words, chunks in (("PUT", SMALL), ("comp=block&", LARGE), ("comp=blocklist", LARGE)):
        faults.choose = lambda request, words=words: Fault.BUSY if words in request else None
        with pytest.raises(StorageError) as raised:
            await faulty.put(NAME, chunked(*chunks))
        assert not isinstance(raised.value, BlobExists)
        assert await names(blobs) == set()


async def test_another_writers_blob_is_not_taken_for_ones_own(
    faulty: AzureBlobs, faults: Proxy, blobs: AzureBlobs
) -> None:
    await blobs.put(NAME, chunked(b"theirs"))
    for chunks in (SMALL, LARGE):
        faults.choose = once("PUT", fault=Fault.BUSY)
        with pytest.raises(BlobExists):
            await faulty.put(NAME, chunked(*chunks))
    assert await whole(blobs, NAME) == b"theirs"


@pytest.mark.parametrize("fault", [Fault.BUSY, Fault.CUT_BEFORE, Fault.CUT_AFTER])
async def test_reads_and_deletes_are_tried_again(
    faulty: AzureBlobs, faults: Proxy, blobs: AzureBlobs, fault: Fault
) -> None:
    await blobs.put(NAME, chunked(*LARGE))
    faults.choose = once(fault=fault)
    assert await whole(faulty, NAME) == b"".join(LARGE)
    faults.choose = once(fault=fault)
    assert await names(faulty) == {NAME}
    faults.choose = once(fault=fault)
    await faulty.delete(NAME)
    assert await names(blobs) == set()


async def test_blocks_never_committed_are_not_seen_and_not_in_the_way(blobs: AzureBlobs) -> None:
    with pytest.raises(RuntimeError):
        await blobs.put(NAME, broken(*LARGE))
    assert await names(blobs) == set()
    with pytest.raises(BlobMissing):
        await blobs.read_ranges(NAME, [ByteRange(0, 1)])
    assert await blobs.put(NAME, chunked(*LARGE[::-1])) == 9 * MIB
    assert await whole(blobs, NAME) == b"".join(LARGE[::-1])


async def test_several_blocks_are_on_their_way_at_once_but_not_more(faulty: AzureBlobs, faults: Proxy) -> None:
    taken = 0

    async def counting() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1
            yield bytes(4 * MIB)

    faults.choose = lambda _: Fault.HANG
    put = asyncio.create_task(faulty.put(NAME, counting()))
    await asyncio.sleep(0.5)
    assert len(faults.requests) == taken == 4
    put.cancel()
    with pytest.raises(asyncio.CancelledError):
        await put


async def test_a_slow_reader_has_little_read_ahead_and_keeps_no_request_open(
    faulty: AzureBlobs, faults: Proxy, blobs: AzureBlobs
) -> None:
    await blobs.put(NAME, chunked(*[bytes(MIB)] * 32))
    reading = faulty.read(NAME, 0, 32 * MIB)
    await anext(reading)
    await asyncio.sleep(0.3)
    assert len(faults.requests) == 3
    assert faults.under_way == 0
    await reading.aclose()  # type: ignore[attr-defined]


async def failures(blobs: AzureBlobs) -> dict[str, StorageError]:
    """What each call raises. The blobs are closed then, as after an ``open`` that failed."""
    calls = {
        "check": blobs.check(),
        "put": blobs.put(NAME, chunked(*SMALL)),
        "put large": blobs.put(NAME, chunked(*LARGE)),
        "read ranges": blobs.read_ranges(NAME, [ByteRange(0, 1)]),
        "read": whole(blobs, NAME),
        "delete": blobs.delete(NAME),
        "names": names(blobs),
    }
    results = await asyncio.gather(*calls.values(), return_exceptions=True)
    failed = {call: result for call, result in zip(calls, results, strict=True) if isinstance(result, StorageError)}
    assert failed.keys() == calls.keys()
    with pytest.raises(StorageError) as raised:
        await blobs.open()
    return failed | {"open": raised.value}


async def test_a_wrong_key_is_refused_and_not_repeated(azurite: Azurite, blobs: AzureBlobs, container: str) -> None:
    wrong = KEY.replace("Eby8", "AAAA")
    stranger = AzureBlobs(AzureContainer.by_key(connection_string(azurite.endpoint, wrong), container))
    failed = await failures(stranger)
    refused = {call for call, error in failed.items() if "credentials" in error.detail}
    assert refused == failed.keys() - {"delete", "names"}
    assert not any("AAAA" in error.detail for error in failed.values())


async def test_a_container_that_vanished_is_a_storage_error(azurite: Azurite, container: str) -> None:
    unopened = AzureBlobs(AzureContainer.by_key(azurite.connection, container))
    for chunks in (SMALL, LARGE):
        with pytest.raises(StorageError, match="container") as raised:
            await unopened.put(NAME, chunked(*chunks))
        assert not isinstance(raised.value, BlobMissing)
    await unopened.close()


async def test_a_server_that_can_not_be_reached_is_given_up_soon(container: str) -> None:
    nowhere = connection_string(f"http://127.0.0.1:{free_port()}/{ACCOUNT}")
    nobody = AzureBlobs(AzureContainer.by_key(nowhere, container))
    since = time.monotonic()
    failed = await failures(nobody)
    assert {error.detail for error in failed.values()} == {"The blob store failed or could not be reached."}
    assert time.monotonic() - since < PATIENCE_SECONDS


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_never_answers_is_given_up(faults: Proxy, container: str) -> None:
    silent = AzureBlobs(AzureContainer.by_key(through(faults), container))
    faults.choose = lambda _: Fault.HANG
    since = time.monotonic()
    await failures(silent)
    assert time.monotonic() - since < PATIENCE_SECONDS


async def test_a_container_may_be_opened_by_many_at_once(azurite: Azurite, container: str) -> None:
    stores = [AzureBlobs(AzureContainer.by_key(azurite.connection, container)) for _ in range(8)]
    await asyncio.gather(*(store.open() for store in stores))
    await stores[0].check()
    for store in stores:
        await store.close()


@pytest.mark.parametrize(
    "connection",
    [
        "nonsense",
        "",
        "AccountName=someone",
        f"AccountName={ACCOUNT};AccountKey=not base64",
        "BlobEndpoint=https://a.blob.core.windows.net;SharedAccessSignature=sig%3Dsecret",
    ],
)
def test_a_connection_string_that_can_not_serve_is_named(connection: str) -> None:
    with pytest.raises(StorageError, match="DICOM_BLOBS_CONNECTION") as raised:
        AzureBlobs(AzureContainer.by_key(connection, "images"))
    assert "secret" not in raised.value.detail
    assert "not base64" not in raised.value.detail


async def test_development_storage_is_azurite_where_it_listens_by_default() -> None:
    at = AzureContainer.by_key("UseDevelopmentStorage=true", "images")
    assert at.blob("x").url == f"http://127.0.0.1:10000/{ACCOUNT}/images/x"
    assert at.store().config["endpoint"] == f"http://127.0.0.1:10000/{ACCOUNT}"
    await at.close()


async def test_an_upload_url_takes_one_blob_and_gives_nothing(
    azurite: Azurite, blobs: AzureBlobs, container: str
) -> None:
    at = AzureContainer.by_key(azurite.connection, container)
    url = await at.upload_url("uploads/a b.dcm", timedelta(minutes=5))
    expired = await at.upload_url("uploads/a b.dcm", timedelta(minutes=-5))
    await at.close()
    headers = {"x-ms-blob-type": "BlockBlob"}
    async with httpx.AsyncClient() as client:
        assert (await client.put(expired, content=b"late", headers=headers)).status_code == 403
        assert (await client.put(url, content=b"mine", headers=headers)).status_code == 201
        assert (await client.get(url)).status_code == 403
        assert (await client.delete(url)).status_code == 403
        other = await client.put(url.replace(".dcm", ".txt"), content=b"x", headers=headers)
        assert other.status_code == 403
    assert await names(blobs) == {"uploads/a b.dcm"}
    assert await whole(blobs, "uploads/a b.dcm") == b"mine"


async def test_a_tier_changes_neither_bytes_nor_time(azurite: Azurite, blobs: AzureBlobs, container: str) -> None:
    await blobs.put(NAME, chunked(b"x"))
    listed = [found async for found in blobs.names()]
    at = AzureContainer.by_key(azurite.connection, container)
    await at.set_tier(NAME, "Cool")
    assert (await at.blob(NAME).get_blob_properties()).blob_tier == "Cool"
    with pytest.raises(BlobMissing):
        await at.set_tier("nothing", "Cool")
    await at.close()
    assert await whole(blobs, NAME) == b"x"
    assert [found async for found in blobs.names()] == listed
