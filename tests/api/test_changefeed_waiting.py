"""Requests that wait for the change feed to grow."""

import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest

from tests.api.client import Api, request_head
from tests.api.feed import Entry, entries, instances, latest, numbered
from tests.api.files import without_pixels
from tests.instances import Identity, new_identity, new_uid
from tests.server import RunningServer

READERS = 60
SOON = 5.0
"""Seconds in which all have heard of a change, on a busy machine, with a second for its number on Cosmos DB."""

Ask = Callable[[str], "Future[list[Entry]]"]


@pytest.fixture
def ask(api: Api) -> Iterator[Ask]:
    """Asks for entries in a thread and over a connection of its own, so that any worker may answer."""
    with ThreadPoolExecutor(READERS) as pool:

        def request(query: str) -> list[Entry]:
            with httpx.Client(timeout=90) as client:
                return entries(Api(client, api.base), query)

        yield lambda query: pool.submit(request, query)


def keep(api: Api, study: str | None = None) -> Identity:
    identity = new_identity(study)
    api.keep(without_pixels(identity))
    return identity


def timed(api: Api, query: str) -> tuple[list[Entry], float]:
    began = time.monotonic()
    return entries(api, query), time.monotonic() - began


def test_what_is_there_is_answered_at_once(api: Api) -> None:
    identity = keep(api)
    numbered(api, f"study={identity.study}", 1)
    found, seconds = timed(api, f"study={identity.study}&wait=60")
    assert instances(found) == [identity.instance]
    assert seconds < SOON


def test_time_passes_where_nothing_happens(api: Api, v1: Api) -> None:
    for version in (api, v1):
        found, seconds = timed(version, f"study={new_uid()}&wait=1.5")
        assert found == []
        assert 1.5 <= seconds < 1.5 + SOON


def test_a_change_is_told_as_it_happens(api: Api, ask: Ask) -> None:
    study = new_uid()
    waiting = [ask(f"study={study}&wait=60") for _ in range(4)]
    time.sleep(1)
    assert not any(each.done() for each in waiting)
    identity = keep(api, study)
    began = time.monotonic()
    assert [instances(each.result()) for each in waiting] == [[identity.instance]] * 4
    assert time.monotonic() - began < SOON


def test_many_hear_of_it_together(api: Api, ask: Ask) -> None:
    study = new_uid()
    waiting = [ask(f"study={study}&wait=60") for _ in range(READERS)]
    time.sleep(2)
    identity = keep(api, study)
    began = time.monotonic()
    assert [instances(each.result()) for each in waiting] == [[identity.instance]] * READERS
    assert time.monotonic() - began < SOON


def test_what_does_not_match_is_waited_past(api: Api, ask: Ask, partition: Api) -> None:
    name = partition.base.rpartition("/")[2]
    waiting = ask(f"partition={name}&action=delete&wait=60")
    identity = keep(partition)
    keep(api)
    numbered(api, f"partition={name}", 1)
    time.sleep(1)
    assert not waiting.done()
    assert partition.delete(identity.path).status_code == 204
    (entry,) = waiting.result()
    assert (entry["action"], entry["sopInstanceUid"]) == ("Delete", identity.instance)


def test_version_1_waits_past_its_offset(api: Api, v1: Api) -> None:
    study = new_uid()
    keep(api, study)
    numbered(api, f"study={study}", 1)
    seen = latest(api)["sequence"]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(entries, v1, f"offset={seen}&wait=30")
        time.sleep(1)
        assert not waiting.done()
        identity = keep(api, study)
        first, *_ = waiting.result()
    assert (first["sequence"], first["sopInstanceUid"]) == (seen + 1, identity.instance)


def test_version_2_waits_past_its_rows(api: Api, ask: Ask) -> None:
    study = new_uid()
    for _ in range(2):
        keep(api, study)
    numbered(api, f"study={study}", 2)
    waiting = ask(f"study={study}&offset=2&wait=60")
    time.sleep(1)
    assert not waiting.done()
    identity = keep(api, study)
    assert instances(waiting.result()) == [identity.instance]


def test_a_window_that_is_over_is_not_waited_for(api: Api) -> None:
    found, seconds = timed(api, f"study={new_uid()}&endTime=2024-02-29T12:00:00Z&wait=60")
    assert found == []
    assert seconds < SOON
    end = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    found, seconds = timed(api, f"study={new_uid()}&endTime={end}&wait=60")
    assert found == []
    assert seconds < 2 + SOON


def test_head_waits_too(api: Api) -> None:
    answer = api.head(f"/changefeed?study={new_uid()}&wait=0.5")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.elapsed > timedelta(seconds=0.5)


def test_those_who_go_away_leave_nothing_behind(api: Api, server: RunningServer) -> None:
    for _ in range(READERS):
        with socket.create_connection(("127.0.0.1", server.port), 60) as opened:
            opened.sendall(request_head("GET", f"/v2/changefeed?study={new_uid()}&wait=60"))
    waited = timed(api, f"study={new_uid()}&wait=1")
    assert waited[0] == []
    assert waited[1] >= 1
    assert "Traceback" not in server.log.read_text()
    assert "never retrieved" not in server.log.read_text()


def test_a_follower_sees_each_change_once(api: Api, v1: Api, partition: Api) -> None:
    """As a reader does that keeps the last number it has seen, and never asks what time it is."""
    name, seen, count = partition.base.rpartition("/")[2], latest(api)["sequence"], 12
    with ThreadPoolExecutor(1) as pool:
        storing = pool.submit(lambda: [keep(partition) for _ in range(count)])
        followed: list[Entry] = []
        while len(followed) < count:
            followed += entries(v1, f"partition={name}&offset={seen}&limit=5&wait=30")
            seen = followed[-1]["sequence"]
        stored = storing.result()
    assert instances(followed) == [identity.instance for identity in stored]
    assert entries(v1, f"partition={name}&offset={seen}&wait=0.5") == []


def test_an_unknown_partition_is_waited_for(api: Api, ask: Ask) -> None:
    name = f"later-{uuid4().hex}"
    waiting = ask(f"partition={name}&wait=60")
    identity = keep(Api(api.http, f"{api.base}/partitions/{name}"))
    assert instances(waiting.result()) == [identity.instance]
