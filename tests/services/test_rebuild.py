"""The index made anew from the blobs answers as the lost one did."""

import pytest

from shared.errors import Conflict
from shared.services.context import Services
from shared.services.delete import delete, purge
from shared.services.rebuild import Rebuilt, rebuild
from shared.storage.index.model import Scope
from shared.storage.index.port import CommitMode
from tests.dicom.real_files import PATHS
from tests.instances import dataset, new_identity, new_uid, part10
from tests.services.storing import PARTITION, everything, named, scope, store


async def rebuilt(anew: Services) -> Rebuilt:
    return await rebuild(anew, lambda done, total: None)


async def history(services: Services) -> None:
    """Creates, refused duplicates, replacements, deletes at every level and creates of what was deleted."""
    study, series = new_uid(), new_uid()
    identities = [new_identity(study, series) for _ in range(5)] + [new_identity(study) for _ in range(3)]
    await store(services, [named(identity, "First^A") for identity in identities])
    await store(services, [named(identities[0], "Refused^A")])
    await store(services, [named(identities[1], "Second^A")], CommitMode.REPLACE)
    await store(services, [named(identities[2], "Third^A")], CommitMode.REPLACE, api_version=1)
    await delete(services, scope(identities[3]))
    await store(services, [named(identities[3], "Again^A")])
    await delete(services, scope(identities[4]))
    await delete(services, Scope(PARTITION, study, identities[5].series))
    other = [new_identity(study="1.2.3") for _ in range(3)]
    await store(services, [named(identity, "Other^Partition") for identity in other], partition="other")
    await store(services, [named(identity, "Gone^A") for identity in other])
    await delete(services, Scope(PARTITION, "1.2.3"))
    odd = part10(dataset(new_identity(), StudyDate="20240101", PatientID=""))
    await store(services, [odd])


async def test_every_answer_is_as_before(services: Services, anew: Services) -> None:
    await history(services)
    before = await everything(services)
    outcome = await rebuilt(anew)
    assert await everything(anew) == before
    instances = [found for answer, found in before.items() if "INSTANCE includefield" in answer]
    assert outcome.indexed == sum(map(len, instances)) > 5
    assert outcome.unreadable == []


async def test_the_samples_of_pydicom_answer_as_before(services: Services, anew: Services) -> None:
    files = [path.read_bytes() for path in PATHS]
    for number, file in enumerate(files):
        await store(services, [file], partition=f"p{number % 3}", api_version=1 + number % 2)
    before = await everything(services)
    assert sum(map(len, before.values())) > 200
    await rebuilt(anew)
    assert await everything(anew) == before


async def test_what_was_deleted_stays_deleted_while_its_blobs_are_there(services: Services, anew: Services) -> None:
    identity = new_identity()
    await store(services, [named(identity, "Gone^A")])
    await delete(services, scope(identity))
    outcome = await rebuilt(anew)
    assert (outcome.indexed, outcome.superseded) == (0, 1)
    assert [found async for found in anew.index.instances(scope(identity))] == []
    (purged,) = await anew.index.due_purges(2**40, 10)
    assert [name async for name, _ in anew.blobs.names(PARTITION)] == [purged.blob]


async def test_an_index_that_holds_something_is_not_touched(services: Services) -> None:
    await store(services, [named(new_identity(), "A")])
    before = await everything(services)
    with pytest.raises(Conflict):
        await rebuild(services, lambda done, total: None)
    assert await everything(services) == before


async def test_purged_blobs_leave_a_history_that_still_replays(services: Services, anew: Services) -> None:
    eager = Services(services.settings.model_copy(update={"purge_after_seconds": 0}), services.blobs, services.index)
    await history(eager)
    await purge(eager)
    before = await everything(services)
    await rebuilt(anew)
    assert await everything(anew) == before
