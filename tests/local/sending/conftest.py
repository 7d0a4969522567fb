"""The command as users run it, a service to send to, and files to send."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.instances import Identity, dataset, new_identity, new_uid, part10
from tests.local.sending.proxy import Proxy, proxy_of
from tests.server import ROOT, RunningServer, running

SECONDS = 90


class Command:
    """``python -m local store`` with a home of its own and one target."""

    def __init__(self, home: Path, url: str, partition: str) -> None:
        self.url = url
        self.partition = partition
        self.environment = {**os.environ, "XDG_STATE_HOME": str(home), "NO_PROXY": "127.0.0.1"}

    def arguments(self, *arguments: object) -> list[str]:
        given = [str(argument) for argument in arguments]
        target = ["--url", self.url, "--partition", self.partition]
        return [sys.executable, "-m", "local", "store", *target, *given]

    def __call__(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.arguments(*arguments),
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def begin(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.arguments(*arguments),
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=heed_interrupts,
        )


def heed_interrupts() -> None:
    """Undo what a shell does to jobs in the background: they ignore interrupts, and so would what they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Service:
    """A partition of the running service, looked at from outside."""

    def __init__(self, server: RunningServer, partition: str) -> None:
        self._base = f"{server.url}/v2/partitions/{partition}"

    def instances(self) -> set[str]:
        """The SOP Instance UIDs of all that it holds."""
        answer = httpx.get(f"{self._base}/instances", params={"limit": 200}, timeout=30)
        if answer.status_code in (204, 400):  # nothing in it, or no such partition
            return set()
        return {found["00080018"]["Value"][0] for found in answer.raise_for_status().json()}

    def get(self, identity: Identity) -> bytes:
        answer = httpx.get(f"{self._base}{identity.path}", headers={"Accept": "application/dicom"}, timeout=30)
        return answer.raise_for_status().content


class Files:
    """Instances written into a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()

    def add(self, name: str, identity: Identity | None = None, **attributes: object) -> Identity:
        chosen = identity or new_identity()
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(part10(dataset(chosen, **attributes)))
        return chosen

    def add_many(self, count: int) -> list[Identity]:
        study = new_uid()
        return [self.add(f"{number:03}.dcm", new_identity(study)) for number in range(count)]


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with running(tmp_path_factory.mktemp("sending") / "data", workers=1) as started:
        yield started


@pytest.fixture
def partition() -> str:
    return f"p-{new_uid()[-40:].replace('.', '')}"


@pytest.fixture
def service(server: RunningServer, partition: str) -> Service:
    return Service(server, partition)


@pytest.fixture
def store(server: RunningServer, partition: str, tmp_path: Path) -> Command:
    return Command(tmp_path / "home", server.url, partition)


@pytest.fixture
def proxy(server: RunningServer) -> Iterator[Proxy]:
    with proxy_of(server.url) as started:
        yield started


@pytest.fixture
def store_by_proxy(proxy: Proxy, partition: str, tmp_path: Path) -> Command:
    return Command(tmp_path / "home", proxy.url, partition)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "files")
