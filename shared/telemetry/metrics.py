"""The metrics there are, and points of them: what is shown to Prometheus and exported to others alike.

Attributes are names of functions, route templates, methods, statuses: never what a request is about, nor whose it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """A counter only grows. What a process has of an up-down counter adds up; a gauge looks the same to all."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up-down counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """A name by OpenTelemetry's semantic conventions, or below ``dicom``; a unit by UCUM."""

    name: str
    kind: Kind
    unit: str
    description: str


@dataclass(frozen=True, slots=True)
class Distribution:
    """How many values lie up to each bound, and beyond the last one."""

    counts: tuple[int, ...]
    total: float
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Point:
    """A value, for some attributes."""

    value: float | Distribution
    attributes: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its points."""

    metric: Metric
    points: tuple[Point, ...]


DURATION = Metric("http.server.request.duration", Kind.HISTOGRAM, "s", "Time from a request to the end of its answer.")
RECEIVED = Metric("http.server.request.body.size", Kind.HISTOGRAM, "By", "Bytes of the bodies of requests.")
SENT = Metric("http.server.response.body.size", Kind.HISTOGRAM, "By", "Bytes of the bodies of answers.")
ACTIVE = Metric("http.server.active_requests", Kind.UP_DOWN_COUNTER, "{request}", "Requests under way.")
STORED = Metric("dicom.instances.stored", Kind.COUNTER, "{instance}", "Instances stored by requests and imports.")
DELETED = Metric("dicom.instances.deleted", Kind.COUNTER, "{instance}", "Instances deleted by requests.")
TOKENS_REFUSED = Metric("dicom.access.tokens.refused", Kind.COUNTER, "{token}", "Access tokens that were refused.")
AUDIT_WAITING = Metric(
    "dicom.audit.records.waiting", Kind.UP_DOWN_COUNTER, "{record}", "Audit records that could not be kept yet."
)
AUDIT_LOST = Metric("dicom.audit.records.lost", Kind.COUNTER, "{record}", "Audit records that were not kept.")
BACKGROUND = Metric(
    "dicom.background.tasks", Kind.UP_DOWN_COUNTER, "{task}", "Background tasks that run or wait for their turn."
)
OPERATIONS = Metric("dicom.operations", Kind.GAUGE, "{operation}", "Operations that have not ended.")
INBOX = Metric("dicom.inbox.files", Kind.GAUGE, "{file}", "Files that wait to be imported, 1000 at most.")

BOUNDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10, 60)
"""Seconds. Those of the semantic conventions, and some at either end."""
