"""Sending traces, logs and metrics: OpenTelemetry's SDK, put together as this service wants it.

Spans and log records wait in queues of 2048 each, for threads that send them; what finds no room is dropped.
"""

import logging
import time
from collections.abc import Sequence
from functools import partial
from uuid import uuid4

from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from shared.telemetry.destinations import destinations, sampler
from shared.telemetry.measurements import Measurements
from shared.telemetry.metrics import Family
from shared.telemetry.spans import Spans, TraceIds

logger = logging.getLogger(__name__)

NAME = "dicom-functions"
"""Of the service, unless OTEL_SERVICE_NAME gives it another; and of what makes its spans and metrics."""
ABOUT_SENDING = ("opentelemetry", "azure", "urllib3", "requests")
"""Begin the names of loggers that are not sent: they tell of sending, and there would be no end to it."""
QUIET = {
    "opentelemetry": logging.ERROR,
    "azure.monitor": logging.ERROR,
    "azure.core.pipeline.policies.http_logging_policy": logging.WARNING,
}
"""From which level on it is logged at all."""


class Pipeline:
    """What is sent, and to where. Nothing of what was ``counted`` before it began."""

    def __init__(self, counted: Sequence[Family]) -> None:
        for name, level in QUIET.items():
            logging.getLogger(name).setLevel(level)
        found = list(destinations())
        self._resource = Resource.create({"service.name": NAME, "service.instance.id": str(uuid4())})
        self.spans = self._spans([each.spans for each in found if each.spans is not None])
        self._logs([each.logs for each in found if each.logs is not None])
        self._failing: set[MetricExporter] = set()
        began = time.time_ns()
        self._metrics = [
            (Measurements(self._resource, NAME, began, counted, delta=each.delta), each.metrics)
            for each in found
            if each.metrics is not None
        ]

    def _spans(self, exporters: Sequence[SpanExporter]) -> Spans | None:
        ids = TraceIds()
        self._tracers = TracerProvider(
            sampler=sampler(), resource=self._resource, id_generator=ids, shutdown_on_exit=False
        )
        for exporter in exporters:
            self._tracers.add_span_processor(BatchSpanProcessor(exporter))
        return Spans(self._tracers.get_tracer(NAME), ids) if exporters else None

    def _logs(self, exporters: Sequence[LogRecordExporter]) -> None:
        self._loggers = LoggerProvider(resource=self._resource, shutdown_on_exit=False)
        for exporter in exporters:
            self._loggers.add_log_record_processor(BatchLogRecordProcessor(exporter))
        self._handler = LoggingHandler(logger_provider=self._loggers)
        self._handler.addFilter(lambda record: not record.name.startswith(ABOUT_SENDING))
        if exporters:
            logging.getLogger().addHandler(self._handler)

    def send(self, families: Sequence[Family]) -> None:
        """Send metrics, to one destination after the other. The log tells when one fails for the first time."""
        now = time.time_ns()
        for measurements, exporter in self._metrics:
            measurements.export(families, now, partial(self._send, exporter))

    def _send(self, exporter: MetricExporter, data: MetricsData) -> bool:
        taken = exporter.export(data) is MetricExportResult.SUCCESS
        if taken:
            self._failing.discard(exporter)
        elif exporter not in self._failing:
            self._failing.add(exporter)
            logger.warning("Metrics were not taken from %s; they will be sent again.", type(exporter).__name__)
        return taken

    def close(self) -> None:
        """Send what waits. That takes long where nobody answers."""
        logging.getLogger().removeHandler(self._handler)
        self._tracers.shutdown()
        self._loggers.shutdown()
        for _, exporter in self._metrics:
            exporter.shutdown()
