"""The index in one SQLite file."""

from shared.storage.index.sqlite.adapter import SqliteIndex

__all__ = ["SqliteIndex"]
