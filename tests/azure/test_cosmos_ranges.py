"""Partition key ranges, their splits, sessions and the change feed of the Cosmos DB stand-in, by the SDK."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, DatabaseProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

from tests.azure.conftest import KEY, STUDIES, document
from tests.azure.cosmos import CosmosStandIn


async def fill(container: ContainerProxy, count: int = 24) -> list[str]:
    """Documents of 3 partitions and as many studies as there are documents; gives their ids."""
    names = [f"1.2.826.0.1.3680043.8.498.{number:02}" for number in range(count)]
    for number, name in enumerate(names):
        await container.create_item({"id": name, "partition": f"p{number % 3}", "study": name, "n": number})
    return names


async def ids(container: ContainerProxy, query: str = "SELECT VALUE c.id FROM c", **options: Any) -> list[Any]:
    return [item async for item in container.query_items(query, **options)]


async def test_a_container_has_as_many_ranges_as_asked_for(stand_in: CosmosStandIn, database: DatabaseProxy) -> None:
    for count in (1, 2, 5):
        stand_in.settings(physical_partitions=count)
        container = await database.create_container(f"c{count}", STUDIES)
        assert len([feed_range async for feed_range in container.read_feed_ranges()]) == count


async def test_every_document_lies_in_one_range(stand_in: CosmosStandIn, database: DatabaseProxy) -> None:
    stand_in.settings(physical_partitions=4)
    container = await database.create_container("c", STUDIES)
    names = await fill(container, 40)
    found = [await ids(container, feed_range=each) async for each in container.read_feed_ranges()]
    assert sorted(chain(*found)) == names
    assert sum(1 for part in found if part) > 1


@pytest.mark.parametrize("key", ["", "a", "Ünïcode ☢ and more than sixteen bytes", 0, 1, -2.5, 1e300, True, False])
async def test_the_sdk_and_the_stand_in_place_keys_alike(database: DatabaseProxy, key: str | float) -> None:
    container = await database.create_container("c", PartitionKey("/key"))
    await container.create_item({"id": "a", "key": key})
    place = await container.feed_range_from_partition_key(key)
    assert await ids(container, feed_range=place) == ["a"]


async def test_hierarchical_keys_are_placed_alike(container: ContainerProxy) -> None:
    names = await fill(container)
    place = await container.feed_range_from_partition_key(["p0", names[3]])
    assert await ids(container, feed_range=place) == [names[3]]
    assert sorted(await ids(container, partition_key=["p0"])) == names[::3]


async def test_nothing_is_lost_or_doubled_by_a_split(stand_in: CosmosStandIn, container: ContainerProxy) -> None:
    names = await fill(container)
    for query in ("", " ORDER BY c.n DESC", " ORDER BY c.n OFFSET 0 LIMIT 100"):
        stand_in.split("tests", "studies")
        for partition, expected in {"p0": names[::3], "p1": names[1::3]}.items():
            assert sorted(await ids(container, partition_key=[partition])) == expected
        assert sorted(await ids(container, f"SELECT VALUE c.id FROM c{query}")) == names
        assert await ids(container, "SELECT VALUE COUNT(1) FROM c") == [len(names)]
        assert (await container.read_item(names[3], ["p0", names[3]]))["n"] == 3
    assert any(call.status == 410 for call in stand_in.calls())


async def test_a_prefix_may_lie_in_two_ranges(stand_in: CosmosStandIn, database: DatabaseProxy) -> None:
    stand_in.settings(physical_partitions=1)
    container = await database.create_container("c", STUDIES)
    names = [f"i{number:02}" for number in range(12)]
    for number, name in enumerate(names):
        await container.create_item({"id": name, "partition": "p", "study": name, "n": number})
    stand_in.split("tests", "c")
    stand_in.forget_counts()
    assert sorted(await ids(container, partition_key=["p"])) == names
    assert stand_in.counts()["item.query"].calls == 2
    counts = await ids(container, "SELECT VALUE COUNT(1) FROM c", partition_key=["p"])
    assert sum(map(int, counts)) == len(names)


async def test_a_split_amid_the_pages_of_a_query(stand_in: CosmosStandIn, container: ContainerProxy) -> None:
    names = await fill(container)
    found = []
    async for page in container.query_items("SELECT VALUE c.id FROM c", max_item_count=2).by_page():
        found += [item async for item in page]
        if len(found) in (2, 8, 14):
            stand_in.split("tests", "studies")
    assert sorted(found) == names


async def test_a_client_reads_what_it_wrote(stand_in: CosmosStandIn, container: ContainerProxy) -> None:
    created = await container.create_item(document("a"))
    token = created.get_response_headers()["x-ms-session-token"]
    where, position = token.split("#")
    assert await container.read_item("a", KEY, session_token=token)
    with pytest.raises(CosmosHttpResponseError) as ahead:
        await container.read_item("a", KEY, session_token=f"{where}#{int(position) + 1}")
    assert (ahead.value.status_code, ahead.value.sub_status) == (404, 1002)


async def changes(container: ContainerProxy, **options: Any) -> tuple[list[str], str]:
    """The ids of what changed, and the continuation."""
    feed = container.query_items_change_feed(**options)
    found = [item["id"] async for item in feed]
    return found, container.client_connection.last_response_headers["etag"]


async def test_the_change_feed_gives_each_document_at_its_last_change(container: ContainerProxy) -> None:
    for name in ("a", "b", "c"):
        await container.create_item(document(name, n=1))
    found, continuation = await changes(container, start_time="Beginning")
    assert found == ["a", "b", "c"]
    assert (await changes(container, continuation=continuation))[0] == []
    await container.upsert_item(document("a", n=2))
    await container.upsert_item(document("d", n=2))
    await container.upsert_item(document("a", n=3))
    await container.delete_item("b", KEY)
    found, _ = await changes(container, continuation=continuation)
    assert found == ["d", "a"]
    assert (await changes(container, start_time="Beginning"))[0] == ["c", "d", "a"]


async def test_the_change_feed_of_all_ranges(container: ContainerProxy) -> None:
    names = await fill(container)
    found, continuation = await changes(container, start_time="Beginning", max_item_count=5)
    assert sorted(found) == names
    await container.upsert_item({"id": names[7], "partition": "p1", "study": names[7], "n": -1})
    assert (await changes(container, continuation=continuation))[0] == [names[7]]


async def test_the_change_feed_of_a_range_and_of_a_key(container: ContainerProxy) -> None:
    names = await fill(container)
    parts = [
        (await changes(container, start_time="Beginning", feed_range=each))[0]
        async for each in container.read_feed_ranges()
    ]
    assert sorted(chain(*parts)) == names
    assert (await changes(container, start_time="Beginning", partition_key=["p0", names[0]]))[0] == [names[0]]
    assert sorted((await changes(container, start_time="Beginning", partition_key=["p0"]))[0]) == names[::3]


async def test_what_a_batch_changed_comes_in_one_page(container: ContainerProxy) -> None:
    await container.create_item(document("first"))
    await container.execute_item_batch([("create", (document(f"i{number}"),)) for number in range(5)], KEY)
    await container.create_item(document("last"))
    feed = container.query_items_change_feed(start_time="Beginning", max_item_count=2)
    pages = [[item async for item in page] async for page in feed.by_page()]
    assert [len(page) for page in pages if page] == [6, 1]
    assert len({item["_lsn"] for item in pages[0]}) == 2


async def test_the_change_feed_starts_when_asked_to(container: ContainerProxy) -> None:
    await container.create_item(document("a"))
    assert (await changes(container, start_time=datetime.now(UTC) - timedelta(hours=1)))[0] == ["a"]
    assert (await changes(container, start_time=datetime.now(UTC) + timedelta(hours=1)))[0] == []
    found, continuation = await changes(container, start_time="Now")
    assert found == []
    await container.create_item(document("b"))
    assert (await changes(container, continuation=continuation))[0] == ["b"]


async def test_the_change_feed_goes_on_after_a_split(stand_in: CosmosStandIn, container: ContainerProxy) -> None:
    names = await fill(container)
    found, continuation = await changes(container, start_time="Beginning")
    assert sorted(found) == names
    stand_in.split("tests", "studies")
    await container.upsert_item({"id": names[4], "partition": "p1", "study": names[4]})
    await container.upsert_item({"id": names[5], "partition": "p2", "study": names[5]})
    found, continuation = await changes(container, continuation=continuation)
    assert sorted(found) == names[4:6]
    assert (await changes(container, continuation=continuation))[0] == []
