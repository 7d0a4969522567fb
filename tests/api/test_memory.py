"""Large data sets that come at the same time are parsed in turns: the process has memory for one, not for all."""

import json
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.api.client import DICOM_JSON, DICOM_XML, Api
from tests.api.files import DEFLATED, EXPLICIT, by_hand, without_pixels
from tests.api.test_store_metadata_bulk import metadata, send_parts
from tests.dicom.building import PREAMBLE, explicit, file_meta
from tests.instances import Identity, new_identity
from tests.server import RunningServer, running

MIB = 1024 * 1024
AT_ONCE = 6
ELEMENTS = 50_000
MOST_MEMORY = 70 * MIB
"""Of the plain ones each takes about 20 MiB while it is parsed, as JSON twice that."""


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    settings = {"DICOM_MAX_DATASET_MEMORY": str(MIB)}
    with running(tmp_path_factory.mktemp("memory") / "data", workers=1, settings=settings) as started:
        yield started


def tag(number: int) -> int:
    return 0x00090000 + (number >> 15 << 17) + 0x8000 + (number & 0x7FFF)


def large(identity: Identity) -> bytes:
    return by_hand(identity, b"".join(explicit(tag(number), "LO", b"%08d" % number) for number in range(ELEMENTS)))


def deflated(identity: Identity) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = large(identity).removeprefix(PREAMBLE + file_meta(EXPLICIT))
    return PREAMBLE + file_meta(DEFLATED) + compressor.compress(body) + compressor.flush()


def as_json(identity: Identity) -> bytes:
    numbers = range(ELEMENTS // 2)
    many: dict[str, Any] = {f"t{tag(number):08X}": {"vr": "LO", "Value": [str(number)]} for number in numbers}
    return json.dumps([metadata(identity, **many)]).encode()


def store(api: Api, file: bytes) -> httpx.Response:
    return api.store(file)


def store_metadata(api: Api, body: bytes) -> httpx.Response:
    return send_parts(api, DICOM_JSON, (DICOM_JSON, None, body))


@pytest.mark.parametrize(
    ("make", "send"), [(large, store), (deflated, store), (as_json, store_metadata)], ids=["plain", "deflated", "JSON"]
)
def test_together_they_take_little_more_memory_than_one(
    narrow: RunningServer,
    http: httpx.Client,
    make: Callable[[Identity], bytes],
    send: Callable[[Api, bytes], httpx.Response],
) -> None:
    api = Api(http, f"{narrow.url}/v2")
    identities = [new_identity() for _ in range(AT_ONCE)]
    bodies = list(map(make, identities))
    before = narrow.memory()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = [threads.submit(send, api, body) for body in bodies]
        most = before
        while not all(answer.done() for answer in answers):
            most = max(most, narrow.memory())
            time.sleep(0.01)
    assert [answer.result().status_code for answer in answers] == [200] * AT_ONCE
    assert most - before < MOST_MEMORY
    assert all(api.head(identity.path).status_code == 200 for identity in identities)


def test_small_ones_do_not_wait_for_a_large_one(narrow: RunningServer, http: httpx.Client) -> None:
    """One that comes slowly has all the room for as long as it takes."""
    api = Api(http, f"{narrow.url}/v2")
    file, begun, go_on = large(new_identity()), threading.Event(), threading.Event()

    def slowly() -> Iterator[bytes]:
        yield file[: 2 * MIB]
        begun.set()
        go_on.wait(10)
        yield file[2 * MIB :]

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(api.send, slowly(), "application/dicom")
        begun.wait(10)
        time.sleep(0.3)
        second = threads.submit(api.store, large(new_identity()))
        assert api.store(without_pixels()).status_code == 200
        assert api.get("/studies?limit=1", DICOM_XML).status_code == 200
        assert not first.done()
        assert not second.done()
        go_on.set()
        assert first.result().status_code == second.result().status_code == 200
