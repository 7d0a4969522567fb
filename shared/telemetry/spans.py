"""Traces: one span for each request.

It tells of the function, the route template and the status, as the metrics do, and of sizes. A request without a trace
context (W3C Trace Context) begins a trace, whose id is that of the request where a trace can have such an id.
"""

import re

from opentelemetry.context import Context, attach
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

_PARENT = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?"
).fullmatch
_TRACE_ID = re.compile(r"(?!0{32})[0-9a-f]{32}").fullmatch
_NOWHERE = Context()


class TraceIds(RandomIdGenerator):
    """Random ids, but that the next trace gets the one that it is told."""

    def __init__(self) -> None:
        self.following: str | None = None

    def generate_trace_id(self) -> int:
        told, self.following = self.following, None
        return int(told, 16) if told and _TRACE_ID(told) else super().generate_trace_id()


class Spans:
    """Makes the spans of requests."""

    def __init__(self, tracer: Tracer, ids: TraceIds) -> None:
        self._tracer = tracer
        self._ids = ids

    def begin(self, method: str, route: str, correlation: str, traceparent: str | None) -> "RequestSpan":
        """The span of a request, to which belongs what is logged from now on in this context."""
        self._ids.following = correlation
        attributes = {"http.request.method": method, "http.route": f"/{route}"}
        span = self._tracer.start_span(f"{method} /{route}", _parent(traceparent), SpanKind.SERVER, attributes)
        attach(set_span_in_context(span))
        return RequestSpan(span)


class RequestSpan:
    """The span of a request under way."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def end(self, function: str, status: int, received: int, sent: int) -> None:
        """The request came to this status, with the bytes of its body and its answer's."""
        span = self._span
        if span.is_recording():
            span.set_attributes(
                {
                    "dicom.function": function,
                    "http.response.status_code": status,
                    "http.request.body.size": received,
                    "http.response.body.size": sent,
                }
            )
            if status >= 500:
                span.set_attribute("error.type", str(status))
                span.set_status(Status(StatusCode.ERROR))
        span.end()


def _parent(traceparent: str | None) -> Context:
    found = _PARENT(traceparent) if traceparent else None
    if found is None:
        return _NOWHERE
    trace, span, flags = (int(part, 16) for part in found.groups())
    return set_span_in_context(NonRecordingSpan(SpanContext(trace, span, True, TraceFlags(flags))), _NOWHERE)
