"""Measures this service and a peer on this machine, with the same data and the same load, in one run."""

import argparse
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from benchmarks.limits import limits
from benchmarks.report import Row, picture, table, write
from benchmarks.servers import Server, orthanc, this_service
from benchmarks.works import WORKS, Measured, Setup, fill

RESULTS = Path(__file__).parent / "results"
FULL = Setup(studies=15, seconds=6, frames=2000)
SHORT = Setup(studies=4, seconds=2, frames=200)


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--short", action="store_true", help="less data and time: under two minutes, one round")
    parser.add_argument("--rounds", type=int, help="how often everything is measured (default: 3, short: 1)")
    parser.add_argument(
        "--peer", metavar="URL", help="DICOMweb root of a peer that runs already; default: an Orthanc of our own"
    )
    parser.add_argument("--only", default="", metavar="WORD", help="only works whose name holds the word")
    parser.add_argument("--scratch", type=Path, help="folder on the disk to measure (default: the system's)")
    parser.add_argument("--results", type=Path, default=RESULTS, help="where the table and picture go")
    return parser.parse_args()


def main() -> None:
    """Measure, print the table and write it with the picture."""
    chosen = arguments()
    setup = SHORT if chosen.short else FULL
    rounds = chosen.rounds or (1 if chosen.short else 3)
    works = [work for work in WORKS if chosen.only in work.name]
    scratch = Path(tempfile.mkdtemp(dir=chosen.scratch))
    try:
        with ExitStack() as running:
            ours = running.enter_context(this_service(scratch / "ours"))
            peer = Server("peer", chosen.peer) if chosen.peer else running.enter_context(orthanc(scratch / "peer"))
            for server in (ours, peer):
                fill(server, setup)
            found: dict[tuple[str, str], list[Measured]] = {}
            steps = [(work, server) for _ in range(rounds) for work in works for server in (ours, peer)]
            for work, server in tqdm(steps, desc="Measuring", leave=False):
                found.setdefault((work.name, server.name), []).append(work.run(server, setup))
        rows = [Row(work, found[work.name, ours.name], found[work.name, peer.name]) for work in works]
        names = (ours.name, peer.name)
        text = table(rows, names, limits(scratch / "limits", 1 if chosen.short else 3))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    write(chosen.results, text, picture(rows, names))
    print(text)


if __name__ == "__main__":
    main()
