"""What a feed on Cosmos DB tells, and whether that is right; and what may fail meanwhile."""

from collections.abc import Sequence
from typing import Any

from shared.storage.index.cosmos import CosmosIndex
from shared.storage.index.feed import Action, FeedEntry, FeedQuery
from shared.storage.index.model import InstanceKey, Scope
from tests.azure.cosmos import Fault
from tests.contract.steps import stored

FAULTS = [Fault(status=449), Fault(cut=True, when="after")]


async def feed(index: CosmosIndex, **query: Any) -> list[FeedEntry]:
    """The entries of the feed, all unless asked otherwise."""
    return await index.feed.read(FeedQuery(**{"limit": 10_000, **query}))


def lives(entries: Sequence[FeedEntry]) -> dict[InstanceKey, int]:
    """What is there after the changes of some entries, which must fit each other and be numbered without gaps."""
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert [entry.time for entry in entries] == sorted(entry.time for entry in entries)
    alive: dict[InstanceKey, int] = {}
    for entry in entries:
        if entry.action is Action.DELETE:
            assert alive.pop(entry.key) == entry.version
        else:
            assert (entry.key in alive) == (entry.action is Action.UPDATE)
            assert alive.get(entry.key) != entry.version
            alive[entry.key] = entry.version
    return alive


async def check(index: CosmosIndex) -> list[FeedEntry]:
    """The entries tell how everything that is there came to be, and nothing waits any more."""
    entries = await feed(index)
    partitions = [Scope(partition.name) for partition in await index.partitions()]
    assert lives(entries) == {it.key: it.version for scope in partitions for it in await stored(index, scope)}
    assert await index.feed.last_sequence() == len(entries)
    assert await index.feed.number() == 0
    return entries
