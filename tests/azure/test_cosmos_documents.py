"""Databases, containers and documents of the Cosmos DB stand-in, by the SDK."""

import base64
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient, DatabaseProxy
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)
from azure.cosmos.partition_key import NonePartitionKeyValue, NullPartitionKeyValue

from tests.azure.conftest import KEY, STUDIES, document
from tests.azure.cosmos import CosmosAccount, CosmosStandIn

MIB = 1024 * 1024
OPT_IN: Any = {
    "includedPaths": [{"path": "/partition/?"}, {"path": "/match/*"}],
    "excludedPaths": [{"path": "/*"}],
    "compositeIndexes": [[{"path": "/a", "order": "ascending"}, {"path": "/b", "order": "descending"}]],
}


async def test_databases_and_containers_are_made_once(client: CosmosClient) -> None:
    for _ in range(2):
        database = await client.create_database_if_not_exists("db")
        await database.create_container_if_not_exists("c", STUDIES)
    assert [found["id"] async for found in client.list_databases()] == ["db"]
    assert [found["id"] async for found in database.list_containers()] == ["c"]
    with pytest.raises(CosmosResourceExistsError):
        await client.create_database("db")
    with pytest.raises(CosmosResourceExistsError):
        await database.create_container("c", STUDIES)


async def test_what_is_deleted_is_gone(
    client: CosmosClient, database: DatabaseProxy, container: ContainerProxy
) -> None:
    await container.create_item(document("a"))
    await database.delete_container("studies")
    with pytest.raises(CosmosResourceNotFoundError):
        await container.read_item("a", KEY)
    await client.delete_database("tests")
    with pytest.raises(CosmosResourceNotFoundError):
        await database.read()


async def test_a_container_keeps_its_properties(database: DatabaseProxy) -> None:
    container = await database.create_container("c", STUDIES, indexing_policy=OPT_IN, default_ttl=60)
    properties = await container.read()
    assert properties["partitionKey"] == {"paths": ["/partition", "/study"], "kind": "MultiHash", "version": 2}
    assert properties["defaultTtl"] == 60
    policy = properties["indexingPolicy"]
    assert policy["includedPaths"] == OPT_IN["includedPaths"]
    assert policy["excludedPaths"] == [{"path": "/*"}, {"path": '/"_etag"/?'}]
    assert policy["compositeIndexes"] == OPT_IN["compositeIndexes"]


async def test_a_container_s_indexing_policy_can_change(database: DatabaseProxy, container: ContainerProxy) -> None:
    before = await container.read()
    assert before["indexingPolicy"]["includedPaths"] == [{"path": "/*"}]
    await database.replace_container(container, STUDIES, indexing_policy=OPT_IN)
    after = await container.read()
    assert after["indexingPolicy"]["includedPaths"] == OPT_IN["includedPaths"]
    assert after["_rid"] == before["_rid"]
    assert after["_etag"] != before["_etag"]


@pytest.mark.parametrize(
    "policy",
    [
        {"includedPaths": [{"path": "/a/?"}], "excludedPaths": []},
        {"includedPaths": [{"path": "/*"}, {"path": "/a"}]},
        {"compositeIndexes": [[{"path": "/a", "order": "ascending"}]]},
        {"compositeIndexes": [[{"path": "/a/?"}, {"path": "/b/?"}]]},
    ],
)
async def test_indexing_policies_that_the_service_refuses(database: DatabaseProxy, policy: dict[str, Any]) -> None:
    with pytest.raises(CosmosHttpResponseError) as refused:
        await database.create_container("c", STUDIES, indexing_policy=policy)
    assert refused.value.status_code == 400


async def test_a_document_comes_back_with_its_system_properties(container: ContainerProxy) -> None:
    body = document("a", name="Ünïcode ☢", number=1.5, nested={"list": [1, None, {"x": True}]})
    created = await container.create_item(body)
    read = await container.read_item("a", KEY)
    assert {name: read[name] for name in body} == body
    assert set(read) - set(body) == {"_rid", "_self", "_etag", "_attachments", "_ts"}
    assert read == created
    headers = read.get_response_headers()
    assert headers["etag"] == read["_etag"]
    assert headers["x-ms-session-token"].endswith(f"#{headers['lsn']}")
    assert headers["x-ms-activity-id"]


async def test_an_id_is_unique_within_its_logical_partition(container: ContainerProxy) -> None:
    await container.create_item(document("a"))
    with pytest.raises(CosmosResourceExistsError):
        await container.create_item(document("a"))
    await container.create_item({"id": "a", "partition": "p", "study": "other"})
    assert (await container.read_item("a", ["p", "other"]))["study"] == "other"
    with pytest.raises(CosmosResourceNotFoundError):
        await container.read_item("a", ["p", "third"])


