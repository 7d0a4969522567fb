"""The change feed over Cosmos DB: what the log holds, each entry with the state of its instance today."""

from collections.abc import Sequence

from shared.storage.index.cosmos.catalog import take_place
from shared.storage.index.cosmos.container import Container, Document, Key
from shared.storage.index.cosmos.documents import instance_id, metadata_of
from shared.storage.index.cosmos.log import Log, segment_name, segments
from shared.storage.index.cosmos.patience import Patience
from shared.storage.index.cosmos.sequencer import Sequencer
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.cosmos.studies import StudyKey, for_each_study
from shared.storage.index.feed import Action, FeedEntry, FeedQuery
from shared.storage.index.model import InstanceKey

CURSOR = "cursor"

_ENTRY = "c.number, c.time, c.action, c.partition, c.study, c.series, c.instance, c.version"


class CosmosFeed:
    """The ordered log. See ``Feed`` for what each method does.

    Changes whose events wait in the outbox (``outbox``) are not in it until ``number`` has moved them.
    """

    def __init__(self, index: Container, feed: Container, catalog: Container) -> None:
        self._index = index
        self._feed = feed
        self._catalog = catalog
        self._log = Log(feed)
        self._sequencer = Sequencer(index, self._log)

    async def read(self, query: FeedQuery) -> list[FeedEntry]:
        after, before = await self._bounds(query)
        found: list[Document] = []
        skip = query.skip
        if skip >= before - after - 1:
            return []
        if _wants_all(query):  # numbers have no gaps: those to skip are leapt over
            after, skip = after + skip, 0
        for segment in segments(after, before):
            sought = _matching(query, _ENTRY, after, before)
            sought.order, sought.offset, sought.limit = "c.number ASC", skip, query.limit - len(found)
            entries = await self._feed.query(sought, [segment_name(segment)])
            found += entries
            if len(found) == query.limit:
                break
            if skip and not entries:
                counted = _matching(query, "VALUE COUNT(1)", after, before)
                skip -= sum(await self._feed.query(counted, [segment_name(segment)]))
            else:
                skip = 0
        return await self._with_states(found, query)

    async def latest(self, query: FeedQuery) -> FeedEntry | None:
        after, before = await self._bounds(query)
        for segment in reversed(segments(after, before)):
            sought = _matching(query, _ENTRY, after, before)
            sought.order, sought.limit = "c.number DESC", 1
            if found := await self._feed.query(sought, [segment_name(segment)]):
                return (await self._with_states(found, query))[0]
        return None

    async def last_sequence(self) -> int:
        return (await self._log.head()).last

    async def number(self, studies: frozenset[StudyKey] | None = None) -> int:
        return await self._sequencer.number(studies)

    async def cursor(self, name: str) -> int:
        found = await self._catalog.read(name, [CURSOR])
        return found["at"] if found else 0

    async def move_cursor(self, name: str, seen: int, to: int) -> bool:
        patience = Patience()
        while True:
            before = await self._catalog.read(name, [CURSOR], patience)
            if (before["at"] if before else 0) != seen:
                return False
            if await take_place(self._catalog, before, {"id": name, "kind": CURSOR, "at": to}, patience):
                return True
            await patience.pause()

    async def _bounds(self, query: FeedQuery) -> tuple[int, int]:
        """The numbers that entries of the query lie between: times never fall from one to the next."""
        head = await self._log.head()
        after, before = query.after, head.last + 1
        if query.start is not None:
            after = max(after, await self._log.first_since(query.start, head) - 1)
        if query.end is not None:
            before = await self._log.first_since(query.end, head)
        return after, before

    async def _with_states(self, entries: Sequence[Document], query: FeedQuery) -> list[FeedEntry]:
        """The entries with what lives today under their identities."""
        found: dict[InstanceKey, Document] = {}

        async def look_up(study: Key, of_study: Sequence[Document]) -> None:
            keys = {instance_id(each["series"], each["instance"]): _key(each) for each in of_study}
            sought = Query("c.id, c.version, c.metadata" if query.with_metadata else "c.id, c.version")
            sought.among("c.id", keys)
            found.update((keys[each["id"]], each) for each in await self._index.query(sought, study))

        await for_each_study(entries, lambda each: (each["partition"], each["study"]), look_up)
        return [_entry(each, found.get(_key(each))) for each in entries]


def _wants_all(query: FeedQuery) -> bool:
    """Whether no entry between its bounds is passed over."""
    return query.partitions is None and query.study is None and query.actions is None


def _matching(query: FeedQuery, select: str, after: int, before: int) -> Query:
    """A query for the entries of a segment between two numbers, but for order and page."""
    sought = Query(select)
    sought.where.append(f"c.number > {sought.bind(after)} AND c.number < {sought.bind(before)}")
    if query.partitions is not None:
        sought.among("c.partition", query.partitions)
    if query.study is not None:
        sought.equal(study=query.study)
    if query.actions is not None:
        sought.among("c.action", query.actions)
    return sought


def _key(document: Document) -> InstanceKey:
    return InstanceKey(document["partition"], document["study"], document["series"], document["instance"])


def _entry(document: Document, live: Document | None) -> FeedEntry:
    action, version = Action(document["action"]), document["version"]
    is_current = live is not None and live["version"] == version and action is not Action.DELETE
    return FeedEntry(
        sequence=document["number"],
        key=_key(document),
        action=action,
        version=int(version),
        time=document["time"],
        live=int(live["version"]) if live else None,
        metadata=metadata_of(live) if live and is_current and "metadata" in live else None,
    )
