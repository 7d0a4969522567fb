"""The embedded host sends what it should to whom the environment names, and does not mind if nobody is there."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.instances import dataset, new_identity, part10
from tests.server import ROOT, RunningServer, free_port, running
from tests.telemetry.receiver import Receiver, attributes, eventually, receiving

QUICKLY = {
    "OTEL_METRIC_EXPORT_INTERVAL": "200",
    "OTEL_BSP_SCHEDULE_DELAY": "100",
    "OTEL_BLRP_SCHEDULE_DELAY": "100",
}
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PATIENT = "SECRETPATIENT"
PARTITION = "secret-ward"
KEY = "00000000-0000-0000-0000-000000000001"
SOON = 10.0

IMPORTS = """
import sys, function_app
from local import app
unwanted = ("opentelemetry.sdk", "opentelemetry.exporter", "azure.monitor", "google.protobuf", "requests")
print(*(name for name in sys.modules if name.startswith(unwanted)))
"""


@pytest.fixture(scope="module")
def otlp() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def server(otlp: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    settings = QUICKLY | {"OTEL_EXPORTER_OTLP_ENDPOINT": otlp.url, "OTEL_SERVICE_NAME": "ours"}
    with running(tmp_path_factory.mktemp("otlp") / "data", workers=1, settings=settings) as started:
        asked_until_traced(started, otlp)
        yield started


def asked_until_traced(server: RunningServer, otlp: Receiver) -> None:
    """What is sent with is put together beside the first requests."""

    with httpx.Client() as client:

        def traced() -> bool | None:
            client.get(f"{server.url}/v2/partitions").raise_for_status()
            return True if otlp.spans() else None

        eventually(traced)


def test_nothing_of_it_is_imported_unless_it_is_wanted() -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "APPLICATIONINSIGHTS"))}
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], cwd=ROOT, env=own, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == ""


def test_a_request_is_a_span_of_its_callers_trace(server: RunningServer, otlp: Receiver) -> None:
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    answer = httpx.get(f"{server.url}/v2/studies", params={"PatientID": PATIENT}, headers=headers)
    assert (answer.status_code, answer.headers["x-request-id"]) == (204, TRACE)
    found = eventually(lambda: next((each for each in otlp.spans() if each["name"] == "GET /{version}/studies"), None))
    assert (found["kind"], "error" in found.get("status", {})) == ("SPAN_KIND_SERVER", False)
    assert attributes(found)["http.response.status_code"] == "204"
    assert int(found["endTimeUnixNano"]) > int(found["startTimeUnixNano"])


def test_what_is_logged_belongs_to_the_request(server: RunningServer, otlp: Receiver) -> None:
    refused = httpx.get(f"{server.url}/v2/studies/{PATIENT}")
    assert refused.status_code == 400
    correlation = refused.headers["x-request-id"]
    record = eventually(lambda: next((each for each in otlp.logs() if correlation in str(each["body"])), None))
    span = eventually(
        lambda: next((each for each in otlp.spans() if attributes(each)["http.response.status_code"] == "400"), None)
    )
    assert (record["traceId"], record["spanId"]) == (span["traceId"], span["spanId"])
    assert record["severityText"] == "INFO"


def test_the_metrics_are_those_that_prometheus_sees(server: RunningServer, otlp: Receiver) -> None:
    file = part10(dataset(new_identity(), PatientID=PATIENT))
    path = f"{server.url}/v2/partitions/{PARTITION}/studies"
    httpx.post(path, content=file, headers={"Content-Type": "application/dicom"}).raise_for_status()

    def stored() -> dict[str, object] | None:
        found = otlp.metrics() if otlp.has_metrics() else {}
        counted = found.get("dicom.instances.stored", {}).get("sum", {}).get("dataPoints", [{}])[0].get("asInt")
        return found if counted == "1" else None

    found = eventually(stored)
    shown = httpx.get(f"{server.url}/metrics").text
    assert "dicom_instances_stored_total 1\n" in shown
    assert found.keys() >= {"http.server.request.duration", "http.server.active_requests", "dicom.operations"}


def test_nothing_that_is_sent_tells_of_patients_or_partitions(server: RunningServer, otlp: Receiver) -> None:
    asked_until_traced(server, otlp)
    everything = b"".join(otlp.content) + httpx.get(f"{server.url}/metrics").content
    assert PATIENT.encode() not in everything
    traces_and_metrics = str(otlp.spans()) + str(otlp.metrics()) + httpx.get(f"{server.url}/metrics").text
    assert PARTITION not in traces_and_metrics
    assert "1.2.826" not in traces_and_metrics


def test_what_waits_is_sent_when_the_service_stops(tmp_path: Path) -> None:
    with receiving() as receiver:
        slowly = dict.fromkeys(QUICKLY, "60000") | {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        with running(tmp_path / "data", workers=1, settings=slowly) as server:
            time.sleep(0.7)
            httpx.get(f"{server.url}/v2/partitions").raise_for_status()
        assert receiver.spans()[-1]["name"] == "GET /{version}/partitions"
        assert "http.server.request.duration" in receiver.metrics()


def test_application_insights_gets_envelopes(tmp_path: Path) -> None:
    with receiving() as receiver:
        connection = f"InstrumentationKey={KEY};IngestionEndpoint={receiver.url}/"
        settings = QUICKLY | {"APPLICATIONINSIGHTS_CONNECTION_STRING": connection}
        with running(tmp_path / "data", workers=1, settings=settings) as server, httpx.Client() as client:

            def kinds() -> set[str] | None:
                client.get(f"{server.url}/v2/studies/{PATIENT}")
                found = {each["data"]["baseType"] for each in receiver.envelopes}
                return found if found >= {"RequestData", "MessageData", "MetricData"} else None

            eventually(kinds)
        assert {each["iKey"] for each in receiver.envelopes} == {KEY}
        assert PATIENT.encode() not in b"".join(receiver.content)
        requests = [
            each["data"]["baseData"] for each in receiver.envelopes if each["data"]["baseType"] == "RequestData"
        ]
        assert {(each["name"], each["responseCode"]) for each in requests} <= {
            ("GET /health/check", "200"),
            ("GET /{version}/studies/{study}", "400"),
        }
        assert "Traceback" not in server.log.read_text()


def test_nobody_waits_for_a_receiver_that_is_not_there(tmp_path: Path) -> None:
    settings = (
        QUICKLY
        | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
        | {"OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    )
    with running(tmp_path / "data", workers=1, settings=settings) as server, httpx.Client() as client:
        time.sleep(0.5)
        began = time.monotonic()
        for _ in range(50):
            client.get(f"{server.url}/v2/partitions").raise_for_status()
        assert time.monotonic() - began < SOON / 2
        assert client.get(f"{server.url}/health/check").json()["overallStatus"] == "Healthy"
        eventually(lambda: "Metrics were not taken" in server.log.read_text() or None)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < SOON
    assert "Traceback" not in server.log.read_text()
