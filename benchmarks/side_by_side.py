"""This service and its peers under the same load, in turns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from tqdm import tqdm

from benchmarks.measuring import Measured
from benchmarks.profiles import Profile, profiled
from benchmarks.servers import Server
from benchmarks.works import Setup, Work, fill


@dataclass(frozen=True, slots=True)
class Row:
    """One work as it went on this service and on each peer, over all rounds. A peer that can't do it has none.

    The bar is the ratio to ``judge``, the name of a peer.
    """

    work: Work
    judge: str
    ours: list[Measured] = field(default_factory=list)
    peers: Mapping[str, list[Measured]] = field(default_factory=dict)

    def ratio(self, peer: str) -> float | None:
        """Of the medians of the rates."""
        theirs = self.peers[peer]
        return rate(self.ours) / rate(theirs) if theirs else None

    @property
    def met(self) -> bool | None:
        """Whether the bar is; None if none is set."""
        reached = self.ratio(self.judge)
        return None if self.work.bar is None or reached is None else reached >= self.work.bar


def rate(measured: Sequence[Measured]) -> float:
    """The median over the rounds."""
    return median(each.rate for each in measured)


def side_by_side(ours: Server, peers: Sequence[Server], works: Sequence[Work], setup: Setup, rounds: int) -> list[Row]:
    """Do every work on every server, round by round. The first peer is the one that bars are ratios to.

    Raises RuntimeError where this service fails.
    """
    for server in tqdm((ours, *peers), desc="Storing what is read", leave=False):
        fill(server, setup)
    rows = [Row(work, peers[0].name, peers={peer.name: [] for peer in peers}) for work in works]
    for row in tqdm(rows * rounds, desc="Measuring side by side", leave=False):
        row.ours.append(row.work.run(ours, setup))
        for peer in peers:
            try:
                row.peers[peer.name].append(row.work.run(peer, setup))
            except (RuntimeError, OSError) as error:
                tqdm.write(f"{peer.name} can't do “{row.work.name}”: {error}")
    return rows


def profiles(server: Server, rows: Sequence[Row], setup: Setup) -> dict[int, Profile]:
    """Do the works whose bars are missed once more, and look where the time goes; by the place of their rows."""
    found = {}
    missed = [(place, row) for place, row in enumerate(rows) if row.met is False]
    for place, row in tqdm(missed, desc="Profiling what missed its bar", leave=False):
        assert server.process is not None
        with profiled(server.process) as found[place]:
            row.work.run(server, setup)
    return found
