"""An import is broken off at each of its steps and told of again: in the end all is as if nothing had happened."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from shared.services.context import Services
from shared.services.inbox import take
from tests.instances import dataset, new_identity, part10
from tests.services.dropping import drop, dropped, failed, files, report, stored, zipped
from tests.services.storing import named

STEPS = 200
"""More than any import here takes."""


class Killed(BaseException):
    """The process is gone."""


class Fate:
    """Lets so many steps happen. The next one is the last: ``after`` says whether it is still carried out."""

    def __init__(self, steps: int, *, after: bool) -> None:
        self._left = steps
        self._after = after
        self.dead = False

    async def step(self, carry_out: Callable[[], Any]) -> Any:
        last = self._left == 0
        self._left -= 1
        if self.dead or (last and not self._after):
            self.dead = True
            raise Killed
        try:
            return await carry_out()
        finally:
            if last or self.dead:
                self.dead = True
                raise Killed


class Mortal:
    """A store in a process that is killed: every call is a step, and so is every item of what it streams."""

    STREAMS = frozenset({"read", "files", "names", "instances"})

    def __init__(self, real: Any, fate: Fate) -> None:
        self._real = real
        self._fate = fate

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if name in self.STREAMS:
            return lambda *args: self._stream(found, *args)
        if not callable(found):
            return found

        async def call(*args: Any) -> Any:
            return await self._fate.step(lambda: found(*args))

        return call

    async def _stream(self, found: Callable[..., AsyncIterator[Any]], *args: Any) -> AsyncIterator[Any]:
        async for item in found(*args):
            yield await self._fate.step(lambda item=item: _given(item))


async def _given(item: Any) -> Any:
    return item


def mortal(services: Services, fate: Fate) -> Services:
    return replace(
        services,
        blobs=Mortal(services.blobs, fate),
        index=Mortal(services.index, fate),
        inbox=Mortal(services.inbox, fate),
        inbox_errors=Mortal(services.inbox_errors, fate),
    )


async def kill_and_repeat(services: Services, name: str, steps: int, *, after: bool) -> bool:
    """Take a file in a process that is killed, then in one that lives; gives whether the kill came in time."""
    fate = Fate(steps, after=after)
    with suppress(Killed):
        await take(mortal(services, fate), name)
    await take(services, name)
    return fate.dead


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_file(services: Services, after: bool) -> None:
    for steps in range(STEPS):
        identity = new_identity()
        await drop(services, "image", named(identity))
        killed = await kill_and_repeat(services, "image", steps, after=after)
        assert await stored(services, identity) == named(identity)
        assert await dropped(services) == set()
        assert await files(services.inbox_errors) == {}
        if not killed:
            break
    assert 3 < steps < STEPS - 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_a_file_that_fails(services: Services, after: bool) -> None:
    for steps in range(STEPS):
        await drop(services, f"text {steps}", b"no DICOM")
        killed = await kill_and_repeat(services, f"text {steps}", steps, after=after)
        assert await dropped(services) == set()
        assert (await report(services, f"text {steps}"))["failed"] == 1
        if not killed:
            break
    assert await failed(services) == {f"text {step}": b"no DICOM" for step in range(steps + 1)}
    assert 3 < steps < STEPS - 1


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
async def test_an_archive_of_which_some_fails(services: Services, after: bool) -> None:
    first = new_identity()
    await drop(services, "first", named(first))
    await take(services, "first")
    for steps in range(STEPS):
        good, large = new_identity(), new_identity()
        large_file = part10(dataset(large, side=800))
        entries = {"a": named(good), "b": named(first), "c": named(first, "C^D"), "d": large_file, "e": b"no DICOM"}
        archive = zipped(entries)
        await drop(services, f"a{steps}.zip", archive)
        killed = await kill_and_repeat(services, f"a{steps}.zip", steps, after=after)
        assert await stored(services, good) == named(good)
        assert await stored(services, large) == large_file
        assert await dropped(services) == set()
        assert (await failed(services))[f"a{steps}.zip"] == archive
        told = await report(services, f"a{steps}.zip")
        assert [failure["position"] for failure in told["failures"]] == [3, 5]
        assert told["stored"] == 3
        if not killed:
            break
    assert await stored(services, first) == named(first)
    assert len(await failed(services)) == steps + 1
    assert 10 < steps < STEPS - 1
