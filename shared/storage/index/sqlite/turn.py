"""Whose turn it is to write, among the processes that share the file."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Turn:
    """A lock beside the database that processes wait for in line.

    Waiting for SQLite's own lock means to sleep and look again: with four busy processes that starved one of them for
    a second, with this lock for 30 ms. The system gives it free when a process dies.
    """

    def __init__(self, database: Path) -> None:
        """Raises OSError if the lock file can't be opened."""
        self._file = os.open(f"{database}.lock", os.O_RDWR | os.O_CREAT, 0o644)

    def close(self) -> None:
        """Let go of the lock file."""
        os.close(self._file)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold the lock."""
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)
