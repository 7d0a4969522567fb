import random

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from local.app import Application, HttpFunction, http_functions
from tests.functions.registered import functions


def application(*templates: str) -> Application:
    """Answers each path with the template that took it."""

    def function(template: str) -> HttpFunction:
        async def handler(_: Request) -> Response:
            return PlainTextResponse(template)

        return HttpFunction(template, template, ("GET",), handler)

    return Application(map(function, random.Random(7).sample(templates, len(templates))))


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


@pytest.mark.parametrize(("path", "status"), [("/v2/studies", 405), ("/v2/nothing", 404)])
@pytest.mark.parametrize("method", ["TRACE", "QUERY", "%s"])
async def test_methods_that_no_function_takes_are_refused(method: str, path: str, status: int) -> None:
    routed = Application(http_functions(functions()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(routed), base_url="http://localhost") as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers.get("Allow") == ("GET, HEAD, POST, PUT, OPTIONS" if status == 405 else None)


def test_every_http_function_has_a_route_of_its_own() -> None:
    found = list(http_functions(functions()))
    assert len({function.name for function in found}) == len(found)
    taken = [(function.template.lower(), method) for function in found for method in function.methods]
    assert len(set(taken)) == len(taken)
    assert all(function.methods for function in found)


def test_timers_are_no_http_functions() -> None:
    assert 0 < len(list(http_functions(functions()))) < len(functions())
