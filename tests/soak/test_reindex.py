"""Indexing a large archive by new extended query tags, while others store and the power fails."""

import asyncio
import shutil
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import orjson
import pytest
from pydicom.data import get_testdata_file

from shared.dicom.matching import level_dataset, match_values
from shared.dicom.model import Level
from shared.dicom.scanner import Scanner
from shared.storage.blobs.names import InstanceBlob
from shared.storage.index.model import DEFAULT_PARTITION, Attributes, InstanceKey, InstanceRecord
from shared.storage.index.port import CommitMode
from shared.storage.index.sqlite import SqliteIndex
from shared.storage.versions import new_version
from tests.instances import Identity, dataset, new_uid, part10
from tests.server import RunningServer

pytestmark = pytest.mark.soak

INSTANCES = 50_000
IN_STUDY = 100
IN_SERIES = 25
NUMBERS = 1_000
"""How many values the instances have for Acquisition Number, as many instances for each."""
AGES = 100
BATCH = 500
STORING_THREADS = 4
MEASURED_SECONDS = 10.0
FINISH_SECONDS = 240.0
LEAST_RATE = 0.6
"""Of the rate of stores without a reindex, that with one. It is made for nine tenths; other work disturbs this."""
FIRST_NEW = 1_000_000

TAGS = [
    {"path": "AcquisitionNumber", "level": "instance"},
    {"path": "PatientAge", "level": "study"},
]


