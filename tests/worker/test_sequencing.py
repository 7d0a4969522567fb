"""Changes on Cosmos DB get their numbers from functions, invoked as the host would."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from azure.cosmos import CosmosClient

from tests.azure.cosmos import CosmosStandIn
from tests.instances import dataset, new_identity, part10
from tests.worker.client import DICOM, Client
from tests.worker.host import RunningWorker, worker_over
from tests.worker.test_triggers import DATA

DATABASE = "worker"


@pytest.fixture(scope="module")
def stand_in() -> Iterator[CosmosStandIn]:
    with CosmosStandIn.start() as started:
        yield started


@pytest.fixture(scope="module")
def on_cosmos(tmp_path_factory: pytest.TempPathFactory, stand_in: CosmosStandIn) -> Iterator[RunningWorker]:
    settings = {"DICOM_INDEX": f"cosmos:{DATABASE}", "DICOM_INDEX_CONNECTION": stand_in.connection_string}
    data = tmp_path_factory.mktemp("sequencing")
    with worker_over(tmp_path_factory.mktemp("on_cosmos"), data, settings) as running:
        yield running


@pytest.fixture
def client(http: httpx.Client, on_cosmos: RunningWorker) -> Client:
    return Client(http, on_cosmos.url)


def changed(stand_in: CosmosStandIn) -> list[dict[str, Any]]:
    """All documents, as the host is told of them."""
    with CosmosClient(stand_in.endpoint, stand_in.key) as cosmos:
        container = cosmos.get_database_client(DATABASE).get_container_client("index")
        return list(container.query_items_change_feed(start_time="Beginning"))


def entries(client: Client) -> list[tuple[str, str]]:
    answer = client.ask("GET", "/v2/changefeed")
    assert answer.status == 200
    found = json.loads(answer.comparable.body)
    assert [entry["sequence"] for entry in found] == list(range(1, len(found) + 1))
    return [(entry["action"], entry["sopInstanceUid"]) for entry in found]


def test_changes_are_numbered_by_the_function_they_trigger_and_what_it_left_by_a_timer(
    on_cosmos: RunningWorker, client: Client, stand_in: CosmosStandIn
) -> None:
    first, second = new_identity(), new_identity()
    assert client.ask("POST", "/v2/studies", DICOM, part10(dataset(first))).status == 200
    assert entries(client) == []
    told = changed(stand_in)
    assert {each["kind"] for each in told} == {"study", "series", "instance", "event"}

    others = [each for each in told if each["kind"] != "event"]
    assert on_cosmos.invoke("sequence", others).status_code == 200
    assert entries(client) == []
    for _ in range(2):  # what the host is not sure of it tells again
        assert on_cosmos.invoke("sequence", told).status_code == 200
        assert entries(client) == [("Create", first.instance)]

    assert client.ask("POST", "/v2/studies", DICOM, part10(dataset(second))).status == 200
    assert client.ask("DELETE", f"/v2/studies/{first.study}").status == 204
    for _ in range(2):
        assert on_cosmos.invoke("sequence_rest", DATA["timerTrigger"]).status_code == 200
    assert sorted(entries(client)[1:]) == sorted([("Create", second.instance), ("Delete", first.instance)])
    assert not any(each["kind"] == "event" for each in changed(stand_in))
    assert on_cosmos.failures() == []


def test_a_failing_invocation_is_told(on_cosmos: RunningWorker) -> None:
    answer = on_cosmos.invoke("sequence", "no documents")
    assert answer.status_code == 500


def test_the_host_watches_the_index(on_cosmos: RunningWorker) -> None:
    (function,) = [each for each in on_cosmos.functions() if each["name"] == "sequence"]
    (trigger,) = map(json.loads, function["raw_bindings"])
    assert trigger["type"] == "cosmosDBTrigger"
    assert (trigger["connection"], trigger["databaseName"]) == ("DICOM_INDEX_CONNECTION", DATABASE)
    assert (trigger["containerName"], trigger["leaseContainerName"]) == ("index", "leases")


def test_where_changes_are_numbered_as_they_are_made_nothing_is_watched(worker: RunningWorker) -> None:
    assert "sequence" not in {each["name"] for each in worker.functions()}
    assert worker.invoke("sequence_rest", DATA["timerTrigger"]).status_code == 200
