"""Searching: one query finds and fetches a page; another counts, if it is full; a third fetches what stands above.

Documents hold the attributes of their own level only. Where conditions or the order look at levels above, these are
searched first (``parents``), then what belongs to them in groups.

A query over a whole data partition may meet several physical partitions, each of which answers with its own first rows.
So no query has an offset: the rows are put in order and cut here.
"""

import asyncio
from collections.abc import Mapping
from functools import partial

from shared.dicom.model import Level
from shared.storage.index.cosmos.container import Container, Document
from shared.storage.index.cosmos.documents import key_of, place
from shared.storage.index.cosmos.levels import condition_level, finds_few, matching, order_level, too_broad
from shared.storage.index.cosmos.matches import named_parents, to_matches, whole_columns
from shared.storage.index.cosmos.order import Row, columns, put_in_order, row, same_value, server_order
from shared.storage.index.cosmos.parents import Parents, find_parents, in_groups
from shared.storage.index.cosmos.sql import Narrow, anything
from shared.storage.index.model import Page, Search

MOST_ROWS = 20_000
"""Rows that are put in order here."""
MOST_WHOLE = 400
"""Documents that are fetched whole without knowing which are on the page; of more, the keys are fetched first."""

_SLIM = "c.place, c.version"


async def find(index: Container, search: Search) -> Page:
    """Answer one search. Raises PayloadTooLarge if it would have to look at too much."""
    parents = await find_parents(index, search)
    if parents is not None and not parents.rows:
        return Page((), 0)
    rows = _Rows(index, search, parents)
    found, above = await asyncio.gather(rows.find(), named_parents(index, search))
    page = found[search.offset : search.offset + search.limit]
    matches = await to_matches(index, search, page, above, whole=rows.whole)
    if rows.all_found:
        return Page(matches, len(found))
    if len(page) < search.limit and (page or not search.offset):
        return Page(matches, search.offset + len(page))
    return Page(matches, await _total(index, search, parents, above))


class _Rows:
    """The rows that a search finds. ``all_found`` tells whether these are all there are."""

    def __init__(self, index: Container, search: Search, parents: Parents | None) -> None:
        self._index = index
        self._search = search
        self._parents = parents
        self._end = search.offset + search.limit
        if self._end > MOST_ROWS:
            raise too_broad()
        reads_metadata = search.with_metadata and search.level is Level.INSTANCE
        self.whole = parents is None and self._end <= MOST_WHOLE and not (reads_metadata and search.offset)
        self.all_found = False

    async def find(self) -> list[Row]:
        """In order, those up to the end of the page, or all."""
        search, parents = self._search, self._parents
        if self._may_be_few():
            rows = await self._fetch(MOST_WHOLE + 1, order=False)
            self.all_found = len(rows) <= MOST_WHOLE
        if not self.all_found and any(order_level(each) < search.level for each in search.order):
            rows = _not_too_many(await self._fetch(MOST_ROWS + 1, order=False))
            self.all_found = True
        if not self.all_found:
            return await self._first()
        for each in rows:
            each.keys |= parents.keys_of(each) if parents else {}
        return put_in_order(rows, search.order)

    def _may_be_few(self) -> bool:
        """Then it is cheaper to fetch them all than to let the service put them in order and count."""
        search, parents = self._search, self._parents
        return finds_few(search) or (parents is not None and parents.children(search.level) <= MOST_WHOLE)

    async def _first(self) -> list[Row]:
        orders = self._search.order
        rows = put_in_order(await self._fetch(self._end, order=True), orders[:1])
        if len(orders) > 1 and len(rows) >= self._end:
            # the service sorted by the first attribute: of those that share its last value here, it gave any
            last = rows[self._end - 1].keys[0]
            ties = await self._fetch(
                MOST_ROWS + 1, order=False, narrow=partial(same_value, order=orders[0], value=last)
            )
            rows = [each for each in rows[: self._end] if each.keys[0] != last] + _not_too_many(ties)
        return put_in_order(rows, orders)

    async def _fetch(self, limit: int, *, order: bool, narrow: Narrow = anything) -> list[Row]:
        search = self._search
        select = f"{whole_columns(search) if self.whole else _SLIM}, {columns(search, search.level)}"

        async def of_group(within: Narrow) -> list[Row]:
            query = matching(search, search.level, select)
            within(query)
            narrow(query)
            query.order, query.limit = server_order(search) if order else "", limit
            return [row(search, search.level, each) for each in await self._index.query(query, key_of(search.scope))]

        return [each for group in await in_groups(self._parents, of_group) for each in group]


def _not_too_many(rows: list[Row]) -> list[Row]:
    if len(rows) > MOST_ROWS:
        raise too_broad()
    return rows


async def _total(index: Container, search: Search, parents: Parents | None, above: Mapping[str, Document]) -> int:
    """Counters of the level above tell, where nothing is asked of the matches' own level."""
    level, scope = search.level, search.scope
    everything = not any(condition_level(each, search) is level for each in search.conditions)
    if everything and parents is not None and parents.fill(scope):
        return parents.children(level)
    counted = f"number_of_{'series' if level is Level.SERIES else 'instances'}"
    named = None if scope.study is None else above.get(place(scope.study, scope.series))
    if everything and parents is None and named is not None and scope.instance is None:
        return int(named[counted])
    from_studies = everything and level > Level.STUDY and scope.study is None and parents is None

    async def of_group(within: Narrow) -> int:
        if from_studies:
            query = matching(search, Level.STUDY, f"VALUE SUM(c.{counted})")
        else:
            query = matching(search, level, "VALUE COUNT(1)")
        within(query)
        return sum(count for count in await index.query(query, key_of(scope)) if isinstance(count, int))

    return sum(await in_groups(parents, of_group))
