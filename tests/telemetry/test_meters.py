"""What is counted is shown, once, of all processes, and of a bounded number of kinds."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.telemetry import metrics
from shared.telemetry.meters import Meters
from shared.telemetry.metrics import ACTIVE, BOUNDS, DURATION, RECEIVED, SENT, STORED, Distribution, Family, Metric
from shared.telemetry.sheet import CELLS, KEY_BYTES, ROWS, shared_sheet

KIND = ("search", "GET", "{version}/studies", 200)


@pytest.fixture
def meters() -> Iterator[Meters]:
    made = Meters()
    yield made
    made.close()


def value(families: list[Family], metric: Metric) -> float | Distribution:
    (family,) = (each for each in families if each.metric is metric)
    (point,) = family.points
    return point.value


def distribution(families: list[Family], metric: Metric) -> Distribution:
    found = value(families, metric)
    assert isinstance(found, Distribution)
    return found


@pytest.mark.parametrize(
    ("seconds", "bucket"), [(0.0, 0), (BOUNDS[0], 0), (0.0006, 1), (0.001, 1), (60, len(BOUNDS) - 1), (61, len(BOUNDS))]
)
def test_a_duration_lies_up_to_the_next_bound(meters: Meters, seconds: float, bucket: int) -> None:
    meters.request(KIND, seconds, 0, 0)
    found = distribution(meters.own(), DURATION)
    assert [place for place, number in enumerate(found.counts) if number] == [bucket]
    assert (found.total, found.bounds) == (seconds, BOUNDS)


def test_requests_are_added_up(meters: Meters) -> None:
    for _ in range(3):
        meters.request(KIND, 0.25, 10, 100)
    found = meters.own()
    assert sum(distribution(found, DURATION).counts) == 3
    assert distribution(found, DURATION).total == 0.75
    assert distribution(found, RECEIVED) == Distribution((3,), 30)
    assert distribution(found, SENT) == Distribution((3,), 300)


def test_a_kind_of_requests_is_told_by_names_of_ours_only(meters: Meters) -> None:
    meters.request(KIND, 0.25, 10, 100)
    (point,) = next(each.points for each in meters.own() if each.metric is DURATION)
    assert point.attributes == {
        "dicom.function": "search",
        "http.request.method": "GET",
        "http.route": "{version}/studies",
        "http.response.status_code": 200,
    }


def test_there_are_so_many_kinds_and_no_more(meters: Meters) -> None:
    for status in range(2 * ROWS):
        meters.request(("search", "GET", "{version}/studies", status), 0.001, 0, 0)
    meters.request(("f" * KEY_BYTES, "GET", "r", 200), 0.001, 0, 0)
    points = next(each.points for each in meters.own() if each.metric is DURATION)
    assert len(points) < ROWS
    assert sum(sum(point.value.counts) for point in points if isinstance(point.value, Distribution)) == 2 * ROWS + 1
    assert [point for point in points if "otel.metric.overflow" in point.attributes]


def test_what_goes_up_and_down(meters: Meters) -> None:
    meters.add(ACTIVE, 1)
    meters.add(ACTIVE, 1)
    meters.add(ACTIVE, -1)
    assert value(meters.own(), ACTIVE) == 1


def test_all_are_the_sum_of_the_processes(tmp_path: Path) -> None:
    one, two = Meters(), Meters()
    one.share(tmp_path)
    two.share(tmp_path)
    for each in (one, two):
        each.request(KIND, 0.25, 1, 2)
        each.add(STORED, 4)
        each.add(ACTIVE, 1)
    for each in (one, two):
        found = each.all()
        assert sum(distribution(found, DURATION).counts) == 2
        assert distribution(found, SENT) == Distribution((2,), 4)
        assert (value(found, STORED), value(found, ACTIVE)) == (8, 2)
        assert value(each.own(), STORED) == 4
    one.close()
    assert (value(two.all(), STORED), value(two.all(), ACTIVE)) == (8, 1)
    two.close()


def test_what_a_process_that_died_had_under_way_is_over(tmp_path: Path) -> None:
    dead = shared_sheet(tmp_path, str(BOUNDS))
    for metric in (ACTIVE, STORED):
        first = dead.row(metric.name)
        assert first is not None
        dead.numbers[first] = 3
    living = Meters()
    living.share(tmp_path)
    assert (value(living.all(), STORED), value(living.all(), ACTIVE)) == (3, 3)
    dead.close()
    assert (value(living.all(), STORED), value(living.all(), ACTIVE)) == (3, 0)
    heir = Meters()
    heir.share(tmp_path)
    assert (value(heir.own(), STORED), value(heir.own(), ACTIVE)) == (3, 0)
    heir.close()
    living.close()


def test_a_row_that_is_just_being_written_is_passed_over(tmp_path: Path, meters: Meters) -> None:
    meters.share(tmp_path)
    half = shared_sheet(tmp_path, str(BOUNDS))
    first = half.row(json.dumps(KIND)[:10])
    assert first is not None
    half.numbers[first] = 1
    meters.request(KIND, 0.0001, 0, 0)
    assert sum(distribution(meters.all(), DURATION).counts) == 1
    half.close()


def test_without_a_folder_a_process_counts_for_itself(
    tmp_path: Path, meters: Meters, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    with caplog.at_level(logging.WARNING):
        meters.share(tmp_path / "file")
    assert "Other processes will not see the metrics" in caplog.text
    meters.add(STORED, 1)
    assert value(meters.all(), STORED) == 1


async def test_whoever_is_asked_may_fail(meters: Meters, caplog: pytest.LogCaptureFixture) -> None:
    async def fails() -> list[Family]:
        raise TimeoutError

    assert await meters.observed() == []
    meters.source = fails
    assert await meters.observed() == []
    assert "Some metrics are not known now" in caplog.text


def test_there_is_a_place_for_every_number() -> None:
    assert len(BOUNDS) + 1 + 3 <= CELLS
    assert list(BOUNDS) == sorted(BOUNDS)


def test_every_metric_has_a_name_of_its_own() -> None:
    names = [each.name for each in vars(metrics).values() if isinstance(each, Metric)]
    assert len(names) == len(set(names)) >= 12
