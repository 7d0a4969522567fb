"""What was stored before an extended query tag was added is found by it afterwards."""

import asyncio
import base64
import random

import pytest

from shared.dicom.query_tags import MULTIPLE_VALUES
from shared.services import operations, reindex
from shared.services.aside import LARGE
from shared.services.context import Services
from shared.services.delete import delete
from shared.services.reindex import REINDEX
from shared.services.running import ATTEMPTS, UNFORESEEN, errors_of, now
from shared.storage.index.model import Scope
from shared.storage.index.operations import OperationStatus
from shared.storage.index.port import CommitMode
from shared.storage.index.tags import QueryStatus, TagStatus
from shared.storage.versions import new_version
from tests.contract.records import record
from tests.instances import Identity, dataset, new_identity, new_uid, part10
from tests.services.stepping import Died, dying, ended, failing, found, left_behind, let_time_pass
from tests.services.storing import PARTITION, scope, store
from tests.services.tagging import (
    ACQUISITION_NUMBER,
    MANUFACTURER,
    PATIENT_AGE,
    PRIVATE,
    add_tags,
    finds,
    name_operation,
    tag,
)

SMALL_PAGE = 3
ALL_TAGS = (ACQUISITION_NUMBER, MANUFACTURER, PATIENT_AGE, PRIVATE)


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reindex, "PAGE", SMALL_PAGE)


def image(identity: Identity, number: int, *, age: str = "030Y", private: str = "a") -> bytes:
    made = dataset(identity, AcquisitionNumber=number, Manufacturer=f"Maker {number}", PatientAge=age)
    made.private_block(0x0011, "OTHERS", create=True).add_new(0x01, "LO", "none of ours")
    made.private_block(0x0011, "TESTS", create=True).add_new(0x01, "LO", private)
    return part10(made)


async def study_of(services: Services, count: int, partition: str = PARTITION) -> list[Identity]:
    """Instances of one study, each a series of its own, numbered from 0."""
    study = new_uid()
    identities = [new_identity(study) for _ in range(count)]
    await store(services, [image(identity, number) for number, identity in enumerate(identities)], partition=partition)
    return identities


async def indexed(services: Services, *definitions: object) -> None:
    operation = await ended(services, await add_tags(services, *definitions))  # type: ignore[arg-type]
    assert (operation.status, operation.percent) == (OperationStatus.SUCCEEDED, 100)


async def test_instances_are_found_at_each_level_and_by_private_attributes(services: Services) -> None:
    identities = await study_of(services, 3)
    await indexed(services, *ALL_TAGS)
    for number, identity in enumerate(identities):
        assert await finds(services, ACQUISITION_NUMBER, number) == {identity.instance}
        assert await finds(services, MANUFACTURER, f"maker {number}") == {identity.series}
    assert await finds(services, PATIENT_AGE, "030y") == {identities[0].study}
    assert await finds(services, PATIENT_AGE, "031y") == set()
    assert await finds(services, PRIVATE, "a") == {identity.instance for identity in identities}
    assert await finds(services, PRIVATE, "none of ours") == set()
    for definition in ALL_TAGS:
        added = await tag(services, definition)
        assert (added.status, added.query_status, added.operation) == (TagStatus.READY, QueryStatus.ENABLED, None)


async def test_instances_of_every_partition_are_found(services: Services, small_pages: None) -> None:
    stored = {name: await study_of(services, 2 * SMALL_PAGE + 1, name) for name in ("one", "two", "three")}
    await indexed(services, ACQUISITION_NUMBER)
    for name, identities in stored.items():
        for number, identity in enumerate(identities):
            assert await finds(services, ACQUISITION_NUMBER, number, name) == {identity.instance}


async def test_studies_and_series_have_the_values_of_the_newest_instances(
    services: Services, small_pages: None
) -> None:
    study, series = new_uid(), new_uid()
    identities = [new_identity(study, series) for _ in range(2 * SMALL_PAGE)]
    for number, identity in enumerate(identities):
        await store(services, [image(identity, number, age=f"{number:03}Y")])
    await store(services, [part10(dataset(new_identity(study, series)))])  # which says nothing
    await store(services, [image(identities[1], 77, age="077Y")], CommitMode.REPLACE)
    await indexed(services, *ALL_TAGS)
    assert await finds(services, PATIENT_AGE, "077y") == {study}
    assert await finds(services, MANUFACTURER, "maker 77") == {series}
    assert await finds(services, ACQUISITION_NUMBER, 77) == {identities[1].instance}
    assert await finds(services, ACQUISITION_NUMBER, 1) == set()
    for number in range(len(identities)):
        assert await finds(services, PATIENT_AGE, f"{number:03}y") == set()


