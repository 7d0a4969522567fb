"""Long work is done to its end, by one process at a time, whatever becomes of the processes."""

import asyncio
import time

import pytest

from shared.errors import Conflict, NotFound, StorageError
from shared.services import background, operations, running
from shared.services.context import Services
from shared.services.running import Work, errors_of, now
from shared.storage.index.operations import OperationStatus
from tests.services.stepping import (
    STEPS,
    WAIT_SECONDS,
    Died,
    Steps,
    begin,
    ended,
    found,
    kill,
    left_behind,
    let_time_pass,
    until,
)

ALL = list(range(STEPS))
DAY = 24 * 3600 * 1_000_000


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    made = Steps()
    monkeypatch.setitem(operations.WORKS, "steps", Work(made.perform, made.give_up))
    return made


@pytest.fixture
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(running, "HEARTBEAT_SECONDS", 0.2)


async def test_work_begins_at_once_and_is_done_to_its_end(services: Services, steps: Steps) -> None:
    before = now()
    started = await begin(services)
    assert started.status is OperationStatus.NOT_STARTED
    done = await ended(services, started)
    assert (done.status, done.percent, done.type) == (OperationStatus.SUCCEEDED, 100, "steps")
    assert before <= done.created <= done.updated <= now()
    assert steps.done == ALL
    assert steps.given_up == []
    assert errors_of(done) == ()


async def test_work_shows_how_far_it_came(services: Services, steps: Steps) -> None:
    steps.hold_at = 3
    started = await begin(services)
    await steps.held.wait()
    assert (await found(services, started)).status is OperationStatus.RUNNING
    assert (await found(services, started)).percent == 60
    steps.let_go.set()
    await ended(services, started)


async def test_no_other_process_takes_up_what_one_works_at(
    services: Services, other: Services, steps: Steps, short_leases: None
) -> None:
    """Even where one step lasts longer than a lease."""
    steps.hold_at = 2
    started = await begin(services)
    await steps.held.wait()
    began = time.monotonic()
    while time.monotonic() < began + 2 * running.LEASE_SECONDS:
        await operations.run_due(other)
        await asyncio.sleep(0.1)
    steps.let_go.set()
    await ended(services, started)
    assert steps.done == ALL


async def test_of_several_processes_one_does_each_work(services: Services, other: Services, steps: Steps) -> None:
    added = [await left_behind(services) for _ in range(6)]
    await asyncio.gather(*(operations.run_due(each) for each in (services, other, services, other)))
    assert sorted(steps.done) == sorted(ALL * len(added))
    assert {(await found(services, each)).status for each in added} == {OperationStatus.SUCCEEDED}


async def test_a_process_does_few_works_at_once(services: Services, steps: Steps) -> None:
    steps.hold_at = 0
    started = [await begin(services) for _ in range(background.MOST_TASKS + 4)]
    await steps.held.wait()
    await asyncio.sleep(0.1)
    assert steps.most_at_once == background.PARALLEL
    steps.let_go.set()
    await operations.run_due(services)
    assert {(await ended(services, each)).status for each in started} == {OperationStatus.SUCCEEDED}
    assert steps.most_at_once == background.PARALLEL


async def test_another_process_goes_on_where_one_was_killed(
    services: Services, other: Services, steps: Steps, short_leases: None
) -> None:
    steps.hold_at = 3
    started = await begin(services)
    await steps.held.wait()
    await kill(services)
    await operations.run_due(other)
    assert steps.done == ALL[:3], "while the lease holds nobody goes on"
    await asyncio.sleep(running.LEASE_SECONDS)
    steps.hold_at = None
    await operations.run_due(other)
    assert (await found(other, started)).status is OperationStatus.SUCCEEDED
    assert steps.done == ALL


async def test_a_process_that_lost_its_lease_stops(services: Services, other: Services, steps: Steps) -> None:
    """Such as one that stood still for a while: it does no step beyond the one that was under way."""
    steps.hold_at = 1
    started = await begin(services)
    await steps.held.wait()
    await let_time_pass(services, started)
    steps.hold_at = None
    await operations.run_due(other)
    assert steps.done == ALL
    steps.let_go.set()
    await services.background.run(_nothing)
    await asyncio.sleep(0.2)
    assert steps.done == [*ALL, 1]
    assert (await found(services, started)).status is OperationStatus.SUCCEEDED


