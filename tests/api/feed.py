"""Reading the change feed over HTTP."""

import time
from typing import Any

from tests.api.client import Api

Entry = dict[str, Any]

NUMBERED_SECONDS = 60.0
"""How long a change may take until it has its number; on one machine it has it at once."""


def entries(api: Api, query: str = "") -> list[Entry]:
    """What ``/changefeed`` answers to a query."""
    answer = api.get(f"/changefeed?{query}")
    assert answer.status_code == 200, answer.text
    found: list[Entry] = answer.json()
    return found


def latest(api: Api, query: str = "") -> Entry:
    """What ``/changefeed/latest`` answers, which has to be an entry."""
    answer = api.get(f"/changefeed/latest?{query}")
    assert answer.status_code == 200, answer.text
    found: Entry = answer.json()
    return found


def numbered(api: Api, query: str, count: int) -> list[Entry]:
    """The entries that a query, without offset, asks for of version 2, once there are so many."""
    deadline = time.monotonic() + NUMBERED_SECONDS
    while len(found := entries(api, f"limit=200&wait=10&{query}")) < count:
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    assert len(found) == count
    return found


def instances(found: list[Entry]) -> list[str]:
    return [entry["sopInstanceUid"] for entry in found]


def sequences(found: list[Entry]) -> list[int]:
    return [entry["sequence"] for entry in found]


def states(found: list[Entry]) -> list[tuple[str, str]]:
    return [(entry["action"], entry["state"]) for entry in found]
