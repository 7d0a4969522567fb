"""What the audit costs a store: the same stores on a server that keeps one and on one that does not, in turns."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.measuring import Measured, measured_stores
from benchmarks.servers import PROGRAM, Server, this_service

MOST = 1 / 20
"""Of a store's CPU time that its record may take."""
WARM_SECONDS = 2.0
TURN_SECONDS = 1.0
"""Short turns, and many: what else the machine does then falls on both servers alike."""
ONE_WORKER = ("--workers", "1")
UNAUDITED = (
    "-c",
    "from functions import auditing, observing; observing.LISTENERS.remove(auditing.audit); "
    "from local.__main__ import main; main()",
)
"""The embedded host without any audit, neither records nor lines of the log."""
STORES = {"store, 512², one a request": 512, "store, 128², one a request": 128}
"""Sides of the slices that are stored, by name."""


@dataclass(frozen=True, slots=True)
class Audited:
    """One kind of store, in CPU seconds of the server: with the audit and without it, medians of all rounds.

    ``part`` is that of the time without the audit that comes on top: the median of what each round had.
    """

    name: str
    without: float
    audited: float
    part: float

    @property
    def met(self) -> bool:
        """Whether the audit is as cheap as it is to be."""
        return self.part <= MOST


def audit_costs(scratch: Path, rounds: int) -> list[Audited]:
    """Each kind of store, measured with the audit and without it in every round."""
    with ExitStack() as running:
        servers = [
            running.enter_context(this_service(scratch / name, options=ONE_WORKER, program=program))
            for name, program in (("without", UNAUDITED), ("audited", PROGRAM))
        ]
        return [_compared(name, side, servers, rounds) for name, side in STORES.items()]


def _compared(name: str, side: int, servers: Sequence[Server], rounds: int) -> Audited:
    for server in servers:
        measured_stores(server, side, 1, WARM_SECONDS)
    pairs = []
    for number in range(rounds):
        turns = (0, 1) if number % 2 else (1, 0)
        spent = {turn: _cpu(measured_stores(servers[turn], side, 1, TURN_SECONDS)) for turn in turns}
        pairs.append((spent[0], spent[1]))
    without, audited = (median(each) for each in zip(*pairs, strict=True))
    return Audited(name, without, audited, median((more - less) / less for less, more in pairs))


def _cpu(measured: Measured) -> float:
    if measured.cpu is None:
        raise ValueError("A server started here tells its CPU time.")
    return measured.cpu
