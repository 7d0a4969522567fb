"""The one thread of a process that writes: changes that wait together become one transaction, made durable at once."""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeAlias, TypeVar

from shared.errors import StorageError
from shared.storage.index.port import CommitResult
from shared.storage.index.sqlite import schema
from shared.storage.index.sqlite.commit import commit
from shared.storage.index.sqlite.connection import connect, storage_error
from shared.storage.index.sqlite.plan import Draft
from shared.storage.index.sqlite.turn import Turn
from shared.storage.index.tags import TagsChanged

MOST_WAITING = 1_000
"""Changes that may wait; one more is refused."""
MOST_TOGETHER = 256
"""Changes in one transaction."""

T = TypeVar("T")
Change: TypeAlias = Callable[[sqlite3.Connection], Any]


@dataclass(slots=True, eq=False)
class _Job:
    """Records to commit, or if ``change`` is given that other change to make, and who waits for it."""

    future: asyncio.Future[Any]
    drafts: Sequence[Draft] = ()
    change: Change | None = None
    result: Any = None
    error: Exception | None = None

    def fail(self, error: Exception) -> None:
        self.error = storage_error(error) if isinstance(error, sqlite3.Error) else error

    def settle(self) -> None:
        if self.future.done():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


class Writer:
    """Group commit: what waits while a transaction reaches the disk shares the next one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._gate = Lock()
        self._open = False

    def start(self) -> None:
        """Open the database, set it up if it is new, and start the thread.

        Raises OSError, sqlite3.Error or StorageError.
        """
        with ExitStack() as resources:
            turn = resources.enter_context(closing(Turn(self._path)))
            with turn.taken():
                connection = resources.enter_context(closing(connect(self._path, writes=True)))
                schema.create(connection)
            arguments = (resources.pop_all(), connection, turn)
        self._thread = Thread(target=self._work, args=arguments, name="index-writer", daemon=True)
        self._thread.start()
        self._open = True

    def stop(self) -> None:
        """Finish the changes that wait, then close the database."""
        with self._gate:
            was_open, self._open = self._open, False
            if was_open:
                self._jobs.put(None)
        if self._thread is not None:
            self._thread.join()

    async def commit(self, drafts: Sequence[Draft]) -> list[CommitResult]:
        """Put records into the index; returns when that is durable. Raises TagsChanged."""
        results: list[CommitResult] = await self._submit(_Job(_future(), drafts=drafts))
        return results

    async def run(self, change: Callable[[sqlite3.Connection], T]) -> T:
        """Make another change; returns its result when that is durable."""
        result: T = await self._submit(_Job(_future(), change=change))
        return result

    async def _submit(self, job: _Job) -> Any:
        with self._gate:
            if not self._open:
                raise StorageError("The index is closed.")
            if self._jobs.qsize() >= MOST_WAITING:
                raise StorageError("Too many changes wait for the index. Send the request again later.")
            self._jobs.put(job)
        return await job.future

    def _work(self, resources: ExitStack, connection: sqlite3.Connection, turn: Turn) -> None:
        with resources:
            while True:
                jobs = self._take()
                together = [job for job in jobs if job is not None]
                if together:
                    _execute(connection, turn, together)
                    _settle(together)
                if len(together) < len(jobs):
                    return

    def _take(self) -> list[_Job | None]:
        """Wait for a job and take what waits with it; the last is None at the end of all work."""
        jobs = [self._jobs.get()]
        while len(jobs) < MOST_TOGETHER and jobs[-1] is not None:
            try:
                jobs.append(self._jobs.get_nowait())
            except Empty:
                break
        return jobs


def _future() -> asyncio.Future[Any]:
    return asyncio.get_running_loop().create_future()


def _execute(connection: sqlite3.Connection, turn: Turn, jobs: Sequence[_Job]) -> None:
    """Carry out the jobs in one transaction; if that fails through the fault of one of them, each in its own."""
    try:
        with turn.taken():
            _transact(connection, jobs)
    except Exception as error:
        # an OperationalError is the disk's or the lock's fault, the same for all
        if len(jobs) == 1 or isinstance(error, sqlite3.OperationalError):
            for job in jobs:
                job.fail(error)
            return
        for job in jobs:
            _execute(connection, turn, [job])


def _transact(connection: sqlite3.Connection, jobs: Sequence[_Job]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for change, run in groupby(jobs, key=lambda job: job.change):
            if change is None:
                _commit_together(connection, list(run))
            else:
                for job in run:
                    job.result = change(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _commit_together(connection: sqlite3.Connection, jobs: Sequence[_Job]) -> None:
    results = iter(commit(connection, [draft for job in jobs for draft in job.drafts]))
    for job in jobs:
        job.result = [next(results) for _ in job.drafts]
        job.error = TagsChanged() if None in job.result else None


def _settle(jobs: Sequence[_Job]) -> None:
    """Wake those who wait, each event loop once."""
    by_loop = defaultdict(list)
    for job in jobs:
        by_loop[job.future.get_loop()].append(job)
    for loop, settled in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle_here, settled)
        except RuntimeError:
            # the loop was closed: nobody waits there any more
            continue


def _settle_here(jobs: Sequence[_Job]) -> None:
    for job in jobs:
        job.settle()
