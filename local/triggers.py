"""Timer functions on the embedded host: the one elected process runs each when its schedule says."""

import asyncio
import fcntl
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions.decorators.constants import TIMER_TRIGGER
from azure.functions.decorators.function_app import Function
from azure.functions.timer import TimerRequest
from croniter import croniter

from shared.telemetry import describe

logger = logging.getLogger(__name__)

ELECTION_SECONDS = 2.0
"""How often a process that does not run the triggers tries to become the one that does."""

TimerHandler = Callable[[func.TimerRequest], Awaitable[None]]


def timer_functions(functions: Iterable[Function]) -> Iterator[tuple[str, str, TimerHandler]]:
    """Name, NCRONTAB schedule (seconds first) and code of every timer function."""
    for function in functions:
        trigger: Any = function.get_trigger()
        if trigger.type == TIMER_TRIGGER:
            yield str(function.get_function_name()), trigger.schedule, function.get_user_function()


class Triggers:
    """The background triggers of one process, idle until it holds the lock file."""

    def __init__(self, functions: Iterable[Function], lock: Path) -> None:
        self._timers = list(timer_functions(functions))
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
                for timer in self._timers:
                    group.create_task(_repeat(*timer))
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


async def _repeat(name: str, schedule: str, handler: TimerHandler) -> None:
    while True:
        now = datetime.now(UTC)
        following = croniter(schedule, now, second_at_beginning=True).get_next(datetime)
        await asyncio.sleep((following - now).total_seconds())
        try:
            await handler(TimerRequest(past_due=False))
        except Exception as error:
            logger.error("The timer function %s failed: %s", name, describe(error))
