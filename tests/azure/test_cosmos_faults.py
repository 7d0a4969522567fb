"""Faults that the Cosmos DB stand-in makes on request, and what the SDK makes of them."""

import time
from typing import Any

import httpx
import pytest
from azure.core.exceptions import AzureError
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import (
    CosmosBatchOperationError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from tests.azure.conftest import KEY, document
from tests.azure.cosmos import CosmosStandIn, Fault


@pytest.fixture
async def impatient(stand_in: CosmosStandIn, container: ContainerProxy) -> Any:
    """The container for a client that does not try again when a connection is cut."""
    async with CosmosClient(stand_in.endpoint, stand_in.key, retry_total=0) as client:
        reached = client.get_database_client("tests").get_container_client("studies")
        await reached.read()
        yield reached


async def test_throttling_is_waited_out(stand_in: CosmosStandIn, container: ContainerProxy) -> None:
    stand_in.faults(Fault(kind="item.create", status=429, substatus=3200, retry_after_ms=40, times=3))
    started = time.monotonic()
    await container.create_item(document("a"))
    assert time.monotonic() - started > 0.12
    count = stand_in.counts()["item.create"]
    assert (count.calls, count.faults) == (4, 3)


@pytest.mark.parametrize("status", [429, 449, 408, 503, 500])
async def test_a_refusal_before_the_operation_changes_nothing(
    stand_in: CosmosStandIn, impatient: ContainerProxy, status: int
) -> None:
    stand_in.faults(Fault(kind="item.batch", status=status, retry_after_ms=1, times=None))
    with pytest.raises(CosmosHttpResponseError) as refused:
        await impatient.execute_item_batch([("create", (document("a"),))], KEY)
    assert refused.value.status_code == status
    stand_in.faults()
    with pytest.raises(CosmosResourceNotFoundError):
        await impatient.read_item("a", KEY)
    await impatient.execute_item_batch([("create", (document("a"),))], KEY)


async def test_a_refusal_after_the_operation_leaves_it_done(stand_in: CosmosStandIn, impatient: ContainerProxy) -> None:
    stand_in.faults(Fault(kind="item.create", status=408, when="after"))
    with pytest.raises(CosmosHttpResponseError) as refused:
        await impatient.create_item(document("a"))
    assert refused.value.status_code == 408
    assert (await impatient.read_item("a", KEY))["id"] == "a"


async def test_a_connection_cut_before_the_operation(stand_in: CosmosStandIn, container: ContainerProxy) -> None:
    stand_in.faults(Fault(kind="item.create", cut=True))
    await container.create_item(document("a"))
    assert [call.status for call in stand_in.calls() if call.kind == "item.create"] == [0, 201]


async def test_a_lost_answer_to_a_create_is_seen_as_a_conflict(
    stand_in: CosmosStandIn, container: ContainerProxy
) -> None:
    stand_in.faults(Fault(kind="item.create", cut=True, when="after"))
    with pytest.raises(CosmosResourceExistsError):
        await container.create_item(document("a"))
    assert (await container.read_item("a", KEY))["id"] == "a"


async def test_a_lost_answer_to_a_batch_is_seen_as_a_conflict(
    stand_in: CosmosStandIn, container: ContainerProxy
) -> None:
    stand_in.faults(Fault(kind="item.batch", cut=True, when="after"))
    with pytest.raises(CosmosBatchOperationError) as failed:
        await container.execute_item_batch([("create", (document("a"),)), ("create", (document("b"),))], KEY)
    assert failed.value.status_code == 409
    assert (await container.read_item("b", KEY))["id"] == "b"


async def test_a_lost_answer_reaches_a_client_that_does_not_try_again(
    stand_in: CosmosStandIn, impatient: ContainerProxy
) -> None:
    stand_in.faults(Fault(kind="item.create", cut=True, when="after", times=None))
    with pytest.raises(AzureError):
        await impatient.create_item(document("a"))
    assert (await impatient.read_item("a", KEY))["id"] == "a"


async def test_a_slow_answer(stand_in: CosmosStandIn, container: ContainerProxy) -> None:
    await container.create_item(document("a"))
    stand_in.faults(Fault(kind="item.read", delay_ms=150))
    started = time.monotonic()
    await container.read_item("a", KEY)
    assert time.monotonic() - started > 0.15
    started = time.monotonic()
    await container.read_item("a", KEY)
    assert time.monotonic() - started < 0.1


async def test_a_fault_strikes_the_call_that_it_names(stand_in: CosmosStandIn, impatient: ContainerProxy) -> None:
    async def outcomes(*names: str) -> list[int | None]:
        found: list[int | None] = []
        for name in names:
            try:
                await impatient.upsert_item(document(name))
                found.append(200)
            except CosmosHttpResponseError as error:
                found.append(error.status_code)
        return found

    stand_in.faults(Fault(kind="item.upsert", nth=2, times=2, status=449))
    assert await outcomes("a", "b", "c", "d") == [200, 449, 449, 200]
    stand_in.faults(Fault(kind="item.*", nth=3, status=408), Fault(kind="*", container="other", status=500))
    assert await outcomes("a", "b", "c", "d") == [200, 200, 408, 200]
    stand_in.faults()
    assert await outcomes("a") == [200]


def test_the_control_endpoint_refuses_what_it_does_not_know(stand_in: CosmosStandIn) -> None:
    for method, command, body in [
        ("PUT", "faults", [{"kinds": "item.read"}]),
        ("PUT", "settings", {"speed": 1}),
        ("GET", "nothing", None),
        ("POST", "split", {"database": "none", "container": "none"}),
    ]:
        answer = httpx.request(method, f"{stand_in.endpoint}_control/{command}", json=body)
        assert answer.status_code in (400, 404)


def test_a_stand_in_starts_and_stops() -> None:
    with CosmosStandIn.start() as first, CosmosStandIn.start() as second:
        assert first.endpoint != second.endpoint
        assert httpx.get(first.endpoint).status_code == 401
    with pytest.raises(httpx.ConnectError):
        httpx.get(first.endpoint)
