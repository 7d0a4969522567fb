"""Queries of the Cosmos DB stand-in, by the SDK: what they give, page by page, and which are refused."""

from typing import Any

import pytest
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, DatabaseProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

from tests.azure.conftest import KEY, STUDIES, document
from tests.azure.cosmos import CosmosStandIn

PARTITIONS = ["p0", "p1", "p2"]
STUDY_NAMES = ["s0", "s1", "s2", "s3"]
EACH = 3


async def every(container: ContainerProxy, query: str, **options: Any) -> list[Any]:
    """All results. Options that are no keyword of query_items are the query's parameters."""
    known = {"partition_key", "max_item_count", "enable_scan_in_query", "feed_range", "initial_headers"}
    parameters = [{"name": f"@{name}", "value": value} for name, value in options.items() if name not in known]
    keywords = {name: value for name, value in options.items() if name in known}
    return [item async for item in container.query_items(query, parameters=parameters, **keywords)]


async def refusal(container: ContainerProxy, query: str, **options: Any) -> CosmosHttpResponseError:
    with pytest.raises(CosmosHttpResponseError) as refused:
        await every(container, query, **options)
    return refused.value


@pytest.fixture
async def filled(container: ContainerProxy) -> ContainerProxy:
    """36 documents of 12 studies in 3 partitions, numbered in the order of their making."""
    number = 0
    for position in range(EACH):
        for partition in PARTITIONS:
            for study in STUDY_NAMES:
                body = {"id": f"i{position}", "partition": partition, "study": study, "n": number}
                await container.create_item({**body, "position": position, "tags": [f"t{number}", "all"]})
                number += 1
    return container


async def one(container: ContainerProxy, expression: str, body: dict[str, Any] | None = None) -> list[Any]:
    """What an expression gives for one document."""
    await container.upsert_item(document("one", **(body or {})))
    return await every(container, f"SELECT VALUE {expression} FROM c WHERE c.id = 'one'", partition_key=KEY)


BODY = {"text": "Müller^Hans", "number": 5, "list": ["a", "b", {"x": 1}], "object": {"x": {"y": "z"}}, "nothing": None}
EXPRESSIONS: list[tuple[str, list[Any]]] = [
    ("c.text LIKE 'M%^h_ns'", [False]),
    ("c.text LIKE 'M%^H_ns'", [True]),
    ("c.text NOT LIKE '%Hans'", [False]),
    ("'50%' LIKE '50!%' ESCAPE '!'", [True]),
    ("'50 ' LIKE '50!%' ESCAPE '!'", [False]),
    ("c.text LIKE '[K-M]%'", [True]),
    ("c.number LIKE '5'", []),
    ("STARTSWITH(c.text, 'mü')", [False]),
    ("STARTSWITH(c.text, 'mü', true)", [True]),
    ("CONTAINS(c.text, '^')", [True]),
    ("ENDSWITH(c.text, 'HANS', true)", [True]),
    ("STRINGEQUALS(c.text, 'müller^hans', true)", [True]),
    ("RegexMatch(c.text, '^M.+s$')", [True]),
    ("RegexMatch(c.text, '^m', 'i')", [True]),
    ("UPPER(c.text)", ["MÜLLER^HANS"]),
    ("REPLACE('a.b.c', '.', '$&')", ["a$&b$&c"]),
    ("CONCAT(c.text, '!')", ["Müller^Hans!"]),
    ("c.text > 'Mz'", [True]),
    ("c.text >= 'N'", [False]),
    ("c.text < 1", []),
    ("c.number = '5'", []),
    ("c.number != '5'", []),
    ("c.missing = undefined", []),
    ("c.nothing = null", [True]),
    ("IS_DEFINED(c.nothing)", [True]),
    ("IS_DEFINED(c.missing)", [False]),
    ("IS_NULL(c.nothing)", [True]),
    ("c.number IN (1, 5)", [True]),
    ("c.number NOT IN (1, 5)", [False]),
    ("c.missing NOT IN (1, 5)", []),
    ("c.number BETWEEN 5 AND 6", [True]),
    ("c.text BETWEEN 1 AND 9", []),
    ("ARRAY_CONTAINS(c.list, 'a')", [True]),
    ("ARRAY_CONTAINS(c.list, {'x': 1})", [True]),
    ("ARRAY_CONTAINS_ANY(c.list, 'q', 'b')", [True]),
    ("ARRAY_CONTAINS_ALL(c.list, 'a', 'q')", [False]),
    ("ARRAY_LENGTH(c.list)", [3]),
    ("EXISTS(SELECT VALUE t FROM t IN c.list WHERE t = 'b')", [True]),
    ("EXISTS(SELECT VALUE t FROM t IN c.list WHERE t.x > 1)", [False]),
    ("EXISTS(SELECT VALUE t FROM t IN c.text)", [False]),
    ("EXISTS(SELECT VALUE t FROM t IN c.missing.deeper)", [False]),
    ("ARRAY(SELECT VALUE t FROM t IN c.list WHERE IS_STRING(t))", [["a", "b"]]),
    ("(SELECT VALUE COUNT(1) FROM t IN c.list)", [3]),
    ('c["object"].x["y"]', ["z"]),
    ("c.missing ?? 'other'", ["other"]),
    ("IIF(c.number > 4, 'more', 'less')", ["more"]),
    ("((((((c.number = 5 AND (c.text != 'x' OR (NOT (c.number > 7))))))))) ", [True]),
    ('{"a": c.missing, "b": [c.missing, c.number]}', [{"b": [5]}]),
]


