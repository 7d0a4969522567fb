"""Each part of a run as a table in Markdown."""

import os
from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.cold_start import BAR_SECONDS as IMPORT_BAR
from benchmarks.cold_start import Imported
from benchmarks.costs import Cost
from benchmarks.first_byte import BAR_SECONDS as FIRST_BYTE_BAR
from benchmarks.first_byte import Waited
from benchmarks.growth import MOST_TIMES, Grown
from benchmarks.limits import Limit
from benchmarks.measuring import Measured, percentile
from benchmarks.profiles import Profile
from benchmarks.side_by_side import Row, rate

MIB = 1024 * 1024


def verdict(met: bool | None) -> str:
    """One word on a bar."""
    return {None: "", True: "met", False: "**missed**"}[met]


def table(head: Sequence[str], lines: Sequence[Sequence[str]], texts: int = 1) -> str:
    """Columns after the first ``texts`` are figures, set to the right."""
    rule = ["---" if place < texts else "--:" for place in range(len(head))]
    return "".join(f"| {' | '.join(line)} |\n" for line in (head, rule, *lines))


def compared(rows: Sequence[Row], peer: str) -> str:
    """This service beside one peer."""
    sides = ["rate", "p50 / p99 ms", "CPU ms", "MiB"]
    head = ["work", "asked", *(f"ours: {side}" for side in sides), *(f"{peer}: {side}" for side in sides)]
    lines = []
    for row in rows:
        reached, bar = row.ratio(peer), row.work.bar if peer == row.judge else None
        judged = [f"≥ {bar:g} ×" if bar else "", verdict(row.met) if bar else ""]
        ratio = "" if reached is None else f"{reached:.1f} ×"
        lines.append([row.work.name, row.work.asked.value, *_side(row.ours), *_side(row.peers[peer]), ratio, *judged])
    return table([*head, "ratio", "bar", ""], lines, texts=2)


def _side(measured: Sequence[Measured]) -> list[str]:
    if not measured:
        return ["can't", "", "", ""]
    times = f"{median(each.p50 for each in measured) * 1e3:.1f} / {median(each.p99 for each in measured) * 1e3:.1f}"
    cpu = [each.cpu for each in measured if each.cpu is not None]
    memory = [each.memory for each in measured if each.memory is not None]
    return [
        f"{rate(measured):,.0f}/s",
        times,
        f"{median(cpu) * 1e3:.2f}" if cpu else "",
        f"{max(memory) / MIB:.0f}" if memory else "",
    ]


def reasons(rows: Sequence[Row], profiles: Mapping[int, Profile], limits: Sequence[Limit]) -> str:
    """For each bar that is missed: the rate, what bounds it, and where Python spends its time."""
    known = {limit.name: limit for limit in limits}
    told = []
    for place, profile in profiles.items():
        row = rows[place]
        cpu = median(each.cpu or 0.0 for each in row.ours)
        bound = f" All {os.cpu_count()} cores would be busy at {(os.cpu_count() or 1) / cpu:,.0f}/s." if cpu else ""
        limit = known[row.work.limit]
        asked = f", {row.work.asked.value}" if row.work.asked.value else ""
        told.append(
            f"**{row.work.name}{asked}**: {rate(row.ours):,.0f}/s at {cpu * 1e3:.2f} ms of CPU.{bound} "
            f"The limit here: {limit.name}, {limit.told}. Where Python's threads were, themselves:\n\n"
            + table(["function", "of all samples"], [[f"`{name}`", f"{part:.0%}"] for name, part in profile.top()])
        )
    return "\n".join(told)


def bounded(limits: Sequence[Limit]) -> str:
    """What the machine can do."""
    return table(["limit", "measured"], [[limit.name, limit.told] for limit in limits])


def growing(grown: Grown) -> str:
    """Rates and CPU at each size."""
    sizes = [f"{size:,}" for size in grown.sizes]
    head = ["each request anew", *(f"{size} instances" for size in sizes), *(f"CPU ms at {size}" for size in sizes)]
    lines = [
        [
            search.name,
            *(f"{each:,.0f}/s" for each in search.rates()),
            *(f"{each * 1e3:.2f}" for each in search.cpu()),
            f"{search.times_slower:.2f} ×",
            f"≤ {MOST_TIMES:g} ×",
            verdict(search.times_slower <= MOST_TIMES),
        ]
        for search in grown.searches
    ]
    memory = [f"{each / MIB:.0f} MiB" for each in grown.memory]
    lines.append(["memory of all processes, at most", *memory, *([""] * (len(sizes) + 3))])
    return table([*head, "slower by", "bar", ""], lines)


def waiting(waits: Sequence[Waited]) -> str:
    """Time to the first byte."""
    lines = [
        [
            each.name,
            *(
                f"{percentile(times, 0.5) * 1e3:.0f} / {percentile(times, 0.99) * 1e3:.0f}"
                for times in (each.first, each.later)
            ),
            f"{each.whole * 1e3:,.0f}",
            f"< {FIRST_BYTE_BAR * 1e3:.0f}",
            verdict(each.met),
        ]
        for each in waits
    ]
    head = ["ms, p50 / p99", "first byte, cold", "first byte, later", "last byte, later (p50)", "bar of both p50", ""]
    return table(head, lines)


def costing(costs: Sequence[Cost]) -> str:
    """What works cost over Azure's stand-ins."""
    lines = [
        [
            cost.name,
            cost.counted,
            f"{cost.cpu * 1e3:.1f}",
            _counted(cost.blobs),
            _counted(cost.cosmos),
            cost.bar,
            verdict(cost.met),
        ]
        for cost in costs
    ]
    return table(["work", "for each", "CPU ms", "blob requests", "Cosmos DB round trips", "bar", ""], lines, texts=2)


def _counted(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{count:.3g} {kind}" for kind, count in counts.items() if count >= 0.01) or "none"


def importing(found: Mapping[str, Imported]) -> str:
    """How long a cold start's imports take."""
    lines = [
        [
            name,
            f"{min(each.seconds) * 1e3:.0f} / {median(each.seconds) * 1e3:.0f}",
            f"{min(each.cpu) * 1e3:.0f}",
            f"< {IMPORT_BAR * 1e3:.0f}",
            verdict(each.met),
        ]
        for name, each in found.items()
    ]
    head = ["`import function_app`", "ms, best / median", "CPU ms of the process", "bar of the best", ""]
    costliest = [
        f"Costliest of others' packages, {name}: "
        + ", ".join(f"{package} {seconds * 1e3:.0f} ms" for package, seconds in each.costliest)
        + ".\n"
        for name, each in found.items()
    ]
    return table(head, lines) + "\n" + "\n".join(costliest)
