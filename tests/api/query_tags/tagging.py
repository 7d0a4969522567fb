"""Extended query tags over HTTP: adding them and waiting, instances with private attributes."""

import json
import time
from collections.abc import Mapping
from typing import Any, TypeAlias

import httpx

from tests.api.client import Api
from tests.api.files import written
from tests.instances import Identity, dataset

TAGS = "/extendedquerytags"
WAIT_SECONDS = 180.0
GROUP = 0x0019
CREATOR = "ACME 3.2"

Entry: TypeAlias = dict[str, Any]


def entry(path: str, level: str = "Instance", **further: Any) -> Entry:
    return {"path": path, "level": level, **further}


def private(element: int, vr: str, level: str = "Instance") -> Entry:
    """A tag of ours whose path names a block that no instance has."""
    return entry(private_path(element), level, vr=vr, privateCreator=CREATOR)


def private_path(element: int) -> str:
    return f"{GROUP:04X}AA{element:02X}"


def post(api: Api, body: object) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return api.request("POST", TAGS, content=content, content_type="application/json")


def patch(api: Api, path: str, body: object) -> httpx.Response:
    return api.request("PATCH", f"{TAGS}/{path}", content=json.dumps(body).encode(), content_type="application/json")


def enable(api: Api, path: str) -> None:
    assert patch(api, path, {"queryStatus": "Enabled"}).status_code == 200


def disable(api: Api, path: str) -> None:
    assert patch(api, path, {"queryStatus": "Disabled"}).status_code == 200


def add(api: Api, *entries: Entry) -> httpx.Response:
    """Add tags; they are being indexed when this returns."""
    answer = post(api, list(entries))
    assert answer.status_code == 202, answer.text
    return answer


def wait(api: Api, started: httpx.Response) -> Entry:
    """The operation that an answer to adding tags names, once it has ended."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        answer = api.http.get(started.json()["href"])
        if answer.status_code != 202:
            assert answer.status_code == 200, answer.text
            ended: Entry = answer.json()
            assert ended["status"] == "succeeded", ended
            return ended
        time.sleep(0.1)
    raise AssertionError("The extended query tags were not indexed in time.")


def remove(api: Api, *paths: str) -> None:
    for path in paths:
        answer = api.delete(f"{TAGS}/{path}")
        assert answer.status_code == 204, answer.text


def found(api: Api, query: str) -> set[str]:
    """The UIDs, at the level of the resource, of what a search finds."""
    tag = {"studies": "0020000D", "series": "0020000E", "instances": "00080018"}[query.partition("?")[0]]
    return {match[tag]["Value"][0] for match in api.search(query)}


def detail(answer: httpx.Response) -> str:
    return str(answer.json()["detail"])


def with_private(
    identity: Identity, elements: Mapping[int, tuple[str, Any]], *, blocks_before: int = 0, **attributes: Any
) -> bytes:
    """A file with private attributes of ours, and ``blocks_before`` blocks of others before them, filled likewise."""
    made = dataset(identity, **attributes)
    for creator in (*(f"OTHERS {number}" for number in range(blocks_before)), CREATOR):
        block = made.private_block(GROUP, creator, create=True)
        for element, (vr, value) in elements.items():
            block.add_new(element, vr, value if creator == CREATOR else None)
    return written(made)
