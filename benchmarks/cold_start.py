"""How long ``function_app`` takes to be imported by a fresh process, and what of it takes longest."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.servers import ROOT

BAR_SECONDS = 0.6
_LINE = re.compile(r"import time:\s+(?P<own>\d+) \|\s+(?P<all>\d+) \| (?P<indent>\s*)(?P<name>\S+)")
_MODULE = "function_app"
_SETTINGS = {"DICOM_ISSUERS": "https://login.example/", "DICOM_AUDIENCES": "api://dicom"}
AZURE = {
    "DICOM_BLOBS": "https://account.blob.core.windows.net/dicom",
    "DICOM_INDEX": "https://account.documents.azure.com/dicom",
    "DICOM_INBOX": "https://account.blob.core.windows.net/inbox",
}
"""As it is deployed with everything."""


@dataclass(frozen=True, slots=True)
class Imported:
    """Seconds that imports took, by ``-X importtime``, CPU seconds of their processes, and the costliest of those that
    a module of the application asks for, with all they bring along."""

    seconds: Sequence[float]
    cpu: Sequence[float]
    costliest: Sequence[tuple[str, float]]

    @property
    def met(self) -> bool:
        return min(self.seconds) < BAR_SECONDS


def imported(times: int, settings: Mapping[str, str]) -> Imported:
    """Import it so many times, after once that fills the caches."""
    _told(settings)
    runs = []
    for _ in range(times):
        before = os.times()
        told = _told(settings)
        after = os.times()
        used = after.children_user + after.children_system - before.children_user - before.children_system
        runs.append((told[-1].seconds, used, told))
    best = min(runs)
    return Imported([each[0] for each in runs], [each[1] for each in runs], _costliest(best[2]))


@dataclass(frozen=True, slots=True, order=True)
class _Import:
    seconds: float
    depth: int
    name: str


def _told(settings: Mapping[str, str]) -> list[_Import]:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", f"import {_MODULE}"],
        cwd=ROOT,
        env={**os.environ, **_SETTINGS, **settings},
        capture_output=True,
        text=True,
        check=True,
    )
    found = _LINE.finditer(done.stderr)
    lines = [_Import(int(each["all"]) / 1e6, len(each["indent"]) // 2, each["name"]) for each in found]
    while lines[-1].name != _MODULE:
        lines.pop()
    return lines


def _costliest(lines: Sequence[_Import], count: int = 10) -> list[tuple[str, float]]:
    """Of the packages of others: an import's line stands behind those that it asked for, indented less."""
    found: dict[str, float] = {}
    above: list[_Import] = []
    for each in reversed(lines):
        while above and above[-1].depth >= each.depth:
            above.pop()
        if (not above or _is_ours(above[-1].name)) and not _is_ours(each.name):
            package = ".".join(each.name.split(".")[:3])
            found[package] = found.get(package, 0.0) + each.seconds
        above.append(each)
    return sorted(found.items(), key=lambda item: -item[1])[:count]


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in (_MODULE, "functions", "shared")
