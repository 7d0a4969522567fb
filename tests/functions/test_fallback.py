import pytest

from functions.fallback import allowed_methods, fallback
from functions.registration import ROUTES
from local.app import http_functions
from shared.errors import MethodNotAllowed, NotFound
from tests.functions.registered import functions
from tests.functions.requests import request

INSTANCE = "/v2/studies/1/series/2/instances/3"


def test_every_http_function_is_known_to_the_fallback() -> None:
    registered = [function.template for function in http_functions(functions())]
    assert sorted(registered) == sorted(route.template for route in ROUTES)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/studies", ("GET", "HEAD", "POST", "PUT")),
        ("/v2/studies/", ("GET", "HEAD", "POST", "PUT")),
        ("/V1/STUDIES", ("GET", "HEAD", "POST", "PUT")),
        ("/v2/partitions/p/studies", ("GET", "HEAD", "POST", "PUT")),
        ("/v2/studies/1.2", ("DELETE", "GET", "HEAD", "POST", "PUT")),
        ("/v2/studies/1.2/series", ("GET", "HEAD")),
        (INSTANCE, ("DELETE", "GET", "HEAD")),
        (f"{INSTANCE}/frames/1,2", ("GET", "HEAD")),
        (f"{INSTANCE}/bulkdata/00880200/0/7FE00010", ("GET", "HEAD")),
        (f"{INSTANCE}/bulkdata", ("GET", "HEAD")),
        ("/health/check", ("GET", "HEAD")),
        ("/v2/partitions", ("GET", "HEAD")),
        ("", ()),
        ("/", ()),
        ("/v2", ()),
        ("/studies", ()),
        ("/v2/studies/1/2", ()),
        ("/v2/studies//", ("GET", "HEAD", "POST", "PUT")),
        (f"{INSTANCE}/frames/", ()),
        ("/v2/partitions/p", ()),
        ("/v2/studiesX", ()),
        ("/health/check/x", ()),
    ],
)
def test_allowed_methods(path: str, expected: tuple[str, ...]) -> None:
    assert allowed_methods(path) == expected


async def test_another_method_is_told_which_are_taken() -> None:
    with pytest.raises(MethodNotAllowed, match=r"^This resource takes GET, HEAD\.$") as caught:
        await fallback(request("POST", "/v2/series"))
    assert caught.value.headers == {"Allow": "GET, HEAD, OPTIONS"}


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_another_path_is_not_found(method: str) -> None:
    with pytest.raises(NotFound):
        await fallback(request(method, "/v2/nothing"))


async def test_options() -> None:
    plain = await fallback(request("OPTIONS", "/v2/series"))
    assert (plain.status_code, plain.headers["allow"]) == (204, "GET, HEAD, OPTIONS")
    assert "access-control-allow-methods" not in plain.headers
    preflight = await fallback(request("OPTIONS", "/v2/nothing", access_control_request_method="GET"))
    assert preflight.status_code == 204
    assert "GET" in preflight.headers["access-control-allow-methods"]
