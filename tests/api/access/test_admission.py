"""Nobody gets in without a token of the issuer: every forgery, at every function."""

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from functions.registration import RegisteredRoute
from shared.access import DataAction
from tests.access.forgeries import FORGERIES
from tests.access.issuer import AUDIENCE, TestIssuer, issuing
from tests.api.access.asking import FREE, ROUTES, Asking, Callers, asking
from tests.api.client import DICOM
from tests.instances import Identity, dataset, new_identity, part10
from tests.server import RunningServer, running

TOLD = 'error="invalid_token", error_description="The access token is invalid or has expired."'
INTRUDER = new_identity()
FILE = part10(dataset(INTRUDER))
GUARDED = [route for route in ROUTES if route.name not in FREE]
RETRY_SECONDS = 20.0


def action_of(route: RegisteredRoute) -> DataAction | None:
    """What a function needs, by what it is called."""
    if route.name in FREE:
        return None
    if "GET" in route.methods:
        return DataAction.READ
    if "extendedquerytags" in route.template or "operations" in route.template:
        return DataAction.MANAGE_EXTENDED_QUERY_TAGS
    return DataAction.DELETE if "DELETE" in route.methods else DataAction.WRITE


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_function_says_what_its_caller_must_be_allowed_to_do(route: RegisteredRoute) -> None:
    assert route.action is action_of(route)


@pytest.fixture(scope="module")
def requests(kept: dict[str | None, Identity]) -> list[Asking]:
    """Requests to every function that would disclose, store or delete something."""
    return [
        each
        for route in GUARDED
        for partition in (("p-a",) if "{partition}" in route.template else (None,))
        for each in asking(route, kept[partition], partition, FILE)
    ]


def challenge(issuer: TestIssuer) -> str:
    return f'Bearer authorization_uri="{issuer.url}", resource_id="{AUDIENCE}", realm="{AUDIENCE}"'


def wrong(answer: httpx.Response, expected: str) -> bool:
    """Whether an answer is anything but a refusal with this challenge."""
    return (
        answer.status_code != 401
        or answer.headers.get("www-authenticate") != expected
        or b"Secret" in answer.content
        or answer.headers["content-type"] != "application/problem+json"
    )


@pytest.fixture
def untouched(callers: Callers, closed: RunningServer, kept: dict[str | None, Identity]) -> Callable[[], None]:
    """Asserts that everything is there still, and nothing else."""

    def check() -> None:
        owner = callers.api("DicomDataOwner")
        for partition, identity in kept.items():
            api = callers.api("DicomDataOwner", partition=partition)
            assert api.get(identity.path, f"{DICOM}; transfer-syntax=*").status_code == 200
            assert not api.search(f"instances?SOPInstanceUID={INTRUDER.instance}")
        assert owner.get("/extendedquerytags").json() == []
        assert owner.get("/operations").json() == []
        assert len(owner.get("/partitions").json()) == 3
        assert not [path for path in Path(closed.data, "inbox").rglob("*") if path.is_file()]

    return check


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_opens_no_function(
    name: str,
    issuer: TestIssuer,
    callers: Callers,
    http: httpx.Client,
    requests: list[Asking],
    untouched: Callable[[], None],
) -> None:
    authorization = f"Bearer {FORGERIES[name](issuer)}".encode("latin-1")
    expected = f"{challenge(issuer)}, {TOLD}"
    assert not [str(each) for each in requests if wrong(each.send(http, callers.origin, authorization), expected)]
    untouched()


@pytest.mark.parametrize("header", [None, b"", b"Bearer", b"Basic dXNlcjpwYXNz", b"Negotiate x", b"x"])
def test_without_a_token_no_function_opens(
    header: bytes | None,
    issuer: TestIssuer,
    callers: Callers,
    http: httpx.Client,
    requests: list[Asking],
    untouched: Callable[[], None],
) -> None:
    assert not [str(each) for each in requests if wrong(each.send(http, callers.origin, header), challenge(issuer))]
    untouched()


