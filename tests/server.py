"""Runs the embedded host as users do: a process of its own, spoken to over HTTP."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

ROOT = Path(__file__).parent.parent
START_SECONDS = 60.0
STOP_SECONDS = 40.0


def open_files(process: int, folder: Path) -> list[str]:
    """The files in a folder that a process holds open."""
    found = []
    for link in Path(f"/proc/{process}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(link.readlink()))
    return [path for path in found if path.startswith(str(folder))]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class RunningServer:
    """A server over a data folder. ``url`` is its origin, such as ``http://127.0.0.1:1234``."""

    def __init__(
        self, data: Path, workers: int = 2, settings: dict[str, str] | None = None, host: str = "127.0.0.1"
    ) -> None:
        self.data = data
        self.host = host
        self.workers = workers
        self.settings = settings or {}
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data.with_name(f"{data.name}-{self.port}.log")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "local",
            "--host",
            self.host,
            "--port",
            str(self.port),
            "--data",
            str(self.data),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--workers", str(self.workers)],
                cwd=ROOT,
                env={**os.environ, **self.settings},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait_until_healthy()

    def _wait_until_healthy(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            try:
                if httpx.get(f"{self.url}/health/check", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"The server did not become healthy.\n{self.log.read_text()}")

    def stop(self, stop_signal: signal.Signals = signal.SIGINT, *, all_processes: bool = False) -> int:
        """Ask it to stop; gives the exit status. Ctrl-C and systemd signal all its processes, others the first one."""
        assert self._process is not None
        if all_processes:
            os.killpg(self._process.pid, stop_signal)
        else:
            self._process.send_signal(stop_signal)
        return self._process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Take all its processes away at once, as a power cut would."""
        assert self._process is not None
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(STOP_SECONDS)

    def processes(self) -> list[int]:
        """The process and its workers."""
        assert self._process is not None
        found = subprocess.run(["ps", "-o", "pid=", "-g", str(self._process.pid)], capture_output=True, check=True)
        return [int(pid) for pid in found.stdout.split()]

    def open_files(self, folder: Path) -> list[str]:
        """The files in a folder that its processes hold open."""
        return [path for process in self.processes() for path in open_files(process, folder)]

    def memory(self) -> int:
        """Resident bytes of all its processes, memory they share counted once for each."""
        pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in self.processes())
        return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def running(data: Path, workers: int = 2, settings: dict[str, str] | None = None) -> Iterator[RunningServer]:
    server = RunningServer(data, workers, settings)
    server.start()
    try:
        yield server
    finally:
        server.stop()
