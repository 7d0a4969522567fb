"""Operations over HTTP (behaviour of the Microsoft DICOM service; listing and cancelling go beyond it)."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.api.client import Api
from tests.api.query_tags.tagging import TAGS, add, entry, remove, wait

UNKNOWN = "0123456789abcdef0123456789abcdef"
WAIT_SECONDS = 60.0

numbers = count(0x1000)


def new_entry() -> dict[str, Any]:
    """A private tag that no other test adds."""
    return entry(f"0021{next(numbers):04X}", vr="LO", privateCreator="TESTS OF OPERATIONS")


@dataclass(frozen=True, slots=True)
class Done:
    """An operation that has ended: the tag it was for, the answer that told of it, its state at first and at last."""

    path: str
    before: datetime
    started: httpx.Response
    first: httpx.Response
    last: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.last["operationId"])


@pytest.fixture(scope="module")
def done(api: Api) -> Iterator[Done]:
    """Made once: an index may take most of a minute to be sure that every process knows of a tag."""
    tag, before = new_entry(), datetime.now(UTC)
    started = add(api, tag)
    first = api.http.get(started.json()["href"])
    yield Done(tag["path"], before, started, first, wait(api, started))
    remove(api, tag["path"])


def canceled(api: Api) -> str:
    """The id of an operation that was cancelled at once; its tag is gone."""
    tag = new_entry()
    operation = str(add(api, tag).json()["id"])
    assert api.delete(f"/operations/{operation}").status_code == 204
    remove(api, tag["path"])
    return operation


def moment(text: str) -> datetime:
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{6}Z", text)
    return datetime.fromisoformat(text)


def test_an_operation_that_was_just_started(api: Api, done: Done) -> None:
    accepted = done.started.json()
    assert accepted["href"] == done.started.headers["location"] == f"{api.base}/operations/{accepted['id']}"
    assert (done.first.status_code, done.first.headers["content-type"]) == (202, "application/json")
    assert done.first.headers["location"] == accepted["href"]
    state = done.first.json()
    assert state["operationId"] == accepted["id"]
    assert state["status"] in ("notStarted", "running")


def test_an_operation_that_has_ended(api: Api, done: Done) -> None:
    state = dict(done.last)
    created, updated = moment(state.pop("createdTime")), moment(state.pop("lastUpdatedTime"))
    assert done.before <= created < updated <= datetime.now(UTC)
    assert state == {
        "operationId": done.started.json()["id"],
        "type": "reindex",
        "status": "succeeded",
        "percentComplete": 100,
        "resources": [f"{api.base}{TAGS}/{done.path}"],
    }
    assert "location" not in api.get(f"/operations/{done.id}").headers


def test_version_1_says_completed(v1: Api, done: Done) -> None:
    state = v1.get(f"/operations/{done.id}").json()
    resources = [f"{v1.base}{TAGS}/{done.path}"]
    assert state == done.last | {"status": "completed", "resources": resources}


FORMS: list[Callable[[str], str]] = [str, str.upper, lambda id_: str(UUID(id_)), lambda id_: str(UUID(id_)).upper()]


@pytest.mark.parametrize("written", FORMS)
def test_an_id_is_a_guid_in_any_form(api: Api, done: Done, written: Callable[[str], str]) -> None:
    assert api.get(f"/operations/{written(done.id)}").json() == done.last


MALFORMED = ["1", UNKNOWN[1:], UNKNOWN + "0", "g" * 32, f"{UNKNOWN[:16]}-{UNKNOWN[16:]}", "%C3%A9", f"{{{UNKNOWN}}}"]


@pytest.mark.parametrize("operation", [UNKNOWN, str(UUID(UNKNOWN)), *MALFORMED])
@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_unknown_and_malformed_ids_are_404(api: Api, method: str, operation: str) -> None:
    answer = api.request(method, f"/operations/{operation}")
    assert answer.status_code == 404
    assert answer.json()["title"] == "Not found"


@pytest.mark.parametrize("path", ["/operations", f"/operations/{UNKNOWN}"])
def test_other_versions_and_methods(api: Api, path: str) -> None:
    assert api.http.get(api.base[:-1] + "3" + path).status_code == 404
    assert api.request("PUT", path).status_code == 405
    assert api.http.get(f"{api.base}/partitions/Microsoft.Default{path}").status_code == 404


def test_erasing_a_removed_tag_is_an_operation(api: Api) -> None:
    canceled(api)
    newest, *_ = api.get("/operations?type=ERASEextendedquerytag&limit=1").json()
    deadline = time.monotonic() + WAIT_SECONDS
    while (answer := api.get(f"/operations/{newest['operationId']}")).status_code == 202:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    state = answer.json()
    assert (state["status"], state["type"]) == ("succeeded", "eraseExtendedQueryTag")
    assert "resources" not in state
    refused = api.delete(f"/operations/{newest['operationId']}")
    assert refused.status_code == 409


def test_lists_are_newest_first_and_paged(api: Api) -> None:
    begun = [canceled(api) for _ in range(3)]
    answer = api.get("/operations?type=reindex")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    listed = answer.json()
    ids = [operation["operationId"] for operation in listed]
    assert ids[:3] == begun[::-1]
    assert {operation["type"] for operation in listed} == {"reindex"}
    assert listed[0] == api.get(f"/operations/{ids[0]}").json()
    for offset in range(3):
        (only,) = api.get(f"/operations?type=reindex&limit=1&offset={offset}").json()
        assert only == listed[offset]
    assert api.get("/operations?offset=100000").json() == []
    created = [operation["createdTime"] for operation in api.get("/operations").json()]
    assert created == sorted(created, reverse=True)


@pytest.mark.parametrize("word", ["succeeded", "completed", "SUCCEEDED"])
def test_lists_of_a_status(api: Api, v1: Api, done: Done, word: str) -> None:
    for service, status in ((api, "succeeded"), (v1, "completed")):
        listed = service.get(f"/operations?status={word}&limit=200").json()
        assert {each["status"] for each in listed} == {status}
        assert done.id in {each["operationId"] for each in listed}
    others = api.get("/operations?status=canceled").json()
    assert done.id not in {each["operationId"] for each in others}


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "The query parameter 'Limit' is invalid. The field Limit must be between 1 and 200."),
        ("limit=201", "The query parameter 'Limit' is invalid. The field Limit must be between 1 and 200."),
        ("offset=-1", "The query parameter 'Offset' is invalid. The field Offset must be 0 or more."),
        (
            "status=done",
            "The query parameter 'Status' is invalid. The field Status takes one of notStarted, running, succeeded, "
            "failed, canceled, completed.",
        ),
        (
            "type=nothing",
            "The query parameter 'Type' is invalid. The field Type takes one of reindex, eraseExtendedQueryTag.",
        ),
    ],
)
def test_lists_that_can_not_be_given(api: Api, query: str, detail: str) -> None:
    answer = api.get(f"/operations?{query}")
    assert (answer.status_code, answer.json()["detail"]) == (400, detail)


def test_cancelling(api: Api) -> None:
    """The tag is left without an operation, and can be deleted."""
    wanted = new_entry()
    path = f"/operations/{add(api, wanted).json()['id']}"
    answer = api.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    state = api.get(path)
    assert (state.status_code, state.json()["status"]) == (200, "canceled")
    assert api.delete(path).status_code == 204, "it is cancelled already"
    assert api.get(path).json() == state.json()
    assert state.json() in api.get("/operations?status=canceled").json()
    tag = api.get(f"{TAGS}/{wanted['path']}").json()
    assert (tag["status"], "operation" in tag) == ("adding", False)
    remove(api, wanted["path"])


def test_what_has_ended_can_not_be_cancelled(api: Api, done: Done) -> None:
    answer = api.delete(f"/operations/{done.id}")
    assert (answer.status_code, answer.json()["detail"]) == (409, "The operation has ended already.")
    assert api.get(f"/operations/{done.id}").json() == done.last


def test_head(api: Api, done: Done) -> None:
    assert api.head(f"/operations/{done.id}").status_code == api.head("/operations").status_code == 200
    assert api.head(f"/operations/{UNKNOWN}").status_code == 404


def test_urls_are_those_that_a_proxy_tells(api: Api, done: Done) -> None:
    told = {"X_Forwarded_Host": "pacs.example", "X_Forwarded_Proto": "https"}
    (resource,) = api.get(f"/operations/{done.id}", **told).json()["resources"]
    assert resource == f"https://pacs.example/v2{TAGS}/{done.path}"
