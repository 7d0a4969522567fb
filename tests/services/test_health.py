"""The health of the service: bounded in time, and however many ask, asked once."""

import asyncio
from collections.abc import Callable

import pytest

from shared.errors import StorageError
from shared.services import health
from shared.services.health import Check, Health, Probe


class Dependency:
    """Something to ask, which counts how often that was done."""

    def __init__(self, answer: Callable[[], None] = lambda: None, seconds: float = 0) -> None:
        self.asked = 0
        self._answer = answer
        self._seconds = seconds

    async def __call__(self) -> None:
        self.asked += 1
        await asyncio.sleep(self._seconds)
        self._answer()


def fails() -> None:
    raise StorageError("It is gone.")


def breaks() -> None:
    raise KeyError("DOE^JANE")


def health_of(*dependencies: Dependency) -> Health:
    async def probes() -> list[Probe]:
        return [Probe(str(number), each, "Well.") for number, each in enumerate(dependencies)]

    return Health(probes)


async def test_each_dependency_is_told_of() -> None:
    found = await health_of(Dependency(), Dependency(fails), Dependency(breaks)).checks()
    assert [(each.healthy, each.description) for each in found] == [
        (True, "Well."),
        (False, "It is gone."),
        (False, "Something unforeseen happened. The log says where."),
    ]


async def test_nobody_is_waited_for_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.1)
    began = asyncio.get_running_loop().time()
    found = await health_of(Dependency(seconds=60), Dependency(seconds=60), Dependency()).checks()
    assert asyncio.get_running_loop().time() - began < 5
    assert [each.healthy for each in found] == [False, False, True]
    assert found[0].description.startswith("No answer within")


async def test_a_flood_of_checks_is_one() -> None:
    dependency = Dependency(seconds=0.05)
    asked = health_of(dependency)
    answers = await asyncio.gather(*(asked.checks() for _ in range(100)))
    assert dependency.asked == 1
    assert answers == [[Check("0", healthy=True, description="Well.")]] * 100


async def test_it_is_asked_again_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.0)
    dependency = Dependency()
    asked = health_of(dependency)
    for _ in range(3):
        await asked.checks()
    assert dependency.asked == 3


async def test_one_who_leaves_takes_no_others_along() -> None:
    dependency = Dependency(seconds=0.05)
    asked = health_of(dependency)
    leaving = asyncio.create_task(asked.checks())
    staying = asyncio.create_task(asked.checks())
    await asyncio.sleep(0.01)
    leaving.cancel()
    assert [each.healthy for each in await staying] == [True]


async def test_storage_that_can_not_be_opened() -> None:
    async def probes() -> list[Probe]:
        raise StorageError("The account is not there.")

    assert await Health(probes).checks() == [Check("storage", healthy=False, description="The account is not there.")]
