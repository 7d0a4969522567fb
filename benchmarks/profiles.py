"""Where a server's Python spends its time: py-spy looks at its processes while a work goes on."""

import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

SAMPLES = 200
"""A second, of each thread that is busy."""
PY_SPY = Path(sys.executable).with_name("py-spy")
_SAMPLE = re.compile(r"^(?P<stack>.*) (?P<count>\d+)$")
_PLACE = re.compile(r"(?P<function>.+) \((?:.*site-packages/|.*lib/python[0-9.]+/)?(?P<file>[^:)]+)(?::\d+)?\)$")


@dataclass(slots=True)
class Profile:
    """Samples by the function that was being run itself, once the work is over."""

    samples: Counter[str] = field(default_factory=Counter)

    def top(self, count: int = 12) -> list[tuple[str, float]]:
        """The functions that took most, with their part of all samples."""
        total = self.samples.total() or 1
        return [(name, number / total) for name, number in self.samples.most_common(count)]


@contextmanager
def profiled(process: psutil.Process) -> Iterator[Profile]:
    """Look at a process and those it started while the block runs. Raises FileNotFoundError without py-spy."""
    profile = Profile()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "samples"
        command = [str(PY_SPY), "record", "--pid", str(process.pid), "--subprocesses", "--nonblocking", "--function"]
        command += ["--rate", str(SAMPLES), "--format", "raw", "--output", str(file)]
        looking = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        try:
            yield profile
        finally:
            looking.send_signal(2)
            _, told = looking.communicate()
        if not file.exists():
            raise RuntimeError(f"py-spy could not look at the server: {told.decode(errors='replace')[-500:]}")
        profile.samples.update(_by_function(file.read_text().splitlines()))


def _by_function(lines: Sequence[str]) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in lines:
        if sample := _SAMPLE.match(line):
            found[_named(sample["stack"].rpartition(";")[2])] += int(sample["count"])
    return found


def _named(frame: str) -> str:
    if frame.startswith("process "):
        return "outside of Python (the HTTP server's threads)"
    place = _PLACE.match(frame)
    return f"{place['function']} ({place['file']})" if place else frame
