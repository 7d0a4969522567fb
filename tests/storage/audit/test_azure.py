"""The audit in a container of Azurite: append blobs."""

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import pytest
from azure.storage.blob import BlobType
from azure.storage.blob.aio import BlobServiceClient, ContainerClient

from shared.audit import Trail
from shared.errors import StorageError
from shared.storage.audit import azure
from shared.storage.audit.azure import AzureAudit
from shared.storage.blobs.azure_container import AzureContainer
from tests.audit.waiting import until
from tests.azure.azurite import KEY, Azurite, connection_string
from tests.azure.connections import connections_closed
from tests.azure.proxy import Fault, Proxy, once, proxy

NOON = 1_700_049_600.0
DAY = 86_400.0


@pytest.fixture(autouse=True)
async def all_closed() -> AsyncIterator[None]:
    yield
    await connections_closed()


@pytest.fixture
def name() -> str:
    return f"audit-{uuid4()}"


@pytest.fixture
async def container(azurite: Azurite, name: str) -> AsyncIterator[ContainerClient]:
    """The container as the SDK sees it."""
    async with BlobServiceClient.from_connection_string(azurite.connection) as service:
        yield service.get_container_client(name)


@pytest.fixture
async def store(azurite: Azurite, name: str) -> AsyncIterator[AzureAudit]:
    opened = AzureAudit(partial(AzureContainer.by_key, azurite.connection, name))
    yield opened
    await opened.close()


@pytest.fixture
async def faulty(azurite: Azurite) -> AsyncIterator[Proxy]:
    async with proxy(azurite.port) as served:
        yield served


def through(faulty: Proxy, azurite: Azurite, name: str) -> AzureAudit:
    """The audit, whose requests all pass the proxy."""
    endpoint = azurite.endpoint.replace(str(azurite.port), str(faulty.port))
    return AzureAudit(partial(AzureContainer.by_key, connection_string(endpoint), name))


async def blobs(container: ContainerClient) -> dict[str, bytes]:
    found = {}
    async for blob in container.list_blobs():
        assert blob.blob_type == BlobType.APPENDBLOB
        found[blob.name] = await (await container.download_blob(blob.name)).readall()
    return found


async def test_lines_are_added_to_one_append_blob(store: AzureAudit, container: ContainerClient) -> None:
    assert not store.write(b"1\n")
    await store.keep([b"1\n", b"2\n"])
    await store.keep([b"3\n"])
    assert list((await blobs(container)).values()) == [b"1\n2\n3\n"]


