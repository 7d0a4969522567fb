"""What storing takes: no more than the instances under way."""

from shared.services.context import Services
from shared.storage.index.port import CommitMode
from tests.garbage import garbage
from tests.instances import dataset, new_identity, part10
from tests.services.storing import store


async def test_nothing_of_an_instance_waits_for_the_garbage_collector(services: Services) -> None:
    whole = [part10(dataset(new_identity())) for _ in range(5)]
    await store(services, whole[:1])
    with garbage() as left:
        await store(services, [*whole, whole[0][:-10], b"no file"])
        await store(services, whole, CommitMode.REPLACE)
    assert left == []
