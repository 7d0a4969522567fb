"""Every call of a change to the index on Cosmos DB fails once in turn: all of the change is there or nothing, and the
answer tells which."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import TypeAlias

import pytest

from shared.dicom.model import Level
from shared.dicomweb.codes import FailureReason
from shared.dicomweb.store_answer import Failed, Stored
from shared.errors import StorageError
from shared.services.context import Services, close_services, open_services
from shared.services.delete import delete
from shared.settings import Settings
from shared.storage.index.cosmos import adapter, patience, recent
from shared.storage.index.model import InstanceKey, Scope, Search
from shared.storage.index.port import CommitMode
from tests.azure.cosmos import CosmosStandIn, Fault
from tests.instances import Identity, dataset, new_identity, part10
from tests.services.storing import store

LATER = 1e12

FAULTS = {
    "429": Fault(status=429, substatus=3200, retry_after_ms=1),
    "449": Fault(status=449),
    "408": Fault(status=408),
    "503": Fault(status=503),
    "cut": Fault(cut=True),
    "cut-after": Fault(cut=True, when="after"),
}


@dataclass(frozen=True, slots=True)
class World:
    """Two processes with one index, and a data partition that is theirs: with two instances of a study, or to be."""

    stand_in: CosmosStandIn
    first: Services
    second: Services
    partition: str
    old: Identity
    new: Identity

    async def store(self, services: Services, identities: Sequence[Identity], patient: str = "P-1") -> bool:
        """Whether the answer says that all are stored; if it does not, it says that none is, for the right reason."""
        mode = CommitMode.CREATE if patient == "P-1" else CommitMode.REPLACE
        files = [part10(dataset(each, PatientID=patient)) for each in identities]
        outcomes = await store(services, files, mode, self.partition)
        stored = [isinstance(outcome, Stored) for outcome in outcomes]
        assert len(set(stored)) == 1
        failures = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        assert all(failure.reason is FailureReason.PROCESSING_FAILURE for failure in failures)
        return all(stored)


@dataclass(frozen=True, slots=True)
class Here:
    """What the index holds: versions by instance, the patient, and how many blobs wait to be purged."""

    versions: dict[str, int]
    patient: str | None
    purges: int


async def here(world: World) -> Here:
    """Look in every way there is; all must agree."""
    index, partition = world.first.index, world.partition
    stored = {each.key.instance: each async for each in index.instances(Scope(partition))}
    there = [each for each in (world.old, world.new) if each.instance in stored]
    assert len(stored) == len(there)
    patients = set()
    for identity in (world.old, world.new):
        key = InstanceKey(partition, identity.study, identity.series, identity.instance)
        assert await index.instance(key) == stored.get(identity.instance)
    for level in Level:
        matches = (await index.search(Search(level, Scope(partition)))).matches
        assert {each.key for each in matches} == {(it.study, it.series, it.instance)[:level] for it in there}
        for each in matches:
            assert (each.study_series, each.study_instances) == (len({it.series for it in there}), len(there))
            assert each.series_instances == (level > Level.STUDY)
            patients.add(each.datasets[Level.STUDY].partition(b'"00100020":')[2].split(b'"')[5].decode())
    assert len(patients) <= 1
    assert (await index.state(Scope(world.partition, world.old.study))).instances == len(there)
    known = {name: live async for name, live in index.blobs(f"{partition}/")}
    purges = [it for it in await index.due_purges(LATER, 10_000) if it.blob.startswith(f"{partition}/")]
    assert known == {it.blob: True for it in stored.values()} | {it.blob: False for it in purges}
    return Here({name: it.version for name, it in stored.items()}, patients.pop() if patients else None, len(purges))


# Changes: what the first process did before, and what the second does. Each tells whether the answer says it is done.


async def nothing(world: World) -> None:
    """Is there before."""


async def one(world: World) -> None:
    assert await world.store(world.first, [world.old])


async def both(world: World) -> None:
    assert await world.store(world.first, [world.old, world.new])


async def first_of_a_study(world: World) -> bool:
    return await world.store(world.second, [world.old])


async def two_at_once(world: World) -> bool:
    return await world.store(world.second, [world.old, world.new])


async def next_of_a_study(world: World) -> bool:
    return await world.store(world.second, [world.new])


async def in_place_of_another(world: World) -> bool:
    return await world.store(world.second, [world.old], "P-2")


async def gone(world: World) -> bool:
    try:
        return await delete(world.second, Scope(world.partition, world.old.study)) == 2
    except StorageError:
        return False


Before: TypeAlias = Callable[[World], Awaitable[None]]
Act: TypeAlias = Callable[[World], Awaitable[bool]]
CHANGES: list[tuple[Before, Act]] = [
    (nothing, first_of_a_study),
    (nothing, two_at_once),
    (one, next_of_a_study),
    (one, in_place_of_another),
    (both, gone),
]


@pytest.fixture(autouse=True)
def nothing_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read is what Cosmos DB holds, and nobody waits for what others remember."""
    for module in (adapter, recent):
        monkeypatch.setattr(module, "LEASE_SECONDS", 0.0)


