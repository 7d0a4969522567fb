"""Long work made up for tests, with steps that can be held up, broken off and made to fail; processes that die."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from shared.services import operations
from shared.services.background import Background
from shared.services.context import Services
from shared.services.running import Run, now
from shared.storage.index.operations import Operation, OperationStatus

WAIT_SECONDS = 20.0
STEPS = 5


class Steps:
    """Notes each step that it does. ``failures`` are raised, one each time, before the steps they stand under."""

    def __init__(self) -> None:
        self.done: list[int] = []
        self.given_up: list[str] = []
        self.hold_at: int | None = None
        self.held, self.let_go, self.broken_off = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.failures: dict[int, list[BaseException]] = {}
        self.at_once = self.most_at_once = 0

    async def perform(self, services: Services, run: Run) -> None:
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            for step in range(run.progress.get("step", 0), STEPS):
                await self._hold(step)
                if self.failures.get(step):
                    raise self.failures[step].pop()
                self.done.append(step)
                await run.checkpoint({"step": step + 1}, 100 * (step + 1) // STEPS)
        finally:
            self.at_once -= 1

    async def _hold(self, step: int) -> None:
        if step == self.hold_at:
            self.held.set()
            try:
                await self.let_go.wait()
            except asyncio.CancelledError:
                self.broken_off.set()
                raise

    async def give_up(self, services: Services, operation: str) -> None:
        self.given_up.append(operation)


async def begin(services: Services) -> Operation:
    return await operations.start(services, "steps", {})


async def left_behind(services: Services, type_: str = "steps", **known: Any) -> Operation:
    """An operation whose process died before it did anything."""
    made = Operation(f"{time.time_ns():032x}", type_, OperationStatus.NOT_STARTED, now(), now())
    await services.index.operations.add(replace(made, **known))
    return await found(services, made)


async def found(services: Services, operation: Operation) -> Operation:
    """As it stands."""
    return await operations.get(services, operation.id)


async def ended(services: Services, operation: Operation) -> Operation:
    return await until(services, operation, lambda found: found.status.is_final)


async def until(services: Services, operation: Operation, holds: Callable[[Operation], bool]) -> Operation:
    async with asyncio.timeout(WAIT_SECONDS):
        while True:
            stands = await found(services, operation)
            if holds(stands):
                return stands
            await asyncio.sleep(0.02)


async def let_time_pass(services: Services, operation: Operation) -> None:
    """As if the lease, or whatever the operation waits for, were over."""
    assert await services.index.operations.replace(replace(await found(services, operation), leased_until=0))


class Died(BaseException):
    """A process died."""


class Failing:
    """Whatever it stands for, but the nth call of one method raises something, before it does its work or after."""

    def __init__(self, real: Any, method: str, calls: int, error: type[BaseException], *, after: bool) -> None:
        self._real = real
        self._method = method
        self._calls = calls
        self._error = error
        self._after = after

    def __getattr__(self, name: str) -> Any:
        return self._counted if name == self._method else getattr(self._real, name)

    async def _counted(self, *given: Any) -> Any:
        self._calls -= 1
        if not self._calls and not self._after:
            raise self._error
        answer = await getattr(self._real, self._method)(*given)
        if not self._calls:
            raise self._error
        return answer


class WithTags:
    """An index with other tags."""

    def __init__(self, real: Any, tags: Any) -> None:
        self._real = real
        self.tags = tags

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)


def failing(
    services: Services, method: str, calls: int, error: type[BaseException], *, after: bool = False
) -> Services:
    """Another process over the same storage. A method of the tags raises something when it is called for the nth time.

    With ``Died`` it is as if the process died there.
    """
    tags = Failing(services.index.tags, method, calls, error, after=after)
    return replace(services, index=WithTags(services.index, tags), background=Background())


def dying(services: Services, method: str, calls: int, *, after: bool = False) -> Services:
    """Another process, which dies when it calls a method of the tags for the nth time."""
    return failing(services, method, calls, Died, after=after)


async def kill(services: Services) -> None:
    """All work of the process ends where it is, and nothing is put in order."""
    await services.background.close()
