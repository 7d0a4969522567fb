import pytest
from azurefunctions.extensions.http.fastapi import Response

from functions.answers import StreamedAnswer
from functions.headers import ALWAYS, EXPOSED, add_headers, allows, is_preflight
from shared.settings import Settings
from tests.functions.requests import request

ORIGIN = "https://viewer.example.org"


def answered(origins: tuple[str, ...], origin: str | None, **headers: str) -> Response:
    answer = Response(headers=headers)
    asked = request() if origin is None else request(origin=origin)
    add_headers(answer, asked, Settings(cors_origins=origins))
    return answer


@pytest.mark.parametrize(
    ("origins", "origin", "expected"),
    [
        ((), ORIGIN, False),
        ((ORIGIN,), ORIGIN, True),
        (("https://other.example", ORIGIN), ORIGIN, True),
        ((ORIGIN,), f"{ORIGIN}:8443", False),
        ((ORIGIN,), f"{ORIGIN}.evil.example", False),
        ((ORIGIN,), "http://viewer.example.org", False),
        (("*",), ORIGIN, True),
        (("*",), "null", True),
        (("loopback",), "http://localhost:3000", True),
        (("loopback",), "http://127.0.0.1", True),
        (("loopback",), "http://[::1]:8080", True),
        (("loopback",), "http://localhost.evil.example", False),
        (("loopback",), "http://127.0.0.1.evil.example", False),
        (("loopback",), "http://evil.example/localhost", False),
        (("loopback",), "http://localhost@evil.example", False),
        (("loopback",), "null", False),
        (("loopback",), "http://[", False),
        (("loopback",), "", False),
    ],
)
def test_origins(origins: tuple[str, ...], origin: str, expected: bool) -> None:
    assert allows(origins, origin) is expected


def test_an_allowed_origin_may_read_the_answer() -> None:
    headers = answered((ORIGIN,), ORIGIN).headers
    assert headers["access-control-allow-origin"] == ORIGIN
    assert headers["access-control-expose-headers"] == EXPOSED


@pytest.mark.parametrize("origin", ["https://evil.example", None])
def test_others_may_not_but_caches_are_told(origin: str | None) -> None:
    headers = answered((ORIGIN,), origin, Vary="Accept").headers
    assert "access-control-allow-origin" not in headers
    assert headers["vary"] == "Accept, Origin"


def test_without_origins_nothing_is_said_of_them() -> None:
    headers = answered((), ORIGIN).headers
    assert "vary" not in headers
    assert not [name for name in headers if name.startswith("access-control")]


@pytest.mark.parametrize("origins", [(ORIGIN,), ("*",), ("loopback",)])
@pytest.mark.parametrize("origin", [ORIGIN, "http://localhost:3000", "https://evil.example"])
def test_nobody_may_send_credentials_that_a_browser_adds(origins: tuple[str, ...], origin: str) -> None:
    """With them any page of an allowed origin would act as whoever is logged in."""
    assert "access-control-allow-credentials" not in answered(origins, origin).headers


def test_pages_may_read_what_clients_need() -> None:
    assert {"ETag", "Location", "Content-Location", "Content-Range", "Retry-After", "Warning"} <= set(
        EXPOSED.split(", ")
    )


def test_a_stream_has_them_too() -> None:
    answer = StreamedAnswer(iter(()))
    add_headers(answer, request(origin=ORIGIN), Settings(cors_origins=(ORIGIN,)))
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["access-control-allow-origin"] == ORIGIN


def test_every_answer_has_the_security_headers() -> None:
    assert {name.lower(): value for name, value in ALWAYS.items()}.items() <= dict(answered((), None).headers).items()


@pytest.mark.parametrize(
    ("method", "headers", "expected"),
    [
        ("OPTIONS", {"access_control_request_method": "GET"}, True),
        ("OPTIONS", {}, False),
        ("GET", {"access_control_request_method": "GET"}, False),
    ],
)
def test_preflight(method: str, headers: dict[str, str], expected: bool) -> None:
    assert is_preflight(request(method, **headers)) is expected