async def test_keys_of_every_type_are_apart(database: DatabaseProxy) -> None:
    container = await database.create_container("c", PartitionKey("/key"))
    keys: list[Any] = ["1", 1, 1.5, True, False, ""]
    await container.create_item({"id": "a", "key": None})
    await container.create_item({"id": "a"})
    for number, key in enumerate(keys):
        await container.create_item({"id": "a", "key": key, "number": number})
    for number, key in enumerate(keys):
        found = [item["number"] async for item in container.query_items("SELECT * FROM c", partition_key=key)]
        assert found == [number]
    assert (await container.read_item("a", NullPartitionKeyValue))["key"] is None
    assert "key" not in await container.read_item("a", NonePartitionKeyValue)


async def test_upsert_and_replace(container: ContainerProxy) -> None:
    first = await container.upsert_item(document("a", x=1))
    second = await container.upsert_item(document("a", x=2))
    assert (first["_rid"], first["_etag"] == second["_etag"]) == (second["_rid"], False)
    third = await container.replace_item("a", document("a", y=3))
    assert "x" not in third
    with pytest.raises(CosmosResourceNotFoundError):
        await container.replace_item("b", document("b"))


async def test_preconditions(container: ContainerProxy) -> None:
    first = await container.create_item(document("a", x=1))
    second = await container.replace_item(
        "a", document("a", x=2), etag=first["_etag"], match_condition=MatchConditions.IfNotModified
    )
    stale: dict[str, Any] = {"etag": first["_etag"], "match_condition": MatchConditions.IfNotModified}
    with pytest.raises(CosmosAccessConditionFailedError):
        await container.replace_item("a", document("a", x=3), **stale)
    with pytest.raises(CosmosAccessConditionFailedError):
        await container.upsert_item(document("a", x=3), **stale)
    with pytest.raises(CosmosAccessConditionFailedError):
        await container.delete_item("a", KEY, **stale)
    with pytest.raises(CosmosAccessConditionFailedError):
        await container.patch_item("a", KEY, [{"op": "set", "path": "/x", "value": 3}], **stale)
    assert (await container.read_item("a", KEY))["x"] == 2
    await container.delete_item("a", KEY, etag=second["_etag"], match_condition=MatchConditions.IfNotModified)
    with pytest.raises(CosmosResourceNotFoundError):
        await container.delete_item("a", KEY)


async def test_reading_what_is_unchanged_gives_nothing(container: ContainerProxy, stand_in: CosmosStandIn) -> None:
    created = await container.create_item(document("a"))
    known: dict[str, Any] = {"etag": created["_etag"], "match_condition": MatchConditions.IfModified}
    assert not await container.read_item("a", KEY, **known)
    assert stand_in.calls()[-1].status == 304
    await container.upsert_item(document("a"))
    assert await container.read_item("a", KEY, **known)


async def test_a_write_may_answer_without_the_document(container: ContainerProxy) -> None:
    answer = await container.create_item(document("a"), no_response=True)
    assert not answer
    assert answer.get_response_headers()["etag"] == (await container.read_item("a", KEY))["_etag"]


async def patch(container: ContainerProxy, *operations: dict[str, Any], condition: str | None = None) -> dict[str, Any]:
    return await container.patch_item("a", KEY, list(operations), filter_predicate=condition)


async def test_patch_operations(container: ContainerProxy) -> None:
    await container.create_item(document("a", count=1, tags=["x", "z"], nested={"keep": 1, "drop": 2}))
    result = await patch(
        container,
        {"op": "incr", "path": "/count", "value": -3},
        {"op": "incr", "path": "/fresh", "value": 5},
        {"op": "add", "path": "/tags/1", "value": "y"},
        {"op": "add", "path": "/tags/-", "value": "end"},
        {"op": "set", "path": "/tags/0", "value": "X"},
        {"op": "set", "path": "/nested/new", "value": {"deep": True}},
        {"op": "remove", "path": "/nested/drop"},
        {"op": "replace", "path": "/nested/keep", "value": None},
        {"op": "move", "from": "/nested/new/deep", "path": "/moved"},
    )
    assert (result["count"], result["fresh"]) == (-2, 5)
    assert result["tags"] == ["X", "y", "z", "end"]
    assert result["nested"] == {"keep": None, "new": {}}
    assert result["moved"] is True


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "replace", "path": "/none", "value": 1},
        {"op": "remove", "path": "/none"},
        {"op": "incr", "path": "/name", "value": 1},
        {"op": "incr", "path": "/count", "value": "1"},
        {"op": "add", "path": "/none/deeper", "value": 1},
        {"op": "add", "path": "/tags/7", "value": 1},
        {"op": "set", "path": "/id", "value": "b"},
        {"op": "set", "path": "/study", "value": "b"},
        {"op": "set", "path": "/_etag", "value": "b"},
        {"op": "move", "from": "/tags", "path": "/tags/0"},
        {"op": "test", "path": "/count", "value": 1},
    ],
)
async def test_patches_that_the_service_refuses(container: ContainerProxy, operation: dict[str, Any]) -> None:
    created = await container.create_item(document("a", count=1, name="n", tags=["x"]))
    with pytest.raises(CosmosHttpResponseError) as refused:
        await patch(container, {"op": "incr", "path": "/count", "value": 1}, operation)
    assert refused.value.status_code == 400
    assert await container.read_item("a", KEY) == created


