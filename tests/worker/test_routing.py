"""The host's way of choosing a function chooses the one that is meant."""

import re

import pytest

from local.routing import Routes
from tests.worker.app_functions import HTTP_ROUTES
from tests.worker.routing import HttpRoute, RouteTable

TABLE = RouteTable(HTTP_ROUTES)
EMBEDDED: Routes[HttpRoute] = Routes()
for known in HTTP_ROUTES:
    EMBEDDED.add(known.template, known.methods, known)


def sample(template: str) -> str:
    """A path for a template, whose parameters are no literal segment of any."""
    return "/" + re.sub(r"\{\*?(\w+)\}", r"some-\1", template)


@pytest.mark.parametrize("route", HTTP_ROUTES, ids=str)
def test_every_function_gets_its_own_requests(route: HttpRoute) -> None:
    """In the order of names, what comes before it takes nothing from it."""
    for method in route.methods:
        found = TABLE.find(method, sample(route.template))
        assert found is not None
        assert found[0] == route


@pytest.mark.parametrize("route", HTTP_ROUTES, ids=str)
def test_both_hosts_choose_the_same_function(route: HttpRoute) -> None:
    """Though the embedded one prefers literal segments and the other goes by names."""
    for path in (sample(route.template), sample(route.template) + "/", sample(route.template).upper()):
        for method in route.methods:
            assert TABLE.find(method, path) == EMBEDDED.find(method, path)


def test_parameters_are_as_the_host_gives_them() -> None:
    route = HttpRoute("any", "{version}/partitions/{partition}/files/{*path}", frozenset({"GET"}))
    assert route.parameters("/V2/Partitions/a%20b/files/x/y%2Bz") == {
        "version": "V2",
        "partition": "a b",
        "path": "x/y+z",
    }
    assert route.parameters("/v2/partitions/p/files/") == {"version": "v2", "partition": "p"}
    assert route.parameters("/v2/partitions/p/files") == {"version": "v2", "partition": "p"}
    assert route.parameters("/v2/partitions//files/x") is None
    assert route.parameters("/v2/partitions/p") is None


@pytest.mark.parametrize(
    ("routes", "error"),
    [
        ([("a", "x"), ("b", "X")], "b: GET X is taken by a"),
        ([("a", "x"), ("A", "y")], "a: the name is taken twice"),
        ([("1a", "x")], "1a: not a function's name"),
        ([("host", "x")], "host: not a function's name"),
        ([("a", "admin/x")], "a: the route admin/x is the host's own"),
    ],
)
def test_what_the_host_refuses(routes: list[tuple[str, str]], error: str) -> None:
    table = RouteTable(HttpRoute(name, template, frozenset({"GET"})) for name, template in routes)
    assert error in list(table.errors())
