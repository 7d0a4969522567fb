"""The table and the picture of a run, for a person to read."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from math import log10
from pathlib import Path
from statistics import median

from benchmarks.works import Measured, Work

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """One work as it went on each server, over all rounds."""

    work: Work
    ours: Sequence[Measured]
    peer: Sequence[Measured]

    @property
    def ratio(self) -> float | None:
        """Of the medians of the rates; None without a peer."""
        return middle(self.ours, "rate") / middle(self.peer, "rate") if self.peer else None

    @property
    def verdict(self) -> str:
        """How the ratio stands to the bar."""
        if self.ratio is None or self.work.bar is None:
            return ""
        return f"≥ {self.work.bar:g} ×: {'met' if self.ratio >= self.work.bar else 'MISSED'}"


def middle(measured: Sequence[Measured], name: str) -> float:
    """The median of a figure over the rounds."""
    return median(float(getattr(each, name)) for each in measured)


def table(rows: Sequence[Row], names: tuple[str, str], limits: Mapping[str, tuple[float, str]]) -> str:
    """The run in Markdown."""
    lines = [
        f"Measured {datetime.now(UTC):%Y-%m-%d %H:%M} UTC on {platform.machine()}, Python {platform.python_version()}.",
        "Rates are medians of the rounds; CPU is the server's, for each thing counted; memory is the most it held.",
        "",
        f"| work | {names[0]} | p50 / p99 ms | CPU ms | MiB | {names[1]} | p50 / p99 ms | CPU ms | MiB | ratio | bar |",
        "| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --- |",
    ]
    for row in rows:
        ratio = "" if row.ratio is None else f"{row.ratio:.1f}"
        lines.append(f"| {row.work.name} | {_cells(row.ours)} | {_cells(row.peer)} | {ratio} | {row.verdict} |")
    lines += ["", "| this machine | |", "| --- | --: |"]
    lines += [f"| {name} | {figure:.1f} {unit} |" for name, (figure, unit) in limits.items()]
    return "\n".join(lines) + "\n"


def _cells(measured: Sequence[Measured]) -> str:
    if not measured:
        return " | | | "
    times = f"{middle(measured, 'p50') * 1e3:.1f} / {middle(measured, 'p99') * 1e3:.1f}"
    known = measured[0].cpu is not None
    cpu = f"{middle(measured, 'cpu') * 1e3:.2f}" if known else ""
    memory = f"{max(each.memory or 0 for each in measured) / MIB:.0f}" if known else ""
    return f"{middle(measured, 'rate'):,.0f}/s | {times} | {cpu} | {memory}"


def picture(rows: Sequence[Row], names: tuple[str, str]) -> str:
    """The ratios as bars, on a scale of powers of ten, in SVG; a line marks each bar that is set."""
    drawn = [row for row in rows if row.ratio is not None]
    height = 40 + 28 * len(drawn)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="860" height="{height}" font-family="sans-serif">',
        f'<rect width="860" height="{height}" fill="white"/>',
        f'<text x="10" y="20">How many times the rate of {escape(names[1])} {escape(names[0])} reaches</text>',
    ]
    for number, row in enumerate(drawn):
        top = 36 + 28 * number
        parts.append(f'<text x="10" y="{top + 15}">{escape(row.work.name)}</text>')
        parts.append(f'<rect x="270" y="{top}" width="{_width(row.ratio or 0)}" height="20" fill="#2a78b5"/>')
        parts.append(f'<text x="{276 + _width(row.ratio or 0)}" y="{top + 15}">{row.ratio:.1f} ×</text>')
        if row.work.bar is not None:
            mark = 270 + _width(row.work.bar)
            parts.append(f'<path d="M{mark} {top - 3}v26" stroke="#c0392b" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _width(ratio: float) -> float:
    """0.1 times is nothing, 1,000 times the whole width."""
    return round(max(0.0, min(4.0, log10(max(ratio, 0.1)) + 1)) * 125, 1)


def write(folder: Path, text: str, image: str) -> None:
    """Put table and picture into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "side-by-side.md").write_text(text)
    (folder / "side-by-side.svg").write_text(image)
