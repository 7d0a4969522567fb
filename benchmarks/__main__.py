"""Measures this service beside a peer on this machine, with the same data and the same load, in one run; then how its
cost grows, what it costs on Azure, and how fast it starts."""

import argparse
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cold_start import AZURE, imported
from benchmarks.costs import costs
from benchmarks.first_byte import wait
from benchmarks.growth import SIZES, grow
from benchmarks.limits import limits
from benchmarks.machine import described
from benchmarks.report import Run, page, write
from benchmarks.servers import PLUGIN, Server, orthanc, this_service
from benchmarks.side_by_side import profiles, side_by_side
from benchmarks.stand_ins import AZURITE
from benchmarks.works import WORKS, Asked, Setup

RESULTS = Path(__file__).parent / "results"
PARTS = ("peers", "growth", "study", "azure", "start")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is done of everything. ``growth_seconds`` is each search's at each size, ``starts`` and ``requests`` are
    those of the large study."""

    setup: Setup
    rounds: int
    limit_seconds: float
    sizes: tuple[int, ...]
    growth_seconds: float
    study: int
    starts: int
    requests: int
    times: int
    imports: int


FULL = Extent(Setup(15, 6, 2000, 30_000), 3, 3, SIZES, 3, 3_000, 5, 50, 100, 5)
SHORT = Extent(Setup(3, 1, 200, 6_000), 1, 0.5, (), 1, 1_000, 1, 5, 10, 2)
LEFT_OUT = frozenset({Asked.CHANGING})
"""Of the short form."""


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="less of everything, in about a minute; writes no results")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (default: 3, short: 1)")
    parser.add_argument(
        "--peer", metavar="URL", action="append", default=[], help="DICOMweb root of a further peer, which runs already"
    )
    parser.add_argument("--part", action="append", choices=PARTS, help="only this part of the run; may be repeated")
    parser.add_argument("--only", default="", metavar="WORD", help="beside peers, only works whose name holds the word")
    parser.add_argument("--scratch", type=Path, help="folder on the disk to measure (default: the system's)")
    parser.add_argument(
        "--results", type=Path, help=f"where page and picture go (default: {RESULTS.parent.name}/results)"
    )
    chosen = parser.parse_args()
    if missing := _missing(chosen.part or PARTS):
        parser.error(f"Not installed: {', '.join(missing)}. `make bench` does that.")
    return chosen


def _missing(parts: tuple[str, ...] | list[str]) -> list[str]:
    """What a run of these parts needs and does not find."""
    needed = {"wrk": shutil.which("wrk") is not None or not {"peers", "growth"}.intersection(parts)}
    if "peers" in parts:
        needed["Orthanc with its DICOMweb plugin"] = PLUGIN.exists() and shutil.which("Orthanc") is not None
    if "azure" in parts:
        needed |= {"node": shutil.which("node") is not None, "Azurite (npm install in tests/azure)": AZURITE.exists()}
    return [name for name, there in needed.items() if not there]


def main() -> None:
    """Measure, print the page and write it with the picture."""
    chosen = arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    scratch = Path(tempfile.mkdtemp(dir=chosen.scratch, prefix="benchmark-"))
    try:
        run = measure(chosen, scratch)
    except KeyboardInterrupt:
        sys.exit("Interrupted.")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if chosen.results or not (chosen.short or chosen.part or chosen.only):
        write(chosen.results or RESULTS, run)
    print(page(run))


def measure(chosen: argparse.Namespace, scratch: Path) -> Run:
    """All parts that were chosen."""
    extent = SHORT if chosen.short else FULL
    parts = chosen.part or PARTS
    run = Run(described(), chosen.rounds or extent.rounds)
    if "start" in parts:
        settings = {"no inbox": {}} if chosen.short else {"no inbox": {}, "all of Azure": AZURE}
        run.imports = {name: imported(extent.imports, each) for name, each in settings.items()}
    if "peers" in parts:
        run.limits = limits(scratch / "limits", extent.limit_seconds)
        _beside_peers(run, chosen, extent, scratch)
    if "growth" in parts and extent.sizes:
        run.grown = grow(scratch / "growth", extent.sizes, max(3, run.rounds), extent.growth_seconds)
        shutil.rmtree(scratch / "growth")
    if "study" in parts:
        run.waits = wait(scratch / "study", extent.study, extent.starts, extent.requests)
    if "azure" in parts:
        run.costs = costs(scratch / "azure", extent.times)
    return run


def _beside_peers(run: Run, chosen: argparse.Namespace, extent: Extent, scratch: Path) -> None:
    works = [work for work in WORKS if chosen.only in work.name and not (chosen.short and work.asked in LEFT_OUT)]
    with ExitStack() as running:
        ours = running.enter_context(this_service(scratch / "ours"))
        judge = running.enter_context(orthanc(scratch / "peer"))
        peers = [judge, *(Server(url, url.rstrip("/")) for url in chosen.peer)]
        run.rows = side_by_side(ours, peers, works, extent.setup, run.rounds)
        if not chosen.short:
            run.profiles = profiles(ours, run.rows, extent.setup)
    shutil.rmtree(scratch / "ours")
    shutil.rmtree(scratch / "peer")


if __name__ == "__main__":
    main()
