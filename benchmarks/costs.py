"""What each work costs over Azurite and the stand-in for Cosmos DB: CPU, blob requests and Cosmos round trips.

One client, one worker process, nothing beside: the functions that no request runs are kept from running by holding the
lock that elects who runs them.
"""

import fcntl
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.data import Slice, Template
from benchmarks.servers import Server, this_service
from benchmarks.stand_ins import Blobs, Cosmos, blobs, cosmos
from benchmarks.works import FRAME, JSON
from benchmarks.writing import Writers

LARGE = 100
"""Instances of a large request, and of the series that is read."""
BATCH_BAR = 1 / 20
"""Cosmos batches for each instance of a large request, at most."""
FEW = 5
"""Frames that come again within the time for which their instances are remembered."""
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one thing counted: ``cpu`` in seconds of the service, requests to the blob store by method, round trips to
    Cosmos DB by kind. ``met`` is None where there is no bar."""

    name: str
    counted: str
    cpu: float
    blobs: Mapping[str, float]
    cosmos: Mapping[str, float]
    bar: str = ""
    met: bool | None = None


class _Bench:
    def __init__(self, server: Server, stored: Blobs, index: Cosmos) -> None:
        self.server = server
        self._stored = stored
        self._index = index

    def cost(self, name: str, counted: str, each: int, works: Sequence[Callable[[], object]]) -> Cost:
        """Of works that count ``each`` things apiece."""
        before = self._spent()
        for work in works:
            work()
        after = self._spent()
        count = each * len(works)
        written, asked = after[1] - before[1], after[2] - before[2]
        return Cost(name, counted, (after[0] - before[0]) / count, _shared(written, count), _shared(asked, count))

    def _spent(self) -> tuple[float, Counter[str], Counter[str]]:
        usage = self.server.usage()
        return usage.cpu if usage else 0.0, self._stored.counts(), self._index.counts()

    def store(self, slices: Sequence[Slice]) -> None:
        Writers(self.server.url, 1).store(TEMPLATE, iter([slices]))

    def get(self, path: str, headers: Mapping[str, str] = JSON) -> None:
        url = urlsplit(self.server.url)
        connection = HTTPConnection(url.hostname or "", url.port)
        connection.request("GET", url.path + path, headers=dict(headers))
        answer = connection.getresponse()
        answer.read()
        connection.close()
        if answer.status != 200:
            raise RuntimeError(f"{path} was answered {answer.status}.")


TEMPLATE = Template(128)


def costs(folder: Path, times: int) -> list[Cost]:
    """Do each work so many times and count."""
    with ExitStack() as stack:
        stored = stack.enter_context(blobs(folder / "azurite"))
        index = stack.enter_context(cosmos(folder / "cosmos"))
        stack.enter_context(_no_triggers(folder / "data"))
        settings = {
            "DICOM_BLOBS": "azure:bench",
            "DICOM_BLOBS_CONNECTION": stored.connection,
            "DICOM_INDEX": "cosmos:bench",
            "DICOM_INDEX_CONNECTION": index.connection,
        }
        server = stack.enter_context(this_service(folder, settings, ["--workers", "1"]))
        return list(_costs(_Bench(server, stored, index), times))


@contextmanager
def _no_triggers(data: Path) -> Iterator[None]:
    data.mkdir(parents=True)
    with (data / "triggers.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _costs(bench: _Bench, times: int) -> Iterator[Cost]:
    read = _study(LARGE)
    for warming in (read, _study(1), _study(1)):
        bench.store(warming)
    series = read[0].series_path
    searches = {
        "search studies by PatientID": f"/studies?PatientID={read[0].patient}",
        "search studies, a full page": "/studies?limit=3",
        "search 100 instances of a series": f"{series}/instances?limit=100",
    }
    frames = [partial(bench.get, f"{each.path}/frames/1", FRAME) for each in read[:times]]
    for path in searches.values():
        bench.get(path)

    one = bench.cost("store, one a request", "instance", 1, [lambda: bench.store(_study(1))] * times)
    yield _held(one, "1 blob write", _writes(one) <= 1)
    many = bench.cost("store, 100 a request", "instance", LARGE, [lambda: bench.store(_study(LARGE))] * (times // 10))
    few = _writes(many) <= 1 and many.cosmos.get("batch", 0.0) <= BATCH_BAR
    yield _held(many, "1 blob write, 1/20 batch", few)
    for name, path in searches.items():
        found = bench.cost(name, "search", 1, [partial(bench.get, path)] * times)
        yield _held(found, "1 query", found.cosmos.get("query", 0.0) <= 1)
    yield bench.cost("metadata of a series of 100", "answer", 1, [partial(bench.get, f"{series}/metadata")] * times)
    first = bench.cost("frame of an instance not seen before", "frame", 1, frames)
    yield _held(first, "1 round trip", sum(first.cosmos.values()) <= 1)
    for look in (recent := frames[:FEW]):
        look()
    again = bench.cost("frame of an instance seen before", "frame", 1, recent * 4)
    yield _held(again, "no round trip", not again.cosmos)


def _study(instances: int) -> list[Slice]:
    number = next(_numbers)
    return [Slice(number, each) for each in range(instances)]


def _held(cost: Cost, bar: str, met: bool) -> Cost:
    return replace(cost, bar=bar, met=met)


def _writes(cost: Cost) -> float:
    return cost.blobs.get("PUT", 0.0)


def _shared(counts: Mapping[str, int], count: int) -> dict[str, float]:
    return {kind: calls / count for kind, calls in sorted(counts.items()) if calls}
