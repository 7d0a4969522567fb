"""Changing studies: whatever waits for one study at the same time shares its next batch."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from shared.errors import StorageError
from shared.storage.index.cosmos.container import Container, Key
from shared.storage.index.cosmos.documents import INSTANCE, KNOWN_COLUMNS, SERIES, STUDY_ID, key_of, series_id
from shared.storage.index.cosmos.patience import Patience, Refused
from shared.storage.index.cosmos.plan import Draft, Known, Outdated, Plan
from shared.storage.index.cosmos.sql import Query
from shared.storage.index.cosmos.studies import StudyKey
from shared.storage.index.port import CommitMode, CommitResult

MOST_WAITING = 10_000
"""Records and deletes that may wait; more are refused."""
MOST_OPERATIONS = 100
SHARED_OPERATIONS = 2
"""Of each batch: it changes the study and notes what it does in the outbox."""
MOST_BYTES = 1_000_000
"""In one batch. Cosmos DB takes 2 MB, of which a single instance may need more than half."""
PARALLEL_STUDIES = 32
"""That are changed at the same time."""
MOST_KNOWN_STUDIES = 200
MOST_KNOWN_SERIES = 20
"""Of each study whose documents are remembered."""

T = TypeVar("T")


@dataclass(slots=True, eq=False)
class _Change:
    """Another change of a study than taking records in."""

    make: Callable[[], Awaitable[Any]]
    future: "asyncio.Future[Any]"


_Job: TypeAlias = Draft | _Change


class Writer:
    """All changes of this process. Those of one study are made one after the other, so that they don't get in each
    other's way; those of different studies at the same time."""

    def __init__(self, index: Container) -> None:
        self._index = index
        self._waiting: dict[StudyKey, deque[_Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: OrderedDict[StudyKey, Known] = OrderedDict()
        self._jobs = 0
        self._turn = asyncio.Semaphore(PARALLEL_STUDIES)

    async def commit(self, drafts: Sequence[Draft]) -> list[CommitResult | BaseException]:
        """Take records in; gives what became of each. Raises StorageError if too many wait."""
        self._make_room(len(drafts))
        for draft in drafts:
            self._enqueue((draft.record.key.partition, draft.record.key.study), draft)
        return await asyncio.gather(*(draft.future for draft in drafts), return_exceptions=True)

    async def change(self, study: StudyKey, make: Callable[[], Awaitable[T]]) -> T:
        """Make another change of a study in its turn. Raises StorageError if too many wait."""
        self._make_room(1)
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._enqueue(study, _Change(make, future))
        return await future

    async def finish(self) -> None:
        """Wait until everything is done."""
        await asyncio.gather(*self._tasks)

    def _make_room(self, jobs: int) -> None:
        if self._jobs and self._jobs + jobs > MOST_WAITING:
            raise StorageError("Too many changes wait for the index. Send the request again later.")

    def _enqueue(self, study: StudyKey, job: _Job) -> None:
        self._jobs += 1
        if study in self._waiting:
            self._waiting[study].append(job)
            return
        self._waiting[study] = deque([job])
        task = asyncio.create_task(self._work(study))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, study: StudyKey) -> None:
        waiting = self._waiting[study]
        while waiting:
            async with self._turn:
                jobs = _take(waiting)
                try:
                    await self._execute(study, jobs)
                except StorageError as error:
                    # what waits would only meet the same
                    jobs += waiting
                    waiting.clear()
                    for job in jobs:
                        _fail(job, error)
            self._jobs -= len(jobs)
        del self._waiting[study]

    async def _execute(self, study: StudyKey, jobs: Sequence[_Job]) -> None:
        """Carry out jobs together; if that fails through the fault of one of them, each by itself.

        Raises StorageError for what is the fault of none.
        """
        try:
            for job, result in zip(jobs, await self._results(study, jobs), strict=True):
                if not job.future.done():
                    job.future.set_result(result)
        except Exception as error:
            if isinstance(error, StorageError) and not isinstance(error, Refused):
                raise
            if len(jobs) == 1:
                _fail(jobs[0], error)
                return
            for job in jobs:
                await self._execute(study, [job])

    async def _results(self, study: StudyKey, jobs: Sequence[_Job]) -> Sequence[Any]:
        if isinstance(jobs[0], _Change):
            self._known.pop(study, None)
            return [await jobs[0].make()]
        return await self._write(study, [job for job in jobs if isinstance(job, Draft)])

    async def _write(self, study: StudyKey, drafts: Sequence[Draft]) -> Sequence[CommitResult]:
        """Take records in with one batch. Its answer may be lost: then it is sent again, fails since all is there, and
        the versions that are found show that it took effect."""
        patience = Patience()
        key = key_of(drafts[0].record.key)
        known = self._known.pop(study, Known())
        conflicts = 0
        while True:
            try:
                plan = Plan(known)
                results = [plan.place(draft) for draft in drafts]
                operations = plan.operations()
            except Outdated:
                known = await self._read(key, drafts, patience)
                continue
            if not operations:
                self._remember(study, Known(known.study, known.series))
                return results
            etags = await self._index.batch(operations, key, patience)
            if etags is not None:
                self._remember(study, plan.outcome(etags))
                return results
            if conflicts:
                await patience.pause()
            conflicts += 1
            known = await self._read(key, drafts, patience)

    async def _read(self, key: Key, drafts: Sequence[Draft], patience: Patience) -> Known:
        """What is there of the documents that the drafts are about."""
        series = {draft.record.key.series for draft in drafts}
        query = Query(KNOWN_COLUMNS)
        query.among("c.id", [STUDY_ID, *map(series_id, series), *{draft.document["id"] for draft in drafts}])
        found = {each["id"]: each for each in await self._index.query(query, key, patience)}
        return Known(
            study=found.get(STUDY_ID),
            series={each["series"]: each for each in found.values() if each["kind"] == SERIES},
            instances={name: each for name, each in found.items() if each["kind"] == INSTANCE},
            looked_up=frozenset(series),
        )

    def _remember(self, study: StudyKey, known: Known) -> None:
        if len(known.series) <= MOST_KNOWN_SERIES:
            self._known[study] = known
        if len(self._known) > MOST_KNOWN_STUDIES:
            self._known.popitem(last=False)


def _take(waiting: deque[_Job]) -> list[_Job]:
    """The jobs that go together: a change by itself, or as many records as one batch is sure to hold."""
    jobs: list[_Job] = [waiting.popleft()]
    if isinstance(jobs[0], _Change):
        return jobs
    series: set[str] = set()
    operations = SHARED_OPERATIONS + _operations(jobs[0], series)
    size = jobs[0].size
    while waiting and isinstance(candidate := waiting[0], Draft):
        operations += _operations(candidate, series)
        size += candidate.size
        if operations > MOST_OPERATIONS or size > MOST_BYTES:
            break
        jobs.append(waiting.popleft())
    return jobs


def _operations(draft: Draft, series: set[str]) -> int:
    """How many a record adds at most: its own, one for a series not yet among those, one for a purge."""
    known = draft.record.key.series in series
    series.add(draft.record.key.series)
    return 1 + (not known) + (draft.mode is CommitMode.REPLACE)


def _fail(job: _Job, error: Exception) -> None:
    if not job.future.done():
        job.future.set_exception(error)