async def test_a_value_that_can_not_be_indexed_is_told_and_disables_the_tag(services: Services) -> None:
    good, bad, worse = (new_identity() for _ in range(3))
    files = [
        part10(dataset(good, Manufacturer="Maker", PatientAge="030Y")),
        part10(dataset(bad, Manufacturer=["One", "Two"], PatientAge="031Y")),
        part10(dataset(worse, Manufacturer=["Three", "Four"], PatientAge="032Y")),
    ]
    for file in files:
        await store(services, [file])
    before = now()
    await indexed(services, MANUFACTURER, PATIENT_AGE)
    broken, sound = await tag(services, MANUFACTURER), await tag(services, PATIENT_AGE)
    assert (broken.status, broken.query_status) == (TagStatus.READY, QueryStatus.DISABLED)
    assert (sound.status, sound.query_status) == (TagStatus.READY, QueryStatus.ENABLED)
    assert await services.index.tags.error_counts([broken.key, sound.key]) == {broken.key: 2}
    told = await services.index.tags.errors(broken.key, 0, 10)
    assert [error.key.instance for error in told] == [bad.instance, worse.instance]
    assert {error.message for error in told} == {MULTIPLE_VALUES}
    assert all(before <= error.time <= now() for error in told)
    assert await finds(services, MANUFACTURER, "maker") == {good.series}
    assert await finds(services, PATIENT_AGE, "031y") == {bad.study}


async def test_metadata_put_aside_are_read_there(services: Services) -> None:
    identity = new_identity()
    made = dataset(identity, AcquisitionNumber=7)
    text = base64.b64encode(random.Random(1).randbytes(4 * LARGE)).decode()
    made.private_block(0x0011, "TESTS", create=True).add_new(0x02, "UT", text)
    await store(services, [part10(made)])
    (stored,) = [each async for each in services.index.instances(scope(identity))]
    assert len(stored.metadata) < 1000
    await indexed(services, ACQUISITION_NUMBER)
    assert await finds(services, ACQUISITION_NUMBER, 7) == {identity.instance}


async def test_no_dicom_file_is_opened(services: Services) -> None:
    identities = await study_of(services, 2)
    async for stored in services.index.instances(Scope(PARTITION, identities[0].study)):
        await services.blobs.delete(stored.blob)
    await indexed(services, ACQUISITION_NUMBER)
    assert await finds(services, ACQUISITION_NUMBER, 1) == {identities[1].instance}


DEATHS = [(method, calls, after) for method, calls in (("index", 2), ("set_ready", 1)) for after in (False, True)]


@pytest.mark.parametrize(("method", "calls", "after"), DEATHS)
async def test_another_process_goes_on_where_one_died(
    services: Services, small_pages: None, method: str, calls: int, after: bool
) -> None:
    identities = await study_of(services, 4 * SMALL_PAGE)
    started = await left_behind(services, REINDEX)
    await name_operation(services, started, *ALL_TAGS)
    with pytest.raises(Died):
        await operations.run_due(dying(services, method, calls, after=after))
    left = await found(services, started)
    assert left.status is OperationStatus.RUNNING
    assert left.percent == (25 if method == "index" else 100)
    await let_time_pass(services, started)
    await operations.run_due(services)
    assert (await found(services, started)).status is OperationStatus.SUCCEEDED
    for number, identity in enumerate(identities):
        assert await finds(services, ACQUISITION_NUMBER, number) == {identity.instance}
    assert (await tag(services, ACQUISITION_NUMBER)).status is TagStatus.READY


async def test_what_was_done_is_not_done_again(services: Services, small_pages: None) -> None:
    await study_of(services, 4 * SMALL_PAGE)
    started = await left_behind(services, REINDEX)
    await name_operation(services, started, ACQUISITION_NUMBER)
    with pytest.raises(Died):
        await operations.run_due(dying(services, "index", 3))
    await let_time_pass(services, started)
    await operations.run_due(dying(services, "index", 3))  # which is not called a third time: two pages are left
    assert (await found(services, started)).status is OperationStatus.SUCCEEDED


