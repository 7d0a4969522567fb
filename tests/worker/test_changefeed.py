"""Waiting for the change feed behind the Functions host."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.instances import dataset, new_identity, part10
from tests.worker.client import DICOM, Client

SOON = 5.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as started:
        yield started


def test_a_change_is_told_as_it_happens(azure: Client, pool: ThreadPoolExecutor) -> None:
    identity = new_identity()
    waiting = pool.submit(azure.ask, "GET", f"/v2/changefeed?study={identity.study}&wait=60")
    time.sleep(1)
    assert not waiting.done()
    assert azure.ask("POST", "/v2/studies", DICOM, part10(dataset(identity))).status == 200
    answer = waiting.result(SOON)
    (entry,) = json.loads(answer.comparable.body)
    assert (answer.status, entry["sopInstanceUid"]) == (200, identity.instance)


def test_what_the_other_host_stores_is_told_too(azure: Client, embedded: Client, pool: ThreadPoolExecutor) -> None:
    identity = new_identity()
    waiting = pool.submit(azure.ask, "GET", f"/v1/changefeed?study={identity.study}&wait=60")
    time.sleep(1)
    assert embedded.ask("POST", "/v2/studies", DICOM, part10(dataset(identity))).status == 200
    (entry,) = json.loads(waiting.result(SOON).comparable.body)
    assert entry["sopInstanceUid"] == identity.instance


def test_both_hosts_tell_the_same(azure: Client, embedded: Client) -> None:
    identity = new_identity()
    assert azure.ask("POST", "/v2/studies", DICOM, part10(dataset(identity))).status == 200
    for path in ("/changefeed", "/changefeed/latest"):
        for query in (f"study={identity.study}", "limit=0", "includeMetadata=x", "study=1.2.3", "wait=0.1&study=1.2.3"):
            asked = f"/v2{path}?{query}"
            assert azure.ask("GET", asked).comparable == embedded.ask("GET", asked).comparable


def test_one_who_goes_away_while_waiting(azure: Client) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{azure.origin}/v2/changefeed?study=1.2.3&wait=2", timeout=0.5)
    time.sleep(2)
    assert azure.ask("GET", "/v2/changefeed?study=1.2.3&wait=0.1").comparable.body == b"[]"
