"""Counting: every number there is of what this process did is written once, to its sheet, and shown from there."""

import json
import logging
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path

from shared.telemetry.describe import describe
from shared.telemetry.metrics import (
    ACTIVE,
    AUDIT_LOST,
    AUDIT_WAITING,
    BACKGROUND,
    BOUNDS,
    DELETED,
    DURATION,
    RECEIVED,
    SENT,
    STORED,
    TOKENS_REFUSED,
    Distribution,
    Family,
    Kind,
    Metric,
    Point,
)
from shared.telemetry.sheet import Row, Sheet, other_sheets, shared_sheet

logger = logging.getLogger(__name__)

COUNTED = {
    metric.name: metric for metric in (ACTIVE, STORED, DELETED, TOKENS_REFUSED, AUDIT_WAITING, AUDIT_LOST, BACKGROUND)
}
"""Metrics of one number, which has a row of its own."""
OTHERS = json.dumps(["", "", "", 0])
"""The key of the row for requests that there is no other row for any more."""

_TIME, _IN, _OUT = (len(BOUNDS) + 1 + place for place in range(3))
"""Places in the row of a kind of requests: the buckets of durations come first, then these sums."""

Request = tuple[str, str, str, int]
"""The function, method, route and status of a kind of requests."""
Rows = Mapping[str, Row]
Source = Callable[[], Awaitable[Iterable[Family]]]


class Meters:
    """The numbers of this process, and what can be asked for others."""

    def __init__(self) -> None:
        self._use(Sheet())
        self.source: Source | None = None
        """Who else is asked for metrics."""

    def share(self, folder: Path) -> None:
        """Keep the numbers in a folder, where other processes see them. Call it before anything is counted."""
        try:
            self._use(shared_sheet(folder, str(BOUNDS)))
        except OSError as error:
            logger.warning("Other processes will not see the metrics of this one: %s", describe(error))
        self._clear()

    def close(self) -> None:
        """Leave the numbers to others, and forget them."""
        self._clear()
        self._sheet.close()
        self._use(Sheet())

    def add(self, metric: Metric, number: float) -> None:
        """Count up, or down."""
        self._numbers[self._counted[metric.name]] += number

    def set(self, metric: Metric, number: float) -> None:
        """Note how much there is of something."""
        self._numbers[self._counted[metric.name]] = number

    def request(self, request: Request, duration: float, received: int, sent: int) -> None:
        """Count a request, which took so many seconds, with the bytes of its body and its answer's."""
        first = self._requests.get(request) or self._new(request)
        numbers = self._numbers
        numbers[first + bisect_left(BOUNDS, duration)] += 1
        numbers[first + _TIME] += duration
        if received:
            numbers[first + _IN] += received
        if sent:
            numbers[first + _OUT] += sent

    def own(self) -> list[Family]:
        """What this process counted."""
        return _families(dict(self._sheet.rows()))

    async def observed(self) -> list[Family]:
        """What ``source`` says; nothing if it fails."""
        try:
            return [] if self.source is None else list(await self.source())
        except Exception as error:
            logger.warning("Some metrics are not known now: %s", describe(error))
            return []

    def all(self) -> list[Family]:
        """What all processes that share the folder counted, those that ended included."""
        sums: defaultdict[str, list[Row]] = defaultdict(list)
        for key, row in self._sheet.rows():
            sums[key].append(row)
        for living, rows in other_sheets(self._sheet):
            for key, row in rows:
                if living or not _goes_down(key):
                    sums[key].append(row)
        return _families({key: tuple(map(sum, zip(*rows, strict=True))) for key, rows in sums.items()})

    def _use(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._numbers = sheet.numbers
        self._requests: dict[Request, int] = {}
        self._counted = {name: _row(sheet, name) for name in (*COUNTED, OTHERS)}

    def _new(self, request: Request) -> int:
        first = self._sheet.row(json.dumps(request))
        if first is None:
            return self._counted[OTHERS]
        self._requests[request] = first
        return first

    def _clear(self) -> None:
        for name in filter(_goes_down, COUNTED):
            self._numbers[self._counted[name]] = 0


def _row(sheet: Sheet, key: str) -> int:
    first = sheet.row(key)
    if first is None:
        raise OSError("A sheet has no room.")
    return first


def _goes_down(key: str) -> bool:
    return key in COUNTED and COUNTED[key].kind is Kind.UP_DOWN_COUNTER


def _families(rows: Rows) -> list[Family]:
    counted = [Family(metric, (Point(rows[name][0]),)) for name, metric in COUNTED.items() if name in rows]
    return [*_request_families(rows), *counted]


def _request_families(rows: Rows) -> Iterator[Family]:
    durations, received, sent = [], [], []
    for key, row in rows.items():
        attributes = None if key in COUNTED else _attributes(key)
        counts = tuple(map(int, row[: len(BOUNDS) + 1]))
        if attributes is None or not (number := sum(counts)):
            continue
        durations.append(Point(Distribution(counts, row[_TIME], BOUNDS), attributes))
        received.append(Point(Distribution((number,), row[_IN]), attributes))
        sent.append(Point(Distribution((number,), row[_OUT]), attributes))
    for metric, points in ((DURATION, durations), (RECEIVED, received), (SENT, sent)):
        yield Family(metric, tuple(points))


def _attributes(key: str) -> dict[str, str | int] | None:
    """The attributes of a kind of requests; None of a key that is just being written."""
    if key == OTHERS:
        return {"otel.metric.overflow": "true"}
    try:
        function, method, route, status = json.loads(key)
    except ValueError:
        return None
    return {
        "dicom.function": function,
        "http.request.method": method,
        "http.route": route,
        "http.response.status_code": status,
    }


meters = Meters()
"""The numbers of this process."""
