"""How cost grows with the archive: the same searches at ten to the third, fifth and sixth indexed instances."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from tqdm import tqdm

from benchmarks.archive import Study, fill, studies
from benchmarks.measuring import Measured, measured_reads
from benchmarks.servers import Server, this_service
from benchmarks.spelling import all_different
from benchmarks.works import JSON

SIZES = (1_000, 100_000, 1_000_000)
MOST_TIMES = 1.5
"""By which the largest archive may be slower than the smallest."""
REQUESTS = 30_000
"""That differ, so that none is answered from memory."""


@dataclass(frozen=True, slots=True)
class Search:
    """A work that is done at every size. ``path`` is that of the request for one study."""

    name: str
    path: Callable[[Study], str]


SEARCHES = (
    Search("studies by PatientID", lambda study: f"/studies?PatientID={study.patient}"),
    Search("studies by StudyInstanceUID", lambda study: f"/studies?StudyInstanceUID={study.uid}"),
    Search("studies by AccessionNumber", lambda study: f"/studies?AccessionNumber={study.accession}"),
    Search("studies of a day", lambda study: f"/studies?StudyDate={study.day}-{study.day}"),
    Search(
        "studies of a day by ModalitiesInStudy",
        lambda study: f"/studies?ModalitiesInStudy={study.modality}&StudyDate={study.day}-{study.day}",
    ),
    Search("40 instances of a series", lambda study: f"{study.series}/instances?includefield=SOPInstanceUID"),
    Search("series metadata, 40 instances", lambda study: f"{study.series}/metadata?unused=metadataofaseries"),
)


@dataclass(frozen=True, slots=True)
class Growth:
    """What one search came to at each size, over all rounds."""

    name: str
    measured: Sequence[Sequence[Measured]]

    def rates(self) -> list[float]:
        return [median(each.rate for each in rounds) for rounds in self.measured]

    def cpu(self) -> list[float]:
        """Seconds of a request."""
        return [median(each.cpu or 0.0 for each in rounds) for rounds in self.measured]

    @property
    def times_slower(self) -> float:
        """The largest archive than the smallest."""
        return self.rates()[0] / self.rates()[-1]


@dataclass(frozen=True, slots=True)
class Grown:
    """How all searches grow, and the memory of the server at each size, in bytes, when all were done."""

    sizes: Sequence[int]
    searches: Sequence[Growth]
    memory: Sequence[int]


def grow(folder: Path, sizes: Sequence[int], rounds: int, seconds: float) -> Grown:
    """Fill an archive of each size and measure them in turn."""
    for size in tqdm(sizes, desc="Filling archives", leave=False):
        fill(folder / str(size) / "data" / "index.sqlite", size)
    with ExitStack() as stack:
        servers = [stack.enter_context(this_service(folder / str(size))) for size in sizes]
        found: dict[str, list[list[Measured]]] = {search.name: [[] for _ in sizes] for search in SEARCHES}
        steps = [(search, place) for _ in range(rounds) for search in SEARCHES for place in range(len(sizes))]
        for search, place in tqdm(steps, desc="Measuring growth", leave=False):
            found[search.name][place].append(_measure(search, servers[place], sizes[place], seconds))
        memory = [usage.memory if (usage := server.usage()) else 0 for server in servers]
    return Grown(sizes, [Growth(search.name, found[search.name]) for search in SEARCHES], memory)


def _measure(search: Search, server: Server, size: int, seconds: float) -> Measured:
    asked = studies(size)
    step = max(1, len(asked) // REQUESTS)
    return measured_reads(server, all_different([search.path(each) for each in asked[::step]], REQUESTS), JSON, seconds)