async def test_what_is_stored_meanwhile_is_found(services: Services, other: Services, small_pages: None) -> None:
    """Stores of a process that does not know of the tags yet, of new instances and over old ones, and deletes."""
    before = await study_of(services, 4 * SMALL_PAGE)
    await store(other, [image(new_identity(), 999)])  # it remembers that there are no tags
    study = new_uid()
    after = [new_identity(study) for _ in range(10)]

    async def stores() -> None:
        for number, identity in enumerate(after, 100):
            await store(other, [image(identity, number)])
            await store(other, [image(before[number - 100], number + 100)], CommitMode.REPLACE)
        await delete(other, scope(before[-1]))

    started, _ = await asyncio.gather(add_tags(services, ACQUISITION_NUMBER), stores())
    assert (await ended(services, started)).status is OperationStatus.SUCCEEDED
    for number, identity in enumerate(after, 100):
        assert await finds(services, ACQUISITION_NUMBER, number) == {identity.instance}
        assert await finds(services, ACQUISITION_NUMBER, number + 100) == {before[number - 100].instance}
        assert await finds(services, ACQUISITION_NUMBER, number - 100) == set()
    assert await finds(services, ACQUISITION_NUMBER, 10) == {before[10].instance}
    assert await finds(services, ACQUISITION_NUMBER, 11) == set()


async def test_instances_of_the_time_after_are_left_alone(services: Services) -> None:
    """They carry their values anyway, and an archive may grow as fast as it is read."""
    minutes = 60_000 << 22
    metadata = b"what nobody reads"
    for number, version in enumerate((new_version() + 6 * minutes, new_version() + 60 * minutes)):
        ahead = record(f"1.{number}", f"1.{number}.1", f"1.{number}.1.1", version=version, metadata=metadata)
        await services.index.commit([ahead], CommitMode.CREATE, 0)
    await indexed(services, ACQUISITION_NUMBER)


async def test_an_empty_archive_is_indexed_at_once(services: Services) -> None:
    await indexed(services, *ALL_TAGS)
    identity = new_identity()
    await store(services, [image(identity, 5)])
    assert await finds(services, ACQUISITION_NUMBER, 5) == {identity.instance}


async def test_tags_may_be_added_a_little_later_than_their_operation(services: Services) -> None:
    (identity,) = await study_of(services, 1)
    started = await operations.start(services, REINDEX, {})
    await asyncio.sleep(0.5)
    assert not (await found(services, started)).status.is_final
    await name_operation(services, started, ACQUISITION_NUMBER)
    await ended(services, started)
    assert await finds(services, ACQUISITION_NUMBER, 0) == {identity.instance}


async def test_an_operation_without_tags_ends(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reindex, "TAGS_SECONDS", 0.3)
    started = await operations.start(services, REINDEX, {})
    assert (await ended(services, started)).status is OperationStatus.SUCCEEDED


async def test_cancelling_lets_go_of_the_tags(services: Services) -> None:
    await study_of(services, 1)
    started = await left_behind(services, REINDEX)
    await name_operation(services, started, ACQUISITION_NUMBER, PATIENT_AGE)
    await operations.cancel(services, started.id)
    for definition in (ACQUISITION_NUMBER, PATIENT_AGE):
        released = await tag(services, definition)
        assert (released.status, released.operation) == (TagStatus.ADDING, None)
    await operations.run_due(services)
    assert await finds(services, ACQUISITION_NUMBER, 0) == set()


async def test_a_failure_for_good_lets_go_of_the_tags(services: Services) -> None:
    await study_of(services, 1)
    started = await left_behind(services, REINDEX)
    await name_operation(services, started, ACQUISITION_NUMBER)
    for _ in range(ATTEMPTS):
        assert (await found(services, started)).status is not OperationStatus.FAILED
        await let_time_pass(services, started)
        await operations.run_due(failing(services, "index", 1, OSError))
    failed = await found(services, started)
    assert failed.status is OperationStatus.FAILED
    assert errors_of(failed) == (UNFORESEEN,)
    released = await tag(services, ACQUISITION_NUMBER)
    assert (released.status, released.operation) == (TagStatus.ADDING, None)


async def test_instances_whose_metadata_are_lost_are_told(services: Services) -> None:
    """One in the index that can't be read, and one that was put aside and is gone."""
    sound = new_identity()
    await store(services, [image(sound, 3)])
    lost = [record("1", metadata=b"Doe^Jane"), record("2", "2.1", "2.1.1", metadata=b"@nowhere.metadata")]
    await services.index.commit(lost, CommitMode.CREATE, 0)
    await indexed(services, ACQUISITION_NUMBER)
    told = await services.index.tags.errors((await tag(services, ACQUISITION_NUMBER)).key, 0, 10)
    assert {error.key.study for error in told} == {"1", "2"}
    assert {error.message for error in told} == {reindex.UNREADABLE}
    assert await finds(services, ACQUISITION_NUMBER, 3) == {sound.instance}
