"""One measurement: a load of some seconds on a server, what it came to, and what the server spent on it."""

import itertools
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.data import SLICES, Slice, Template, study
from benchmarks.reading import read
from benchmarks.servers import Server, Usage
from benchmarks.writing import Writers

BESIDE = 20.0
"""Instances a second that another client stores beside a load."""
_fresh = itertools.count(1_000_000)
"""Numbers of studies that nothing reads."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One work on one server. Times are in seconds, ``rate`` in what the work counts, per second, ``memory`` in bytes.

    ``cpu`` is the server's CPU seconds for each thing counted. Both are None of a server started elsewhere.
    """

    rate: float
    p50: float
    p99: float
    cpu: float | None
    memory: int | None


def percentile(values: Sequence[float], part: float) -> float:
    """Of values in any order; ``part`` is between 0 and 1."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def measured_reads(server: Server, paths: Sequence[str], headers: Mapping[str, str], seconds: float) -> Measured:
    """GET the paths, one after the other and again."""
    origin, _, root = server.url.rpartition("/")
    before = server.usage()
    found = read(origin, [f"/{root}{path}" for path in paths], headers, seconds)
    return _measured(server, before, found.requests, found.seconds, found.p50, found.p99)


def measured_stores(server: Server, side: int, together: int, seconds: float) -> Measured:
    """Store slices of that side, so many with each request."""
    template = Template(side)
    before = server.usage()
    written = Writers(server.url).store(template, _groups(together), seconds)
    middle, high = (percentile(written.latencies, part) for part in (0.5, 0.99))
    return _measured(server, before, written.instances, written.seconds, middle, high)


def _groups(together: int) -> Iterator[Sequence[Slice]]:
    for number in _fresh:
        slices = study(number)
        for start in range(0, SLICES, together):
            yield slices[start : start + together]


def _measured(server: Server, before: Usage | None, count: int, seconds: float, p50: float, p99: float) -> Measured:
    after = server.usage()
    if after is None or before is None:
        return Measured(count / seconds, p50, p99, None, None)
    return Measured(count / seconds, p50, p99, (after.cpu - before.cpu) / count, after.memory)


def store_one(server: Server) -> None:
    """Change the archive a little: whatever was kept because nothing changed is out of date then."""
    Writers(server.url, 1).store(Template(32), iter([[Slice(next(_fresh), 0)]]))


@contextmanager
def storing_beside(server: Server) -> Iterator[None]:
    """While the block runs, another client stores small instances, ``BESIDE`` a second."""
    stop = threading.Event()
    template = Template(32)

    def paced() -> Iterator[Sequence[Slice]]:
        began = time.perf_counter()
        for number in itertools.count():
            if stop.wait(max(0.0, began + number / BESIDE - time.perf_counter())):
                return
            yield [Slice(next(_fresh), 0)]

    writer = threading.Thread(target=Writers(server.url, 1).store, args=(template, paced()))
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()