async def _nothing() -> None:
    pass


async def test_a_process_that_dies_over_it_each_time_is_not_tried_for_ever(services: Services, steps: Steps) -> None:
    steps.hold_at = 1
    started = await left_behind(services)
    for _ in range(running.ATTEMPTS):
        task = asyncio.create_task(operations.run_due(services))
        await asyncio.wait_for(steps.held.wait(), WAIT_SECONDS)
        steps.held.clear()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await let_time_pass(services, started)
    await operations.run_due(services)
    failed = await found(services, started)
    assert failed.status is OperationStatus.FAILED
    assert errors_of(failed) == (running.ENDED_UNEXPECTEDLY,)
    assert steps.given_up == [started.id]


async def test_cancelling_ends_the_work_at_its_next_checkpoint(
    services: Services, other: Services, steps: Steps
) -> None:
    steps.hold_at = 3
    started = await begin(services)
    await steps.held.wait()
    canceled = await operations.cancel(other, started.id)
    assert canceled.status is OperationStatus.CANCELED
    assert canceled == await found(services, started)
    assert steps.given_up == [started.id]
    steps.let_go.set()
    await asyncio.sleep(0.3)
    assert steps.done == ALL[:4]
    assert await found(services, started) == canceled


async def test_cancelling_ends_a_step_that_lasts(services: Services, steps: Steps, short_leases: None) -> None:
    steps.hold_at = 0
    started = await begin(services)
    await steps.held.wait()
    await operations.cancel(services, started.id)
    await asyncio.wait_for(steps.broken_off.wait(), WAIT_SECONDS)
    assert steps.done == []


async def test_cancelling_again_changes_nothing(services: Services, steps: Steps) -> None:
    steps.hold_at = 0
    started = await begin(services)
    canceled = await operations.cancel(services, started.id)
    assert await operations.cancel(services, started.id) == canceled
    assert steps.given_up == [started.id]


async def test_a_cancel_that_was_cut_short_is_carried_on(services: Services, other: Services, steps: Steps) -> None:
    async def die(services: Services, operation: str) -> None:
        raise Died

    operations.WORKS["steps"] = Work(steps.perform, die)
    started = await left_behind(services)
    with pytest.raises(Died):
        await operations.cancel(services, started.id)
    operations.WORKS["steps"] = Work(steps.perform, steps.give_up)
    await let_time_pass(services, started)
    await operations.run_due(other)
    assert (await found(services, started)).status is OperationStatus.CANCELED
    assert steps.done == []
    assert steps.given_up == [started.id]


async def test_what_has_ended_can_not_be_cancelled(services: Services, steps: Steps) -> None:
    done = await ended(services, await begin(services))
    with pytest.raises(Conflict):
        await operations.cancel(services, done.id)
    assert await found(services, done) == done


async def test_work_that_has_to_be_done_can_not_be_cancelled(services: Services, steps: Steps) -> None:
    operations.WORKS["steps"] = Work(steps.perform, can_be_canceled=False)
    steps.hold_at = 0
    started = await begin(services)
    with pytest.raises(Conflict):
        await operations.cancel(services, started.id)
    steps.let_go.set()
    assert (await ended(services, started)).status is OperationStatus.SUCCEEDED


async def test_what_is_not_there_can_not_be_cancelled(services: Services) -> None:
    with pytest.raises(NotFound):
        await operations.cancel(services, "0" * 32)
    with pytest.raises(NotFound):
        await operations.get(services, "0" * 32)


PAUSES = [60, 180, 540]


