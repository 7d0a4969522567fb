"""The change feed under fire: many writers, readers at their own pace, what numbers the changes killed throughout."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.api.conftest import in_azure, on_this_machine
from tests.instances import Identity, dataset, new_identity, new_uid, part10
from tests.server import ROOT, RunningServer

WRITERS = 8
SEQUENCERS = 2
SECONDS = 14.0
SERVER_KILLS = (4.0, 9.0)
"""Seconds from the start at which the whole service is killed."""
STUDIES, INSTANCES = 6, 8
SETTLE_SECONDS = 60.0
PAGE = 200

Entry = dict[str, Any]


@pytest.fixture(params=[on_this_machine, in_azure], ids=["folder+sqlite", "azurite+cosmos"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunningServer]:
    server = RunningServer(tmp_path / "data", settings=request.param(request))
    server.start()
    yield server
    server.kill()


@dataclass(slots=True)
class Client:
    """Something that goes on asking the service in a thread of its own, killed or not, until it is told to stop."""

    url: str
    stop: threading.Event
    failures: list[BaseException] = field(default_factory=list)

    def step(self, http: httpx.Client) -> None:
        raise NotImplementedError

    def run(self) -> None:
        try:
            with httpx.Client(timeout=30) as http:
                while not self.stop.is_set():
                    try:
                        self.step(http)
                    except httpx.TransportError:
                        time.sleep(0.05)
        except BaseException as error:  # told by the thread that waits
            self.failures.append(error)


@dataclass(slots=True)
class Writer(Client):
    """Stores, replaces and deletes instances that others store, replace and delete at the same time."""

    identities: list[Identity] = field(default_factory=list)
    choose: random.Random = field(default_factory=random.Random)
    answers: set[int] = field(default_factory=set)

    def step(self, http: httpx.Client) -> None:
        identity = self.choose.choice(self.identities)
        method = self.choose.choices(("POST", "PUT", "DELETE"), weights=(5, 3, 3))[0]
        if method == "DELETE":
            level = self.choose.choices((2, 4, 6), weights=(1, 1, 8))[0]
            answer = http.delete(f"{self.url}/v2/{'/'.join(identity.path.split('/')[1 : level + 1])}")
        else:
            headers = {"Content-Type": "application/dicom"}
            answer = http.request(method, f"{self.url}/v2/studies", content=part10(dataset(identity)), headers=headers)
        self.answers.add(answer.status_code)


@dataclass(slots=True)
class Reader(Client):
    """Follows the feed by its numbers, in pages of its own size and with pauses of its own length."""

    limit: int = 100
    pause: float = 0.0
    seen: list[Entry] = field(default_factory=list)

    def step(self, http: httpx.Client) -> None:
        after = self.seen[-1]["sequence"] if self.seen else 0
        asked = {"offset": after, "limit": self.limit, "includeMetadata": "false", "wait": 1}
        answer = http.get(f"{self.url}/v1/changefeed", params=asked)
        if answer.status_code == 503:
            return
        assert answer.status_code == 200, answer.text
        self.seen += ({name: value for name, value in entry.items() if name != "state"} for entry in answer.json())
        time.sleep(self.pause)


@dataclass(slots=True)
class Sequencer:
    """Processes that number changes, one after the other, each killed a moment after it has begun."""

    settings: dict[str, str]
    stop: threading.Event
    choose: random.Random
    kills: int = 0

    def run(self) -> None:
        command = [sys.executable, "-m", "tests.faults.sequencer"]
        environment = {**os.environ, **self.settings}
        while not self.stop.is_set():
            with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                process.stdout.readline()
                self.stop.wait(self.choose.uniform(0.0, 1.0))
                process.send_signal(signal.SIGKILL)
            self.kills += 1


@contextmanager
def threads(targets: list[Callable[[], None]], stop: threading.Event) -> Iterator[None]:
    running = [threading.Thread(target=target) for target in targets]
    for each in running:
        each.start()
    try:
        yield
    finally:
        stop.set()
        for each in running:
            each.join(SETTLE_SECONDS)


def test_every_reader_sees_the_same_gapless_history_of_what_is_there(server: RunningServer) -> None:
    studies = [new_uid() for _ in range(STUDIES)]
    identities = [new_identity(study, f"{study}.{number % 2}") for study in studies for number in range(INSTANCES)]
    ended, written = threading.Event(), threading.Event()
    readers = [
        Reader(server.url, ended, limit=limit, pause=pause) for limit, pause in ((100, 0.0), (7, 0.01), (33, 0.5))
    ]
    writers = [Writer(server.url, written, identities=identities, choose=random.Random(n)) for n in range(WRITERS)]
    storage = {"DICOM_BLOBS": str(server.data / "blobs"), "DICOM_INDEX": str(server.data / "index.sqlite")}
    sequencers = [Sequencer(storage | server.settings, written, random.Random(n)) for n in range(SEQUENCERS)]
    with threads([reader.run for reader in readers], ended):
        with threads([each.run for each in (*sequencers, *writers)], written):
            began = time.monotonic()
            for moment in SERVER_KILLS:
                time.sleep(max(0.0, began + moment - time.monotonic()))
                server.kill()
                server.start()
            time.sleep(max(0.0, began + SECONDS - time.monotonic()))
        last = settled(server)
        read = eventually(lambda: all(reader.seen and reader.seen[-1]["sequence"] >= last for reader in readers))
    assert not [failure for client in (*readers, *writers) for failure in client.failures]
    assert read, ([len(reader.seen) for reader in readers], last)
    assert sum(sequencer.kills for sequencer in sequencers) > SEQUENCERS
    assert set.union(*(writer.answers for writer in writers)) <= {200, 204, 404, 409, 503}
    histories = [reader.seen for reader in readers]
    assert histories[0] == histories[1] == histories[2]
    assert [entry["sequence"] for entry in histories[0]] == list(range(1, last + 1))
    times = [entry["timestamp"] for entry in histories[0]]
    assert times == sorted(times)
    assert {entry["action"] for entry in histories[0]} == {"Create", "Update", "Delete"}
    assert replayed(histories[0]) == live(server)


def replayed(history: list[Entry]) -> set[Identity]:
    """What is there after all that, each change being one that could be made then."""
    there: set[Identity] = set()
    for entry in history:
        identity = Identity(entry["studyInstanceUid"], entry["seriesInstanceUid"], entry["sopInstanceUid"])
        assert (identity in there) is (entry["action"] != "Create"), entry
        (there.discard if entry["action"] == "Delete" else there.add)(identity)
    return there


def live(server: RunningServer) -> set[Identity]:
    """What searches find."""
    found: set[Identity] = set()
    while True:
        answer = httpx.get(f"{server.url}/v2/instances", params={"limit": PAGE, "offset": len(found)}, timeout=30)
        assert answer.status_code in (200, 204)
        page = answer.json() if answer.status_code == 200 else []
        found |= {Identity(*(each[tag]["Value"][0] for tag in ("0020000D", "0020000E", "00080018"))) for each in page}
        if len(page) < PAGE:
            return found


def settled(server: RunningServer) -> int:
    """The last number, once no change waits for one any more."""
    last, since = -1, time.monotonic()
    deadline = since + SETTLE_SECONDS
    while time.monotonic() < deadline and time.monotonic() - since < 5:
        with suppress(httpx.TransportError):
            answer = httpx.get(f"{server.url}/v2/changefeed/latest", params={"includeMetadata": "false"}, timeout=30)
            if answer.status_code == 200 and answer.json()["sequence"] != last:
                last, since = answer.json()["sequence"], time.monotonic()
        time.sleep(0.2)
    return last


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SETTLE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True
