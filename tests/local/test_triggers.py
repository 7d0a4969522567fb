"""Every function without a request is run by its trigger, in one process, and again when it failed."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure.functions as func
import pytest

from local import changes, triggers
from local.triggers import RUNS, Triggers
from tests.functions.registered import functions

WAIT_SECONDS = 20.0
EVERY_SECOND = "* * * * * *"


def app_with(name: str, handler: Any, schedule: str = EVERY_SECOND) -> list[Any]:
    """The functions of an app that has one timer."""
    app = func.FunctionApp()
    app.function_name(name)(app.timer_trigger(arg_name="timer", schedule=schedule)(handler))
    return list(app.get_functions())


def cosmos_app(handler: Any) -> list[Any]:
    app = func.FunctionApp()
    trigger = app.cosmos_db_trigger("documents", database_name="d", container_name="index", connection="c")
    app.function_name("sequence")(trigger(handler))
    return list(app.get_functions())


async def until(event: asyncio.Event) -> None:
    await asyncio.wait_for(event.wait(), WAIT_SECONDS)


async def test_a_timer_runs_when_its_schedule_says(tmp_path: Path) -> None:
    times: list[float] = []
    enough = asyncio.Event()

    async def tick(timer: func.TimerRequest) -> None:
        assert timer.past_due is False
        times.append(asyncio.get_running_loop().time())
        if len(times) == 3:
            enough.set()

    running = Triggers(app_with("tick", tick), tmp_path / "lock")
    running.start()
    await until(enough)
    await running.stop()
    assert all(0.5 < after - before < 3 for before, after in pairwise(times))


async def test_what_failed_is_run_again_and_told_without_its_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(triggers, "FIRST_PAUSE_SECONDS", 0.01)
    again = asyncio.Event()
    runs = 0

    async def tick(timer: func.TimerRequest) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError("SECRET")
        again.set()

    running = Triggers(app_with("tick", tick), tmp_path / "lock")
    running.start()
    with caplog.at_level(logging.ERROR):
        await until(again)
    await running.stop()
    assert "tick" in caplog.text
    assert "SECRET" not in caplog.text


async def test_pauses_grow_while_it_fails_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "FIRST_PAUSE_SECONDS", 0.05)
    monkeypatch.setattr(triggers, "LONGEST_PAUSE_SECONDS", 0.2)
    times: list[float] = []
    enough = asyncio.Event()

    async def fails(trigger: Any, handler: Any) -> None:
        times.append(asyncio.get_running_loop().time())
        if len(times) == 6:
            enough.set()
        raise RuntimeError

    monkeypatch.setitem(RUNS, "timerTrigger", fails)

    async def tick(timer: func.TimerRequest) -> None: ...

    running = Triggers(app_with("tick", tick), tmp_path / "lock")
    running.start()
    await until(enough)
    await running.stop()
    pauses = [after - before for before, after in pairwise(times)]
    for pause, least in zip(pauses, (0.05, 0.1, 0.2, 0.2, 0.2), strict=True):
        assert pause >= least * 0.95


async def test_only_one_process_runs_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "ELECTION_SECONDS", 0.05)
    ran: list[str] = []
    events = {"first": asyncio.Event(), "second": asyncio.Event()}

    def of(name: str) -> Triggers:
        async def tick(timer: func.TimerRequest) -> None:
            ran.append(name)
            events[name].set()

        return Triggers(app_with("tick", tick), tmp_path / "lock")

    first, second = of("first"), of("second")
    first.start()
    await until(events["first"])
    second.start()
    await asyncio.sleep(1.5)
    assert set(ran) == {"first"}
    await first.stop()
    await until(events["second"])
    await second.stop()


class Index:
    """An index that tells of changes, and breaks off after the second time."""

    def __init__(self) -> None:
        self.listeners = 0

    async def changes(self) -> AsyncIterator[list[dict[str, Any]]]:
        self.listeners += 1
        yield [{"id": f"{self.listeners}a", "kind": "event"}, {"id": f"{self.listeners}b"}]
        yield [{"id": f"{self.listeners}c"}]
        raise RuntimeError


def opened(index: object) -> Any:
    async def services() -> Any:
        return SimpleNamespace(index=index)

    return SimpleNamespace(services=services)


async def test_changed_documents_are_handed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(triggers, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(changes, "process", opened(Index()))
    told: list[list[str]] = []
    enough = asyncio.Event()

    async def sequence(documents: func.DocumentList) -> None:
        assert isinstance(documents, func.DocumentList)
        told.append([document["id"] for document in documents])
        if len(told) == 4:
            enough.set()

    running = Triggers(cosmos_app(sequence), tmp_path / "lock")
    running.start()
    await until(enough)
    await running.stop()
    assert told[:4] == [["1a", "1b"], ["1c"], ["2a", "2b"], ["2c"]]


async def test_an_index_that_tells_of_no_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "process", opened(object()))

    async def sequence(documents: func.DocumentList) -> None:
        raise AssertionError

    await asyncio.wait_for(changes.run(None, sequence), 5)


def test_every_kind_of_trigger_that_the_app_has_is_run() -> None:
    kinds = {function.get_trigger().type for function in functions()}
    assert kinds - {"httpTrigger"} <= set(RUNS)
    assert "timerTrigger" in kinds
    assert os.environ.get("DICOM_INBOX") is None
