"""The service is taken away in the middle of its work: what it acknowledged is there, and nothing is there by half."""

import io
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread

from tests.faults.writers import Account, Ledger, Writer, content, digest
from tests.instances import Identity, dataset, new_identity, part10
from tests.server import STOP_SECONDS, RunningServer

ROUNDS = 4
WRITERS = 6
PAGE = 200
CTRL_C = (signal.SIGINT, True)
ONE_PROCESS = (signal.SIGTERM, False)
"""A stop as container runtimes ask for it: only the first process is told."""

DataSet = dict[str, Any]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    server = RunningServer(tmp_path / "data")
    server.start()
    yield server
    server.kill()


@contextmanager
def writing(server: RunningServer, seed: int) -> Iterator[list[Writer]]:
    """Writers at work until the block ends, then until the last of them has seen it."""
    writers = [Writer(server.url, seed + number) for number in range(WRITERS)]
    threads = [threading.Thread(target=writer.run) for writer in writers]
    for thread in threads:
        thread.start()
    try:
        yield writers
    finally:
        for writer in writers:
            writer.stop.set()
        for thread in threads:
            thread.join(STOP_SECONDS)
            assert not thread.is_alive()


def merged(writers: list[Writer]) -> Ledger:
    return {identity: account for writer in writers for identity, account in writer.ledger.items()}


def test_a_kill_loses_nothing_acknowledged_and_shows_nothing_by_half(server: RunningServer) -> None:
    seed = time.time_ns() % 1_000_000
    print(f"seed {seed}")
    ledger: Ledger = {}
    for moment in random.Random(seed).sample(range(200, 2000), ROUNDS):
        with writing(server, seed + moment) as writers:
            time.sleep(moment / 1000)
            server.kill()
        assert not {status for writer in writers for status in writer.answers} - {200}
        assert any(writer.answers for writer in writers)
        assert any(account.under_way for account in merged(writers).values()), "the kill interrupted nothing"
        ledger |= merged(writers)
        server.start()
        check(server, ledger)


def test_what_a_kill_interrupted_can_be_sent_again(server: RunningServer) -> None:
    with writing(server, seed=1) as writers:
        time.sleep(0.7)
        server.kill()
    interrupted = [identity for identity, account in merged(writers).items() if account.under_way]
    assert interrupted
    server.start()
    with httpx.Client(base_url=f"{server.url}/v2", timeout=30) as client:
        for identity in interrupted:
            file = part10(dataset(identity))
            stored = client.put("/studies", content=file, headers={"Content-Type": "application/dicom"})
            assert stored.status_code == 200
            assert client.get(identity.path, headers={"Accept": "application/dicom"}).content == file


@pytest.mark.parametrize(("stop_signal", "all_processes"), [CTRL_C, ONE_PROCESS])
def test_a_stop_finishes_the_stores_under_way_and_is_clean(
    server: RunningServer, stop_signal: signal.Signals, all_processes: bool
) -> None:
    slow = SlowStore(server.url)
    with writing(server, seed=2) as writers, ThreadPoolExecutor(1) as pool:
        answer = pool.submit(slow.run)
        assert slow.half_sent.wait(10)
        time.sleep(0.5)
        assert server.stop(stop_signal, all_processes=all_processes) == 0
        assert answer.result().status_code == 200
    assert not {status for writer in writers for status in writer.answers} - {200}
    log = server.log.read_text()
    assert "Traceback" not in log
    assert "ERROR" not in log
    server.start()
    check(server, merged(writers) | slow.ledger)


def test_a_worker_that_dies_is_replaced(server: RunningServer) -> None:
    first, *workers = server.processes()
    with writing(server, seed=3) as writers:
        time.sleep(0.5)
        os.kill(workers[0], signal.SIGKILL)
        assert eventually(lambda: len(set(server.processes()) - {first, *workers}) == 1)
    assert not {status for writer in writers for status in writer.answers} - {200}
    check(server, merged(writers))


class SlowStore:
    """A store that takes a second and a half to send."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.half_sent = threading.Event()
        self.ledger: Ledger = {}

    def run(self) -> httpx.Response:
        identity = new_identity()
        file = content(identity, side=512)
        self.ledger[identity] = Account(acknowledged=digest(file))
        headers = {"Content-Type": "application/dicom"}
        return httpx.post(f"{self._url}/v2/studies", content=self._halves(file), headers=headers, timeout=30)

    def _halves(self, file: bytes) -> Iterator[bytes]:
        half = len(file) // 2
        yield file[:half]
        self.half_sent.set()
        time.sleep(1.5)
        yield file[half:]


def eventually(holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold within some seconds."""
    deadline = time.monotonic() + STOP_SECONDS
    while not (held := holds()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return held


def check(server: RunningServer, ledger: Ledger) -> None:
    """Hold what can be found against what the writers were told."""
    with httpx.Client(base_url=f"{server.url}/v2", timeout=30) as client, ThreadPoolExecutor(4) as pool:
        found = dict(zip(ledger, pool.map(lambda identity: retrieve(client, identity), ledger), strict=True))
        wrong = {
            identity
            for identity, file in found.items()
            if not ledger[identity].allows(None if file is None else digest(file))
        }
        assert not wrong
        visible = {identity: file for identity, file in found.items() if file is not None}
        check_search(client, set(visible))
        check_metadata(client, visible)


def retrieve(client: httpx.Client, identity: Identity) -> bytes | None:
    answer = client.get(identity.path, headers={"Accept": "application/dicom"})
    assert answer.status_code in (200, 404)
    return answer.content if answer.status_code == 200 else None


def check_search(client: httpx.Client, visible: set[Identity]) -> None:
    """Search lists just what can be retrieved, and counts it right, at every level."""
    instances = {Identity(*uids(item)) for item in search(client, "/instances")}
    assert instances == visible
    of_study = Counter(identity.study for identity in visible)
    of_series = Counter((identity.study, identity.series) for identity in visible)
    series_of_study = Counter(study for study, _ in of_series)
    studies = {value(item, "0020000D"): item for item in search(client, "/studies")}
    assert {uid: value(item, "00201208") for uid, item in studies.items()} == of_study
    assert {uid: value(item, "00201206") for uid, item in studies.items()} == series_of_study
    series = {uids(item): value(item, "00201209") for item in search(client, "/series")}
    assert series == of_series


def check_metadata(client: httpx.Client, visible: dict[Identity, bytes]) -> None:
    """Metadata are those of the very content that is retrieved."""
    for study in {identity.study for identity in visible}:
        listed = client.get(f"/studies/{study}/metadata").json()
        labels = {Identity(*uids(item)): value(item, "00700081") for item in listed}
        expected = {
            identity: dcmread(io.BytesIO(file), stop_before_pixels=True).ContentDescription
            for identity, file in visible.items()
            if identity.study == study
        }
        assert labels == expected


def search(client: httpx.Client, path: str) -> list[DataSet]:
    """Every match, page by page."""
    matches: list[DataSet] = []
    while (answer := client.get(path, params={"limit": PAGE, "offset": len(matches)})).status_code == 200:
        matches += answer.json()
    assert answer.status_code == 204
    assert int(answer.headers["X-Total-Count"]) == len(matches)
    return matches


def uids(item: DataSet) -> tuple[str, ...]:
    return tuple(value(item, tag) for tag in ("0020000D", "0020000E", "00080018") if tag in item)


def value(item: DataSet, tag: str) -> Any:
    return item[tag]["Value"][0]
