"""Where the environment says that traces, logs and metrics are to be sent: variables of OpenTelemetry and of Azure."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.sampling import Sampler

AZURE = "APPLICATIONINSIGHTS_CONNECTION_STRING"
OTLP = "OTEL_EXPORTER_OTLP_ENDPOINT"
OTLP_SIGNALS = {signal: f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT" for signal in ("TRACES", "LOGS", "METRICS")}
DISABLED = "OTEL_SDK_DISABLED"
SAMPLER = "OTEL_TRACES_SAMPLER"
TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
WORKER, LOGS_BY_US = "FUNCTIONS_WORKER_RUNTIME", "PYTHON_ENABLE_OPENTELEMETRY"
TO_NOBODY_ELSE = ("APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL", "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED")
"""Without these the exporters for Azure tell Microsoft of themselves, and ask for instructions."""

TRACES_PER_SECOND = 5.0
"""Application Insights gets so many at most, unless ``SAMPLER`` says otherwise."""


@dataclass(frozen=True, slots=True)
class Destination:
    """The exporters to one place. With ``delta`` it takes what was counted since the last time."""

    spans: "SpanExporter | None"
    logs: "LogRecordExporter | None"
    metrics: "MetricExporter | None"
    delta: bool


def is_any(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether anything is to be sent anywhere."""
    named = any(environment.get(name) for name in (AZURE, OTLP, *OTLP_SIGNALS.values()))
    return named and not _is_true(environment.get(DISABLED))


def destinations() -> Iterator[Destination]:
    """The places that the environment names. Raises ValueError if one can't be."""
    if os.environ.get(AZURE):
        yield _azure()
    if any(map(os.environ.get, (OTLP, *OTLP_SIGNALS.values()))):
        yield _otlp()


def sampler() -> "Sampler | None":
    """Which traces are sent; None leaves that to ``SAMPLER``."""
    if not os.environ.get(AZURE) or SAMPLER in os.environ:
        return None
    from azure.monitor.opentelemetry.exporter import RateLimitedSampler

    chosen: Sampler = RateLimitedSampler(TRACES_PER_SECOND)
    return chosen


def _azure() -> Destination:
    for name in TO_NOBODY_ELSE:
        os.environ.setdefault(name, "true")
    from azure.monitor.opentelemetry.exporter import (
        AzureMonitorLogExporter,
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    return Destination(
        AzureMonitorTraceExporter(disable_offline_storage=True) if _wants("TRACES") else None,
        AzureMonitorLogExporter(disable_offline_storage=True) if _wants("LOGS") else None,
        AzureMonitorMetricExporter(disable_offline_storage=True) if _wants("METRICS") else None,
        delta=True,
    )


def _otlp() -> Destination:
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return Destination(
        OTLPSpanExporter() if _wants_otlp("TRACES") else None,
        OTLPLogExporter() if _wants_otlp("LOGS") else None,
        OTLPMetricExporter() if _wants_otlp("METRICS") else None,
        delta=os.environ.get(TEMPORALITY, "").lower() in ("delta", "lowmemory"),
    )


def _wants_otlp(signal: str) -> bool:
    return _wants(signal) and any(map(os.environ.get, (OTLP, OTLP_SIGNALS[signal])))


def _wants(signal: str) -> bool:
    """Whether a signal is to be sent at all. The Functions host sends the log, unless it was told that we do."""
    if signal == "LOGS" and WORKER in os.environ and not _is_true(os.environ.get(LOGS_BY_US)):
        return False
    return os.environ.get(f"OTEL_{signal}_EXPORTER", "").lower() != "none"


def _is_true(value: str | None) -> bool:
    return (value or "").lower() in ("true", "1")