async def test_work_that_fails_is_tried_again_after_longer_and_longer_pauses(services: Services, steps: Steps) -> None:
    steps.failures[2] = [ValueError("Doe^Jane") for _ in PAUSES]
    started = await begin(services)
    for number, pause in enumerate(PAUSES, 1):
        waiting = await until(services, started, lambda each: each.leased_until > now() + 30 * 1_000_000)
        assert waiting.status is OperationStatus.RUNNING
        assert pause - 5 < (waiting.leased_until - now()) / 1e6 < pause + 1
        await operations.run_due(services)
        assert len(steps.failures[2]) == len(PAUSES) - number, "it is left alone until the pause is over"
        await let_time_pass(services, started)
        await operations.run_due(services)
    assert (await found(services, started)).status is OperationStatus.SUCCEEDED
    assert steps.done == ALL


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (ValueError("Doe^Jane"), running.UNFORESEEN),
        (StorageError("The index does not answer."), "The index does not answer."),
        (asyncio.CancelledError(), running.UNFORESEEN),
    ],
)
async def test_work_that_keeps_failing_is_given_up(
    services: Services, steps: Steps, failure: BaseException, reason: str
) -> None:
    steps.failures[2] = [failure] * running.ATTEMPTS
    started = await left_behind(services)
    for attempt in range(running.ATTEMPTS):
        assert steps.given_up == [], attempt
        await operations.run_due(services)
        if attempt < running.ATTEMPTS - 1:
            await let_time_pass(services, started)
    failed = await found(services, started)
    assert (failed.status, failed.percent) == (OperationStatus.FAILED, 40)
    assert errors_of(failed) == (reason,)
    assert steps.given_up == [started.id]
    await operations.run_due(services)
    assert await found(services, started) == failed


async def test_failures_are_counted_anew_when_the_work_came_further(services: Services, steps: Steps) -> None:
    steps.failures = {step: [ValueError()] * (running.ATTEMPTS - 1) for step in ALL}
    started = await left_behind(services)
    for _ in range(STEPS * (running.ATTEMPTS - 1)):
        await operations.run_due(services)
        await let_time_pass(services, started)
    await operations.run_due(services)
    assert (await found(services, started)).status is OperationStatus.SUCCEEDED
    assert steps.done == ALL


async def test_work_makes_room_when_its_time_is_used_up(services: Services, steps: Steps) -> None:
    started = await left_behind(services)
    steps.hold_at = 1
    running_ = asyncio.create_task(operations.run_due(services, budget_seconds=0.3))
    await asyncio.wait_for(steps.held.wait(), WAIT_SECONDS)
    await asyncio.sleep(0.3)
    steps.let_go.set()
    await running_
    assert steps.done == ALL[:2]
    left = await found(services, started)
    assert (left.status, left.percent) == (OperationStatus.RUNNING, 40)
    await operations.run_due(services)
    assert (await found(services, started)).status is OperationStatus.SUCCEEDED
    assert steps.done == ALL


async def test_an_operation_of_an_unknown_type_is_left_alone(services: Services, steps: Steps) -> None:
    """One that a newer version of the service started."""
    unknown, known = await left_behind(services, "fromTheFuture"), await left_behind(services)
    async with asyncio.timeout(WAIT_SECONDS):
        await operations.run_due(services)
    assert (await found(services, known)).status is OperationStatus.SUCCEEDED
    assert await found(services, unknown) == unknown


async def test_lists_of_operations(services: Services, steps: Steps) -> None:
    added = [await left_behind(services, "steps" if n % 2 else "other", created=now() + n) for n in range(6)]
    added.reverse()
    assert await operations.page(services, 0, 10) == added
    assert await operations.page(services, 4, 10) == added[4:]
    assert await operations.page(services, 1, 2) == added[1:3]
    assert await operations.page(services, 1, 1, type_="steps") == [added[2]]
    await operations.cancel(services, added[4].id)
    assert [each.id for each in await operations.page(services, 0, 9, OperationStatus.CANCELED)] == [added[4].id]
    assert await operations.page(services, 0, 9, OperationStatus.CANCELED, "other") == []
    assert len(await operations.page(services, 0, 9, OperationStatus.NOT_STARTED)) == 5


async def test_operations_are_forgotten_a_week_after_they_ended(services: Services, steps: Steps) -> None:
    done = OperationStatus.SUCCEEDED
    old = await left_behind(services, status=done, created=now() - 9 * DAY, updated=now() - 7 * DAY - 60_000_000)
    long_ago = await left_behind(services, created=now() - 30 * DAY, updated=now() - 30 * DAY)
    recent = await left_behind(services, status=done, created=now() - 9 * DAY, updated=now() - 6 * DAY)
    assert await operations.forget(services) == 1
    assert {each.id for each in await operations.page(services, 0, 9)} == {long_ago.id, recent.id}
    with pytest.raises(NotFound):
        await operations.get(services, old.id)
