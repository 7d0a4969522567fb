"""Records are committed with the values they give to extended query tags, whoever commits them."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.dicomweb.store_answer import Failed, Stored
from shared.errors import StorageError
from shared.services import indexing, known_tags
from shared.services.context import Services, close_services, open_services
from shared.services.indexing import ATTEMPTS, Draft, commit
from shared.services.known_tags import REMEMBERED_SECONDS, KnownTags
from shared.services.rebuild import rebuild
from shared.services.reconcile import reconcile
from shared.storage.blobs.names import InstanceBlob
from shared.storage.index.cosmos.tags import REMEMBERED_S
from shared.storage.index.port import CommitMode
from shared.storage.index.tags import QueryStatus, TagsChanged, TagSet
from shared.storage.versions import new_version
from tests.contract.records import record
from tests.instances import Identity, dataset, new_identity, part10
from tests.services.stepping import ended
from tests.services.storing import PARTITION, scope, store
from tests.services.tagging import ACQUISITION_NUMBER, PATIENT_AGE, PRIVATE, add_tags, finds, tag

LARGE_SIDE = 800
"""Pixels: the file is over 1 MiB."""


@pytest.fixture
async def other(services: Services) -> AsyncIterator[Services]:
    """Another process over the same storage."""
    opened = await open_services(services.settings)
    yield opened
    await close_services(opened)


def image(identity: Identity, *, side: int = 16, private: str = "mine", **attributes: object) -> bytes:
    made = dataset(identity, side=side, **attributes)
    made.private_block(0x0011, "OTHERS", create=True).add_new(0x01, "LO", "none of ours")
    made.private_block(0x0011, "TESTS", create=True).add_new(0x01, "LO", private)
    return part10(made)


def wrong(identity: Identity) -> bytes:
    """Its age is none, which nobody minds who does not index it."""
    made = dataset(identity)
    with pytest.warns(UserWarning, match="Invalid value"):
        made.PatientAge = "old"
    return part10(made)


@pytest.fixture
async def unaware(other: Services, monkeypatch: pytest.MonkeyPatch) -> Services:
    """Another process that has just found that there are no tags, and goes by that for a while."""
    monkeypatch.setattr(known_tags, "REMEMBERED_SECONDS", 60.0)
    assert not (await other.known_tags.current(other.index.tags)).tags
    return other


async def ready(services: Services) -> None:
    await ended(services, await add_tags(services, ACQUISITION_NUMBER, PATIENT_AGE, PRIVATE))


async def errors(services: Services) -> list[str]:
    found = await services.index.tags.errors((await tag(services, PATIENT_AGE)).key, 0, 10)
    return [error.key.instance for error in found]


@pytest.mark.parametrize("side", [16, LARGE_SIDE])
async def test_what_is_stored_is_indexed(services: Services, side: int) -> None:
    await ready(services)
    identity = new_identity()
    await store(services, [image(identity, side=side, AcquisitionNumber=7, PatientAge="030Y")])
    assert await finds(services, ACQUISITION_NUMBER, 7) == {identity.instance}
    assert await finds(services, PATIENT_AGE, "030y") == {identity.study}
    assert await finds(services, PRIVATE, "mine") == {identity.instance}
    assert await finds(services, PRIVATE, "none of ours") == set()
    await store(services, [image(identity, side=side, AcquisitionNumber=8)], CommitMode.REPLACE)
    assert await finds(services, ACQUISITION_NUMBER, 7) == set()
    assert await finds(services, ACQUISITION_NUMBER, 8) == {identity.instance}


async def test_a_process_that_does_not_know_of_a_tag_yet_misses_nothing(services: Services, unaware: Services) -> None:
    first, second = new_identity(), new_identity()
    await store(unaware, [image(first, AcquisitionNumber=1)])
    operation = await add_tags(services, ACQUISITION_NUMBER)
    await store(unaware, [image(second, AcquisitionNumber=2)])
    await ended(services, operation)
    assert await finds(services, ACQUISITION_NUMBER, 1) == {first.instance}
    assert await finds(services, ACQUISITION_NUMBER, 2) == {second.instance}


async def test_instances_stored_while_tags_come_and_go_are_found(services: Services, other: Services) -> None:
    identities = [new_identity() for _ in range(20)]

    async def store_all() -> None:
        for number, identity in enumerate(identities):
            (outcome,) = await store(other, [image(identity, AcquisitionNumber=number)])
            assert isinstance(outcome, Stored)

    storing = asyncio.create_task(store_all())
    for _ in range(3):
        known = await services.index.tags.all()
        assert await services.index.tags.add([ACQUISITION_NUMBER], "0", known.generation)
        await asyncio.sleep(0.02)
        assert await services.index.tags.remove((await tag(services, ACQUISITION_NUMBER)).key)
    operation = await add_tags(services, ACQUISITION_NUMBER)
    await storing
    await ended(services, operation)
    for number, identity in enumerate(identities):
        assert await finds(services, ACQUISITION_NUMBER, number) == {identity.instance}


async def test_a_ready_tag_refuses_wrong_values_in_every_process(services: Services, other: Services) -> None:
    await store(other, [image(new_identity())])
    await ready(services)
    (outcome,) = await store(other, [wrong(new_identity())], api_version=1)
    assert isinstance(outcome, Failed)
    (comment,) = outcome.comments
    assert comment.startswith("DICOM100: (0010,1010) - ")
    assert await errors(services) == []
    assert (await tag(services, PATIENT_AGE)).query_status is QueryStatus.ENABLED


async def test_a_wrong_value_that_was_let_in_is_an_error_of_its_tag(services: Services, unaware: Services) -> None:
    """Stored by a process that does not know of the tag yet, it is like one that was there before."""
    operation = await add_tags(services, PATIENT_AGE)
    identity = new_identity()
    (outcome,) = await store(unaware, [wrong(identity)], api_version=1)
    assert isinstance(outcome, Stored)
    await ended(services, operation)
    assert await errors(services) == [identity.instance]
    assert (await tag(services, PATIENT_AGE)).query_status is QueryStatus.DISABLED


async def test_rebuilding_indexes_and_refuses_nothing_for_the_sake_of_a_tag(services: Services, anew: Services) -> None:
    good, bad, large = new_identity(), new_identity(), new_identity()
    await store(services, [image(good, AcquisitionNumber=1), wrong(bad)], api_version=1)
    await store(services, [image(large, side=LARGE_SIDE, AcquisitionNumber=2)])
    await ready(anew)
    outcome = await rebuild(anew, lambda done, total: None)
    assert (outcome.indexed, outcome.unreadable) == (3, [])
    assert await finds(anew, ACQUISITION_NUMBER, 1) == {good.instance}
    assert await finds(anew, ACQUISITION_NUMBER, 2) == {large.instance}
    assert await errors(anew) == [bad.instance]


async def test_reconciling_indexes(services: Services) -> None:
    await ready(services)
    identity = new_identity()

    async def content() -> AsyncIterator[bytes]:
        yield image(identity, AcquisitionNumber=5)

    await services.blobs.put(InstanceBlob(PARTITION, new_version(), CommitMode.CREATE, 2).name, content())
    assert (await reconcile(services)).indexed == 1
    assert await services.index.state(scope(identity))
    assert await finds(services, ACQUISITION_NUMBER, 5) == {identity.instance}


class CountedTags:
    """Tags that count how often they are asked for; the generation grows whenever it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.generation = 0
        self.settle_seconds = 0.0

    async def all(self) -> TagSet:
        self.asked += 1
        await asyncio.sleep(0)
        return TagSet(self.generation)


