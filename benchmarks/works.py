"""What is measured side by side, and the ratio to Orthanc that each is held to."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from benchmarks.data import Slice, Template, study
from benchmarks.limits import EMPTY_ANSWERS, HALF_ANSWERS, LOOPBACK, SMALL_STORES, STORES
from benchmarks.measuring import Measured, measured_reads, measured_stores, store_one, storing_beside
from benchmarks.servers import Server
from benchmarks.spelling import all_different
from benchmarks.writing import Writers

JSON = {"Accept": "application/dicom+json"}
GZIP = {**JSON, "Accept-Encoding": "gzip"}
FRAME = {"Accept": 'multipart/related; type="application/octet-stream"'}
INSTANCES = {"Accept": 'multipart/related; type="application/dicom"; transfer-syntax=*'}


class Asked(Enum):
    """What the requests of a work are to a server that remembers answers."""

    STORES = ""
    AGAIN = "the same again"
    ANEW = "each anew"
    CHANGING = "again, 20 stores/s beside"


@dataclass(frozen=True, slots=True)
class Setup:
    """How much is done: ``studies`` are there when reads begin; ``seconds`` is how long each work goes on.

    ``spellings`` is how many requests that differ there are where each is asked anew.
    """

    studies: int
    seconds: float
    frames: int
    spellings: int

    @property
    def slices(self) -> list[Slice]:
        return [each for number in range(1, self.studies + 1) for each in study(number)]


@dataclass(frozen=True, slots=True)
class Work:
    """One row of the table. ``bar`` is the least ratio to Orthanc's rate, None if none is set.

    ``limit`` is the name of what bounds it from above.
    """

    name: str
    asked: Asked
    bar: float | None
    limit: str
    run: Callable[[Server, Setup], Measured] = field(repr=False)


def fill(server: Server, setup: Setup) -> None:
    """Store what the reads look at."""
    Writers(server.url).store(Template(512), iter([each] for each in setup.slices))
    Writers(server.url, 1).store(Template(128, setup.frames), iter([[Slice(MANY_FRAMES, 0)]]))


MANY_FRAMES = 900_000
"""The number of the study that holds the object of many frames; those below are read, those above stored."""

Paths = Callable[[Setup], Sequence[str]]


def _storing(name: str, bar: float, side: int, together: int, limit: str) -> Work:
    def run(server: Server, setup: Setup) -> Measured:
        return measured_stores(server, side, together, setup.seconds)

    return Work(name, Asked.STORES, bar, limit, run)


def _reading(
    name: str, asked: Asked, bar: float | None, paths: Paths, headers: Mapping[str, str], limit: str = EMPTY_ANSWERS
) -> Work:
    def again(server: Server, setup: Setup) -> Measured:
        return measured_reads(server, paths(setup), headers, setup.seconds)

    def anew(server: Server, setup: Setup) -> Measured:
        listed = paths(setup)
        store_one(server)
        different = all_different(listed, setup.spellings) if server.remembers else listed
        return measured_reads(server, different, headers, setup.seconds)

    def changing(server: Server, setup: Setup) -> Measured:
        with storing_beside(server):
            return again(server, setup)

    runs = {Asked.AGAIN: again, Asked.ANEW: anew, Asked.CHANGING: changing}
    return Work(name, asked, bar, limit, runs[asked])


def _each_study(pattern: str) -> Paths:
    return lambda setup: [pattern.format(identity=Slice(number, 0)) for number in range(1, setup.studies + 1)]


def _each_slice(pattern: str) -> Paths:
    def paths(setup: Setup) -> list[str]:
        slices = setup.slices
        random.Random(1).shuffle(slices)
        return [pattern.format(identity=each) for each in slices]

    return paths


def _some_frames(setup: Setup) -> list[str]:
    numbers = random.Random(1).sample(range(1, setup.frames + 1), min(200, setup.frames))
    return [f"{Slice(MANY_FRAMES, 0).path}/frames/{number}" for number in numbers]


PATIENT = _each_study("/studies?PatientID={identity.patient}")
NEWEST = _each_study("/studies?limit=25")
SERIES = _each_study("{identity.series_path}/instances")
METADATA = _each_study("{identity.series_path}/metadata")
NEWEST_ANEW = _each_study("/studies?limit=25&includefield=StudyInstanceUID")
SERIES_ANEW = _each_study("{identity.series_path}/instances?includefield=SOPInstanceUID")
METADATA_ANEW = _each_study("{identity.series_path}/metadata?unused=metadataofaseries")
"""A parameter more, which changes no answer but can be written in many ways."""
ONE_FRAME = _each_slice("{identity.path}/frames/1")
STUDY = _each_study("/studies/{identity.study_uid}")

_AGAIN, _ANEW, _CHANGING = Asked.AGAIN, Asked.ANEW, Asked.CHANGING

WORKS = (
    _storing("store, 512², one a request", 2.5, 512, 1, STORES),
    _storing("store, 128², ten a request", 4.5, 128, 10, SMALL_STORES),
    _reading("search studies by PatientID", _AGAIN, 5.0, PATIENT, JSON),
    _reading("search studies by PatientID", _ANEW, 5.0, PATIENT, JSON),
    _reading("search, limit=25, default fields", _AGAIN, 50.0, NEWEST, JSON),
    _reading("search, limit=25, default fields", _ANEW, 50.0, NEWEST_ANEW, JSON),
    _reading("search 40 instances of a series", _AGAIN, 50.0, SERIES, JSON),
    _reading("search 40 instances of a series", _ANEW, 50.0, SERIES_ANEW, JSON),
    _reading("series metadata, 40 instances, gzip", _AGAIN, 45.0, METADATA, GZIP),
    _reading("series metadata, 40 instances, gzip", _ANEW, 45.0, METADATA_ANEW, GZIP),
    _reading("series metadata, 40 instances, plain", _AGAIN, 34.0, METADATA, JSON),
    _reading("series metadata, 40 instances, plain", _ANEW, 34.0, METADATA_ANEW, JSON),
    _reading("one 512 KB frame", _AGAIN, 4.5, ONE_FRAME, FRAME, HALF_ANSWERS),
    _reading("one 512 KB frame", _CHANGING, 4.5, ONE_FRAME, FRAME, HALF_ANSWERS),
    _reading("one frame of many", _AGAIN, None, _some_frames, FRAME),
    _reading("one 20 MB study", _AGAIN, 1.5, STUDY, INSTANCES, LOOPBACK),
)
