"""Azurite, Microsoft's stand-in for Blob Storage, as a process of its own."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.server import free_port

HERE = Path(__file__).parent
PROGRAM = HERE / "node_modules" / ".bin" / "azurite-blob"
ACCOUNT = "devstoreaccount1"
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and key that Azurite's documentation publishes."""
START_SECONDS = 60.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Certificate:
    """PEM files of a server's certificate and key."""

    certificate: Path
    key: Path


@dataclass(slots=True)
class Azurite:
    """A blob service that forgets everything when it stops. With a certificate it speaks https and knows identities."""

    log: Path
    certificate: Certificate | None = None
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        scheme = "https" if self.certificate else "http"
        return f"{scheme}://127.0.0.1:{self.port}/{ACCOUNT}"

    @property
    def connection(self) -> str:
        return connection_string(self.endpoint)

    def start(self) -> None:
        assert PROGRAM.exists(), "Azurite is not installed: `make test` does that, or `npm install` in tests/azure."
        command = [str(PROGRAM), "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
        command += ["--silent", "--blobPort", str(self.port)]
        if self.certificate is not None:
            pair = ["--cert", str(self.certificate.certificate), "--key", str(self.certificate.key)]
            command += ["--oauth", "basic", *pair]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self.log.parent, stdout=log, stderr=subprocess.STDOUT)
        self._wait_until_answering()

    def _wait_until_answering(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()
            try:
                httpx.get(self.endpoint, verify=False, timeout=5)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"Azurite does not answer.\n{self.log.read_text()}")

    def stop(self) -> None:
        assert self._process is not None
        self._process.terminate()
        self._process.wait(STOP_SECONDS)


def connection_string(endpoint: str, key: str = KEY) -> str:
    """What DICOM_BLOBS_CONNECTION takes, for the account at an endpoint."""
    scheme = endpoint.partition(":")[0]
    return f"DefaultEndpointsProtocol={scheme};AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={endpoint};"


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """One Azurite for the whole run; tests take containers of their own."""
    server = Azurite(tmp_path_factory.mktemp("azurite") / "azurite.log")
    server.start()
    yield server
    server.stop()
