"""Which variables of the environment have what sent where."""

import pytest

from shared.telemetry import destinations
from shared.telemetry.destinations import is_any

AZURE = "InstrumentationKey=00000000-0000-0000-0000-000000000001;IngestionEndpoint=http://127.0.0.1:9/"
URL = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL}, True),
        ({"OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": URL}, True),
        ({"APPLICATIONINSIGHTS_CONNECTION_STRING": AZURE}, True),
        ({"APPLICATIONINSIGHTS_CONNECTION_STRING": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_SERVICE_NAME": "a", "OTEL_TRACES_EXPORTER": "otlp"}, False),
    ],
)
def test_whether_anything_is_sent(environment: dict[str, str], wanted: bool) -> None:
    assert is_any(environment) is wanted


ALL = ("spans", "logs", "metrics")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL}, [(ALL, False)]),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_TRACES_EXPORTER": "none"}, [(("logs", "metrics"), False)]),
        ({"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": URL}, [(("metrics",), False)]),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE": "delta"},
            [(ALL, True)],
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": URL, "FUNCTIONS_WORKER_RUNTIME": "python"}, [(("spans", "metrics"), False)]),
        (
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": URL,
                "FUNCTIONS_WORKER_RUNTIME": "python",
                "PYTHON_ENABLE_OPENTELEMETRY": "true",
            },
            [(ALL, False)],
        ),
    ],
)
def test_what_is_sent(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], expected: list[tuple[tuple[str, ...], bool]]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = list(destinations.destinations())
    assert [(tuple(name for name in ALL if getattr(each, name) is not None), each.delta) for each in found] == expected
    for each in found:
        for name in ALL:
            if (exporter := getattr(each, name)) is not None:
                exporter.shutdown()
