"""Setting aside what can't be imported: moved to where errors go, beside a report of the reasons."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import Any

import orjson

from shared.dicomweb.store_answer import Failed
from shared.errors import BlobExists
from shared.services.inbox_contents import same
from shared.storage.inbox.port import Dropped, Inbox

REPORT = ".json"
MAX_LISTED = 10_000
"""Failures that one report lists; it counts them all."""


@dataclass(frozen=True, slots=True)
class Failure:
    """What was not stored, and why. ``position`` and ``name`` tell which file of an archive it was."""

    outcome: Failed
    position: int | None = None
    name: str | None = None


async def set_aside(inbox: Inbox, errors: Inbox, file: Dropped, stored: int, failures: Sequence[Failure]) -> None:
    """Copy a file to where errors go, with a report. Doing so again changes nothing but the report's time.

    Another file of that name stays; this one's name then ends in a number. Raises StorageError.
    """
    for name in _names(file.name):
        try:
            await errors.put(name, inbox.read(file))
        except BlobExists:
            if not await _is_copy(inbox, file, errors, name):
                continue
        await _write(errors, name + REPORT, _report(file.name, stored, failures))
        return


def _names(name: str) -> Iterator[str]:
    """Those to try, in turn. Names like reports' are left to reports."""
    if not name.lower().endswith(REPORT):
        yield name
    yield from (f"{name}.{number}" for number in count(2))


async def _is_copy(inbox: Inbox, file: Dropped, errors: Inbox, name: str) -> bool:
    copy = await errors.find(name)
    if copy is None or copy.length != file.length:
        return False
    return await same(inbox.read(file), errors.read(copy))


async def _write(errors: Inbox, name: str, report: bytes) -> None:
    """Put a report in place of an earlier one. Where two are written at once, either will do."""
    earlier = await errors.find(name)
    if earlier is not None:
        await errors.remove(earlier)
    with suppress(BlobExists):
        await errors.put(name, _once(report))


def _report(name: str, stored: int, failures: Sequence[Failure]) -> bytes:
    return orjson.dumps(
        {
            "name": _text(name),
            "time": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "stored": stored,
            "failed": len(failures),
            "failures": [_described(failure) for failure in failures[:MAX_LISTED]],
        },
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )


def _described(failure: Failure) -> dict[str, Any]:
    outcome = failure.outcome
    described = {
        "position": failure.position,
        "name": None if failure.name is None else _text(failure.name),
        "failureReason": int(outcome.reason),
        "meaning": outcome.reason.meaning,
        "details": list(outcome.comments),
        "sopClassUid": outcome.sop_class,
        "sopInstanceUid": outcome.instance,
    }
    return {key: value for key, value in described.items() if value is not None}


def _text(name: str) -> str:
    """A name as JSON can hold it: names of files may be no text."""
    return name.encode(errors="replace").decode()


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
