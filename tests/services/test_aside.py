"""Metadata and layouts that are too large for the index, over both indexes."""

import base64
import random
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import orjson
import pytest
from pydicom import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from shared.dicom.model import Level
from shared.dicomweb.query import parse_query
from shared.dicomweb.store_answer import Failed, Stored
from shared.services import metadata
from shared.services.aside import LARGE, blobs_of, with_layout
from shared.services.bulkdata import bulk_values, pixel_data
from shared.services.context import Services, close_services, open_services
from shared.services.delete import delete, purge
from shared.services.extents import Extent, read
from shared.services.rebuild import rebuild
from shared.services.reconcile import Reconciled, reconcile
from shared.services.search import search
from shared.settings import Settings
from shared.storage.index.model import DEFAULT_PARTITION, Scope, StoredInstance
from shared.storage.index.port import CommitMode
from tests.azure.cosmos import CosmosAccount
from tests.instances import Identity, dataset, new_identity, part10
from tests.services.storing import URL, scope, store

MIB = 1024 * 1024


def in_a_file(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"index": str(request.getfixturevalue("tmp_path") / "index.sqlite")}


def on_cosmos(request: pytest.FixtureRequest) -> dict[str, Any]:
    account: CosmosAccount = request.getfixturevalue("cosmos_account")
    return {"index": f"cosmos:{uuid.uuid4()}", "index_connection": account.connection_string}


@pytest.fixture(params=[in_a_file, on_cosmos], ids=["sqlite", "cosmos"])
async def services(request: pytest.FixtureRequest) -> AsyncIterator[Services]:
    index: Callable[[pytest.FixtureRequest], dict[str, Any]] = request.param
    settings = Settings(blobs="memory:", purge_after_seconds=0, reconcile_after_seconds=0, **index(request))
    opened = await open_services(settings)
    yield opened
    await close_services(opened)


def wordy(identity: Identity, size: int) -> Dataset:
    """An instance whose text no compression gets below ``size`` bytes."""
    made = dataset(identity)
    block = made.private_block(0x0011, "TESTS", create=True)
    chance = random.Random(1)
    for number in range(-(-size // MIB)):
        block.add_new(number, "UT", base64.b64encode(chance.randbytes(MIB)).decode())
    return made


def many_frames(identity: Identity, count: int) -> bytes:
    made = dataset(identity, side=1, frames=count)
    made.file_meta.TransferSyntaxUID = RLELossless
    return part10(made, encapsulate([number.to_bytes(4, "little") for number in range(count)], has_bot=False))


async def names(services: Services) -> set[str]:
    return {name async for name, _ in services.blobs.names(f"{DEFAULT_PARTITION}/")}


async def indexed(services: Services, identity: Identity) -> StoredInstance:
    (found,) = [each async for each in services.index.instances(scope(identity))]
    return found


async def whole(services: Services, stored: StoredInstance, extent: Extent) -> bytes:
    return b"".join([chunk async for chunk in read(services, stored, extent)])


async def test_metadata_of_20_mb_are_kept_beside_the_index(services: Services) -> None:
    identity = new_identity()
    made = wordy(identity, 20 * MIB)
    (outcome,) = await store(services, [part10(made)])
    assert isinstance(outcome, Stored)
    found = await indexed(services, identity)
    assert len(found.metadata) + len(found.layout) < 1000
    assert await names(services) == {found.blob, f"{found.blob}.metadata"}

    (text,) = [each async for each in metadata.datasets(services, services.index.instances(scope(identity)), URL)]
    told = orjson.loads(text)
    assert told["00111013"]["Value"] == [made[0x0011, 0x1013].value]
    assert told["00100020"]["Value"] == ["P-1"]

    query = parse_query("includefield=all", Level.INSTANCE)
    page = await search(services, Level.INSTANCE, Scope(DEFAULT_PARTITION), query, 2, URL)
    (match,) = [orjson.loads(each) async for each in page.objects]
    assert match["00111013"] == told["00111013"]


async def test_small_metadata_stay_in_the_index(services: Services) -> None:
    identity = new_identity()
    await store(services, [part10(dataset(identity))])
    found = await indexed(services, identity)
    assert await names(services) == {found.blob}


async def test_frames_are_found_by_a_layout_kept_beside_and_without_the_metadata(services: Services) -> None:
    identity = new_identity()
    await store(services, [many_frames(identity, 15_000)])
    found = await indexed(services, identity)
    assert len(found.layout) < 1000
    assert await names(services) == {found.blob, f"{found.blob}.layout"}
    pixels = pixel_data(await with_layout(services, found))
    assert pixels.count == 15_000
    for number in (1, 7_777, 15_000):
        assert await whole(services, found, pixels.extent(number)) == (number - 1).to_bytes(4, "little")


async def test_big_endian_values_are_turned_around_by_metadata_kept_beside(services: Services) -> None:
    identity = new_identity()
    made = wordy(identity, LARGE)
    made.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    await store(services, [part10(made, bytes(range(256)) * 2)])
    stored = await with_layout(services, await indexed(services, identity))
    (pixels,) = [value for value in bulk_values(stored) if value.reference == "7FE00010"]
    swapped = bytes(number ^ 1 for number in range(256)) * 2
    assert await whole(services, stored, pixels.extent) == swapped


async def test_what_is_beside_goes_with_the_instance(services: Services) -> None:
    identity = new_identity()
    file = part10(wordy(identity, LARGE))
    await store(services, [file])
    first = await indexed(services, identity)
    (refused,) = await store(services, [file])
    assert isinstance(refused, Failed)
    assert await names(services) == {first.blob, f"{first.blob}.metadata"}

    await store(services, [file], CommitMode.REPLACE)
    second = await indexed(services, identity)
    assert await purge(services) == 1
    assert await names(services) == {second.blob, f"{second.blob}.metadata"}

    await delete(services, scope(identity))
    assert await purge(services) == 1
    assert await names(services) == set()


async def test_a_stray_is_taken_in_with_what_is_beside_it(services: Services) -> None:
    identity = new_identity()
    await store(services, [part10(wordy(identity, LARGE))])
    before = await indexed(services, identity)
    await services.index.delete(scope(identity), 0.0)
    for name in blobs_of(before.blob):
        await services.index.forget_purge(name)
    assert await reconcile(services) == Reconciled(indexed=1)
    assert await indexed(services, identity) == before
    assert await reconcile(services) == Reconciled()


async def test_a_rebuilt_index_names_what_is_beside_again(services: Services) -> None:
    identities = [new_identity(), new_identity()]
    await store(services, [part10(wordy(identities[0], LARGE)), many_frames(identities[1], 15_000)])
    before = [await indexed(services, identity) for identity in identities]
    for identity in identities:
        await services.index.delete(scope(identity), 1e12)
    outcome = await rebuild(services, lambda done, total: None)
    assert (outcome.indexed, outcome.unreadable) == (2, [])
    assert [await indexed(services, identity) for identity in identities] == before
