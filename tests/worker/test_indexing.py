"""The worker finds every function of the app, and the host would take each."""

import json
from typing import Any

import pytest

from tests.worker.app_functions import FUNCTIONS, AppFunction
from tests.worker.host import RunningWorker


@pytest.fixture(scope="module")
def indexed(started: RunningWorker) -> dict[str, dict[str, Any]]:
    return {function["name"]: function for function in started.functions()}


def test_the_worker_is_of_the_version_that_runs_in_azure(worker: RunningWorker) -> None:
    status = worker.status()
    assert status["python"] == "3.13"
    assert status["packages"]["azure-functions"].startswith("2.")
    assert status["init"]["worker_metadata"]["runtime_version"] == "3.13"
    assert status["init"]["result"]["status"] == "Success"


def test_bodies_are_streamed(worker: RunningWorker) -> None:
    capabilities = worker.status()["init"]["capabilities"]
    assert capabilities["HttpUri"].startswith("http://127.0.0.1:")
    assert capabilities["RequiresRouteParameters"] == "true"


def test_no_function_is_left_out(indexed: dict[str, dict[str, Any]]) -> None:
    assert sorted(indexed) == sorted(function.name for function in FUNCTIONS)


def test_the_host_leaves_no_function_out(worker: RunningWorker) -> None:
    assert worker.status()["route_errors"] == []


@pytest.mark.parametrize("function", FUNCTIONS, ids=str)
def test_bindings_are_what_the_embedded_host_reads(function: AppFunction, indexed: dict[str, dict[str, Any]]) -> None:
    """Routes and methods included. The worker has version 2 of azure-functions, older Pythons version 1."""
    found = indexed[function.name]
    bindings = list(map(json.loads, found["raw_bindings"]))
    for binding in bindings:
        binding.pop("properties", None)
    assert bindings == function.bindings
    assert set(found["bindings"]) == {binding["name"] for binding in function.bindings}
    assert found["script_file"] == "function_app.py"
    assert found["language"] == "python"


def test_access_is_left_to_the_app() -> None:
    levels = {function.trigger.get("authLevel", "ANONYMOUS") for function in FUNCTIONS}
    assert levels == {"ANONYMOUS"}


def test_no_content_of_blobs_passes_through_the_host(indexed: dict[str, dict[str, Any]]) -> None:
    (trigger,) = map(json.loads, indexed["import_file"]["raw_bindings"])
    assert trigger["properties"] == {"SupportsDeferredBinding": True}
    assert trigger["path"] == "inbox/{name}"
