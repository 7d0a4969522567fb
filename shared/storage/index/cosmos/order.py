"""Putting documents in order: by attributes, then newest first."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from shared.dicom.conditions import Order
from shared.dicom.model import Level
from shared.storage.index.cosmos.clauses import UID_PROPERTIES
from shared.storage.index.cosmos.container import Document
from shared.storage.index.cosmos.levels import AGES, order_level
from shared.storage.index.cosmos.scopes import by_version
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.model import Search


@dataclass(slots=True)
class Row:
    """A document that was found. ``keys`` holds what it is sorted by, by the number of the order."""

    document: Document
    age: str
    keys: dict[int, str] = field(default_factory=dict)


def sort_property(order: Order) -> str:
    """What documents of the attribute's level are sorted by."""
    if order.path in UID_PROPERTIES:
        return f"c.{UID_PROPERTIES[order.path]}"
    return f'c.sort["{order.path}"].{"down" if order.descending else "up"}'


def columns(search: Search, level: Level) -> str:
    """What a query has to select for ``row``."""
    keys = [f"{sort_property(each)} AS key{number}" for number, each in _own(search, level)]
    return ", ".join([f"c.{AGES[level]} AS age", *keys])


def row(search: Search, level: Level, document: Document) -> Row:
    """A result of a query that selected ``columns``."""
    keys = {number: _value(document[f"key{number}"]) for number, _ in _own(search, level)}
    return Row(document, document["age"], keys)


def server_order(search: Search) -> str:
    """The ORDER BY of a search's own documents: by the first attribute, if it is theirs, else newest first."""
    if not search.order or order_level(search.order[0]) is not search.level:
        if search.level is Level.INSTANCE:
            return by_version(search.scope, "DESC")
        return "c.partition DESC, c.kind DESC, c.created DESC"
    return f"{sort_property(search.order[0])} {'DESC' if search.order[0].descending else 'ASC'}"


def same_value(query: Query, order: Order, value: str) -> None:
    """Let a query find only documents that have this value, as the keys of rows hold it."""
    test = "{} = {}" if order.path in UID_PROPERTIES else "STARTSWITH({}, {})"
    sought = value if order.path in UID_PROPERTIES else f"{value}\x01"
    query.where.append(test.format(sort_property(order), query.bind(sought)))


def put_in_order(rows: list[Row], orders: Sequence[Order]) -> list[Row]:
    """The rows, sorted as the search asks."""
    rows.sort(key=lambda each: each.age, reverse=True)
    for number, order in reversed(list(enumerate(orders))):
        rows.sort(key=lambda each: each.keys[number], reverse=order.descending)
    return rows


def _own(search: Search, level: Level) -> list[tuple[int, Order]]:
    return [(number, order) for number, order in enumerate(search.order) if order_level(order) is level]


def _value(key: str) -> str:
    """A sort key without the version at its end."""
    return key.rpartition("\x01")[0] or key
