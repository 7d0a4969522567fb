"""Operations over HTTP (behaviour of the Microsoft DICOM service; listing and cancelling go beyond it)."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.api.client import Api
from tests.api.files import without_pixels

WAIT_SECONDS = 60.0
TAGS = "/extendedquerytags"
UNKNOWN = "0123456789abcdef0123456789abcdef"
elements = (f"0021{number:04X}" for number in count(0x1000))


def tag_request() -> dict[str, str]:
    """A private tag that no other test adds."""
    return {"path": next(elements), "vr": "LO", "level": "instance", "privateCreator": "TESTS OF OPERATIONS"}


def add(api: Api, *asked: dict[str, str]) -> httpx.Response:
    """Add tags, once no others are being indexed."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (answer := post(api, asked)).status_code == 409 and time.monotonic() < deadline:
        time.sleep(0.2)
    assert answer.status_code == 202, answer.text
    return answer


def post(api: Api, asked: object) -> httpx.Response:
    return api.http.post(api.base + TAGS, json=asked)


def ended(api: Api, path: str) -> dict[str, Any]:
    """The operation's last state, once it has one."""
    deadline = time.monotonic() + WAIT_SECONDS
    while (answer := api.get(path)).status_code == 202 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert answer.status_code == 200
    state: dict[str, Any] = answer.json()
    return state


@pytest.fixture
def asked(api: Api) -> Iterator[dict[str, str]]:
    """A tag to add, which is removed afterwards."""
    wanted = tag_request()
    yield wanted
    deadline = time.monotonic() + WAIT_SECONDS
    while api.delete(f"{TAGS}/{wanted['path']}").status_code == 400 and time.monotonic() < deadline:
        time.sleep(0.2)


@pytest.fixture
def started(api: Api, asked: dict[str, str]) -> str:
    """The path of the operation that indexes the tag."""
    operation = add(api, asked).json()["id"]
    return f"/operations/{operation}"


def moment(text: str) -> datetime:
    assert re.fullmatch(r"[0-9-]{10}T[0-9:]{8}\.[0-9]{6}Z", text)
    return datetime.fromisoformat(text)


def test_an_operation_from_its_start_to_its_end(api: Api, asked: dict[str, str]) -> None:
    before = datetime.now(UTC)
    answer = add(api, asked)
    accepted = answer.json()
    assert accepted["href"] == answer.headers["location"] == f"{api.base}/operations/{accepted['id']}"

    answer = api.http.get(accepted["href"])
    assert (answer.status_code, answer.headers["content-type"]) == (202, "application/json")
    assert answer.headers["location"] == accepted["href"]
    state = answer.json()
    assert state["status"] in ("notStarted", "running")
    assert state["operationId"] == accepted["id"]

    state = ended(api, f"/operations/{accepted['id']}")
    created, updated = moment(state.pop("createdTime")), moment(state.pop("lastUpdatedTime"))
    assert before <= created < updated <= datetime.now(UTC)
    assert state == {
        "operationId": accepted["id"],
        "type": "reindex",
        "status": "succeeded",
        "percentComplete": 100,
        "resources": [f"{api.base}{TAGS}/{asked['path']}"],
    }
    assert "location" not in api.get(f"/operations/{accepted['id']}").headers


def test_version_1_says_completed(api: Api, v1: Api, started: str) -> None:
    assert ended(v1, started)["status"] == "completed"
    assert ended(api, started)["status"] == "succeeded"
    (resource,) = ended(v1, started)["resources"]
    assert resource.startswith(v1.base)


@pytest.mark.parametrize(
    "written", [str, str.upper, lambda found: str(UUID(found)), lambda found: str(UUID(found)).upper()]
)
def test_an_id_is_a_guid_in_any_form(api: Api, started: str, written: Any) -> None:
    operation = started.rpartition("/")[2]
    answer = api.get(f"/operations/{written(operation)}")
    assert answer.json()["operationId"] == operation
    if answer.status_code == 202:
        assert answer.headers["location"] == f"{api.base}/operations/{operation}"


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
    wanted = tag_request()
    ended(api, f"/operations/{add(api, wanted).json()['id']}")
    assert api.delete(f"{TAGS}/{wanted['path']}").status_code == 204
    newest, *_ = api.get("/operations?type=ERASEextendedquerytag&limit=1").json()
    state = ended(api, f"/operations/{newest['operationId']}")
    assert (state["status"], state["type"]) == ("succeeded", "eraseExtendedQueryTag")
    assert "resources" not in state


def test_lists_are_newest_first_and_paged(api: Api, v1: Api) -> None:
    begun = []
    for wanted in (tag_request(), tag_request(), tag_request()):
        begun.append(add(api, wanted).json()["id"])
        ended(api, f"/operations/{begun[-1]}")
        api.delete(f"{TAGS}/{wanted['path']}")
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
def test_lists_of_a_status(api: Api, v1: Api, started: str, word: str) -> None:
    operation = ended(api, started)["operationId"]
    for service, status in ((api, "succeeded"), (v1, "completed")):
        listed = service.get(f"/operations?status={word}&limit=200").json()
        assert {each["status"] for each in listed} == {status}
        assert operation in {each["operationId"] for each in listed}
    others = api.get("/operations?status=notStarted").json()
    assert operation not in {each["operationId"] for each in others}


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


def test_cancelling(api: Api, partition: Api, asked: dict[str, str]) -> None:
    """The tag is left without an operation, and can be deleted."""
    partition.keep(without_pixels())
    path = f"/operations/{add(api, asked).json()['id']}"
    answer = api.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    state = api.get(path)
    assert (state.status_code, state.json()["status"]) == (200, "canceled")
    assert api.delete(path).status_code == 204, "it is cancelled already"
    tag = api.get(f"{TAGS}/{asked['path']}").json()
    assert (tag["status"], "operation" in tag) == ("adding", False)
    assert state.json()["operationId"] in {
        each["operationId"] for each in api.get("/operations?status=canceled").json()
    }
    assert api.delete(f"{TAGS}/{asked['path']}").status_code == 204


def test_what_has_ended_can_not_be_cancelled(api: Api, started: str) -> None:
    state = ended(api, started)
    answer = api.delete(started)
    assert (answer.status_code, answer.json()["detail"]) == (409, "The operation has ended already.")
    assert api.get(started).json() == state


def test_head(api: Api, started: str) -> None:
    ended(api, started)
    assert api.head(started).status_code == api.head("/operations").status_code == 200
    assert api.head(f"/operations/{UNKNOWN}").status_code == 404


def test_urls_are_those_that_a_proxy_tells(api: Api, started: str) -> None:
    ended(api, started)
    (resource,) = api.get(started, X_Forwarded_Host="pacs.example", X_Forwarded_Proto="https").json()["resources"]
    assert resource.startswith(f"https://pacs.example/v2{TAGS}/")