async def test_a_patch_has_ten_operations_at_most(container: ContainerProxy) -> None:
    await container.create_item(document("a", count=0))
    add = {"op": "incr", "path": "/count", "value": 1}
    assert (await patch(container, *[add] * 10))["count"] == 10
    with pytest.raises(CosmosHttpResponseError) as refused:
        await patch(container, *[add] * 11)
    assert refused.value.status_code == 400


async def test_a_patch_may_have_a_condition(container: ContainerProxy) -> None:
    await container.create_item(document("a", count=1))
    add = {"op": "incr", "path": "/count", "value": 1}
    assert (await patch(container, add, condition="FROM c WHERE c.count = 1"))["count"] == 2
    with pytest.raises(CosmosAccessConditionFailedError):
        await patch(container, add, condition="FROM c WHERE c.count = 1")


@pytest.mark.filterwarnings("ignore:Sending a large body directly:ResourceWarning")
async def test_a_document_takes_two_mebibytes(container: ContainerProxy) -> None:
    room = 2 * MIB - len(str(document("a", text=""))) - 400
    await container.create_item(document("a", text="x" * room))
    for write in (container.create_item, container.upsert_item):
        with pytest.raises(CosmosHttpResponseError) as refused:
            await write(document("b", text="x" * 2 * MIB))
        assert refused.value.status_code == 413


@pytest.mark.parametrize("name", ["a" * 1024, "ü" * 512])
async def test_ids_that_are_too_long(container: ContainerProxy, name: str) -> None:
    await container.create_item(document(name[:-1]))
    with pytest.raises(CosmosHttpResponseError) as refused:
        await container.create_item(document(name))
    assert refused.value.status_code == 400


async def test_an_id_may_hold_what_a_url_must_escape(container: ContainerProxy) -> None:
    name = "50% of a+b & ü=1"
    await container.create_item(document(name))
    assert (await container.read_item(name, KEY))["id"] == name


async def test_keys_that_do_not_fit(container: ContainerProxy) -> None:
    with pytest.raises(CosmosHttpResponseError) as long:
        await container.create_item({"id": "a", "partition": "p", "study": "s" * 2049})
    assert long.value.status_code == 400
    with pytest.raises(CosmosHttpResponseError) as short:
        await container.read_item("a", ["p"])
    assert (short.value.status_code, short.value.sub_status) == (400, 1001)


async def test_a_wrong_key_is_refused(stand_in: CosmosStandIn) -> None:
    wrong = base64.b64encode(b"wrong" * 13).decode()
    client = CosmosClient(stand_in.endpoint, wrong)
    with pytest.raises(CosmosHttpResponseError) as refused:
        await client.create_database("tests")
    await client.close()
    assert refused.value.status_code == 401


async def test_charges_follow_size_and_kind(container: ContainerProxy) -> None:
    def charge(answer: Any) -> float:
        return float(answer.get_response_headers()["x-ms-request-charge"])

    small = await container.create_item(document("small", text="x" * 600))
    large = await container.create_item(document("large", text="x" * 100_000))
    assert charge(await container.read_item("small", KEY)) == 1
    assert 9 < charge(await container.read_item("large", KEY)) < 11
    assert 5 < charge(small) < 8
    assert 45 < charge(large) < 55
    assert charge(await container.upsert_item(small)) == pytest.approx(2 * charge(small))


async def test_counts_and_reset(stand_in: CosmosStandIn, database: DatabaseProxy, container: ContainerProxy) -> None:
    stand_in.forget_counts()
    await container.create_item(document("a"))
    await container.read_item("a", KEY)
    await container.read_item("a", KEY)
    counts = stand_in.counts()
    assert (counts["item.create"].calls, counts["item.read"].calls) == (1, 2)
    assert counts["item.read"].units == 2
    assert stand_in.calls()[-1].kind == "item.read"
    stand_in.reset()
    assert stand_in.counts() == {}
    with pytest.raises(CosmosResourceNotFoundError):
        await container.read_item("a", KEY)


async def test_a_client_follows_a_container_that_was_made_anew(
    stand_in: CosmosStandIn, client: CosmosClient, container: ContainerProxy
) -> None:
    await container.create_item(document("a"))
    stand_in.reset()
    database = await client.create_database("tests")
    await database.create_container("studies", STUDIES)
    await container.create_item(document("a"))
    assert (await container.read_item("a", KEY))["id"] == "a"


def test_a_connection_string_names_the_account() -> None:
    account = CosmosAccount("https://x.documents.azure.com:443/", "abc==")
    assert CosmosAccount.parse(account.connection_string) == account
