"""Long work rests while others store."""

import asyncio
import time

import pytest

from shared.services.context import Services
from shared.services.pacing import REST_FACTOR, Pace
from shared.services.running import Run, Stopped
from shared.storage.index.operations import OperationStatus
from tests.instances import dataset, new_identity, part10
from tests.services.stepping import found, left_behind
from tests.services.storing import store

STEP_SECONDS = 0.1


async def seconds_of_step(pace: Pace) -> float:
    await asyncio.sleep(STEP_SECONDS)
    began = time.monotonic()
    await pace.step()
    return time.monotonic() - began


async def test_it_rests_after_steps_in_which_others_stored(services: Services) -> None:
    pace = Pace(services, Run(services, await left_behind(services), deadline=time.monotonic() + 60))
    await pace.step()
    assert await seconds_of_step(pace) < STEP_SECONDS
    await store(services, [part10(dataset(new_identity()))])
    await services.index.feed.number()
    assert await seconds_of_step(pace) >= STEP_SECONDS * REST_FACTOR
    assert await seconds_of_step(pace) < STEP_SECONDS


async def test_it_rests_no_longer_than_there_is_time(services: Services) -> None:
    operation = await left_behind(services)
    deadline = time.monotonic() + 0.5
    run = Run(services, operation, deadline)
    await run.take()
    with pytest.raises(Stopped):
        await run.rest(60)
    assert deadline <= time.monotonic() < deadline + 10
    left = await found(services, operation)
    assert (left.status, left.leased_until) == (OperationStatus.RUNNING, 0)
