"""Roles, actions and data partitions: what comes of every request to every function."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import httpx
import pytest

from functions.registration import RegisteredRoute
from shared.access import DataAction
from tests.api.access.asking import FREE, ROUTES, Callers, asking
from tests.instances import Identity, new_identity

READ, WRITE, DELETE, TAGS, EXPORT = DataAction
DEFAULT, A, B, NEW, ELSEWHERE = "Microsoft.Default", "p-a", "p-b", "p-new", "q-new"
PLACES = (DEFAULT, A, B, NEW, ELSEWHERE)
EXISTING = {DEFAULT, A, B}
NO_SUCH_PARTITION = "Specified PartitionName does not exist."
CREATING = {"store", "store_in_study", "replace", "replace_in_study", "offer_upload", "receive_upload"}
"""Functions to which a partition of a new name is welcome."""

UNRESTRICTED = {"metrics"}
"""Functions that tell of all partitions together."""

EVERYWHERE = set(PLACES)
ALL = dict.fromkeys(DataAction, EVERYWHERE)

GRANTS: dict[tuple[str, ...], Mapping[DataAction, set[str]]] = {
    ("DicomDataOwner",): ALL,
    ("DicomDataReader",): {READ: EVERYWHERE},
    ("Writer",): {WRITE: EVERYWHERE},
    ("Eraser",): {DELETE: EVERYWHERE},
    ("Tagger",): {TAGS: EVERYWHERE},
    ("Exporter",): {EXPORT: EVERYWHERE},
    ("Keeper",): {READ: EVERYWHERE, WRITE: EVERYWHERE, TAGS: EVERYWHERE},
    ("ReaderA",): {READ: {A}},
    ("ReaderP",): {READ: {A, B, NEW}},
    ("ReaderDefault",): {READ: {DEFAULT}},
    ("WriterB",): {WRITE: {B}},
    ("EraserB",): {DELETE: {B}},
    ("OwnerA",): {action: {A} for action in DataAction},
    ("ReaderA", "EraserB"): {READ: {A}, DELETE: {B}},
    ("ReaderP", "OwnerA"): {READ: {A, B, NEW}} | {action: {A} for action in (WRITE, DELETE, TAGS, EXPORT)},
    ("Keeper", "EraserB"): {READ: EVERYWHERE, WRITE: EVERYWHERE, TAGS: EVERYWHERE, DELETE: {B}},
    ("readera", "Reader", "p-a", "*"): {},
    (): {},
}
"""What callers may do where, by their roles."""


@dataclass(frozen=True, slots=True)
class Place:
    """A partition and whether the path names it."""

    partition: str
    named: bool


ALLOWED = "allowed"
FORBIDDEN = "forbidden"
UNKNOWN = "no such partition"


def expected(route: RegisteredRoute, place: Place | None, grants: Mapping[DataAction, set[str]]) -> str:
    """What comes of a request. ``place`` is None where the function belongs to no partition."""
    if route.name in FREE:
        return ALLOWED
    assert route.action
    where = grants.get(route.action, set())
    if not where or (where != EVERYWHERE and (route.action is TAGS or route.name in UNRESTRICTED)):
        return FORBIDDEN
    if place is None:
        return ALLOWED
    must_exist = place.named and route.name.removesuffix("_in_partition") not in CREATING
    if place.partition in where:
        return ALLOWED if place.partition in EXISTING or not must_exist else UNKNOWN
    return UNKNOWN if must_exist and place.partition not in grants.get(READ, set()) else FORBIDDEN


def outcome(answer: httpx.Response) -> str:
    """What came of a request."""
    if answer.status_code == 403:
        return FORBIDDEN
    if answer.status_code == 400 and (NO_SUCH_PARTITION in answer.text or answer.request.method == "HEAD"):
        return UNKNOWN
    assert answer.status_code < 500, answer.text
    assert answer.status_code != 401
    return ALLOWED


def places(route: RegisteredRoute) -> Iterator[Place | None]:
    """Where a function can be called."""
    if "{partition}" in route.template:
        yield from (Place(partition, named=True) for partition in PLACES)
    elif f"{route.name}_in_partition" in {each.name for each in ROUTES}:
        yield Place(DEFAULT, named=False)
    else:
        yield None


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("roles", GRANTS, ids=lambda roles: "+".join(roles) or "none")
def test_what_comes_of_every_request(roles: tuple[str, ...], callers: Callers, http: httpx.Client) -> None:
    authorization = callers.bearer(*roles)
    nothing = new_identity()
    wrong = [
        f"{each}: {came}, not {due}"
        for route in ROUTES
        for place in places(route)
        for each in asking(route, nothing, place and place.partition)
        if (came := outcome(each.send(http, callers.origin, authorization)))
        != (due := expected(route, place, GRANTS[roles]))
    ]
    assert not wrong


def test_the_matrix_has_every_outcome_for_every_action() -> None:
    found = {
        (route.action, expected(route, place, grants))
        for grants in GRANTS.values()
        for route in ROUTES
        for place in places(route)
    }
    of_partitions = {(action, came) for action in (READ, DELETE) for came in (ALLOWED, FORBIDDEN, UNKNOWN)}
    others = {(action, came) for action in (WRITE, TAGS) for came in (ALLOWED, FORBIDDEN)}
    assert found == of_partitions | others | {(None, ALLOWED)}


@pytest.mark.parametrize("roles", [("ReaderA",), ("OwnerA",), ("ReaderA", "EraserB")])
def test_a_partition_of_others_looks_as_if_it_did_not_exist(
    roles: tuple[str, ...], callers: Callers, kept: dict[str | None, Identity]
) -> None:
    """The very same answers, whether it is there or not, in header and body."""
    api = callers.api(*roles)
    paths = ("/studies", kept["p-b"].path, f"{kept['p-b'].path}/metadata", f"/studies/{kept['p-b'].study}/series")
    for path in paths:
        there, not_there = (api.get(f"/partitions/{name}{path}") for name in (B, NEW))
        shown = [
            (answer.status_code, answer.content, {k: v for k, v in answer.headers.items() if k not in VARYING})
            for answer in (there, not_there)
        ]
        assert shown[0] == shown[1]
        assert there.status_code == 400


VARYING = {"date", "x-request-id"}
"""Headers that differ from answer to answer."""


def test_a_refusal_says_what_is_lacking(callers: Callers) -> None:
    answers = [
        callers.api("DicomDataReader").delete("/studies/1.2.3"),
        callers.api("ReaderA").get("/studies"),
        callers.api("OwnerA").store(b"", path="/partitions/p-b/studies"),
        callers.api("OwnerA").request("POST", "/extendedquerytags", content=b"[]"),
    ]
    for answer in answers:
        assert answer.status_code == 403
        assert answer.json() == {
            "type": "about:blank",
            "title": "Forbidden",
            "status": 403,
            "detail": "Authorization failed.",
        }
        assert answer.headers["www-authenticate"].endswith(', error="insufficient_scope"')
