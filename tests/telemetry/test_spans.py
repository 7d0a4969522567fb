"""Spans of requests: where they belong, and what they tell."""

from collections.abc import Iterator

import pytest
from opentelemetry.context import attach, detach, get_current
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from shared.telemetry.spans import Spans, TraceIds

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
OWN = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    return InMemorySpanExporter()


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[Spans]:
    ids = TraceIds()
    provider = TracerProvider(id_generator=ids, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    token = attach(get_current())
    yield Spans(provider.get_tracer("test"), ids)
    detach(token)


def made(spans: Spans, exporter: InMemorySpanExporter, traceparent: str | None, status: int = 200) -> ReadableSpan:
    exporter.clear()
    spans.begin("GET", "{version}/studies", OWN, traceparent).end("search", status, 1, 2)
    (span,) = exporter.get_finished_spans()
    return span


def trace_of(span: ReadableSpan) -> str:
    assert span.context
    return f"{span.context.trace_id:032x}"


@pytest.mark.parametrize("header", [f"00-{TRACE}-{PARENT}-01", f"01-{TRACE}-{PARENT}-01-more"])
def test_a_request_goes_on_with_its_trace(spans: Spans, exporter: InMemorySpanExporter, header: str) -> None:
    span = made(spans, exporter, header)
    assert trace_of(span) == TRACE
    assert span.parent
    assert (f"{span.parent.span_id:016x}", span.parent.is_remote) == (PARENT, True)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "00",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}-0",
    ],
)
def test_a_request_without_one_begins_a_trace_by_its_own_id(
    spans: Spans, exporter: InMemorySpanExporter, header: str | None
) -> None:
    span = made(spans, exporter, header)
    assert (trace_of(span), span.parent) == (OWN, None)


def test_the_caller_says_whether_a_trace_is_wanted(spans: Spans, exporter: InMemorySpanExporter) -> None:
    spans.begin("GET", "r", OWN, f"00-{TRACE}-{PARENT}-00").end("search", 200, 1, 2)
    assert exporter.get_finished_spans() == ()


@pytest.mark.parametrize("correlation", ["", "my-own-id", "0" * 32, OWN[:-1]])
def test_an_id_that_no_trace_can_have(spans: Spans, exporter: InMemorySpanExporter, correlation: str) -> None:
    spans.begin("GET", "r", correlation, None).end("search", 200, 1, 2)
    (span,) = exporter.get_finished_spans()
    assert trace_of(span) not in ("0" * 32, correlation)


def test_what_a_span_tells(spans: Spans, exporter: InMemorySpanExporter) -> None:
    span = made(spans, exporter, None)
    assert (span.name, span.kind) == ("GET /{version}/studies", SpanKind.SERVER)
    assert dict(span.attributes or {}) == {
        "dicom.function": "search",
        "http.request.method": "GET",
        "http.route": "/{version}/studies",
        "http.response.status_code": 200,
        "http.request.body.size": 1,
        "http.response.body.size": 2,
    }


@pytest.mark.parametrize(("status", "failed"), [(200, False), (404, False), (499, False), (500, True), (503, True)])
def test_failures_are_the_services_own(spans: Spans, exporter: InMemorySpanExporter, status: int, failed: bool) -> None:
    span = made(spans, exporter, None, status)
    assert (span.status.status_code is StatusCode.ERROR) is failed
    assert ((span.attributes or {}).get("error.type") == str(status)) is failed


def test_what_is_logged_meanwhile_belongs_to_it(spans: Spans) -> None:
    spans.begin("GET", "r", OWN, None)
    assert f"{get_current_span().get_span_context().trace_id:032x}" == OWN
