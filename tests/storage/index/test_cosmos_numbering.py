"""How the index on Cosmos DB numbers changes: each exactly once and in order, whatever fails, whoever does it when."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest

from shared.errors import StorageError
from shared.storage.index.cosmos import CosmosIndex, log, patience, sequencer
from shared.storage.index.cosmos.outbox import in_order
from shared.storage.index.feed import Action, FeedEntry
from shared.storage.index.model import DEFAULT_PARTITION, Scope
from shared.storage.index.port import CommitMode
from tests.azure.cosmos import CosmosStandIn, Fault
from tests.contract.records import record, study
from tests.contract.steps import DUE, commit, put
from tests.storage.index.conftest import Process
from tests.storage.index.entries import FAULTS, check, feed, lives

CREATE, UPDATE, DELETE = Action.CREATE, Action.UPDATE, Action.DELETE


async def everything(index: CosmosIndex, partition: str) -> int:
    """Make some changes of each kind, in several studies of a partition; gives how many."""
    first = [record(f"{n % 2}", "1.1", f"{n}", partition=partition) for n in range(4)]
    await commit(index, *first)
    await put(index, *(record(f"{n % 2}", "1.1", f"{n}", partition=partition) for n in range(2)))
    await index.delete(Scope(partition, "1", "1.1", "1"), DUE)
    await index.delete(Scope(partition, "0"), DUE)
    await commit(index, first[1])
    return 4 + 2 + 1 + 2 + 1


async def test_changes_are_numbered_with_few_calls(cosmos_stand_in: CosmosStandIn, process: Process) -> None:
    cosmos_stand_in.settings(physical_partitions=1)
    index = await process()
    for uid in "123":
        await commit(index, study(uid))
        await index.feed.number()
    await commit(index, *(record("4", "4.1", f"{number}") for number in range(90)))
    cosmos_stand_in.forget_counts()
    assert await index.feed.number(frozenset({(DEFAULT_PARTITION, "4")})) == 90
    assert [call.kind for call in cosmos_stand_in.calls()] == [
        "item.query",  # what waits
        "item.read",  # the head
        "item.query",  # what is in the log already
        "item.batch",  # entries
        "item.batch",  # the outbox
    ]
    cosmos_stand_in.forget_counts()
    assert await index.feed.last_sequence() == 93
    assert [call.kind for call in cosmos_stand_in.calls()] == ["item.read"]
    cosmos_stand_in.forget_counts()
    assert len(await feed(index, after=3, limit=90)) == 90
    assert [call.kind for call in cosmos_stand_in.calls()] == ["item.read", "item.query", "item.query"]


async def test_only_the_studies_asked_for_are_numbered(process: Process) -> None:
    index = await process()
    await commit(index, study("1"), study("2"), record("1", partition="other"))
    assert await index.feed.number(frozenset()) == 0
    assert await index.feed.number(frozenset({(DEFAULT_PARTITION, "1"), (DEFAULT_PARTITION, "nothing")})) == 1
    assert [entry.key.study for entry in await feed(index)] == ["1"]
    assert await index.feed.number() == 2


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_a_call_that_fails_while_numbering_is_made_up_for(
    cosmos_stand_in: CosmosStandIn, process: Process, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(log, "SEGMENT", 17)
    monkeypatch.setattr(log, "MOST_AT_ONCE", 4)
    index, other = await process(), await process()
    nth, calls, made = 1, 1, 0
    while nth <= calls:
        made += await everything(index, f"ward{nth}")
        cosmos_stand_in.forget_counts()
        cosmos_stand_in.faults(replace(fault, nth=nth))
        await other.feed.number()
        calls = max(calls, len(cosmos_stand_in.calls()))
        cosmos_stand_in.faults()
        assert len(lives(await feed(index))) == 2 * nth
        assert await index.feed.last_sequence() == made
        nth += 1
    assert nth > 10
    await check(index)


@pytest.mark.parametrize("fault", FAULTS, ids=repr)
async def test_numbering_that_is_broken_off_anywhere_goes_on_later(
    cosmos_stand_in: CosmosStandIn, process: Process, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(log, "SEGMENT", 17)
    monkeypatch.setattr(log, "MOST_AT_ONCE", 4)
    index, other = await process(), await process()
    nth, made, is_broken_off = 0, 0, True
    while is_broken_off:
        nth += 1
        made += await everything(index, f"ward{nth}")
        monkeypatch.setattr(patience, "DEADLINE_S", 0.2)
        cosmos_stand_in.faults(replace(fault, nth=nth, times=None))
        try:
            await other.feed.number()
            is_broken_off = False
        except StorageError:
            pass
        cosmos_stand_in.faults()
        monkeypatch.setattr(patience, "DEADLINE_S", 30)
        lives(await feed(index))
        await index.feed.number()
        assert await index.feed.last_sequence() == made
    assert nth > 10
    await check(await process())


async def test_an_event_that_stayed_in_the_outbox_is_not_numbered_again_many_segments_later(
    cosmos_stand_in: CosmosStandIn, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SEGMENT", 3)
    index = await process()
    for number in range(5):
        await commit(index, study(f"{number}"))
        cosmos_stand_in.faults(Fault(kind="item.batch", container="index", status=400))
        with pytest.raises(StorageError):
            await index.feed.number(frozenset({(DEFAULT_PARTITION, f"{number}")}))
        cosmos_stand_in.faults()
    for number in range(5, 20):
        await commit(index, study(f"{number}"))
        assert await index.feed.number(frozenset({(DEFAULT_PARTITION, f"{number}")})) == 1
    assert await (await process()).feed.number() == 0
    assert [entry.key.study for entry in await check(index)] == [f"{number}" for number in range(20)]


async def test_looking_for_events_reaches_no_further_back_than_their_time(
    cosmos_stand_in: CosmosStandIn, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "SEGMENT", 3)
    index = await process()
    await commit(index, *(study(f"{number}") for number in range(9)))
    assert await index.feed.number() == 9
    await commit(index, study("9"))
    cosmos_stand_in.forget_counts()
    assert await index.feed.number(frozenset({(DEFAULT_PARTITION, "9")})) == 1
    looked_up = [call for call in cosmos_stand_in.calls() if (call.kind, call.container) == ("item.query", "feed")]
    assert len(looked_up) == 1


@pytest.mark.parametrize("seed", range(3))
async def test_numbers_are_right_while_all_write_and_all_number(
    process: Process, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(log, "SEGMENT", 25)
    monkeypatch.setattr(log, "MOST_AT_ONCE", 7)
    monkeypatch.setattr(sequencer, "STUDIES_AT_ONCE", 2)
    processes = [await process() for _ in range(4)]
    is_done = asyncio.Event()

    async def write(index: CosmosIndex, chance: random.Random) -> None:
        for _ in range(25):
            uid = f"{chance.randrange(3)}"
            keys = [f"{chance.randrange(4)}" for _ in range(chance.randrange(1, 5))]
            if chance.random() < 0.3:
                await index.delete(Scope(DEFAULT_PARTITION, uid, f"{uid}.1", keys[0]), DUE)
            else:
                mode = chance.choice(list(CommitMode))
                await commit(index, *(record(uid, f"{uid}.1", key) for key in keys), mode=mode)

    async def number(index: CosmosIndex) -> int:
        numbered = 0
        while not is_done.is_set():
            numbered += await index.feed.number()
        return numbered + await index.feed.number()

    async def watch(index: CosmosIndex) -> None:
        seen: list[FeedEntry] = []
        while not is_done.is_set():
            read = await feed(index)
            lives(read)
            assert [told(entry) for entry in read[: len(seen)]] == [told(entry) for entry in seen]
            seen = read

    def told(entry: FeedEntry) -> tuple[Any, ...]:
        return entry.sequence, entry.key, entry.action, entry.version, entry.time

    working = [asyncio.ensure_future(number(index)) for index in processes]
    watching = asyncio.ensure_future(watch(processes[0]))
    try:
        await asyncio.gather(*(write(index, random.Random(f"{seed} {n}")) for n, index in enumerate(processes)))
    finally:
        is_done.set()
    counts = await asyncio.gather(*working)
    await watching
    entries = await check(processes[1])
    assert sum(counts) == len(entries) > 75


async def test_a_head_that_is_out_of_date_gives_no_number_twice(
    process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Replicas may lag: who reads an old head also sees only what was in the log then."""
    monkeypatch.setattr(log, "SEGMENT", 4)
    one, other = await process(), await process()
    await commit(one, study("1"))
    await one.feed.number()
    old = await other.feed._log.head()
    await commit(one, study("2"), study("3"), study("4"), study("5"))
    current = log.Log.head
    heads = [old]

    async def lagging(self: log.Log, *arguments: Any) -> log.Head:
        if self is other.feed._log and heads:
            await one.feed.number()
            return heads.pop()
        return await current(self, *arguments)

    monkeypatch.setattr(log.Log, "head", lagging)
    assert await other.feed.number() == 0
    assert not heads
    assert len(await check(one)) == 5


