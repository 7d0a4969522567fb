"""What is measured side by side, and the ratio to Orthanc that each is held to."""

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.data import SLICES, Slice, Template, study
from benchmarks.reading import read
from benchmarks.servers import Server, Usage
from benchmarks.writing import Writers

JSON = {"Accept": "application/dicom+json"}
GZIP = {**JSON, "Accept-Encoding": "gzip"}
FRAME = {"Accept": 'multipart/related; type="application/octet-stream"'}
INSTANCES = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


@dataclass(frozen=True, slots=True)
class Setup:
    """How much is done: ``studies`` are there when reads begin; ``seconds`` is how long each work goes on."""

    studies: int
    seconds: float
    frames: int

    @property
    def slices(self) -> list[Slice]:
        return [each for number in range(1, self.studies + 1) for each in study(number)]


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


@dataclass(frozen=True, slots=True)
class Work:
    """One row of the table. ``bar`` is the least ratio to Orthanc's rate, None if none is set."""

    name: str
    unit: str
    bar: float | None
    run: Callable[[Server, Setup], Measured] = field(repr=False)


def fill(server: Server, setup: Setup) -> None:
    """Store what the reads look at."""
    Writers(server.url).store(Template(512), iter([each] for each in setup.slices))
    many = Slice(MANY_FRAMES, 0)
    Writers(server.url, 1).store(Template(128, setup.frames), iter([[many]]))


MANY_FRAMES = 900_000
"""The number of the study that holds the object of many frames; those below are read, those above stored."""
_fresh = itertools.count(1_000_000)


def _storing(side: int, together: int) -> Callable[[Server, Setup], Measured]:
    def run(server: Server, setup: Setup) -> Measured:
        template = Template(side)
        before = server.usage()
        written = Writers(server.url).store(template, _groups(together), setup.seconds)
        latencies = sorted(written.latencies)
        return _measured(
            server,
            before,
            written.instances,
            written.seconds,
            latencies[len(latencies) // 2],
            latencies[len(latencies) * 99 // 100],
        )

    return run


def _groups(together: int) -> Iterator[Sequence[Slice]]:
    for number in _fresh:
        slices = study(number)
        for start in range(0, SLICES, together):
            yield slices[start : start + together]


def _reading(
    paths: Callable[[Setup], Sequence[str]], headers: Mapping[str, str]
) -> Callable[[Server, Setup], Measured]:
    def run(server: Server, setup: Setup) -> Measured:
        origin, _, root = server.url.rpartition("/")
        before = server.usage()
        found = read(origin, [f"/{root}{path}" for path in paths(setup)], headers, setup.seconds)
        return _measured(server, before, found.requests, found.seconds, found.p50, found.p99)

    return run


def _measured(server: Server, before: Usage | None, count: int, seconds: float, p50: float, p99: float) -> Measured:
    after = server.usage()
    if after is None or before is None:
        return Measured(count / seconds, p50, p99, None, None)
    return Measured(count / seconds, p50, p99, (after.cpu - before.cpu) / count, after.memory)


def _each_study(pattern: str) -> Callable[[Setup], list[str]]:
    return lambda setup: [_filled(pattern, Slice(number, 0)) for number in range(1, setup.studies + 1)]


def _each_slice(pattern: str) -> Callable[[Setup], list[str]]:
    def paths(setup: Setup) -> list[str]:
        slices = setup.slices
        random.Random(1).shuffle(slices)
        return [_filled(pattern, each) for each in slices]

    return paths


def _filled(pattern: str, identity: Slice) -> str:
    return pattern.format(identity=identity)


def _each_frame(setup: Setup) -> list[str]:
    numbers = random.Random(1).sample(range(1, setup.frames + 1), min(200, setup.frames))
    return [f"{Slice(MANY_FRAMES, 0).path}/frames/{number}" for number in numbers]


PATIENT = "/studies?PatientID={identity.patient}"
SERIES = "{identity.series_path}/instances"
METADATA = "{identity.series_path}/metadata"
FRAME_ONE = "{identity.path}/frames/1"
STUDY = "/studies/{identity.study_uid}"

WORKS = (
    Work("store, 512², one a request", "instances", 2.5, _storing(512, 1)),
    Work("store, 128², ten a request", "instances", 4.5, _storing(128, 10)),
    Work("search studies by PatientID", "searches", 5.0, _reading(_each_study(PATIENT), JSON)),
    Work("search, limit=25, default fields", "searches", 50.0, _reading(lambda _: ["/studies?limit=25"], JSON)),
    Work("search 40 instances of a series", "searches", 50.0, _reading(_each_study(SERIES), JSON)),
    Work("series metadata, 40 instances, gzip", "answers", 45.0, _reading(_each_study(METADATA), GZIP)),
    Work("series metadata, 40 instances, plain", "answers", 34.0, _reading(_each_study(METADATA), JSON)),
    Work("one 512 KB frame", "frames", 4.5, _reading(_each_slice(FRAME_ONE), FRAME)),
    Work("one frame of many", "frames", None, _reading(_each_frame, FRAME)),
    Work("one 20 MB study", "studies", 1.5, _reading(_each_study(STUDY), INSTANCES)),
)