async def test_each_day_has_a_blob(
    store: AzureAudit, container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = NOON + DAY / 2 - 1
    monkeypatch.setattr(azure.time, "time", lambda: now)
    await store.keep([b"late\n"])
    now += 1
    await store.keep([b"early\n"])
    found = await blobs(container)
    assert [name[:10] for name in found] == ["2023-11-15", "2023-11-16"]
    assert list(found.values()) == [b"late\n", b"early\n"]


async def test_a_blob_of_as_many_blocks_as_there_may_be_is_followed_by_another(
    store: AzureAudit, container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure, "MOST_BLOCKS", 3)
    for number in range(7):
        await store.keep([b"%d\n" % number])
    assert sorted((await blobs(container)).values()) == [b"0\n1\n2\n", b"3\n4\n5\n", b"6\n"]


async def test_many_lines_are_sent_in_blocks_of_whole_lines(
    store: AzureAudit, container: ContainerClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(azure, "BLOCK_BYTES", 10)
    lines = [b"%03d\n" % number for number in range(7)]
    await store.keep(lines)
    (blob,) = [each async for each in container.list_blobs()]
    properties = await container.get_blob_client(blob.name).get_blob_properties()
    assert properties.append_blob_committed_block_count == 4
    assert list((await blobs(container)).values()) == [b"".join(lines)]


async def test_nothing_is_sent_for_no_lines(store: AzureAudit, container: ContainerClient) -> None:
    await store.check()
    await store.keep([])
    assert await blobs(container) == {}


async def test_a_container_that_is_deleted_is_made_again(store: AzureAudit, container: ContainerClient) -> None:
    await store.keep([b"1\n"])
    await container.delete_container()
    with pytest.raises(StorageError, match="The audit container answered 404"):
        await store.keep([b"2\n"])
    await store.keep([b"2\n"])
    assert list((await blobs(container)).values()) == [b"2\n"]


async def test_what_failed_can_be_sent_again(
    azurite: Azurite, name: str, container: ContainerClient, faulty: Proxy
) -> None:
    store = through(faulty, azurite, name)
    await store.keep([b"1\n"])
    faulty.choose = once("comp=appendblock", fault=Fault.BUSY)
    with pytest.raises(StorageError, match=r"The audit container answered 503\."):
        await store.keep([b"2\n"])
    await store.keep([b"2\n"])
    await store.close()
    assert sorted((await blobs(container)).values()) == [b"1\n", b"2\n"]


async def test_a_connection_that_was_closed_meanwhile_is_made_anew(
    azurite: Azurite, name: str, container: ContainerClient, faulty: Proxy
) -> None:
    store = through(faulty, azurite, name)
    await store.keep([b"1\n"])
    faulty.choose = once("comp=appendblock", fault=Fault.CUT_BEFORE)
    await store.keep([b"2\n"])
    await store.close()
    assert list((await blobs(container)).values()) == [b"1\n2\n"]


async def test_a_service_that_is_not_there(azurite: Azurite, name: str, faulty: Proxy) -> None:
    store = through(faulty, azurite, name)
    await store.keep([b"1\n"])
    faulty.choose = lambda request: Fault.CUT_BEFORE
    with pytest.raises(StorageError, match=r"The audit container could not be reached\."):
        await store.keep([b"2\n"])
    await store.close()


async def test_what_was_added_before_the_answer_was_lost_is_there_twice_and_never_torn(
    azurite: Azurite, name: str, container: ContainerClient, faulty: Proxy
) -> None:
    store = through(faulty, azurite, name)
    await store.keep([b"1\n"])
    faulty.choose = once("comp=appendblock", fault=Fault.CUT_AFTER)
    with pytest.raises(StorageError, match="The audit container answered 412"):
        await store.keep([b"2\n"])
    await store.keep([b"2\n"])
    await store.close()
    assert sorted((await blobs(container)).values()) == [b"1\n2\n", b"2\n"]


async def test_a_trail_goes_on_after_a_hang(
    azurite: Azurite, name: str, container: ContainerClient, faulty: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.audit.trail.KEEP_SECONDS", 1.0)
    monkeypatch.setattr("shared.audit.trail.FIRST_RETRY", 0.01)
    audit = Trail(through(faulty, azurite, name))
    await audit.record(b"1\n")
    faulty.choose = once("comp=appendblock", fault=Fault.HANG)
    await audit.record(b"2\n")
    assert not audit.works
    with pytest.raises(StorageError, match=r"The store of the audit does not answer\. 1 audit records wait"):
        await audit.check()
    await until(lambda: audit.works)
    await audit.record(b"3\n")
    await audit.close()
    assert sorted((await blobs(container)).values()) == [b"1\n", b"2\n3\n"]


async def test_records_that_come_together_are_sent_together(
    azurite: Azurite, name: str, container: ContainerClient, faulty: Proxy
) -> None:
    audit = Trail(through(faulty, azurite, name))
    await audit.record(b"first\n")
    await asyncio.gather(*(audit.record(b"%d\n" % number) for number in range(100)))
    await audit.close()
    (found,) = (await blobs(container)).values()
    assert found == b"first\n" + b"".join(b"%d\n" % number for number in range(100))
    assert len([request for request in faulty.requests if "comp=appendblock" in request]) <= 3


async def test_a_key_that_is_not_taken(azurite: Azurite, name: str) -> None:
    wrong = connection_string(azurite.endpoint, KEY.replace("Eby8", "AAAA"))
    store = AzureAudit(partial(AzureContainer.by_key, wrong, name))
    for attempt in (store.check(), store.keep([b"1\n"])):
        with pytest.raises(StorageError, match="did not accept the service's credentials"):
            await attempt
    await store.close()
