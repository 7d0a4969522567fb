"""Metrics as the exporters take them: since the start, or since the last time."""

from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricsData
from opentelemetry.sdk.resources import Resource

from shared.telemetry.measurements import Measurements
from shared.telemetry.metrics import ACTIVE, DURATION, INBOX, STORED, Distribution, Family, Point


def families(number: int) -> list[Family]:
    return [
        Family(DURATION, (Point(Distribution((number, 0), number / 2, (1,)), {"http.route": "a"}),)),
        Family(STORED, (Point(float(number)),)),
        Family(ACTIVE, (Point(float(number)),)),
        Family(INBOX, (Point(float(number)),)),
    ]


class Sent:
    """What was sent, by names of metrics."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []
        self.succeeds = True

    def __call__(self, data: MetricsData) -> bool:
        (resource,) = data.resource_metrics
        self.all.append({metric.name: metric.data for metric in resource.scope_metrics[0].metrics})
        return self.succeeds

    def last(self) -> tuple[int, float, int, int, int]:
        found = self.all[-1]
        duration = found[DURATION.name].data_points[0]
        assert sum(duration.bucket_counts) == duration.count
        others = (found[each.name].data_points[0].value for each in (STORED, ACTIVE, INBOX))
        return (duration.count, duration.sum, *others)  # type: ignore[return-value]


@pytest.fixture
def sent() -> Sent:
    return Sent()


def test_since_the_start(sent: Sent) -> None:
    measurements = Measurements(Resource({}), "scope", 100, families(4), delta=False)
    measurements.export(families(5), 200, sent)
    assert sent.last() == (1, 0.5, 1, 5, 5)
    measurements.export(families(9), 300, sent)
    assert sent.last() == (5, 2.5, 5, 9, 9)
    point = sent.all[-1][STORED.name].data_points[0]
    assert (point.start_time_unix_nano, point.time_unix_nano) == (100, 300)
    assert sent.all[-1][STORED.name].aggregation_temporality is AggregationTemporality.CUMULATIVE


def test_since_the_last_time_that_it_was_taken(sent: Sent) -> None:
    measurements = Measurements(Resource({}), "scope", 100, families(4), delta=True)
    measurements.export(families(5), 200, sent)
    assert sent.last() == (1, 0.5, 1, 5, 5)
    sent.succeeds = False
    measurements.export(families(9), 300, sent)
    assert sent.last() == (4, 2.0, 4, 9, 9)
    sent.succeeds = True
    measurements.export(families(10), 400, sent)
    assert sent.last() == (5, 2.5, 5, 10, 10)
    assert sent.all[-1][STORED.name].data_points[0].start_time_unix_nano == 200
    measurements.export(families(10), 500, sent)
    assert sent.last() == (0, 0.0, 0, 10, 10)
    assert sent.all[-1][DURATION.name].aggregation_temporality is AggregationTemporality.DELTA
    assert sent.all[-1][ACTIVE.name].aggregation_temporality is AggregationTemporality.CUMULATIVE