def test_a_token_elsewhere_than_in_the_header_is_none(callers: Callers, http: httpx.Client) -> None:
    token = callers.bearer("DicomDataOwner").decode().removeprefix("Bearer ")
    url = f"{callers.origin}/v2/partitions"
    assert http.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    assert http.get(url, params={"access_token": token}).status_code == 401
    assert http.get(url, headers={"Cookie": f"access_token={token}; Authorization=Bearer {token}"}).status_code == 401
    assert http.get(url, headers={"X-MS-TOKEN-AAD-ACCESS-TOKEN": token}).status_code == 401
    assert http.get(url, headers={"X-MS-CLIENT-PRINCIPAL-ID": "owner"}).status_code == 401


def test_of_two_tokens_a_forged_one_is_not_passed_over(
    issuer: TestIssuer, callers: Callers, http: httpx.Client
) -> None:
    good, forged = callers.bearer("DicomDataOwner"), f"Bearer {FORGERIES['expired'](issuer)}".encode()
    both = [("Authorization", forged.decode()), ("Authorization", good.decode())]
    assert http.get(f"{callers.origin}/v2/partitions", headers=both).status_code == 401


@pytest.mark.parametrize("claims", ["v2_user", "v2_app"])
def test_users_and_apps_get_in(claims: str, issuer: TestIssuer, callers: Callers, http: httpx.Client) -> None:
    token = issuer.token(getattr(issuer, claims)())
    answer = http.get(f"{callers.origin}/v2/partitions", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/health/check", 200),
        ("HEAD", "/health/check", 200),
        ("GET", "/", 404),
        ("GET", "/v2/no/such/path", 404),
        ("DELETE", "/v2/studies", 405),
        ("OPTIONS", "/v2/studies", 204),
    ],
)
def test_what_discloses_nothing_needs_no_token(
    method: str, path: str, status: int, callers: Callers, http: httpx.Client
) -> None:
    answers = [
        http.request(method, callers.origin + path, headers=headers)
        for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": callers.bearer("DicomDataOwner").decode()})
    ]
    assert [answer.status_code for answer in answers] == [status] * 3
    assert len({answer.content for answer in answers}) == 1 or path == "/health/check"
    assert not [answer for answer in answers if "www-authenticate" in answer.headers]


def test_a_preflight_needs_no_token(callers: Callers, http: httpx.Client) -> None:
    asked = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
    answer = http.options(
        f"{callers.origin}/v2/studies", headers=asked | {"Access-Control-Request-Headers": "Authorization"}
    )
    assert answer.status_code == 204
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    refused = http.get(f"{callers.origin}/v2/studies", headers={"Origin": "http://localhost:3000"})
    assert refused.status_code == 401
    assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]


def eventually(ask: Callable[[str], httpx.Response], make: Callable[[], str], status: int) -> httpx.Response:
    """The first answer with that status to tokens made one after the other."""
    deadline = time.monotonic() + RETRY_SECONDS
    while (answer := ask(make())).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.5)
    return answer


def test_keys_come_and_go_while_the_service_runs(tmp_path: Path) -> None:
    with issuing() as issuer, ExitStack() as ended:
        issuer.stop()
        server = ended.enter_context(running(tmp_path / "data", workers=1, settings=issuer.settings))

        def ask(token: str) -> httpx.Response:
            return httpx.get(f"{server.url}/v2/partitions", headers={"Authorization": f"Bearer {token}"}, timeout=30)

        down = ask(issuer.token())
        assert (down.status_code, down.headers["retry-after"]) == (503, "10")
        assert httpx.get(f"{server.url}/v2/partitions").status_code == 401
        health = httpx.get(f"{server.url}/health/check")
        assert (health.status_code, health.json()["overallStatus"]) == (200, "Degraded")
        issuer.start()
        eventually(ask, issuer.token, 200)
        old_key, old_id = issuer.keys[issuer.key_id], issuer.key_id
        issuer.rotate("RS256", drop=True)
        eventually(ask, issuer.token, 200)
        assert ask(issuer.token(key=old_key, headers={"kid": old_id})).status_code == 401
        issuer.stop()
        unknown = eventually(ask, lambda: issuer.token(headers={"kid": "new"}), 503)
        assert "www-authenticate" not in unknown.headers
        assert ask(issuer.token()).status_code == 200
