# ruff: noqa: S608 - only names of our own go into SQL texts, values are bound
"""The values for extended query tags of studies, series and instances."""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from shared.dicom.model import Level
from shared.storage.index.model import TagValue
from shared.storage.index.sqlite.clauses import stored
from shared.storage.index.sqlite.rows import Row, execute
from shared.storage.index.sqlite.schema import VALUES

_PUT = {
    level: (
        f"INSERT INTO {table} AS t (id, tag, partition, version, value) VALUES {{rows}} ON CONFLICT (id, tag) "
        "DO UPDATE SET version = excluded.version, value = excluded.value WHERE excluded.version >= t.version"
    )
    for level, table in VALUES.items()
}
_OF_INSTANCES = (VALUES[Level.INSTANCE], "tag_errors")


@dataclass(slots=True)
class TagValues:
    """Values to be written, by level, row and tag."""

    rows: dict[Level, dict[int, dict[int, Row]]] = field(default_factory=lambda: {level: {} for level in Level})
    replaced: set[int] = field(default_factory=set)

    def replace(self, instance: int) -> None:
        """What an instance had before, values and errors, counts no more."""
        self.replaced.add(instance)
        self.rows[Level.INSTANCE].pop(instance, None)

    def tell(self, ids: Mapping[Level, int], partition: int, version: int, values: Sequence[TagValue]) -> None:
        """Take in what a version of an instance says. Of several that tell of a study or series the newest counts."""
        for told in values:
            tag, row = told.tag, ids[told.tag.level]
            known = self.rows[tag.level].setdefault(row, {})
            if tag.key not in known or known[tag.key][3] <= version:
                value = stored(told.value, is_person_name=tag.vr == "PN")
                known[tag.key] = (row, tag.key, partition, version, value)

    def write(self, connection: sqlite3.Connection) -> None:
        """Write them, but for those of studies and series that have some of a newer version."""
        replaced = [(instance,) for instance in self.replaced]
        for table in _OF_INSTANCES:
            execute(connection, f"DELETE FROM {table} WHERE id IN (VALUES {{rows}})", replaced)
        for level, told in self.rows.items():
            execute(connection, _PUT[level], [row for of_one in told.values() for row in of_one.values()])


def erase(connection: sqlite3.Connection, tag: int, limit: int) -> int:
    """Erase up to ``limit`` values, then errors, of a tag; gives how many that were."""
    left = limit
    for table in (*VALUES.values(), "tag_errors"):
        some = f"SELECT id FROM {table} WHERE tag = :tag LIMIT :left"
        statement = f"DELETE FROM {table} WHERE tag = :tag AND id IN ({some})"
        left -= connection.execute(statement, {"tag": tag, "left": left}).rowcount
    return limit - left
