"""Functions without a request on the embedded host: one elected process runs them all."""

import asyncio
import fcntl
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any

from azure.functions.decorators.constants import BLOB_TRIGGER, COSMOS_DB_TRIGGER, TIMER_TRIGGER
from azure.functions.decorators.function_app import Function

from local import changes, timers, watching
from shared.telemetry import describe

logger = logging.getLogger(__name__)

ELECTION_SECONDS = 2.0
"""How often a process that does not run the triggers tries to become the one that does."""
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0

Run = Callable[[Any, Callable[[Any], Awaitable[None]]], Awaitable[None]]

RUNS: dict[str, Run] = {
    TIMER_TRIGGER: timers.run,
    BLOB_TRIGGER: watching.run,
    COSMOS_DB_TRIGGER: changes.run,
}
"""For each kind of trigger, what calls a function of that kind when it should be."""


class Triggers:
    """The background triggers of one process, idle until it holds the lock file."""

    def __init__(self, functions: Iterable[Function], lock: Path) -> None:
        self._functions = [function for function in functions if _kind(function) in RUNS]
        self._lock = lock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        self._lock.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            await _elected(handle)
            async with asyncio.TaskGroup() as group:
                for function in self._functions:
                    group.create_task(_keep_running(function))
        finally:
            os.close(handle)


async def _elected(handle: int) -> None:
    """Returns when this process holds the lock; the system frees it when the process ends, however it ends."""
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(ELECTION_SECONDS)
        else:
            return


async def _keep_running(function: Function) -> None:
    """Run one function by its trigger. What fails is started again, later each time that it fails at once."""
    run, trigger, handler = RUNS[_kind(function)], function.get_trigger(), function.get_user_function()
    pause = FIRST_PAUSE_SECONDS
    while True:
        began = time.monotonic()
        try:
            await run(trigger, handler)
        except Exception as error:
            logger.error("The function %s failed: %s", function.get_function_name(), describe(error))
        else:
            return
        if time.monotonic() - began > LONGEST_PAUSE_SECONDS:
            pause = FIRST_PAUSE_SECONDS
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)


def _kind(function: Function) -> str:
    trigger: Any = function.get_trigger()
    return str(trigger.type)
