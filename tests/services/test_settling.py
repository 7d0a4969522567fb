"""Once a delete or a replacement is answered, no process gives what was there before."""

import pytest

from shared.errors import NotFound
from shared.services.context import Services
from shared.services.delete import delete
from shared.services.retrieve import instance
from shared.storage.index.port import CommitMode
from tests.instances import dataset, new_identity, part10
from tests.services.storing import scope, store


async def test_another_process_gives_a_replacement_at_once(services: Services, other: Services) -> None:
    identity = new_identity()
    await store(services, [part10(dataset(identity))])
    before = await instance(other, scope(identity))
    await store(services, [part10(dataset(identity))], CommitMode.REPLACE)
    assert (await instance(other, scope(identity))).version > before.version


async def test_another_process_gives_nothing_that_was_deleted(services: Services, other: Services) -> None:
    identity = new_identity()
    await store(services, [part10(dataset(identity))])
    await instance(other, scope(identity))
    await delete(services, scope(identity))
    with pytest.raises(NotFound):
        await instance(other, scope(identity))
