"""Files made to exhaust the service: their time and memory are bounded, and other requests go on meanwhile."""

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
import pytest

from tests.api.client import OCTETS, Api
from tests.api.files import DEFLATED, EXPLICIT, by_hand, without_pixels
from tests.api.store_answers import VALIDATION_FAILED, comments, failed, reasons, referenced, uids
from tests.dicom.building import PREAMBLE, explicit, file_meta, item, sequence
from tests.instances import Identity, new_identity
from tests.server import RunningServer

MIB = 1024 * 1024
UNDEFINED = 0xFFFFFFFF
LONGEST_ANSWER = 60.0
LONGEST_WAIT_OF_OTHERS = 10.0
MOST_MEMORY = 2048 * MIB
"""Seconds and bytes, generous, since machines differ: what is not bounded at all goes far beyond."""

CONTENT_SEQUENCE = 0x0040A730


def nested(depth: int) -> bytes:
    """Sequences within sequences, none of which ends."""
    return (explicit(CONTENT_SEQUENCE, "SQ", b"", UNDEFINED) + item(b"", UNDEFINED)) * depth


def nested_with_lengths(depth: int) -> bytes:
    body = b""
    for _ in range(depth):
        body = sequence(CONTENT_SEQUENCE, item(body))
    return body


def empty_elements(count: int) -> bytes:
    """Private elements, each with a tag of its own."""
    return b"".join(explicit(0x00090000 + (number >> 16 << 17) + (number & 0xFFFF), "LO") for number in range(count))


def bomb(identity: Identity, length: int, vr: str = "OB") -> bytes:
    """A deflated file of a thousandth the length of its one large value, which is zeros."""
    header = by_hand(identity).removeprefix(PREAMBLE + file_meta(EXPLICIT)) + explicit(0x00420011, vr, b"", length)
    return PREAMBLE + file_meta(DEFLATED) + block(header) + block(bytes(MIB)) * (length // MIB) + LAST_BLOCK


def block(data: bytes) -> bytes:
    """Deflated so that it ends at a byte and depends on nothing before it."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush(zlib.Z_FULL_FLUSH)


LAST_BLOCK = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()


REFUSED: dict[str, Callable[[Identity], bytes]] = {
    "sequences nested 10,000 deep": lambda identity: by_hand(identity, nested(10_000)),
    "sequences nested 5,000 deep, with lengths": lambda identity: by_hand(identity, nested_with_lengths(5_000)),
    "a text of 4 GB": lambda identity: by_hand(identity, explicit(0x00420010, "UT", b"", 0xFFFFFFFE)),
    "bytes of 4 GB": lambda identity: by_hand(identity, explicit(0x00420011, "OB", b"", 0xFFFFFFFE)),
    "a million items and more": lambda identity: by_hand(identity, sequence(CONTENT_SEQUENCE, item() * 1_100_000)),
    "a deflated text of 1 GB": lambda identity: bomb(identity, 1000 * MIB, "UT"),
    "more than 1 GB deflated": lambda identity: bomb(identity, 1100 * MIB),
}

STORED: dict[str, Callable[[Identity], bytes]] = {
    "a million empty elements": lambda identity: by_hand(identity, empty_elements(900_000)),
    "one element a million times": lambda identity: by_hand(identity, explicit(0x00091010, "LO") * 900_000),
    "a value of a million empty ones": lambda identity: by_hand(identity, explicit(0x00420010, "UC", b"\\" * MIB)),
    "almost 1 GB deflated": lambda identity: bomb(identity, 1000 * MIB),
}


@dataclass(slots=True)
class Strain:
    """The longest wait of other requests, in seconds, and the most memory of all the server's processes, in bytes."""

    wait: float = 0.0
    memory: int = 0


@contextmanager
def watched(server: RunningServer) -> Iterator[Strain]:
    """Send small requests all the while, over several connections, so that every worker gets some."""
    strain, over = Strain(), threading.Event()

    def knock() -> None:
        with httpx.Client(timeout=LONGEST_ANSWER) as client:
            while not over.wait(0.02):
                began = time.monotonic()
                assert client.get(f"{server.url}/v2/partitions").status_code == 200
                strain.wait = max(strain.wait, time.monotonic() - began)
                strain.memory = max(strain.memory, server.memory())

    threads = [threading.Thread(target=knock) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield strain
    finally:
        over.set()
        for thread in threads:
            thread.join()


@contextmanager
def bounded(server: RunningServer) -> Iterator[None]:
    """Fails unless what is done within is done soon, at little cost, and without hindering others."""
    began = time.monotonic()
    with watched(server) as strain:
        yield
    assert time.monotonic() - began < LONGEST_ANSWER
    assert strain.wait < LONGEST_WAIT_OF_OTHERS
    assert strain.memory < MOST_MEMORY


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_beyond_limits_is_refused_with_a_reason(api: Api, server: RunningServer, kind: str) -> None:
    before, bad, after = new_identity(), new_identity(), new_identity()
    file = REFUSED[kind](bad)
    with bounded(server):
        answer = api.store(without_pixels(before), file, without_pixels(after))
    assert answer.status_code == 202
    assert uids(referenced(answer)) == [before.instance, after.instance]
    assert reasons(answer) == [VALIDATION_FAILED]
    assert comments(failed(answer)[0])[0].endswith(".")
    assert api.get(bad.path).status_code == 404


@pytest.mark.parametrize("kind", STORED)
def test_what_is_within_limits_is_stored_and_read(api: Api, server: RunningServer, kind: str) -> None:
    identity = new_identity()
    file = STORED[kind](identity)
    with bounded(server):
        assert api.store(file).status_code in (200, 202)
        assert api.get(identity.path, "application/dicom").content == file
        assert api.get(f"{identity.path}/metadata").json()[0]["00080018"]["Value"] == [identity.instance]


def test_the_last_bytes_of_a_deflated_value(api: Api, server: RunningServer) -> None:
    identity = new_identity()
    api.keep(bomb(identity, 100 * MIB))
    with bounded(server):
        answer = api.get(f"{identity.path}/bulkdata/00420011", OCTETS, Range="bytes=-10")
        assert (answer.status_code, answer.content) == (206, bytes(10))


def test_a_client_that_leaves_in_the_middle_of_an_answer(api: Api, server: RunningServer) -> None:
    """What it does not read is not inflated for it."""
    identity = new_identity()
    api.keep(bomb(identity, 100 * MIB))
    with bounded(server):
        for _ in range(3):
            url = f"{api.base}{identity.path}/bulkdata/00420011"
            with httpx.stream("GET", url, headers={"accept": OCTETS}, timeout=60) as answer:
                assert len(next(answer.iter_bytes(1000))) == 1000
    assert api.get("/partitions").status_code == 200
