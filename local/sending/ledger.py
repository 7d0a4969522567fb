"""Keeping account of a run: what became of each file, told while it happens and in the summary."""

import sys
import time
from collections import Counter
from types import TracebackType
from typing import Self

from tqdm import tqdm

from local.sending.model import Outcome, Result
from local.sending.report import Write

_SECONDS_BETWEEN_LINES = 5.0
_ALWAYS_TOLD = (
    Outcome.STORED,
    Outcome.STORED_WITH_WARNINGS,
    Outcome.EXISTS,
    Outcome.PASSED_OVER,
    Outcome.FAILED,
)


class Ledger:
    """Counts results and bytes sent. On a terminal a bar shows them, elsewhere a line every few seconds.

    Both, and each failure, go to standard error; what would be sent is listed on standard output.
    """

    def __init__(self, report: Write) -> None:
        self._report = report
        self._counts: Counter[Outcome] = Counter()
        self._bytes = 0
        self._began = self._told = time.monotonic()
        self._bar = tqdm(desc="Sending", unit="B", unit_scale=True, disable=not sys.stderr.isatty())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._bar.close()

    @property
    def failed(self) -> int:
        """How many files failed so far."""
        return self._counts[Outcome.FAILED]

    def sent(self, size: int) -> None:
        """Take note of so many bytes of files that were sent, for the first time or again."""
        self._bytes += size
        self._bar.update(size)
        self._tell()

    def add(self, result: Result) -> None:
        """Take note of what became of a file."""
        self._counts[result.outcome] += 1
        self._report(result)
        if result.outcome is Outcome.FAILED:
            self._bar.write(f"{result.file.name} failed: {result.reason}", file=sys.stderr)
        elif result.outcome is Outcome.WOULD_SEND:
            self._bar.write(result.file.name)
        self._bar.set_postfix_str(self._progress(), refresh=False)
        self._tell()

    def _tell(self) -> None:
        now = time.monotonic()
        if self._bar.disable and now - self._told >= _SECONDS_BETWEEN_LINES:
            self._told = now
            print(f"{self._size()} sent, {self._progress()}", file=sys.stderr, flush=True)

    def _progress(self) -> str:
        return f"{self._counts.total()} files, {self.failed} failed"

    def _size(self) -> str:
        return f"{tqdm.format_sizeof(self._bytes)}B"

    def summary(self) -> str:
        """The counts in one line."""
        told = [outcome for outcome in Outcome if outcome in _ALWAYS_TOLD or self._counts[outcome]]
        counts = ", ".join(f"{self._counts[outcome]} {outcome}" for outcome in told)
        return f"{counts}. {self._size()} sent in {time.monotonic() - self._began:.1f} s."
