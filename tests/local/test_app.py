import random

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from local.app import HttpFunction, _route, http_functions, specificity, starlette_path
from tests.functions.registered import functions


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("health/check", "/health/check"),
        ("{version}/studies/{study}", "/{version}/studies/{study}"),
        ("{*path}", "/{path:path}"),
        ("{version}/x/bulkdata/{*reference}", "/{version}/x/bulkdata/{reference:path}"),
    ],
)
def test_templates_in_the_words_of_starlette(template: str, expected: str) -> None:
    assert starlette_path(template) == expected


@pytest.mark.parametrize(
    "ordered",
    [
        ["health/check", "{version}/partitions", "{*path}"],
        ["{version}/studies/summary", "{version}/studies/{study}", "{version}/{*rest}"],
        ["{version}/partitions/{partition}/studies", "{version}/{resource}/{name}/studies"],
        ["a/b/{*rest}", "a/{b}/c", "{a}/b/c", "{*path}"],
    ],
)
def test_literals_come_before_parameters_and_those_before_the_rest(ordered: list[str]) -> None:
    shuffled = random.Random(7).sample(ordered, len(ordered))
    assert sorted(shuffled, key=specificity) == ordered


def application(*templates: str) -> Starlette:
    """Answers each path with the template that took it."""

    def function(template: str) -> HttpFunction:
        async def handler(_: Request) -> Response:
            return PlainTextResponse(template)

        return HttpFunction(template, template, ("GET",), handler)

    routed = sorted(map(function, templates), key=lambda function: specificity(function.template))
    return Starlette(routes=[_route(function) for function in routed])


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/studies", "{version}/studies"),
        ("/V2/Studies", "{version}/studies"),
        ("/v2/STUDIES/", "{version}/studies"),
        ("/v2/studies/1.2", "{version}/studies/{study}"),
        ("/v2/studies/metadata", "{version}/studies/metadata"),
        ("/v2/studies/1.2/bulkdata/a/b/c", "{version}/studies/{study}/bulkdata/{*reference}"),
        ("/v2/studies/1.2/bulkdata", "{version}/studies/{study}/bulkdata"),
        ("/v2/studies/1.2/other", "{*path}"),
        ("/", "{*path}"),
    ],
)
async def test_paths_find_their_function(path: str, expected: str) -> None:
    routed = application(
        "{*path}",
        "{version}/studies/{study}",
        "{version}/studies/metadata",
        "{version}/studies/{study}/bulkdata/{*reference}",
        "{version}/studies/{study}/bulkdata",
        "{version}/studies",
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(routed), base_url="http://localhost") as client:
        assert (await client.get(path)).text == expected


def test_every_http_function_has_a_route_of_its_own() -> None:
    found = list(http_functions(functions()))
    assert len({function.name for function in found}) == len(found)
    taken = [(function.template.lower(), method) for function in found for method in function.methods]
    assert len(set(taken)) == len(taken)
    assert all(function.methods for function in found)


def test_timers_are_no_http_functions() -> None:
    assert 0 < len(list(http_functions(functions()))) < len(functions())
