"""A run as one page for a person to read, and its ratios as a picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from math import log10
from pathlib import Path

from benchmarks import tables
from benchmarks.cold_start import Imported
from benchmarks.costs import Cost
from benchmarks.first_byte import Waited
from benchmarks.growth import MOST_TIMES, Grown
from benchmarks.limits import Limit
from benchmarks.measuring import BESIDE
from benchmarks.profiles import Profile
from benchmarks.side_by_side import Row
from benchmarks.works import Asked

NAME = "speed"


@dataclass(slots=True)
class Run:
    """All that was measured; what is None or empty was left out."""

    machine: str
    rounds: int
    limits: Sequence[Limit] = ()
    rows: Sequence[Row] = ()
    profiles: Mapping[int, Profile] = field(default_factory=dict)
    grown: Grown | None = None
    waits: Sequence[Waited] = ()
    costs: Sequence[Cost] = ()
    imports: Mapping[str, Imported] = field(default_factory=dict)

    def verdicts(self) -> dict[str, bool]:
        """Whether each bar is met, by what it is on."""
        found: dict[str, bool | None] = {_title(row): row.met for row in self.rows}
        if self.grown:
            found |= {f"growth: {each.name}": each.times_slower <= MOST_TIMES for each in self.grown.searches}
        found |= {f"first byte: {each.name}": each.met for each in self.waits}
        found |= {f"Azure: {each.name}": each.met for each in self.costs}
        found |= {f"import: {name}": each.met for name, each in self.imports.items()}
        return {name: met for name, met in found.items() if met is not None}


def _title(row: Row) -> str:
    return f"{row.work.name}, {row.work.asked.value}" if row.work.asked.value else row.work.name


def page(run: Run) -> str:
    """The run in Markdown."""
    parts = ["# Speed, measured\n", run.machine, _summary(run)]
    for peer in run.rows[0].peers if run.rows else ():
        parts += [f"## Beside {peer}\n", _EXPLAINED.format(rounds=run.rounds), tables.compared(run.rows, peer)]
    if run.profiles:
        parts += ["## What the missed bars wait for\n", tables.reasons(run.rows, run.profiles, run.limits)]
    if run.limits:
        parts += ["## What this machine can do\n", tables.bounded(run.limits)]
    if run.grown:
        parts += ["## How cost grows with the archive\n", _GROWN, tables.growing(run.grown)]
    if run.waits:
        parts += ["## A large study's first byte\n", _WAITED, tables.waiting(run.waits)]
    if run.costs:
        parts += ["## What works cost on Azure\n", _COSTED, tables.costing(run.costs)]
    if run.imports:
        parts += ["## Cold start\n", tables.importing(run.imports)]
    return "\n".join(parts)


def _summary(run: Run) -> str:
    verdicts = run.verdicts()
    missed = [name for name, met in verdicts.items() if not met]
    told = f"{len(verdicts) - len(missed)} of {len(verdicts)} bars are met."
    return f"{told} Missed: {'; '.join(missed)}.\n" if missed else f"{told}\n"


_EXPLAINED = f"""Rates are medians of {{rounds}} rounds, in which the servers take turns; 8 connections. CPU is the
server's, for each thing counted; memory the most that its processes held, together. Both servers acknowledge a store
when it is on the disk.

A server may remember what it answered. “{Asked.AGAIN.value}” lets it: few requests come again and again, as in
the figures that the bars were set by. “{Asked.ANEW.value}” does not: the archive is changed before, then no request
comes twice (they ask the same, percent-encoded in another way each). “{Asked.CHANGING.value}” is the first
while another client stores {BESIDE:.0f} small instances a second.
"""
_GROWN = """The index holds so many instances, 40 a series, 80 a study, five studies a day; their metadata are those of
a CT slice. Each search finds as much at every size. No request comes twice, so that no answer comes from memory.
"""
_WAITED = """Cold: the first request after the server started, when the system holds none of the files in memory.
Later: the archive was changed before each request, so that no answer comes from memory.
"""
_COSTED = """One client, one request at a time, one worker process; blobs in Azurite, index in the tests' stand-in for
Cosmos DB, both of which count what they are asked. What comes afterwards, numbering the changes for the change feed,
is not in it.
"""


def picture(rows: Sequence[Row]) -> str:
    """The ratios as bars, on a scale of powers of ten, in SVG; a line marks each bar that is set."""
    drawn = [(row, reached) for row in rows if (reached := row.ratio(row.judge)) is not None]
    height = 44 + 24 * len(drawn)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="1000" height="{height}" '
        'font-family="sans-serif" font-size="13">',
        f'<rect width="1000" height="{height}" fill="white"/>',
        f'<text x="10" y="22" font-size="16">How many times the rate of {escape(rows[0].judge if rows else "")} '
        "this service reaches; red lines are the bars</text>",
    ]
    for number, (row, reached) in enumerate(drawn):
        top = 38 + 24 * number
        colour = "#d98c2b" if row.met is False else "#2a78b5"
        parts.append(f'<text x="10" y="{top + 14}">{escape(_title(row))}</text>')
        parts.append(f'<rect x="400" y="{top}" width="{_width(reached)}" height="18" fill="{colour}"/>')
        parts.append(f'<text x="{406 + _width(reached)}" y="{top + 14}">{reached:.1f} ×</text>')
        if row.work.bar is not None:
            parts.append(f'<path d="M{400 + _width(row.work.bar)} {top - 2}v22" stroke="#c0392b" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _width(ratio: float) -> float:
    """0.1 times is nothing, 10,000 times the whole width."""
    return round(max(0.0, min(5.0, log10(max(ratio, 0.1)) + 1)) * 105, 1)


def write(folder: Path, run: Run) -> None:
    """Put page and picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.md").write_text(f"{page(run)}\n![The ratios]({NAME}.svg)\n" if run.rows else page(run))
    (folder / f"{NAME}.svg").write_text(picture(run.rows))
