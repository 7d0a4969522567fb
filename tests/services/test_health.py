"""The health of the service: bounded in time, and however many ask, asked once."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from pydantic import HttpUrl

from shared.errors import StorageError
from shared.services import events, health
from shared.services.context import Services
from shared.services.health import Check, Health, Probe, probes
from tests.instances import dataset, new_identity, part10
from tests.services.storing import store


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
    async def found() -> list[Probe]:
        return [Probe(str(number), each, "Well.") for number, each in enumerate(dependencies)]

    return Health(found)


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
    async def found() -> list[Probe]:
        raise StorageError("The account is not there.")

    assert await Health(found).checks() == [Check("storage", healthy=False, description="The account is not there.")]


async def test_events_that_are_not_taken_are_told_of_in_the_end(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = services.settings.model_copy(update={"events_topic": HttpUrl("https://topic.example.org/api/events")})
    (probe,) = (each for each in probes(replace(services, settings=chosen)) if each.name == "events")
    assert not probe.essential
    await services.index.feed.move_cursor(events.CURSOR, 0, 1)
    await store(services, [part10(dataset(new_identity()))])
    await services.index.feed.number()
    await probe.ask()
    monkeypatch.setattr(health, "LATE_SECONDS", -1.0)
    with pytest.raises(StorageError, match="Event Grid topic"):
        await probe.ask()
