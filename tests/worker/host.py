"""Runs the service as Azure would: its deployed files, in Microsoft's Python worker, behind a stand-in of the host."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from pathspec import GitIgnoreSpec

from tests.server import ROOT, free_port, open_files

PYTHON = ROOT / ".venv313" / "bin" / "python"
DRIVER = Path(__file__).with_name("driver.py")
START_SECONDS = 60.0
STOP_SECONDS = 20.0


def deployed_files() -> Iterator[Path]:
    """The files that are deployed, relative to the project's folder: what .funcignore leaves."""
    ignored = GitIgnoreSpec.from_lines((ROOT / ".funcignore").read_text().splitlines())
    for folder, folders, files in os.walk(ROOT):
        here = Path(folder).relative_to(ROOT)
        folders[:] = [name for name in folders if not ignored.match_file(f"{here / name}/")]
        yield from (here / name for name in files if not ignored.match_file(here / name))


def sample_settings() -> dict[str, str]:
    """The application settings of local.settings.sample.json."""
    values: dict[str, str] = json.loads((ROOT / "local.settings.sample.json").read_text())["Values"]
    return values


class RunningWorker:
    """The service in a worker process. ``url`` is the origin that clients use; ``options`` are the driver's."""

    def __init__(self, folder: Path, settings: dict[str, str], options: tuple[str, ...] = ()) -> None:
        assert PYTHON.exists(), "There is no .venv313: `make test` makes it, or says what it lacks."
        self.app = folder / "app"
        self.log = folder / "worker.log"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        own = {name: value for name, value in os.environ.items() if not name.startswith(("DICOM_", "PYTHON"))}
        self._options = options
        self._environment = own | sample_settings() | settings
        self._process: subprocess.Popen[bytes] | None = None
        self._admin = httpx.Client(base_url=f"{self.url}/admin", timeout=60.0)

    def start(self) -> None:
        for file in deployed_files():
            (self.app / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, self.app / file)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [PYTHON, DRIVER, *self._options, self.app, str(self.port)],
                cwd=self.app.parent,
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                self.status()
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"The worker did not start.\n{self.log.read_text()}")

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        finally:
            self._process.kill()
            self._admin.close()

    def status(self) -> dict[str, Any]:
        """What the worker answered at start, requests in flight, every failure so far."""
        answer: dict[str, Any] = self._admin.get("host/status").json()
        return answer

    def failures(self) -> list[str]:
        """Invocations that failed and errors that were logged."""
        found: list[str] = self.status()["failures"]
        return found

    def functions(self) -> list[dict[str, Any]]:
        """The functions that the worker indexed."""
        found: list[dict[str, Any]] = self._admin.get("functions").json()
        return found

    def invoke(self, function: str, data: object) -> httpx.Response:
        """Run a function that HTTP doesn't trigger; 200 if it succeeded."""
        return self._admin.post(f"functions/{function}", json=data)

    def memory(self) -> int:
        """Resident bytes."""
        assert self._process is not None
        return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def open_files(self, folder: Path) -> list[str]:
        """The files in a folder that it holds open."""
        assert self._process is not None
        return open_files(self._process.pid, folder)


OPEN = "DICOM_LOCAL_DATA"
"""With this setting, which only the embedded host makes, a service without an issuer lets everyone in."""


@contextmanager
def worker_over(
    folder: Path, data: Path, settings: dict[str, str] | None = None, options: tuple[str, ...] = ()
) -> Iterator[RunningWorker]:
    """A worker that keeps its data in the folder ``data``. ``folder`` takes the deployed files and the log."""
    places = {OPEN: "", "DICOM_BLOBS": "blobs", "DICOM_INDEX": "index.sqlite", "DICOM_INBOX": "inbox"}
    storage = {setting: str(data / place) for setting, place in places.items()}
    worker = RunningWorker(folder, storage | (settings or {}), options)
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()
