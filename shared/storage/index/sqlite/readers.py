"""A few threads that read, each with a connection of its own."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from shared.errors import StorageError
from shared.storage.index.sqlite.clauses import add_functions
from shared.storage.index.sqlite.connection import connect, storage_errors

THREADS = 4
MOST_WAITING = 1_000
"""Reads that may wait or be under way; one more is refused."""

T = TypeVar("T")


class Readers:
    """Runs reads beside the event loop."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._threads: ThreadPoolExecutor | None = None
        self._under_way = 0

    def start(self) -> None:
        """Open the connections. Raises sqlite3.Error."""
        for _ in range(THREADS):
            connection = connect(self._path, writes=False)
            self._idle.append(connection)
            add_functions(connection)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="index-reader")

    def stop(self) -> None:
        """Finish the reads under way, then close the connections."""
        threads, self._threads = self._threads, None
        if threads is not None:
            threads.shutdown()
        while self._idle:
            self._idle.pop().close()

    async def run(self, read: Callable[[sqlite3.Connection], T]) -> T:
        """The result of a read."""
        if self._threads is None:
            raise StorageError("The index is closed.")
        if self._under_way >= MOST_WAITING:
            raise StorageError("Too many reads wait for the index. Send the request again later.")
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._read, read)
        finally:
            self._under_way -= 1

    def _read(self, read: Callable[[sqlite3.Connection], T]) -> T:
        connection = self._idle.pop()
        try:
            with storage_errors():
                return read(connection)
        finally:
            self._idle.append(connection)
