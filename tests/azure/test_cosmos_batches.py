"""Transactional batches of the Cosmos DB stand-in, by the SDK."""

from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import (
    CosmosBatchOperationError,
    CosmosHttpResponseError,
    CosmosResourceNotFoundError,
)

from tests.azure.conftest import KEY, document

KIB = 1024
FAILED_DEPENDENCY = 424


async def names(container: ContainerProxy) -> list[Any]:
    return [item async for item in container.query_items("SELECT VALUE c.id FROM c", partition_key=KEY)]


async def test_a_batch_does_all_of_its_operations(container: ContainerProxy) -> None:
    for name in ("old", "counted", "dropped"):
        await container.create_item(document(name, n=1))
    etag = (await container.read_item("old", KEY))["_etag"]
    results = await container.execute_item_batch(
        [
            ("create", (document("new"),)),
            ("upsert", (document("fresh"),)),
            ("replace", ("old", document("old", n=2)), {"if_match_etag": etag}),
            ("patch", ("counted", [{"op": "incr", "path": "/n", "value": 5}])),
            ("read", ("new",)),
            ("delete", ("dropped",)),
        ],
        KEY,
    )
    assert [result["statusCode"] for result in results] == [201, 201, 200, 200, 200, 204]
    assert results[4]["resourceBody"] == results[0]["resourceBody"] == await container.read_item("new", KEY)
    assert results[3]["resourceBody"]["n"] == 6
    assert results[2]["eTag"] == (await container.read_item("old", KEY))["_etag"] != etag
    assert await names(container) == ["old", "counted", "new", "fresh"]
    charged = float(results.get_response_headers()["x-ms-request-charge"])
    assert charged == pytest.approx(sum(result["requestCharge"] for result in results))


SET = {"op": "set", "path": "/n", "value": 1}
CREATE = ("create", (document("kept"),))
TWICE = [("create", (document("again"),)), ("create", (document("again"),))]
FAILURES: list[tuple[int, list[Any]]] = [
    (409, [("create", (document("there"),))]),
    (409, TWICE),
    (404, [("read", ("none",))]),
    (404, [("delete", ("none",))]),
    (404, [("replace", ("none", document("none")))]),
    (404, [("patch", ("none", [SET]))]),
    (412, [("replace", ("there", document("there", n=9)), {"if_match_etag": '"stale"'})]),
    (412, [("delete", ("there",), {"if_match_etag": '"stale"'})]),
    (
        412,
        [("patch", ("there", [{"op": "set", "path": "/n", "value": 1}]), {"filter_predicate": "FROM c WHERE c.n > 1"})],
    ),
    (400, [("patch", ("there", [{"op": "remove", "path": "/none"}]))]),
    (400, [("create", ({"id": "elsewhere", "partition": "p", "study": "other"},))]),
    (400, [("create", (document("a/b"),))]),
]


@pytest.mark.parametrize(("status", "failing"), FAILURES)
async def test_a_batch_does_nothing_when_an_operation_fails(
    container: ContainerProxy, status: int, failing: list[Any]
) -> None:
    there = await container.create_item(document("there", n=1))
    with pytest.raises(CosmosBatchOperationError) as failed:
        await container.execute_item_batch([CREATE, *failing, ("upsert", (document("there", n=7),))], KEY)
    responses = failed.value.operation_responses
    assert failed.value.status_code == status
    assert failed.value.error_index == len(failing)
    expected = [FAILED_DEPENDENCY] * (len(failing) + 2)
    expected[len(failing)] = status
    assert [response["statusCode"] for response in responses] == expected
    assert await names(container) == ["there"]
    assert await container.read_item("there", KEY) == there


async def test_what_a_failed_batch_changed_is_as_before(container: ContainerProxy) -> None:
    before = [await container.create_item(document(name, n=1)) for name in ("a", "b", "c")]
    with pytest.raises(CosmosBatchOperationError):
        await container.execute_item_batch(
            [
                ("upsert", (document("a", n=2),)),
                ("delete", ("b",)),
                ("create", (document("b", n=3),)),
                ("patch", ("c", [{"op": "incr", "path": "/n", "value": 1}])),
                ("create", (document("d"),)),
                ("read", ("none",)),
            ],
            KEY,
        )
    assert [await container.read_item(name, KEY) for name in ("a", "b", "c")] == before
    with pytest.raises(CosmosResourceNotFoundError):
        await container.read_item("d", KEY)


async def test_a_batch_has_a_hundred_operations_at_most(container: ContainerProxy) -> None:
    operations = [("create", (document(f"i{number}"),)) for number in range(101)]
    with pytest.raises(CosmosHttpResponseError) as refused:
        await container.execute_item_batch(operations, KEY)
    assert refused.value.status_code == 400
    assert await names(container) == []
    await container.execute_item_batch(operations[:100], KEY)
    assert len(await names(container)) == 100


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
async def test_a_batch_takes_two_mebibytes(container: ContainerProxy) -> None:
    def operations(size: int) -> list[Any]:
        return [("create", (document(f"i{number}", text="x" * size),)) for number in range(16)]

    with pytest.raises(CosmosHttpResponseError) as refused:
        await container.execute_item_batch(operations(128 * KIB), KEY)
    assert refused.value.status_code == 413
    assert await names(container) == []
    await container.execute_item_batch(operations(127 * KIB), KEY)
    assert len(await names(container)) == 16


async def test_a_batch_names_a_whole_partition_key(container: ContainerProxy) -> None:
    with pytest.raises(CosmosHttpResponseError) as refused:
        await container.execute_item_batch([CREATE], ["p"])
    assert refused.value.status_code == 400
