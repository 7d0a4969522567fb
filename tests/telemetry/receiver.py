"""Receives what is exported: OTLP over HTTP with protobuf, and Application Insights' envelopes. A real HTTP server."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

T = TypeVar("T")
SOON = 15.0
MESSAGES = {
    "/v1/traces": ExportTraceServiceRequest,
    "/v1/metrics": ExportMetricsServiceRequest,
    "/v1/logs": ExportLogsServiceRequest,
}
Json = dict[str, Any]


class Receiver:
    """``url`` is its origin; ``content`` all that came, as it came."""

    def __init__(self) -> None:
        self.content: list[bytes] = []
        self._messages: dict[str, list[Json]] = {path: [] for path in MESSAGES}
        self.envelopes: list[Json] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def spans(self) -> list[Json]:
        return [
            span
            for message in self._messages["/v1/traces"]
            for resource in message["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    def logs(self) -> list[Json]:
        return [
            record
            for message in self._messages["/v1/logs"]
            for resource in message["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]

    def metrics(self) -> dict[str, Json]:
        """The metrics of the last export, by name."""
        (resource,) = self._messages["/v1/metrics"][-1]["resourceMetrics"]
        return {metric["name"]: metric for scope in resource["scopeMetrics"] for metric in scope["metrics"]}

    def has_metrics(self) -> bool:
        return bool(self._messages["/v1/metrics"])

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _take(self, path: str, body: bytes) -> bytes:
        self.content.append(body)
        if path in MESSAGES:
            self._messages[path].append(MessageToDict(MESSAGES[path].FromString(body)))
            return b""
        items = json.loads(body)
        self.envelopes += items
        return json.dumps({"itemsReceived": len(items), "itemsAccepted": len(items), "errors": []}).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        take = self._take

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                zipped = self.headers.get("content-encoding") == "gzip"
                answer = take(self.path, gzip.decompress(body) if zipped else body)
                self.send_response(200)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.close()


def attributes(of: Json) -> Json:
    """Attributes of a span, a log record or a point, by name."""
    return {each["key"]: next(iter(each["value"].values())) for each in of.get("attributes", ())}


def eventually(find: Callable[[], T | None]) -> T:
    """What is found before long."""
    deadline = time.monotonic() + SOON
    while (found := find()) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found
