"""What crashes leave between blobs and index is settled; what is lost is told."""

import logging
import time

import pytest

from shared.services.context import Services
from shared.services.delete import delete, purge
from shared.services.reconcile import Reconciled, reconcile
from shared.services.tombstones import FOLDER, buried
from shared.storage.blobs.names import InstanceBlob
from shared.storage.index.port import CommitMode
from shared.storage.versions import new_version
from tests.instances import new_identity
from tests.services.storing import PARTITION, everything, named, scope, store


async def leave_stray(services: Services, content: bytes, mode: CommitMode = CommitMode.CREATE) -> str:
    """A blob as a store leaves it that dies before its commit."""

    async def chunks():  # type: ignore[no-untyped-def]
        yield content

    name = InstanceBlob(PARTITION, new_version(), mode, 2).name
    await services.blobs.put(name, chunks())
    return name


async def names(services: Services) -> set[str]:
    return {name async for name, _ in services.blobs.names(PARTITION)}


async def test_nothing_is_found_where_all_is_well(services: Services) -> None:
    identity = new_identity()
    await store(services, [named(identity), named(new_identity())])
    await delete(services, scope(identity))
    before, blobs = await everything(services), await names(services)
    assert await reconcile(services) == Reconciled()
    assert (await everything(services), await names(services)) == (before, blobs)


async def test_a_stray_blob_of_a_free_identity_is_taken_in(services: Services) -> None:
    identity = new_identity()
    name = await leave_stray(services, named(identity))
    assert await reconcile(services) == Reconciled(indexed=1)
    (found,) = [each async for each in services.index.instances(scope(identity))]
    assert found.blob == name


@pytest.mark.parametrize("mode", CommitMode)
async def test_a_stray_blob_of_a_stored_identity_is_removed(services: Services, mode: CommitMode) -> None:
    identity = new_identity()
    await store(services, [named(identity)])
    before, blobs = await everything(services), await names(services)
    await leave_stray(services, named(identity, "Never^Acknowledged"), mode)
    assert await reconcile(services) == Reconciled(removed=1)
    assert (await everything(services), await names(services)) == (before, blobs)


async def test_a_stray_that_is_no_instance_is_left_and_told(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    name = await leave_stray(services, b"not DICOM")
    with caplog.at_level(logging.ERROR):
        assert await reconcile(services) == Reconciled(unreadable=1)
    assert name in caplog.text
    assert await names(services) == {name}


async def test_a_young_stray_may_belong_to_a_store_under_way(services: Services) -> None:
    patient = Services(
        services.settings.model_copy(update={"reconcile_after_seconds": 3600}), services.blobs, services.index
    )
    name = await leave_stray(services, named(new_identity()))
    assert await reconcile(patient) == Reconciled()
    assert await names(services) == {name}


async def test_a_missing_blob_is_told(services: Services, caplog: pytest.LogCaptureFixture) -> None:
    identity = new_identity()
    await store(services, [named(identity), named(new_identity())])
    (found,) = [each async for each in services.index.instances(scope(identity))]
    await services.blobs.delete(found.blob)
    with caplog.at_level(logging.ERROR):
        assert await reconcile(services) == Reconciled(missing=1)
    assert found.blob in caplog.text


async def test_deleted_blobs_are_no_strays_before_nor_after_their_purge(services: Services) -> None:
    eager = Services(services.settings.model_copy(update={"purge_after_seconds": 0}), services.blobs, services.index)
    identity = new_identity()
    await store(eager, [named(identity)])
    await delete(eager, scope(identity))
    assert await reconcile(services) == Reconciled()
    assert await purge(eager) == 1
    assert await reconcile(services) == Reconciled()
    assert await names(services) == set()


async def test_tombstones_go_once_their_blobs_are_long_gone(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = new_identity()
    await store(services, [named(identity)])
    await delete(services, scope(identity))
    assert len(await buried(services)) == 1
    await reconcile(services)
    assert len(await buried(services)) == 1
    later = time.time() + 30 * 24 * 3600
    monkeypatch.setattr(time, "time", lambda: later)
    await reconcile(services)
    assert [name async for name, _ in services.blobs.names(FOLDER)] == []
