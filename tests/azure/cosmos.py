"""The Cosmos DB that tests use: a stand-in, as a process of its own, or an account that the developer names."""

import json
import os
import selectors
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self

import httpx
import pytest

HERE = Path(__file__).parent
PROGRAM = HERE / "cosmos" / "server.mjs"
ENGINE = HERE / "node_modules" / "@zeit" / "cosmosdb-query"
KEY = "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
"""The key that the documentation of Microsoft's emulator publishes."""
ACCOUNT_SETTING = "DICOM_TEST_COSMOS"
START_SECONDS = 60.0
STOP_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class CosmosAccount:
    """Where an account is and the key to it."""

    endpoint: str
    key: str

    @classmethod
    def parse(cls, connection_string: str) -> Self:
        """Read ``AccountEndpoint=...;AccountKey=...;``."""
        fields = dict(part.split("=", 1) for part in connection_string.strip().rstrip(";").split(";"))
        return cls(fields["AccountEndpoint"], fields["AccountKey"])

    @property
    def connection_string(self) -> str:
        return f"AccountEndpoint={self.endpoint};AccountKey={self.key};"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something that goes wrong at the ``nth`` matching call, counted from when it was set, and ``times`` in a row.

    ``kind`` is a kind of operation, such as ``item.batch``; ``item.*`` and ``*`` stand for many. ``container``
    limits it to one. Struck ``before`` the operation, nothing happened; ``after`` it, what was written stays. It
    waits ``delay_ms``, then cuts the connection or answers ``status``; with neither, the operation goes its way.
    ``times`` of None is for good.
    """

    kind: str = "*"
    container: str | None = None
    nth: int = 1
    times: int | None = 1
    when: Literal["before", "after"] = "before"
    status: int | None = None
    substatus: int = 0
    retry_after_ms: int | None = None
    delay_ms: int = 0
    cut: bool = False

    def described(self) -> dict[str, Any]:
        named = {"retry_after_ms": "retryAfterMs", "delay_ms": "delayMs"}
        return {named.get(name, name): value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Count:
    """Calls of one kind of operation: how many, how many of them a fault struck, and the request units of all."""

    calls: int = 0
    faults: int = 0
    units: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """One call. A ``status`` of 0 is a connection that was cut."""

    kind: str
    container: str | None
    status: int
    charge: float
    fault: bool


@dataclass(slots=True)
class CosmosStandIn:
    """A Cosmos DB that forgets everything when it stops. Use ``start``, or it as a context manager."""

    account: CosmosAccount
    _process: subprocess.Popen[str]
    _log: Path
    _control: httpx.Client = field(repr=False)

    @classmethod
    def start(cls, port: int = 0) -> Self:
        """Start one on a port, a free one by default, and wait until it answers."""
        assert shutil.which("node"), "The Cosmos DB stand-in needs node."
        assert ENGINE.exists(), "The stand-in's query engine is missing: `make test` or `npm install` in tests/azure."
        descriptor, log = tempfile.mkstemp(prefix="cosmos-stand-in-", suffix=".log")
        with os.fdopen(descriptor, "w") as errors:
            process = subprocess.Popen(
                ["node", str(PROGRAM), "--port", str(port), "--key", KEY],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        endpoint = f"http://127.0.0.1:{_announced_port(process, Path(log))}"
        control = httpx.Client(base_url=f"{endpoint}/_control/", timeout=30)
        return cls(CosmosAccount(f"{endpoint}/", KEY), process, Path(log), control)

    @property
    def endpoint(self) -> str:
        return self.account.endpoint

    @property
    def key(self) -> str:
        return self.account.key

    @property
    def connection_string(self) -> str:
        return self.account.connection_string

    def faults(self, *faults: Fault) -> None:
        """Let these go wrong from now on, in place of those set before; none at all with no argument."""
        self._ask("PUT", "faults", [fault.described() for fault in faults])

    def counts(self) -> Mapping[str, Count]:
        """What was called since the start, the last ``reset`` or ``forget_counts``, by kind of operation."""
        return {kind: Count(**count) for kind, count in self._ask("GET", "counts").items()}

    def forget_counts(self) -> None:
        self._ask("DELETE", "counts")

    def calls(self) -> Sequence[Call]:
        """The last calls, oldest first."""
        return [Call(**call) for call in self._ask("GET", "calls")]

    def settings(self, *, physical_partitions: int | None = None, refuse_scans: bool | None = None) -> None:
        """How many partition key ranges new containers have; whether filters by paths without an index are refused."""
        wanted = {"physicalPartitions": physical_partitions, "refuseScans": refuse_scans}
        self._ask("PUT", "settings", {name: value for name, value in wanted.items() if value is not None})

    def split(self, database: str, container: str, *, at: str | None = None) -> None:
        """Split the fullest partition key range in two, between its documents or at an effective partition key."""
        where = {} if at is None else {"at": at}
        self._ask("POST", "split", {"database": database, "container": container, **where})

    def reset(self) -> None:
        """Forget all databases, faults and counts and go back to the first settings."""
        self._ask("POST", "reset")

    def stop(self) -> None:
        self._control.close()
        _end(self._process)
        self._log.unlink()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _ask(self, method: str, command: str, body: object = None) -> Any:
        assert self._process.poll() is None, f"The Cosmos DB stand-in ended.\n{self._log.read_text()}"
        response = self._control.request(method, command, json=body)
        assert response.status_code == 200, response.text
        return response.json()


def _announced_port(process: subprocess.Popen[str], log: Path) -> int:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        line = process.stdout.readline() if selector.select(START_SECONDS) else ""
    if not line:
        _end(process)
        raise AssertionError(f"The Cosmos DB stand-in did not start.\n{log.read_text()}")
    port: int = json.loads(line)["port"]
    return port


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    process.wait(STOP_SECONDS)
    for pipe in (process.stdin, process.stdout):
        assert pipe is not None
        pipe.close()


@pytest.fixture(scope="session")
def cosmos_stand_in() -> Iterator[CosmosStandIn]:
    """One stand-in for the whole run; tests take databases of their own and reset what they set."""
    with CosmosStandIn.start() as stand_in:
        yield stand_in


@pytest.fixture(scope="session")
def cosmos_account(request: pytest.FixtureRequest) -> CosmosAccount:
    """The account that DICOM_TEST_COSMOS names, else the stand-in."""
    named = os.environ.get(ACCOUNT_SETTING)
    if named:
        return CosmosAccount.parse(named)
    stand_in: CosmosStandIn = request.getfixturevalue("cosmos_stand_in")
    return stand_in.account
