"""Metrics in Prometheus' text format, read by its own parser."""

from prometheus_client.parser import text_string_to_metric_families

from shared.telemetry.metrics import ACTIVE, DURATION, SENT, STORED, Distribution, Family, Point
from shared.telemetry.prometheus import text


def test_names_types_and_values() -> None:
    families = [
        Family(DURATION, (Point(Distribution((1, 0, 2), 0.5, (0.1, 1)), {"http.route": "a", "code": 200}),)),
        Family(SENT, (Point(Distribution((3,), 12.0)),)),
        Family(ACTIVE, (Point(2.0),)),
        Family(STORED, (Point(7.0),)),
    ]
    found = {family.name: family for family in text_string_to_metric_families(text(families))}
    assert {name: family.type for name, family in found.items()} == {
        "http_server_request_duration_seconds": "histogram",
        "http_server_response_body_size_bytes": "histogram",
        "http_server_active_requests": "gauge",
        "dicom_instances_stored": "counter",
    }
    assert [
        (sample.name.removeprefix("http_server_request_duration_seconds"), sample.labels.get("le"), sample.value)
        for sample in found["http_server_request_duration_seconds"].samples
    ] == [("_bucket", "0.1", 1), ("_bucket", "1", 1), ("_bucket", "+Inf", 3), ("_sum", None, 0.5), ("_count", None, 3)]
    assert found["http_server_request_duration_seconds"].samples[-1].labels == {"http_route": "a", "code": "200"}
    assert [each.value for each in found["dicom_instances_stored"].samples] == [7]


def test_labels_are_escaped() -> None:
    hostile = 'a"b\\c\nd'
    (family,) = text_string_to_metric_families(text([Family(STORED, (Point(1, {"x.y": hostile}),))]))
    assert family.samples[0].labels == {"x_y": hostile}


def test_a_metric_without_points_is_left_out() -> None:
    assert text([Family(STORED, ())]) == ""
