"""A server whose log is read, and all that it sends elsewhere."""

from collections.abc import Iterator

import httpx
import pytest

from tests.api.client import Api
from tests.api.phi.marks import marked
from tests.server import RunningServer, running
from tests.telemetry.receiver import Receiver, receiving

EVERYTHING = """
import logging
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("opentelemetry").setLevel(logging.INFO)
"""
"""Run by every process of the server at its start."""


@pytest.fixture(scope="package")
def receiver() -> Iterator[Receiver]:
    """Where traces, metrics and logs are sent."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="package")
def watched(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[RunningServer]:
    """A server of its own, so that all of its log, at level DEBUG, and its metrics are about these tests."""
    folder = tmp_path_factory.mktemp("phi")
    (folder / "sitecustomize.py").write_text(EVERYTHING)
    settings = {
        "PYTHONPATH": str(folder),
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_BLRP_SCHEDULE_DELAY": "200",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
    }
    with running(folder / "data", workers=1, settings=settings) as started:
        yield started
        assert not marked(httpx.get(f"{started.url}/metrics").content)


@pytest.fixture
def ward(watched: RunningServer, receiver: Receiver, http: httpx.Client) -> Iterator[Api]:
    """Its API; afterwards its log is read, and what it sent elsewhere."""
    yield Api(http, f"{watched.url}/v2")
    assert not marked(watched.log.read_bytes())
    assert not marked(b"".join(receiver.content))