async def test_tags_are_asked_for_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_tags, "REMEMBERED_SECONDS", 0.2)
    known, tags = KnownTags(), CountedTags()
    began = time.monotonic()
    while time.monotonic() - began < 1.0:
        await asyncio.gather(*(known.current(tags) for _ in range(50)))  # type: ignore[arg-type]
        await asyncio.sleep(0.001)
    assert 3 <= tags.asked <= 6


async def test_of_many_who_find_their_tags_outdated_one_asks_anew() -> None:
    known, tags = KnownTags(), CountedTags()
    outdated = await known.current(tags)  # type: ignore[arg-type]
    tags.generation = 1
    assert (await known.current(tags)).generation == 0  # type: ignore[arg-type]
    found = await asyncio.gather(*(known.after(outdated, tags) for _ in range(50)))  # type: ignore[arg-type]
    assert {each.generation for each in found} == {1}
    assert tags.asked == 2
    assert (await known.current(tags)).generation == 1  # type: ignore[arg-type]


async def test_tags_that_never_stay_the_same_fail_a_commit(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    async def refuse(*args: object) -> None:
        tried.append(args)
        raise TagsChanged

    monkeypatch.setattr(services.index, "commit", refuse)
    with pytest.raises(StorageError):
        await commit(services, [Draft(record())], CommitMode.CREATE)
    assert len(tried) == ATTEMPTS


def test_cosmos_db_reckons_with_what_processes_remember() -> None:
    assert REMEMBERED_SECONDS < REMEMBERED_S


def test_nothing_else_commits() -> None:
    sources = {path.name: path.read_text() for path in Path(indexing.__file__).parent.glob("*.py")}
    assert [name for name, source in sources.items() if ".index.commit(" in source] == ["indexing.py"]