@pytest.fixture
async def new_world(cosmos_stand_in: CosmosStandIn, tmp_path: Path) -> AsyncIterator[Callable[[], World]]:
    cosmos_stand_in.reset()
    settings = Settings(
        blobs=str(tmp_path / "blobs"), index="cosmos:faults", index_connection=cosmos_stand_in.connection_string
    )
    processes = [await open_services(settings) for _ in range(2)]
    numbers = count()

    def make() -> World:
        old = new_identity()
        return World(cosmos_stand_in, *processes, f"ward{next(numbers)}", old, new_identity(old.study))

    yield make
    for services in processes:
        await close_services(services)
    cosmos_stand_in.reset()


@dataclass(frozen=True, slots=True)
class Change:
    """What was there, whether the answer said that the change was done, what is there now; calls and faults."""

    was: Here
    done: bool
    now: Here
    calls: int
    faults: int


async def change(world: World, before: Before, act: Act, *faults: Fault) -> Change:
    """Make a change while these faults strike."""
    await before(world)
    was = await here(world)
    world.stand_in.forget_counts()
    world.stand_in.faults(*faults)
    done = await act(world)
    calls = world.stand_in.calls()
    world.stand_in.faults()
    return Change(was, done, await here(world), len(calls), sum(call.fault for call in calls))


@pytest.mark.parametrize(("before", "act"), CHANGES, ids=lambda step: step.__name__)
@pytest.mark.parametrize("kind", FAULTS)
async def test_a_call_that_fails_once_is_made_up_for(
    new_world: Callable[[], World], before: Before, act: Act, kind: str
) -> None:
    undisturbed = await change(new_world(), before, act)
    assert undisturbed.done
    for nth in range(1, undisturbed.calls + 1):
        made = await change(new_world(), before, act, replace(FAULTS[kind], nth=nth))
        assert made.done
        assert made.faults == 1 or nth > made.calls
        assert alike(made.now, undisturbed.now)


def alike(found: Here, expected: Here) -> bool:
    """Whether they tell the same but for the identities, which are made anew each time."""
    return (len(found.versions), found.patient, found.purges) == (
        len(expected.versions),
        expected.patient,
        expected.purges,
    )


@pytest.mark.parametrize(("before", "act"), CHANGES[1:], ids=lambda step: step.__name__)
@pytest.mark.parametrize("kind", ["449", "cut-after"])
async def test_calls_that_fail_for_good_leave_all_or_nothing(
    new_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch, before: Before, act: Act, kind: str
) -> None:
    undisturbed = await change(new_world(), before, act)
    monkeypatch.setattr(patience, "DEADLINE_S", 0.3)
    for nth in range(1, undisturbed.calls + 1):
        made = await change(new_world(), before, act, replace(FAULTS[kind], nth=nth, times=None))
        assert made.now == made.was or alike(made.now, undisturbed.now)
        if made.done:
            assert alike(made.now, undisturbed.now)
        elif FAULTS[kind].when == "before":
            assert made.now == made.was