# The order of what waits


def event(name: str, ts: int, time: int, *changes: tuple[Action, str, str | None]) -> dict[str, Any]:
    """An event; the version of a change is its name, and what was there before may be ``VERSION@EVENT``."""
    noted = [[action, "s", version.partition("/")[0], version, before] for action, version, before in changes]
    return {"id": name, "partition": "p", "study": "1", "_ts": ts, "time": time, "changes": noted}


def order(*events: dict[str, Any]) -> list[tuple[Action, str]]:
    return [(each.change.action, each.change.version) for each in in_order(events)]


def test_clocks_of_writers_count_within_a_second() -> None:
    first, second = event("a", 2, 1, (CREATE, "x/1", None)), event("b", 1, 9, (CREATE, "y/1", None))
    third = event("c", 2, 0, (CREATE, "z/1", None))
    assert [version for _, version in order(first, second, third)] == ["y/1", "z/1", "x/1"]


def in_lives(changes: Sequence[tuple[Action, str]]) -> list[list[tuple[Action, str]]]:
    """Each ends with a deletion, but for the last one."""
    found: list[list[tuple[Action, str]]] = [[]]
    for change in changes:
        found[-1].append(change)
        if change[0] is DELETE:
            found.append([])
    return [life for life in found if life]


@pytest.mark.parametrize("seed", range(20))
def test_what_happened_to_an_instance_is_in_order_whatever_the_clocks_say(seed: int) -> None:
    chance = random.Random(seed)
    live: dict[str, str | None] = {}
    versions = count(2)
    events, happened = [], defaultdict(list)
    for number in range(40):
        changes = []
        for _ in range(chance.randrange(1, 4)):
            instance = f"{chance.randrange(4)}"
            before = live.get(instance)
            if before is not None and chance.random() < 0.5:
                change = (DELETE, before.partition("@")[0], before)
                live[instance] = None
            else:
                # a version may come again after it was deleted
                comes_again = before is None and chance.random() < 0.5
                version = f"{instance}/{1 if comes_again else next(versions)}"
                change = (UPDATE if before else CREATE, version, before)
                live[instance] = f"{version}@e{number}"
            changes.append(change)
            happened[instance].append(change[:2])
        events.append(event(f"e{number}", 1, chance.randrange(100), *changes))
    logged = chance.randrange(20)
    for each in events[:logged]:
        for _, _, instance, version, _ in each["changes"]:
            assert happened[instance].pop(0)[1] == version
    waiting = events[logged:]
    chance.shuffle(waiting)
    found = order(*waiting)
    for instance, expected in happened.items():
        told, were = (
            in_lives([each for each in given if each[1].startswith(f"{instance}/")]) for given in (found, expected)
        )
        # whole lives within one second may change places
        assert sorted(told) == sorted(were)
        assert told[-1:] == were[-1:] or were[-1][-1][0] is DELETE
        assert told[:1] == were[:1] or were[0][0][0] is CREATE
