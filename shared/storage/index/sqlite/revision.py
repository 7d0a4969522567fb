"""Telling whether anything in the file has changed, and instances looked up a moment ago."""

import sqlite3
from collections import OrderedDict
from pathlib import Path

from shared.storage.index.model import InstanceKey, StoredInstance
from shared.storage.index.sqlite.connection import connect

MOST_INSTANCES = 1_000
LARGEST_INSTANCE = 16 * 1024
"""Bytes of metadata and layout beyond which an instance is not remembered."""


class Revision:
    """A number that differs from one look to the next if any process committed a change in between.

    SQLite finds it in memory that the processes share, so that to look takes microseconds and waits for nothing.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connection: sqlite3.Connection | None = None
        self._instances: OrderedDict[InstanceKey, StoredInstance] = OrderedDict()
        self._seen = -1

    def start(self) -> None:
        """Open the connection. Raises sqlite3.Error."""
        self._connection = connect(self._path, writes=False)

    def stop(self) -> None:
        """Close it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def number(self) -> int | None:
        """The number as it is now; None if the index is closed or can't be read."""
        if self._connection is None:
            return None
        try:
            number: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error:
            return None
        return number

    def recent(self, key: InstanceKey) -> StoredInstance | None:
        """An instance remembered since the last change of anything."""
        number = self.number()
        if number is None or number != self._seen:
            self._instances.clear()
            self._seen = -1 if number is None else number
        return self._instances.get(key)

    def remember(self, found: StoredInstance, seen: int | None) -> None:
        """Keep an instance that was read after the number was ``seen``."""
        if seen != self._seen or len(found.metadata) + len(found.layout) > LARGEST_INSTANCE:
            return
        self._instances[found.key] = found
        if len(self._instances) > MOST_INSTANCES:
            self._instances.popitem(last=False)

    @property
    def seen(self) -> int:
        """The number at the last look for an instance."""
        return self._seen
