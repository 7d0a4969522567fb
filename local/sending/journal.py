"""The journal of what a service has acknowledged, so that a later run passes over it."""

import os
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from local.sending.model import File, Stop

_SCHEMA = """
CREATE TABLE IF NOT EXISTS acknowledged (
    target TEXT, path BLOB, size INTEGER, mark INTEGER, PRIMARY KEY (target, path)
) WITHOUT ROWID
"""
_OPENING = ("PRAGMA journal_mode = WAL", "PRAGMA synchronous = NORMAL", _SCHEMA)
_NOTE = "INSERT OR REPLACE INTO acknowledged VALUES (?, ?, ?, ?)"
_FIND = "SELECT 1 FROM acknowledged WHERE target = ? AND path = ? AND size = ? AND mark = ?"


def default_path() -> Path:
    """Where the journal is unless another place is chosen (XDG Base Directory Specification)."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "dicom-functions" / "sent.sqlite"


class Journal:
    """The notes on one target, which is any text. Several runs may share the file.

    A note is kept as soon as it is made, though the process be killed. All raise Stop if that can't be.
    """

    def __init__(self, path: Path, target: str) -> None:
        self._path = path
        self._target = target
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
        except (OSError, sqlite3.Error) as error:
            raise self._stop(error) from error
        for statement in _OPENING:
            self._run(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._database.close()

    def note(self, file: File) -> None:
        """Keep that the target has the file."""
        self._run(_NOTE, self._row(file))

    def holds(self, file: File) -> bool:
        """Whether the file, as it is now, was noted."""
        return bool(self._run(_FIND, self._row(file)))

    def _row(self, file: File) -> tuple[str, bytes, int, int]:
        return self._target, os.fsencode(os.path.abspath(file.name)), file.size, file.mark

    def _run(self, statement: str, values: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        try:
            return self._database.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise self._stop(error) from error

    def _stop(self, error: Exception) -> Stop:
        return Stop(f"The journal {self._path} can't be kept: {error}. Choose another place for it with --journal.")
