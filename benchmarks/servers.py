"""The servers that are measured: this service and Orthanc, each a process of its own over a scratch folder."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
START_SECONDS = 60.0
STOP_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class Usage:
    """CPU seconds that a server's processes have used so far, and the most bytes that they held, added up."""

    cpu: float
    memory: int


class Server:
    """A running DICOMweb server. ``url`` is what resource paths are added to."""

    def __init__(self, name: str, url: str, process: psutil.Process | None = None) -> None:
        self.name = name
        self.url = url
        self.process = process

    def usage(self) -> Usage | None:
        """None of a server that was not started here."""
        if self.process is None:
            return None
        family = [self.process, *self.process.children(recursive=True)]
        spent = [each.cpu_times() for each in family]
        return Usage(sum(each.user + each.system for each in spent), sum(map(_peak, family)))


def _peak(process: psutil.Process) -> int:
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


@contextmanager
def this_service(
    folder: Path, settings: Mapping[str, str] | None = None, options: Sequence[str] = ()
) -> Iterator[Server]:
    """The embedded host with its defaults, over ``folder/data``; ``options`` are further ones of its command line."""
    port = free_port()
    command = [sys.executable, "-m", "local", "--port", str(port), "--data", str(folder / "data"), *options]
    origin = f"http://127.0.0.1:{port}"
    with running(command, folder, f"{origin}/health/check", settings) as process:
        yield Server("this service", f"{origin}/v2", process)


@contextmanager
def orthanc(folder: Path) -> Iterator[Server]:
    """Orthanc with its DICOMweb plugin, with its own defaults. Raises FileNotFoundError if it is not installed."""
    if not PLUGIN.exists():
        raise FileNotFoundError("Orthanc is not here: apt-get install orthanc orthanc-dicomweb")
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    configuration = {
        "StorageDirectory": str(folder / "storage"),
        "HttpPort": port,
        "DicomPort": free_port(),
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "HttpRequestTimeout": 300,
        "KeepAlive": True,
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(configuration))
    origin = f"http://127.0.0.1:{port}"
    with running(["/usr/sbin/Orthanc", str(folder / "orthanc.json")], folder, f"{origin}/system") as process:
        yield Server(f"Orthanc {_version(origin)}", f"{origin}/dicom-web", process)


def _version(origin: str) -> str:
    with urllib.request.urlopen(f"{origin}/system", timeout=5) as answer:
        return str(json.load(answer)["Version"])


def free_port() -> int:
    """A TCP port that nothing listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def running(
    command: Sequence[str], folder: Path, probe: str, settings: Mapping[str, str] | None = None
) -> Iterator[psutil.Process]:
    """A server in a process of its own, which writes to ``folder/log``, from when ``probe`` is answered. It ends, with
    all that it started, when the block does. Raises RuntimeError if it does not start."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(settings or {})},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(started, probe, folder / "log")
        yield psutil.Process(started.pid)
    finally:
        _end(started)


def _end(started: subprocess.Popen[bytes]) -> None:
    """Ask for the end, and make it so if that takes long or the benchmark is interrupted again."""
    try:
        started.send_signal(signal.SIGINT)
        started.wait(STOP_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait()
        if started.stdin is not None:
            started.stdin.close()


def _wait(started: subprocess.Popen[bytes], probe: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while started.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(probe, timeout=5):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"The server did not start:\n{log.read_text(errors='replace')[-2000:]}")
