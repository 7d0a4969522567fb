"""Requests may name patients: what stands in them is repeated nowhere."""

import contextlib
import socket

import pytest

from shared.audit import log_line
from tests.api.client import Api, connection
from tests.api.phi.marks import MARK, is_clean, marked
from tests.audit.exchanges import exchange as made_exchange
from tests.server import RunningServer
from tests.telemetry.receiver import Receiver, eventually

PATHS = [
    "/studies?PatientName=SECRET%3C",
    "/studies?PatientID=SECRET&limit=SECRET",
    "/studies?StudyDate=SECRET",
    "/studies?fuzzymatching=SECRET",
    "/studies?offset=SECRET",
    "/studies/SECRET",
    "/studies/SECRET/metadata",
    "/studies/1.2/series/SECRET",
    "/studies/1.2/series/1.2/instances/SECRET/frames/1",
    "/partitions/SECRET%20/studies",
    "/partitions/SECRET/studies",
    "/SECRET",
    "/SECRET/studies",
]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_errors_do_not_repeat_the_request(ward: Api, method: str, path: str) -> None:
    answer = ward.request(method, path)
    assert answer.status_code >= 400 or method == "GET"
    if answer.status_code >= 400:
        assert MARK not in answer.text.upper()
        assert MARK not in str(answer.headers).upper()


HEADERS = {
    "Accept": "SECRET/SECRET; SECRET=SECRET",
    "Accept-Encoding": "SECRET",
    "Authorization": "Bearer SECRET",
    "Content-Type": "SECRET",
    "Cookie": "SECRET=SECRET",
    "If-None-Match": "SECRET",
    "Origin": "http://SECRET",
    "Range": "bytes=SECRET",
    "Referer": "http://x/SECRET",
    "User-Agent": "SECRET",
    "X-Forwarded-For": "SECRET",
    "X-Forwarded-Host": "SECRET",
    "X-MS-AZUREDICOM-AUDIT-Patient": "SECRET^NAME",
    "X-Request-Id": "SECRET NAME",
    "X-SECRET": "1",
    "traceparent": "SECRET",
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_not_repeated(ward: Api, name: str) -> None:
    for method, path in (("GET", "/studies?limit=0"), ("GET", "/studies/1.2.3"), ("POST", "/studies"), ("GET", "/x")):
        answer = ward.http.request(method, ward.base + path, headers={name: HEADERS[name]})
        assert is_clean(answer)


BODIES = {
    "no JSON": b"SECRET",
    "a path": b'[{"Path": "SECRET NAME", "VR": "LO", "Level": "Study"}]',
    "a VR": b'[{"Path": "00101002", "VR": "SECRET^", "Level": "SECRET^"}]',
    "a creator": b'[{"Path": "12051001", "VR": "LO", "PrivateCreator": "SECRET\\u0001", "Level": "Study"}]',
    "another member": b'[{"SECRET": "SECRET"}]',
    "a status": b'{"QueryStatus": "SECRET NAME"}',
    "a file name": b'{"fileName": ["SECRET"]}',
    "a name of a patient": b'{"fileName": "SECRET^NAME.dcm"}',
}


@pytest.mark.parametrize("body", BODIES)
def test_bodies_of_other_requests_are_not_repeated(ward: Api, body: str) -> None:
    for method, path in (
        ("POST", "/extendedquerytags"),
        ("PATCH", "/extendedquerytags/00100020"),
        ("POST", "/uploads"),
    ):
        assert is_clean(ward.request(method, path, content=BODIES[body]))


@pytest.mark.parametrize(
    "path",
    [
        "/extendedquerytags/SECRET%20NAME",
        "/extendedquerytags/SECRET^NAME/errors",
        "/operations/SECRET",
        "/uploads/SECRET.dcm",
        "/partitions/SECRET/uploads/SECRET",
        "/changefeed?offset=SECRET&startTime=SECRET",
        "/changefeed?partition=SECRET",
        "/studies?PatientName=SECRET&StudyDate=SECRET",
        "/studies/1.2.3?accept=SECRET",
    ],
)
def test_other_paths_and_queries_are_not_repeated(ward: Api, path: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        answer = ward.request(method, path)
        assert answer.status_code >= 400 or method == "GET"
        assert answer.status_code == 200 or is_clean(answer)


@pytest.mark.parametrize(
    "head",
    [
        b"SECRET /v2/studies HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /SECRET SECRET HTTP/1.1\r\n\r\n",
        b"GET /v2/studies HTTP/1.1\r\nSECRET\r\n\r\n",
        b"GET /v2/studies HTTP/1.1\r\nContent-Length: SECRET\r\n\r\n",
        b"GET /v2/studies HTTP/1.1\r\nX-Long: " + b"SECRET" * 20_000 + b"\r\n\r\n",
        b"GET /v2/studies/" + b"SECRET" * 5_000 + b" HTTP/1.1\r\n\r\n",
        b"POST /v2/partitions/SECRET/studies HTTP/1.1\r\nContent-Type: application/dicom\r\nContent-Length: 9\r\n\r\n",
    ],
    ids=lambda head: head[:30],
)
def test_what_is_no_request_is_not_repeated(ward: Api, head: bytes) -> None:
    with connection(ward.base) as opened:
        opened.sendall(head)
        opened.shutdown(socket.SHUT_WR)
        told = b""
        with contextlib.suppress(ConnectionError):
            while more := opened.recv(65536):
                told += more
    assert not marked(told)
    assert ward.get("/partitions").status_code == 200


def test_what_failed_names_no_partition() -> None:
    """There may be none of that name: somebody may have written a patient's into the path."""
    for status in (400, 403, 404, 429, 499, 500, 503):
        assert MARK not in log_line(made_exchange(partition=MARK, status=status, function="store"))
    assert MARK in log_line(made_exchange(partition=MARK, status=200))


def test_metrics_and_health_name_nobody(ward: Api, watched: RunningServer, receiver: Receiver) -> None:
    """And what was read there and in the log was no empty page."""
    metrics = ward.http.get(f"{watched.url}/metrics")
    assert metrics.status_code == 200
    assert "store" in metrics.text
    assert is_clean(metrics)
    assert is_clean(ward.http.get(f"{watched.url}/health/check"))
    eventually(lambda: (receiver.spans() and receiver.logs() and receiver.has_metrics()) or None)
    log = watched.log.read_text()
    assert "DEBUG" in log
    assert '"function":"store"' in log
    assert '"function":"search_studies"' in log
