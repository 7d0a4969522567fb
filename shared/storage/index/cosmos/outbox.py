"""The outbox: what a batch changes is noted by that very batch, in the study's logical partition, until it is numbered.

A batch notes all its changes in one document of kind ``event``: ``time`` in microseconds since the epoch, and of each
change the action, series, instance, version and what was there before. That is named by its version and the event that
noted it, ``VERSION@EVENT``: a version that was deleted may come again.
"""

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from uuid import uuid4

from shared.storage.index.cosmos.container import Document, Key
from shared.storage.index.feed import Action
from shared.storage.index.model import InstanceKey

EVENT = "event"
EVENT_COLUMNS = "c.id, c.partition, c.study, c.time, c.changes, c._ts"

Place: TypeAlias = tuple[str, int]
"""Where a change is noted: the id of its event, and its position among those of the event. No other has the same."""


@dataclass(frozen=True, slots=True)
class Change:
    """What happened to an instance. ``version`` is the one that was created or deleted."""

    key: InstanceKey
    action: Action
    version: str
    before: str | None


@dataclass(frozen=True, slots=True)
class Noted:
    """A change that waits to be numbered."""

    place: Place
    time: int
    change: Change

    @property
    def after(self) -> str | None:
        """What is there then."""
        if self.change.action is Action.DELETE:
            return None
        return f"{self.change.version}@{self.place[0]}"


def new_event() -> str:
    """An id for an event."""
    return f"event_{uuid4().hex}"


def named(instance: Mapping[str, Any] | None) -> str | None:
    """How changes name the content of an instance's document."""
    return f"{instance['version']}@{instance['noted']}" if instance else None


def event_document(event: str, key: Key, changes: Sequence[Change]) -> Document:
    """The document that notes the changes of one batch."""
    partition, study = key
    return {
        "id": event,
        "partition": partition,
        "study": study,
        "kind": EVENT,
        "time": time.time_ns() // 1000,
        "changes": [[each.action, each.key.series, each.key.instance, each.version, each.before] for each in changes],
    }


def in_order(events: Iterable[Document]) -> list[Noted]:
    """All changes that events note, in the order in which they were made.

    The service's clock counts whole seconds, those of writers may disagree; what happened to one instance is put in
    order by what was there before each change.
    """
    by_time = sorted(events, key=lambda event: (event["_ts"], event["time"], event["id"]))
    noted = [each for event in by_time for each in _changes(event)]
    of_instance: dict[InstanceKey, list[Noted]] = defaultdict(list)
    for each in noted:
        of_instance[each.change.key].append(each)
    following = {key: _chained(changes) for key, changes in of_instance.items()}
    return [next(following[each.change.key]) for each in noted]


def _changes(event: Document) -> Iterator[Noted]:
    for number, (action, series, instance, version, before) in enumerate(event["changes"]):
        key = InstanceKey(event["partition"], event["study"], series, instance)
        yield Noted((event["id"], number), event["time"], Change(key, Action(action), version, before))


def _chained(changes: Sequence[Noted]) -> Iterator[Noted]:
    """The changes of one instance: first what goes on from before, then each life from creation to deletion; what is
    still alive comes last."""
    chains = []
    waiting = list(changes)
    while waiting:
        chains.append(_take_chain(waiting))
    chains.sort(key=lambda chain: (chain[0].change.before is None, chain[-1].after is not None))
    return (each for chain in chains for each in chain)


def _take_chain(waiting: list[Noted]) -> list[Noted]:
    made = {each.after for each in waiting} - {None}
    following: Noted | None = next((each for each in waiting if each.change.before not in made), waiting[0])
    chain = []
    while following is not None:
        chain.append(following)
        waiting.remove(following)
        last = following.after
        following = next((each for each in waiting if last is not None and each.change.before == last), None)
    return chain
