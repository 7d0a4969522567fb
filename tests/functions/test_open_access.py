import pytest

from functions.open_access import require_own
from shared.errors import Forbidden
from shared.settings import Settings
from tests.functions.requests import request

OURS = "https://pacs.example.org/dicom"


def taken(method: str = "GET", public_url: str | None = None, origins: tuple[str, ...] = (), **headers: str) -> bool:
    try:
        require_own(request(method, **headers), Settings(public_url=public_url, cors_origins=origins))
    except Forbidden:
        return False
    return True


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1:8080", True),
        ("127.5.5.5", True),
        ("[::1]:8080", True),
        ("192.0.2.7", True),
        ("localhost:8080", True),
        ("LOCALHOST", True),
        ("viewer.localhost:3000", True),
        ("workstation-7", True),
        ("", True),
        ("evil.example", False),
        ("evil.example:8080", False),
        ("127.0.0.1.evil.example", False),
        ("localhost.evil.example", False),
        ("evil.example.", False),
        ("pacs.example.org", False),
        ("1.2.3.4.5", False),
    ],
)
def test_names_that_others_can_not_have(host: str, expected: bool) -> None:
    assert taken(host=host, accept_language="en") is expected
    assert taken(host=host), "no page can make a browser leave that out"


def test_the_name_in_the_settings() -> None:
    assert taken(host="pacs.example.org", public_url=OURS, accept_language="en")
    assert taken(host="PACS.example.org:443", public_url=OURS, accept_language="en")
    assert not taken(host="evil.example", public_url=OURS, accept_language="en")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    ("origin", "origins", "expected"),
    [
        ("https://evil.example", (), False),
        ("null", (), False),
        ("http://localhost:3000", (), False),
        ("http://localhost:8080", (), True),
        ("http://localhost:3000", ("loopback",), True),
        ("https://evil.example", ("loopback",), False),
        ("null", ("loopback",), False),
        ("http://[", (), False),
        ("https://viewer.example.org", ("https://viewer.example.org",), True),
        ("https://evil.example", ("*",), True),
    ],
)
def test_pages_of_other_origins_change_nothing(
    method: str, origin: str, origins: tuple[str, ...], expected: bool
) -> None:
    assert taken(method, host="localhost:8080", origin=origin, origins=origins) is expected


def test_pages_of_other_origins_may_ask_for_what_they_will_not_see() -> None:
    assert taken("GET", host="localhost:8080", origin="https://evil.example")


def test_programs_send_no_origin() -> None:
    assert taken("POST", host="localhost:8080")