@pytest.mark.parametrize(("expression", "result"), EXPRESSIONS)
async def test_expressions(container: ContainerProxy, expression: str, result: list[Any]) -> None:
    assert await one(container, expression, BODY) == result


async def test_projections(container: ContainerProxy) -> None:
    await container.create_item(document("a", x=1, o={"y": 2}, tags=["t", "u"]))

    async def select(what: str, source: str = "c") -> list[Any]:
        return await every(container, f"SELECT {what} FROM {source}", partition_key=KEY)

    assert await select("c.x, c.o.y, c.o['y'] AS z, c.x + 1, c.missing") == [{"x": 1, "y": 2, "z": 2, "$1": 2}]
    assert await select("c") == [{"c": await container.read_item("a", KEY)}]
    assert await select("*", "anything") == [await container.read_item("a", KEY)]
    assert await select("VALUE r.x", "root r") == [1]
    assert await select("c.x, t", "c JOIN t IN c.tags") == [{"x": 1, "t": "t"}, {"x": 1, "t": "u"}]
    assert await select("VALUE t", "t IN c.tags") == ["t", "u"]
    assert await select("VALUE y", "c.o.y") == [2]


async def test_a_query_sees_the_logical_partition_that_it_names(filled: ContainerProxy) -> None:
    assert await every(filled, "SELECT VALUE c.n FROM c", partition_key=["p1", "s2"]) == [6, 18, 30]
    within_partition = await every(filled, "SELECT VALUE c.n FROM c", partition_key=["p1"])
    assert sorted(within_partition) == [n for n in range(36) if n // 4 % 3 == 1]
    assert sorted(await every(filled, "SELECT VALUE c.n FROM c")) == list(range(36))
    filtered = await every(filled, "SELECT VALUE c.n FROM c WHERE c.study = @study AND c.n > @n", study="s2", n=20)
    assert sorted(filtered) == [22, 26, 30, 34]


AGGREGATES = [("COUNT(1)", 12), ("SUM(c.n)", 210), ("MIN(c.n)", 0), ("MAX(c.n)", 35), ("AVG(c.position)", 1)]


@pytest.mark.parametrize(("aggregate", "everywhere"), [("COUNT(1)", 36), ("SUM(c.n)", 630), *AGGREGATES[2:]])
async def test_aggregates_across_partitions(filled: ContainerProxy, aggregate: str, everywhere: float) -> None:
    assert await every(filled, f"SELECT VALUE {aggregate} FROM c") == [everywhere]


@pytest.mark.parametrize(("key", "count", "largest"), [(["p1", "s2"], 3, 30), (["p1"], 12, 31)])
async def test_aggregates_within_a_partition(filled: ContainerProxy, key: list[str], count: int, largest: int) -> None:
    assert await every(filled, "SELECT VALUE COUNT(1) FROM c", partition_key=key) == [count]
    assert await every(filled, "SELECT MAX(c.n) AS most, COUNT(1) AS n FROM c", partition_key=key) == [
        {"most": largest, "n": count}
    ]


async def test_aggregates_of_nothing(container: ContainerProxy) -> None:
    assert await every(container, "SELECT VALUE COUNT(1) FROM c", partition_key=KEY) == [0]
    assert await every(container, "SELECT VALUE MAX(c.n) FROM c", partition_key=KEY) == []


async def test_orders(filled: ContainerProxy) -> None:
    numbers = list(range(36))
    assert await every(filled, "SELECT VALUE c.n FROM c ORDER BY c.n") == numbers
    assert await every(filled, "SELECT VALUE c.n FROM c ORDER BY c.n DESC", max_item_count=5) == numbers[::-1]
    assert await every(filled, "SELECT * FROM c WHERE c.n < 3 OR c.n > 34 ORDER BY c.n DESC") == [
        {**item} for item in await every(filled, "SELECT * FROM c WHERE c.n IN (0, 1, 2, 35) ORDER BY c.n DESC")
    ]
    named = await every(filled, "SELECT c.n AS number, c.study FROM c ORDER BY c.n DESC OFFSET 1 LIMIT 2")
    assert named == [{"number": 34, "study": "s2"}, {"number": 33, "study": "s1"}]
    assert await every(filled, "SELECT VALUE c.n FROM c ORDER BY c.n DESC", partition_key=["p0", "s0"]) == [24, 12, 0]


@pytest.mark.parametrize("where", [{}, {"partition_key": ["p1"]}, {"partition_key": ["p1", "s2"]}])
async def test_top_offset_and_limit(filled: ContainerProxy, where: dict[str, Any]) -> None:
    ordered = await every(filled, "SELECT VALUE c.n FROM c ORDER BY c.n", **where)
    assert ordered == sorted(ordered)
    assert await every(filled, "SELECT TOP 2 VALUE c.n FROM c ORDER BY c.n", **where) == ordered[:2]
    assert await every(filled, "SELECT TOP @top VALUE c.n FROM c ORDER BY c.n", top=1, **where) == ordered[:1]
    middle = "SELECT VALUE c.n FROM c ORDER BY c.n OFFSET @offset LIMIT @limit"
    assert await every(filled, middle, offset=1, limit=2, max_item_count=1, **where) == ordered[1:3]
    assert await every(filled, middle, offset=40, limit=2, **where) == []
    assert len(await every(filled, "SELECT * FROM c OFFSET 1 LIMIT 2", **where)) == 2
    assert len(await every(filled, "SELECT TOP 2 * FROM c", **where)) == 2


async def test_distinct(filled: ContainerProxy) -> None:
    assert sorted(await every(filled, "SELECT DISTINCT VALUE c.partition FROM c")) == PARTITIONS
    assert await every(filled, "SELECT DISTINCT VALUE c.position FROM c ORDER BY c.position DESC") == [2, 1, 0]
    pairs = await every(filled, "SELECT DISTINCT c.partition, c.study FROM c")
    assert len(pairs) == 12
    assert await every(filled, "SELECT DISTINCT VALUE c.study FROM c", partition_key=["p1", "s2"]) == ["s2"]


async def test_group_by(filled: ContainerProxy) -> None:
    query = "SELECT c.study, COUNT(1) AS n, {'most': MAX(c.n)} AS o FROM c WHERE c.n > 0 GROUP BY c.study"
    found = await every(filled, query, partition_key=["p0", "s0"])
    assert found == [{"study": "s0", "n": 2, "o": {"most": 24}}]
    by_position = await every(filled, "SELECT VALUE c.position FROM c GROUP BY c.position", partition_key=["p0", "s0"])
    assert by_position == [0, 1, 2]
    assert "GroupBy" in (await refusal(filled, query)).message


async def test_pages_and_continuation(filled: ContainerProxy, stand_in: CosmosStandIn) -> None:
    query = "SELECT VALUE c.n FROM c"
    options: Any = {"partition_key": ["p1", "s2"], "max_item_count": 2}
    stand_in.forget_counts()
    pages = filled.query_items(query, **options).by_page()
    first = [item async for item in await anext(pages)]
    rest = filled.query_items(query, **options).by_page(pages.continuation_token)
    assert (first, [[item async for item in page] async for page in rest]) == ([6, 18], [[30]])
    assert stand_in.counts()["item.query"].calls == 2


@pytest.mark.parametrize("query", ["SELECT VALUE c.id FROM c", "SELECT VALUE c.id FROM c ORDER BY c.n DESC"])
async def test_pages_stay_in_step_while_documents_come_and_go(container: ContainerProxy, query: str) -> None:
    names = [f"i{number}" for number in range(10)]
    for number, name in enumerate(names):
        await container.create_item(document(name, n=number))
    found: list[Any] = []
    async for page in container.query_items(query, partition_key=KEY, max_item_count=3).by_page():
        given: list[Any] = [item async for item in page]
        found += given
        for name in given:
            await container.delete_item(name, KEY)
    assert sorted(found) == names


async def test_an_answer_is_cut_at_four_megabytes(container: ContainerProxy, stand_in: CosmosStandIn) -> None:
    for number in range(6):
        await container.create_item(document(f"i{number}", text="x" * 1_000_000))
    stand_in.forget_counts()
    found = await every(container, "SELECT * FROM c", partition_key=KEY, max_item_count=-1)
    assert len(found) == 6
    assert stand_in.counts()["item.query"].calls == 2


async def test_reading_many_items_at_once(database: DatabaseProxy, filled: ContainerProxy) -> None:
    wanted = [("i1", ["p0", "s1"]), ("i2", ["p2", "s3"]), ("none", ["p0", "s0"]), ("i0", ["p1", "s1"])]
    found = await filled.read_items(wanted)
    assert [(item["id"], item["partition"], item["study"]) for item in found] == [
        ("i1", "p0", "s1"),
        ("i2", "p2", "s3"),
        ("i0", "p1", "s1"),
    ]
    simple = await database.create_container("simple", PartitionKey("/key"))
    for number in range(5):
        await simple.create_item({"id": f"i{number}", "key": "k", "n": number})
    assert [item["n"] for item in await simple.read_items([("i3", "k"), ("i1", "k")])] == [3, 1]


async def test_reading_all_items(filled: ContainerProxy) -> None:
    assert sorted([item["n"] async for item in filled.read_all_items(max_item_count=7)]) == list(range(36))


async def test_a_query_needs_values_for_its_parameters(filled: ContainerProxy) -> None:
    refused = await refusal(filled, "SELECT * FROM c WHERE c.n = @n", partition_key=["p0", "s0"])
    assert refused.status_code == 400
    assert "@n" in refused.message


@pytest.mark.parametrize(
    "query",
    [
        "SELECT",
        "SELECT * FROM c WHERE",
        "SELECT * FROM c WHERE c.n = 'open",
        "SELECT * FROM c ORDER BY LOWER(c.x)",
        "SELECT * FROM c JOIN t IN c.tags",
        "SELECT NO_SUCH_FUNCTION(c.n) FROM c",
        "SELECT c.order FROM c",
        "SELECT c.n, COUNT(1) FROM c GROUP BY c.study",
        "SELECT * FROM c WHERE COUNT(1) > 1",
        "SELECT * FROM c OFFSET 1",
        "SELECT * FROM c OFFSET 'x' LIMIT 1",
        "DELETE FROM c",
    ],
)
async def test_queries_that_are_wrong(filled: ContainerProxy, query: str) -> None:
    assert (await refusal(filled, query, partition_key=["p0", "s0"])).status_code == 400


POLICY: dict[str, Any] = {
    "includedPaths": [{"path": path} for path in ("/n/?", "/match/*", "/tags/[]/?", "/codes/[]/value/?")],
    "excludedPaths": [{"path": "/*"}, {"path": "/match/not/?"}],
    "compositeIndexes": [
        [{"path": "/n", "order": "ascending"}, {"path": "/match/x", "order": "descending"}],
    ],
}


@pytest.fixture
async def indexed(database: DatabaseProxy) -> ContainerProxy:
    """A container that indexes a few paths, with documents of which one has no n."""
    container = await database.create_container("indexed", STUDIES, indexing_policy=POLICY)
    for name, more in {"a": {"n": 1}, "b": {"n": 1}, "c": {}, "d": {"n": 0}}.items():
        await container.create_item(document(name, match={"x": name}, tags=[name], plain=name, **more))
    return container


SERVED = [
    "c.n = 1",
    "c.id = 'a' AND c._ts > 0",
    "c.match.x = 'a' AND c['match']['anything'].deeper = 1",
    "ARRAY_CONTAINS(c.tags, 'a')",
    "EXISTS(SELECT VALUE t FROM t IN c.tags WHERE t LIKE 'a%')",
    "EXISTS(SELECT VALUE t FROM t IN c.codes WHERE t['value'] = 'a')",
    "ARRAY_CONTAINS(c.codes, {'value': 'a'}, true)",
]
NOT_SERVED = [
    "c.plain = 'a'",
    "c.n = 1 OR c.plain = 'a'",
    "c.match['not'] = 1",
    "c.partition = 'p'",
    "IS_DEFINED(c.plain)",
    "ARRAY_CONTAINS(c.plain, 'a')",
    "EXISTS(SELECT VALUE t FROM t IN c.codes WHERE t.scheme = 'a')",
    "c._etag = 'a'",
]


@pytest.mark.parametrize("condition", SERVED)
async def test_filters_that_an_index_serves(indexed: ContainerProxy, condition: str) -> None:
    await every(indexed, f"SELECT * FROM c WHERE {condition}", partition_key=KEY)
    await every(indexed, f"SELECT * FROM c WHERE {condition}")


@pytest.mark.parametrize("condition", NOT_SERVED)
async def test_filters_that_would_read_everything(
    indexed: ContainerProxy, stand_in: CosmosStandIn, condition: str
) -> None:
    query = f"SELECT * FROM c WHERE {condition}"
    refused = await refusal(indexed, query, partition_key=KEY)
    assert (refused.status_code, "excluded from indexing" in refused.message) == (400, True)
    await every(indexed, query, partition_key=KEY, enable_scan_in_query=True)
    stand_in.settings(refuse_scans=False)
    await every(indexed, query, partition_key=KEY)


async def test_orders_need_an_index(indexed: ContainerProxy) -> None:
    async def ordered(by: str) -> list[str]:
        return await every(indexed, f"SELECT VALUE c.id FROM c ORDER BY {by}", partition_key=KEY)

    assert await ordered("c.n, c.match.x DESC") == ["c", "d", "b", "a"]
    assert await ordered("c.n DESC, c.match.x ASC") == ["a", "b", "d", "c"]
    for by in ("c.n, c.match.x", "c.match.x, c.n DESC", "c.n, c.id", "c.plain"):
        refused = await refusal(indexed, f"SELECT * FROM c ORDER BY {by}", partition_key=KEY)
        assert (refused.status_code, "ndex" in refused.message) == (400, True)


async def test_a_single_order_hides_documents_without_the_property_unless_the_policy_names_it(
    indexed: ContainerProxy, container: ContainerProxy
) -> None:
    query = "SELECT VALUE c.id FROM c ORDER BY c.n"
    assert await every(indexed, query, partition_key=KEY) == ["c", "d", "a", "b"]
    for name, more in {"a": {"n": 1}, "b": {}}.items():
        await container.create_item(document(name, **more))
    assert await every(container, query, partition_key=KEY) == ["a"]


async def test_values_of_all_types_have_an_order(database: DatabaseProxy) -> None:
    policy: Any = {"includedPaths": [{"path": "/*"}, {"path": "/x/?"}]}
    container = await database.create_container("c", STUDIES, indexing_policy=policy)
    values: list[Any] = ["b", "a", 2, -1, True, False, None, "ä"]
    for number, value in enumerate(values):
        await container.create_item(document(str(number), x=value))
    await container.create_item(document("none"))
    found = await every(container, "SELECT c.x FROM c ORDER BY c.x", partition_key=KEY, max_item_count=2)
    assert found == [{}, *({"x": value} for value in (None, False, True, -1, 2, "a", "b", "ä"))]