class Archive:
    """Instances as a CT's in an index, without their files."""

    def __init__(self) -> None:
        path = get_testdata_file("CT_small.dcm")
        scanner = Scanner()
        scanner.feed(Path(str(path)).read_bytes())
        self._dataset = dict(scanner.finish().dataset)
        self._root = new_uid()[:40].rstrip(".")

    async def write(self, index: Path) -> None:
        opened = SqliteIndex(index)
        await opened.open()
        for start in range(0, INSTANCES, BATCH):
            records = [self._record(number) for number in range(start, start + BATCH)]
            await opened.commit(records, CommitMode.CREATE, 0)
        await opened.close()

    def _record(self, number: int) -> InstanceRecord:
        study, series = f"{self._root}.{number // IN_STUDY}", f"{self._root}.{number // IN_STUDY}.{number // IN_SERIES}"
        told = self._dataset | {
            "00080018": {"vr": "UI", "Value": [f"{series}.{number}"]},
            "0020000D": {"vr": "UI", "Value": [study]},
            "0020000E": {"vr": "UI", "Value": [series]},
            "00101010": {"vr": "AS", "Value": [age(number // IN_STUDY)]},
            "00200012": {"vr": "IS", "Value": [number % NUMBERS]},
        }
        version = new_version()
        return InstanceRecord(
            key=InstanceKey(DEFAULT_PARTITION, study, series, f"{series}.{number}"),
            version=version,
            blob=InstanceBlob(DEFAULT_PARTITION, version, CommitMode.CREATE, 2).name,
            length=40_000,
            transfer_syntax="1.2.840.10008.1.2.1",
            metadata=zlib.compress(orjson.dumps(told), 1),
            layout=b"",
            levels={level: Attributes(level_dataset(told, level), match_values(told, level)) for level in Level},
        )


def age(number: int) -> str:
    return f"{number % AGES:03}Y"


@dataclass
class Stores:
    """Stores one instance after the other, each a study of its own, in several threads."""

    server: RunningServer
    kept: list[int] = field(default_factory=list)
    """The Acquisition Numbers of what was acknowledged."""
    _stop: Event = field(default_factory=Event)

    def __post_init__(self) -> None:
        identity = Identity(*(f"{new_uid()[:40].rstrip('.')}.1000000" for _ in range(3)))
        self._template = part10(dataset(identity, AcquisitionNumber=9999999, PatientAge="200Y"))
        self._parts = [part[:-7] for part in (identity.study, identity.series, identity.instance)]
        self._next = FIRST_NEW

    @contextmanager
    def under_way(self) -> Iterator[None]:
        self._stop.clear()
        with ThreadPoolExecutor(STORING_THREADS) as pool:
            storing = [pool.submit(self._work) for _ in range(STORING_THREADS)]
            try:
                yield
            finally:
                self._stop.set()
        for each in storing:
            each.result()

    def rate(self) -> float:
        """Instances stored in a second, measured while they are under way."""
        before, began = len(self.kept), time.monotonic()
        time.sleep(MEASURED_SECONDS)
        return (len(self.kept) - before) / (time.monotonic() - began)

    def _work(self) -> None:
        with httpx.Client(timeout=60) as client:
            while not self._stop.is_set():
                self._next += 1
                number = self._next
                try:
                    answer = client.post(
                        f"{self.server.url}/v2/studies",
                        content=self._file(number),
                        headers={"Content-Type": "application/dicom"},
                    )
                except httpx.TransportError:
                    time.sleep(0.1)
                    continue
                assert answer.status_code == 200, answer.text
                self.kept.append(number)

    def _file(self, number: int) -> bytes:
        file = self._template.replace(b"9999999 ", f"{number} ".encode())
        for part in self._parts:
            file = file.replace(f"{part}1000000".encode(), f"{part}{number}".encode())
        return file


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    data = tmp_path_factory.mktemp("reindex") / "data"
    data.mkdir()
    began = time.monotonic()
    asyncio.run(Archive().write(data / "index.sqlite"))
    print(f"\n{INSTANCES} instances written in {time.monotonic() - began:.0f} s")
    server = RunningServer(data, workers=2)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(data, ignore_errors=True)


def test_a_large_archive_is_indexed_while_others_store_and_the_power_fails(server: RunningServer) -> None:
    stores = Stores(server)
    with client_of(server) as client:
        with stores.under_way():
            without = stores.rate()
            operation = add_tags(client)
            beside = stores.rate()
            slow = state(client, operation)
        assert slow["status"] == "running"
        wait_for(client, operation, percent=40)
    server.kill()
    server.start()
    began = time.monotonic()
    with client_of(server) as client:
        left = state(client, operation)
        assert left["status"] == "running"
        assert left["percentComplete"] >= 40
        wait_for(client, operation, percent=left["percentComplete"] + 1)
        resumed = time.monotonic() - began
        with stores.under_way():
            time.sleep(2)
        wait_for(client, operation, percent=100)
        finished = time.monotonic() - began
        with stores.under_way():
            after = stores.rate()
        assert_found(client, stores)
    print(
        f"stores a second: {without:.0f} before, {beside:.0f} while indexing ({slow['percentComplete']} % done in "
        f"{MEASURED_SECONDS:.0f} s), {after:.0f} after; killed at {left['percentComplete']} %, "
        f"went on after {resumed:.0f} s, finished after {finished:.0f} s"
    )
    assert beside >= LEAST_RATE * min(without, after)


def client_of(server: RunningServer) -> httpx.Client:
    return httpx.Client(base_url=f"{server.url}/v2", timeout=60)


def assert_found(client: httpx.Client, stores: Stores) -> None:
    assert count(client, "studies?limit=1") == INSTANCES // IN_STUDY + len(stores.kept)
    for number in range(NUMBERS):
        assert count(client, f"instances?AcquisitionNumber={number}&limit=1") == INSTANCES // NUMBERS
    for number in range(AGES):
        assert count(client, f"studies?PatientAge={age(number)}&limit=1") == INSTANCES // IN_STUDY // AGES
    assert count(client, "studies?PatientAge=200Y&limit=1") == len(stores.kept) > 100
    for number in stores.kept[:: len(stores.kept) // 100]:
        assert count(client, f"instances?AcquisitionNumber={number}") == 1


def add_tags(client: httpx.Client) -> str:
    answer = client.post("/extendedquerytags", json=TAGS)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def state(client: httpx.Client, operation: str) -> dict[str, Any]:
    answer = client.get(f"/operations/{operation}")
    assert answer.status_code in (200, 202), answer.text
    found: dict[str, Any] = answer.json()
    return found


def wait_for(client: httpx.Client, operation: str, percent: int) -> None:
    """Wait until so much is done, or all."""
    deadline = time.monotonic() + FINISH_SECONDS
    while (found := state(client, operation))["status"] in ("notStarted", "running"):
        if found.get("percentComplete", 0) >= percent and percent < 100:
            return
        assert time.monotonic() < deadline, found
        time.sleep(0.05)
    assert found["status"] == "succeeded", found


def count(client: httpx.Client, query: str) -> int:
    answer = client.get(f"/{query}")
    assert answer.status_code in (200, 204), answer.text
    return int(answer.headers["X-Total-Count"])
