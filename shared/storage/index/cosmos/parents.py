"""The studies and series that a search of lower levels has to look at first, for its conditions or its order."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from shared.dicom.model import Level
from shared.storage.index.cosmos.container import Container
from shared.storage.index.cosmos.documents import key_of
from shared.storage.index.cosmos.levels import levels_above, matching, too_broad
from shared.storage.index.cosmos.order import Row, columns, row
from shared.storage.index.cosmos.sql import Narrow, anything
from shared.storage.index.model import Scope, Search

MOST_PARENTS = 10_000
GROUP = 500
"""Parents that one query looks into."""
PARALLEL_QUERIES = 8

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Parents:
    """The studies, or the series, that matches must belong to."""

    level: Level
    rows: dict[str, Row]
    """By place, in no order."""

    def children(self, level: Level) -> int:
        """How many series or instances they hold."""
        counter = "number_of_series" if level is Level.SERIES else "number_of_instances"
        return sum(each.document[counter] for each in self.rows.values())

    def keys_of(self, row: Row) -> dict[int, str]:
        """What the one that a row belongs to adds to its keys."""
        place: str = row.document["place"]
        parent = self.rows.get(place.partition("/")[0] if self.level is Level.STUDY else place)
        return parent.keys if parent else {}

    def fill(self, scope: Scope) -> bool:
        """Whether everything that belongs to them lies within a scope."""
        return scope.instance is None and (scope.series is None or self.level is Level.SERIES)


async def find_parents(index: Container, search: Search) -> Parents | None:
    """What matches must belong to; None if that does not matter. Raises PayloadTooLarge if there are too many."""
    parents: Parents | None = None
    for level in sorted(levels_above(search)):
        parents = Parents(level, await _rows(index, search, level, parents))
    return parents


async def _rows(index: Container, search: Search, level: Level, above: Parents | None) -> dict[str, Row]:
    select = f"c.place, c.number_of_series, c.number_of_instances, {columns(search, level)}"

    async def of_group(within: Narrow) -> list[Row]:
        query = matching(search, level, select)
        within(query)
        query.limit = MOST_PARENTS + 1
        return [row(search, level, found) for found in await index.query(query, key_of(search.scope))]

    rows = [each for group in await in_groups(above, of_group) for each in group]
    if len(rows) > MOST_PARENTS:
        raise too_broad()
    if above is not None:
        for each in rows:
            each.keys |= above.keys_of(each)
    return {each.document["place"]: each for each in rows}


async def in_groups(parents: Parents | None, run: Callable[[Narrow], Awaitable[T]]) -> list[T]:
    """Run a query once for each group of parents, several at a time. It is given what narrows a query to the group."""
    if parents is None:
        return [await run(anything)]
    expression = "c.study" if parents.level is Level.STUDY else "c.place"
    places = list(parents.rows)
    turn = asyncio.Semaphore(PARALLEL_QUERIES)

    async def one(group: Sequence[str]) -> T:
        async with turn:
            return await run(lambda query: query.among(expression, group))

    starts = range(0, len(places), GROUP)
    return list(await asyncio.gather(*(one(places[start : start + GROUP]) for start in starts)))
