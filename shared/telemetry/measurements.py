"""Metrics as OpenTelemetry's exporters take them."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.metrics.export import Metric as ExportedMetric
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from shared.telemetry.metrics import Distribution, Family, Kind, Metric, Point

Series = tuple[str, tuple[tuple[str, str | int], ...]]
UNKNOWN = cast("float", None)
"""The least and the greatest of measured values, which both are optional."""


class Measurements:
    """What came to be measured since ``start``, or with ``delta`` since the last export that succeeded.

    Times are in nanoseconds since the epoch.
    """

    def __init__(self, resource: Resource, scope: str, start: int, families: Iterable[Family], *, delta: bool) -> None:
        self._resource = resource
        self._scope = InstrumentationScope(scope)
        self._delta = delta
        self._temporality = AggregationTemporality.DELTA if delta else AggregationTemporality.CUMULATIVE
        self._start = start
        self._before = _values(families)

    def export(self, families: Sequence[Family], now: int, send: Callable[[MetricsData], bool]) -> None:
        """Send what there is to be sent; ``send`` tells whether that succeeded."""
        metrics = [self._metric(family, now) for family in families if family.points]
        scoped = ScopeMetrics(self._scope, metrics, "")
        if send(MetricsData([ResourceMetrics(self._resource, [scoped], "")])) and self._delta:
            self._start = now
            self._before = _values(families)

    def _metric(self, family: Family, now: int) -> ExportedMetric:
        metric = family.metric
        data: Any = {
            Kind.HISTOGRAM: self._histogram,
            Kind.COUNTER: self._counter,
            Kind.UP_DOWN_COUNTER: self._up_down_counter,
            Kind.GAUGE: self._gauge,
        }[metric.kind](family, now)
        return ExportedMetric(metric.name, metric.description, metric.unit, data)

    def _histogram(self, family: Family, now: int) -> Histogram:
        return Histogram([self._distribution(family.metric, point, now) for point in family.points], self._temporality)

    def _counter(self, family: Family, now: int) -> Sum:
        values = [(point, _number(point) - self._counted(family.metric, point)) for point in family.points]
        return Sum([self._point(point, value, now) for point, value in values], self._temporality, True)

    def _up_down_counter(self, family: Family, now: int) -> Sum:
        return Sum(self._gauge(family, now).data_points, AggregationTemporality.CUMULATIVE, False)

    def _gauge(self, family: Family, now: int) -> Gauge:
        return Gauge([self._point(point, _number(point), now) for point in family.points])

    def _point(self, point: Point, value: int, now: int) -> NumberDataPoint:
        return NumberDataPoint(point.attributes, self._start, now, value)

    def _distribution(self, metric: Metric, point: Point, now: int) -> HistogramDataPoint:
        value = cast("Distribution", point.value)
        before = self._before.get(_series(metric, point))
        if isinstance(before, Distribution):
            counts = tuple(each - other for each, other in zip(value.counts, before.counts, strict=True))
            value = Distribution(counts, value.total - before.total, value.bounds)
        return HistogramDataPoint(
            point.attributes,
            self._start,
            now,
            sum(value.counts),
            value.total,
            value.counts,
            value.bounds,
            UNKNOWN,
            UNKNOWN,
        )

    def _counted(self, metric: Metric, point: Point) -> int:
        before = self._before.get(_series(metric, point), 0)
        return int(cast("float", before))


def _values(families: Iterable[Family]) -> dict[Series, float | Distribution]:
    return {_series(family.metric, point): point.value for family in families for point in family.points}


def _series(metric: Metric, point: Point) -> Series:
    return metric.name, tuple(point.attributes.items())


def _number(point: Point) -> int:
    return int(cast("float", point.value))
