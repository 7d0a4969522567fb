"""Reading the change feed and waiting for it, without HTTP."""

import asyncio
import random
import string
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from shared.dicomweb.feed_query import FeedRequest
from shared.services import feed, watcher
from shared.services.aside import remove
from shared.services.context import Services
from shared.services.metadata import datasets
from shared.storage.index.feed import Feed, FeedEntry, FeedQuery
from tests.instances import Identity, dataset, new_identity, part10
from tests.services.storing import PARTITION, URL, scope, store

LONG = 30.0
EVERYWHERE = None


@pytest.fixture(autouse=True)
async def nobody_is_left_looking(services: Services) -> AsyncIterator[None]:
    yield
    await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if watcher.Watcher.__name__ in repr(task.get_coro())]


async def keep(services: Services, partition: str = PARTITION, **attributes: Any) -> Identity:
    """Store an instance, and see that its change has a number."""
    identity = new_identity()
    await store(services, [part10(dataset(identity, side=1, **attributes))], partition=partition)
    await services.index.feed.number()
    return identity


def instances(found: list[FeedEntry]) -> list[str]:
    return [entry.key.instance for entry in found]


async def shown(services: Services, found: list[FeedEntry]) -> list[dict[str, Any]]:
    return [orjson.loads(each) async for each in feed.objects(services, found, URL)]


async def test_a_change_made_by_another_process_is_told_within_a_second(services: Services, other: Services) -> None:
    waiting = asyncio.create_task(feed.entries(services, FeedRequest(wait=LONG), EVERYWHERE))
    await asyncio.sleep(1)
    identity = await keep(other)
    began = time.monotonic()
    assert instances(await waiting) == [identity.instance]
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("skip", [0, 1])
async def test_what_does_not_match_is_passed_over(services: Services, other: Services, skip: int) -> None:
    request = FeedRequest(skip=skip, limit=10, wait=LONG)
    waiting = asyncio.create_task(feed.entries(services, request, ("ward",)))
    expected = []
    for number in range(6):
        identity = await keep(other, "ward" if number > 3 else PARTITION)
        expected += [identity.instance] * (number > 3)
        await asyncio.sleep(0.3)
        if number <= 3 + skip:
            assert not waiting.done()
    found = instances(await waiting)
    assert found == expected[skip : skip + len(found)]
    assert found


async def test_only_what_is_new_is_read_again(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watcher, "SHORTEST_PAUSE", 0.02)
    queries: list[FeedQuery] = []
    read = type(services.index.feed).read

    async def noted(self: Feed, query: FeedQuery) -> list[FeedEntry]:
        queries.append(query)
        return await read(self, query)  # type: ignore[arg-type]

    monkeypatch.setattr(type(services.index.feed), "read", noted)
    for _ in range(3):
        await keep(services)
    waiting = asyncio.create_task(feed.entries(services, FeedRequest(wait=LONG), ("ward",)))
    for _ in range(3):
        await asyncio.sleep(0.3)
        await keep(services)
    await asyncio.sleep(0.3)
    identity = await keep(services, "ward")
    assert instances(await waiting) == [identity.instance]
    assert queries[0].after == 0
    assert [query.after for query in queries[1:]] == sorted(query.after for query in queries[1:])
    assert queries[-1].after >= 4
    assert len(queries) <= 5


async def test_without_waiting_there_is_one_read(services: Services) -> None:
    began = time.monotonic()
    assert await feed.entries(services, FeedRequest(), EVERYWHERE) == []
    assert await feed.latest(services, FeedRequest(), EVERYWHERE) is None
    assert time.monotonic() - began < 5


async def test_a_released_process_does_not_wait(services: Services) -> None:
    ending = replace(services, watcher=watcher.Watcher())
    ending.watcher.release()
    began = time.monotonic()
    assert await feed.entries(ending, FeedRequest(wait=LONG), EVERYWHERE) == []
    assert time.monotonic() - began < 5
    identity = await keep(services)
    assert instances(await feed.entries(ending, FeedRequest(wait=LONG), EVERYWHERE)) == [identity.instance]


@pytest.mark.parametrize(("partition", "base"), [(PARTITION, URL), ("ward", f"{URL}/partitions/ward")])
async def test_metadata_are_those_of_the_instance(services: Services, partition: str, base: str) -> None:
    identity = await keep(services, partition)
    kept = services.index.instances(scope(identity, partition))
    (expected,) = [orjson.loads(each) async for each in datasets(services, kept, base)]
    (entry,) = await shown(services, await feed.entries(services, FeedRequest(), EVERYWHERE))
    assert entry["metadata"] == expected
    assert entry["metadata"]["7FE00010"]["BulkDataURI"] == f"{base}{identity.path}/bulkdata/7FE00010"


async def test_metadata_purged_since_the_entry_was_read_are_left_out(
    services: Services, caplog: pytest.LogCaptureFixture
) -> None:
    large = "".join(random.Random(7).choices(string.ascii_letters, k=300_000))
    identity = await keep(services, TextValue=large)
    found = await feed.entries(services, FeedRequest(), EVERYWHERE)
    assert "metadata" in (await shown(services, found))[0]
    (stored,) = [each async for each in services.index.instances(scope(identity))]
    await remove(services.blobs, stored.blob)
    (entry,) = await shown(services, found)
    assert "metadata" not in entry
    assert entry["sopInstanceUid"] == identity.instance
    assert "entry 1 of the change feed" in caplog.text
