"""The run of ``python -m local store``: as many workers as requests at a time, each taking the next batch of files."""

import argparse
import asyncio
import io
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from local.sending.arguments import target_url
from local.sending.client import BATCH_BYTES, Client, Target
from local.sending.connection import Connection, open_session
from local.sending.files import batches, find, inspect
from local.sending.journal import Journal, default_path
from local.sending.ledger import Ledger
from local.sending.model import DELIVERED, File, Instance, Outcome, Result, Stop
from local.sending.report import open_report

Batch = list[File | Result]
Store = Callable[[Sequence[Instance]], AsyncIterator[Result]]

_FAILED = 1
_STOPPED = 2
_INTERRUPTED = 130


def main(chosen: argparse.Namespace) -> int:
    """Send what was chosen; gives the exit status that the description of the arguments tells of."""
    try:
        url = target_url(chosen.url, chosen.partition)
    except ValueError as error:
        print(error, file=sys.stderr)
        return _STOPPED
    target = Target(
        url, "PUT" if chosen.replace else "POST", (chosen.token or os.environ.get("DICOM_TOKEN", "")).strip()
    )
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names need not be text
    try:
        with open_report(chosen.report) as report, Ledger(report) as ledger:
            status = _status(chosen, target, ledger)
    except OSError as error:
        print(f"The report can't be written: {error}", file=sys.stderr)
        return _STOPPED
    print(ledger.summary())
    return status


def _status(chosen: argparse.Namespace, target: Target, ledger: Ledger) -> int:
    try:
        asyncio.run(_run(chosen, target, ledger))
    except KeyboardInterrupt:
        print("Interrupted. The same command sends the rest.", file=sys.stderr)
        return _INTERRUPTED
    except Stop as stop:
        print(f"Stopped. {stop}", file=sys.stderr)
        return _STOPPED
    return _FAILED if ledger.failed else 0


async def _run(chosen: argparse.Namespace, target: Target, ledger: Ledger) -> None:
    """Find, send and take note. Raises Stop."""
    with Journal(chosen.journal or default_path(), f"{target.method} {target.studies}") as journal:
        async with open_session(chosen.parallel) as session:
            store = _list if chosen.dry_run else Client(Connection(session, ledger.sent), target).store
            work = _Work(
                batches(find(chosen.paths), chosen.batch, BATCH_BYTES), ledger, journal, not chosen.no_resume, store
            )
            try:
                async with asyncio.TaskGroup() as workers:
                    for _ in range(chosen.parallel):
                        workers.create_task(work.to_the_end())
            except BaseExceptionGroup as raised:
                raise raised.exceptions[0] from None


async def _list(instances: Sequence[Instance]) -> AsyncIterator[Result]:
    """What a dry run does instead of storing."""
    for instance in instances:
        yield Result(instance.file, Outcome.WOULD_SEND)


class _Work:
    """What the workers share. A batch is looked for only when a worker is free to send it."""

    def __init__(self, found: Iterator[Batch], ledger: Ledger, journal: Journal, resume: bool, store: Store) -> None:
        self._found = found
        self._searching = asyncio.Lock()
        self._ledger = ledger
        self._journal = journal
        self._resume = resume
        self._store = store

    async def to_the_end(self) -> None:
        """Be one worker."""
        while batch := await self._next():
            files = [each for each in batch if isinstance(each, File) and not self._noted(each)]
            looked_at = await asyncio.to_thread(_inspect_all, files)
            for each in (*batch, *looked_at):
                if isinstance(each, Result):
                    self._ledger.add(each)
            async for result in self._store([each for each in looked_at if isinstance(each, Instance)]):
                if result.outcome in DELIVERED:
                    self._journal.note(result.file)
                self._ledger.add(result)

    async def _next(self) -> Batch | None:
        async with self._searching:
            return await asyncio.to_thread(next, self._found, None)

    def _noted(self, file: File) -> bool:
        """Whether the file was sent before; if so, that is accounted for."""
        noted = self._resume and self._journal.holds(file)
        if noted:
            self._ledger.add(Result(file, Outcome.NOTED))
        return noted


def _inspect_all(files: Sequence[File]) -> list[Instance | Result]:
    return [inspect(file) for file in files]
