"""What stands in for Azure: Azurite and the stand-in for Cosmos DB that the tests use, and what each was asked."""

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.servers import ROOT, free_port, running

AZURE = ROOT / "tests" / "azure"
AZURITE = AZURE / "node_modules" / ".bin" / "azurite-blob"
BLOBS_ACCOUNT = "devstoreaccount1"
BLOBS_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
COSMOS_KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
"""The account and keys that the documentation of Microsoft's emulators publishes."""
_REQUEST = re.compile(r'"(?P<method>[A-Z]+) /[^ ]+ HTTP')


class Blobs:
    """A running Azurite. It logs each request as it answers it."""

    def __init__(self, port: int, log: Path) -> None:
        endpoint = f"http://127.0.0.1:{port}/{BLOBS_ACCOUNT}"
        self.connection = (
            f"DefaultEndpointsProtocol=http;AccountName={BLOBS_ACCOUNT};AccountKey={BLOBS_KEY};BlobEndpoint={endpoint};"
        )
        self._log = log

    def counts(self) -> Counter[str]:
        """Requests so far by method."""
        return Counter(found["method"] for found in _REQUEST.finditer(self._log.read_text()))


class Cosmos:
    """A running stand-in for Cosmos DB."""

    def __init__(self, port: int) -> None:
        self._endpoint = f"http://127.0.0.1:{port}/"
        self.connection = f"AccountEndpoint={self._endpoint};AccountKey={COSMOS_KEY};"

    def counts(self) -> Counter[str]:
        """Requests for documents so far by kind, such as ``batch``, ``query`` and ``read``."""
        with urllib.request.urlopen(f"{self._endpoint}_control/counts", timeout=30) as answer:
            kinds = json.load(answer)
        return Counter(
            {kind.removeprefix("item."): count["calls"] for kind, count in kinds.items() if kind.startswith("item.")}
        )

    def one_physical_partition(self) -> None:
        """As small accounts have."""
        body = json.dumps({"physicalPartitions": 1}).encode()
        request = urllib.request.Request(f"{self._endpoint}_control/settings", body, method="PUT")
        urllib.request.urlopen(request, timeout=30).close()


@contextmanager
def blobs(folder: Path) -> Iterator[Blobs]:
    """Azurite, its blobs in memory. Raises FileNotFoundError if it is not installed."""
    if not AZURITE.exists():
        raise FileNotFoundError("Azurite is not here: `make bench` installs it, or `npm install` in tests/azure")
    port = free_port()
    command = [str(AZURITE), "--inMemoryPersistence", "--disableTelemetry", "--skipApiVersionCheck"]
    with running([*command, "--blobPort", str(port)], folder, f"http://127.0.0.1:{port}/{BLOBS_ACCOUNT}"):
        yield Blobs(port, folder / "log")


@contextmanager
def cosmos(folder: Path) -> Iterator[Cosmos]:
    """The stand-in for Cosmos DB, its documents in memory."""
    port = free_port()
    command = ["node", str(AZURE / "cosmos" / "server.mjs"), "--port", str(port), "--key", COSMOS_KEY]
    with running(command, folder, f"http://127.0.0.1:{port}/_control/counts"):
        found = Cosmos(port)
        found.one_physical_partition()
        yield found
