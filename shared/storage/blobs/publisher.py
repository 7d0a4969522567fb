"""Group commit of files: those that wait together are made durable together, which takes little longer than one."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TypeAlias

from shared.storage.blobs.partial_file import PartialFile, publish

ENOUGH = 64
"""Files that wait together from which on no more are waited for."""

_Job: TypeAlias = tuple[PartialFile, asyncio.Future[None]]


class Publisher:
    """The thread that publishes files, for one event loop. What comes while it waits for the disk is published next."""

    def __init__(self) -> None:
        self._new: list[_Job] = []
        self._jobs: SimpleQueue[list[_Job]] = SimpleQueue()
        self._thread = Thread(target=self._work, name="publisher", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Publish what waits, then end."""
        if self._thread.is_alive():
            self._jobs.put([])
            self._thread.join()

    async def publish(self, file: PartialFile) -> None:
        """Returns when the file is durable under its name. Raises OSError or BlobExists; nothing is left then."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if not self._new:
            loop.call_soon(self._hand_over)
        self._new.append((file, future))
        await future

    def _hand_over(self) -> None:
        """Wake the thread once for all files that came in one turn of the event loop."""
        new, self._new = self._new, []
        self._jobs.put(new)

    def _work(self) -> None:
        while jobs := self._jobs.get():
            last = False
            while len(jobs) < ENOUGH and not last:
                try:
                    more = self._jobs.get_nowait()
                except Empty:
                    break
                jobs += more
                last = not more
            _carry_out(jobs)
            if last:
                return


def _carry_out(jobs: Sequence[_Job]) -> None:
    errors = publish([file for file, _ in jobs])
    loop = jobs[0][1].get_loop()
    settled = [(future, error) for (_, future), error in zip(jobs, errors, strict=True)]
    with suppress(RuntimeError):  # the loop was closed: nobody waits any more
        loop.call_soon_threadsafe(_settle, settled)


def _settle(settled: Sequence[tuple[asyncio.Future[None], Exception | None]]) -> None:
    for future, error in settled:
        if future.done():
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
