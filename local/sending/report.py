"""The report of a run: a file with one row for each file that was found, written as the run goes on."""

import csv
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from local.sending.model import Result

Write = Callable[[Result], None]
FORMATS = (".csv", ".json")
_COLUMNS = ("path", "size", "outcome", "reason")


@contextmanager
def open_report(path: Path | None) -> Iterator[Write]:
    """What takes each result. The end of the file's name, one of ``FORMATS``, tells the format. Raises OSError."""
    if path is None:
        yield lambda result: None
        return
    written = _csv if path.suffix.lower() == ".csv" else _json
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file, written(file) as write:
        yield write


@contextmanager
def _csv(file: IO[str]) -> Iterator[Write]:
    rows = csv.writer(file)
    rows.writerow(_COLUMNS)
    yield lambda result: rows.writerow(_row(result))


@contextmanager
def _json(file: IO[str]) -> Iterator[Write]:
    before = "[\n"

    def write(result: Result) -> None:
        nonlocal before
        file.write(before + json.dumps(dict(zip(_COLUMNS, _row(result), strict=True))))
        before = ",\n"

    try:
        yield write
    finally:
        file.write("\n]\n" if before == ",\n" else "[]\n")


def _row(result: Result) -> tuple[str, int, str, str]:
    return result.file.name, result.file.size, result.outcome, result.reason
