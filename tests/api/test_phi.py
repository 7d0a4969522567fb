"""What a patient's data says is told to those who ask for it, and to nobody else: not in the log, not in errors."""

import contextlib
import os
import socket
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from shared.audit import log_line
from tests.api.client import DICOM, DICOM_JSON, DICOM_XML, Api, connection, request_head
from tests.api.files import BIG_ENDIAN, by_hand, real
from tests.api.store_answers import failed
from tests.api.test_store_metadata_bulk import metadata, send, send_parts
from tests.audit.exchanges import exchange as made_exchange
from tests.dicom.building import explicit, item, sequence
from tests.instances import Identity, new_identity
from tests.server import RunningServer, running
from tests.telemetry.receiver import Receiver, eventually, receiving

MARK = "SECRET"
"""Begins every value of the data sets sent here."""

TEXT_VRS = {
    "AE": "SECRETAE",
    "AS": "SECRETAS",
    "CS": "SECRETCS",
    "DA": "SECRETDA",
    "DS": "SECRETDS",
    "DT": "SECRETDT",
    "IS": "SECRETIS",
    "LO": "SECRETLO",
    "LT": "SECRETLT",
    "PN": "SECRETPN^SECRET",
    "SH": "SECRETSH",
    "ST": "SECRETST",
    "TM": "SECRETTM",
    "UC": "SECRETUC",
    "UI": "SECRETUI",
    "UN": "SECRETUN",
    "UR": "SECRETUR",
    "UT": "SECRETUT",
    "OB": "SECRETOB",
    "OW": "SECRETOW",
}
TAGS = {
    "AE": 0x00080054,
    "AS": 0x00101010,
    "CS": 0x00080060,
    "DA": 0x00080020,
    "DS": 0x00101030,
    "DT": 0x0008002A,
    "IS": 0x00200013,
    "LO": 0x00081030,
    "LT": 0x001021B0,
    "PN": 0x00080090,
    "SH": 0x00080050,
    "ST": 0x00080081,
    "TM": 0x00080030,
    "UC": 0x00080119,
    "UI": 0x00200052,
    "UN": 0x00091001,
    "UR": 0x00080120,
    "UT": 0x00081195,
    "OB": 0x00420011,
    "OW": 0x00281201,
}


def elements(suffix: str = "") -> bytes:
    """One element of each text VR, invalid in many, with control characters if the suffix has them."""
    return b"".join(
        explicit(TAGS[vr], vr, (TEXT_VRS[vr] + suffix).encode()) for vr in sorted(TAGS, key=TAGS.__getitem__)
    )


def secret(identity: Identity, more: bytes = b"", **values: bytes) -> bytes:
    """A file that is full of marked values, once plainly and once inside a sequence."""
    own = {"PatientID": b"SECRETID", "PatientName": b"SECRET^NAME"}
    inner = sequence(0x00101002, item(elements("\x01")))
    return by_hand(identity, elements() + inner + more, **(own | values))


def in_meta(file: bytes) -> bytes:
    """The file with marks before its data set."""
    more = explicit(0x00020016, "AE", b"SECRETAE") + explicit(0x00020102, "OB", b"SECRET PRIVATE")
    length = int.from_bytes(file[140:144], "little")
    meta = file[144 : 144 + length] + more
    size = explicit(0x00020000, "UL", len(meta).to_bytes(4, "little"))
    return (b"SECRET" * 22)[:128] + b"DICM" + size + meta + file[144 + length :]


Case = Callable[[Api], httpx.Response]


def refused(**values: bytes) -> Case:
    return lambda api: api.store(secret(new_identity(), **values))


def twice(api: Api) -> httpx.Response:
    identity = new_identity()
    api.store(secret(identity))
    return api.store(secret(identity))


def other_study(api: Api) -> httpx.Response:
    return api.store(secret(new_identity()), path="/studies/1.2.3")


def broken_metadata(form: str, body: bytes) -> Case:
    return lambda api: send_parts(api, form, (form, None, body))


STORES: dict[str, Case] = {
    "stored with warnings": lambda api: api.store(secret(new_identity())),
    "stored with control characters": lambda api: api.store(secret(new_identity(), elements("\x00\x02"))),
    "a bad patient ID": refused(PatientID=b"SECRET\x01ID"),
    "a bad study UID": refused(StudyInstanceUID=b"SECRET.1"),
    "a bad series UID": refused(SeriesInstanceUID=b"SECRET.2"),
    "a bad instance UID": refused(SOPInstanceUID=b"SECRET.3"),
    "a bad class UID": refused(SOPClassUID=b"SECRET.4"),
    "several instance UIDs": refused(SOPInstanceUID=b"SECRET\\SECRET"),
    "cut": lambda api: api.store(secret(new_identity())[:-5]),
    "cut amid a name": lambda api: api.store(by_hand(new_identity(), PatientName=b"SECRET")[:300]),
    "no DICOM": lambda api: api.store(b"SECRET text" * 100),
    "single part, no DICOM": lambda api: api.store_one(b"SECRET text" * 100),
    "stored already": twice,
    "another study": other_study,
    "a broken sequence": lambda api: api.store(secret(new_identity(), explicit(0x00081140, "SQ", b"SECRETSECRET"))),
    "an unknown VR": lambda api: api.store(secret(new_identity(), explicit(0x00102201, "QQ", b"SECRET"))),
    "a wrong character set": lambda api: api.store(
        by_hand(new_identity(), PatientName=b"SECRET\xff\xfe\x1b$B", StudyDescription=b"SECRET\xe9")
    ),
    "broken deflate": lambda api: api.store(real("image_dfl.dcm")[:400] + b"SECRET" * 100),
    "a malformed part": lambda api: api.send(b"--a-boundary\r\nSECRET\r\n\r\nSECRET\r\n--a-boundary--"),
    "no closing boundary": lambda api: api.send(b"--a-boundary\r\n\r\nSECRET"),
    "metadata": lambda api: send(
        api,
        [
            metadata(
                new_identity(), t00101030={"vr": "DS", "Value": ["SECRET"]}, t00280010={"vr": "US", "Value": ["SECRET"]}
            )
        ],
    ),
    "metadata with a bad UID": lambda api: send(
        api, [metadata(new_identity(), t00080018={"vr": "UI", "Value": ["SECRET.5"]})]
    ),
    "metadata that name a secret place": lambda api: send(
        api, [metadata(new_identity(), t00420011={"vr": "OB", "BulkDataURI": "SECRET/uri"})]
    ),
    "names in several character sets": lambda api: api.store(
        by_hand(
            new_identity(),
            PatientName=b"SECRET^\xd1=\x1b$)C\xfb\xf3SECRET=SECRET",
            PatientID="SECRET\u00e9".encode("latin-1"),
            StudyDescription="SECRET\u6f22\u5b57".encode("gb18030"),
        )
    ),
    "marks in the preamble and the file meta": lambda api: api.store(in_meta(by_hand(new_identity()))),
    "marks in the preamble of no DICOM": lambda api: api.store((b"SECRET" * 22)[:128] + b"DICM" + b"SECRET" * 9),
    "a transfer syntax that is none": lambda api: api.store(
        by_hand(new_identity()).replace(b"1.2.840.10008.1.2.1\0", b"SECRET SECRET SECRE", 1)
    ),
    "private elements": lambda api: api.store(
        by_hand(
            new_identity(),
            explicit(0x00090010, "LO", b"SECRET CREATOR")
            + explicit(0x00091001, "UN", b"SECRET" * 400)
            + explicit(0x00091002, "SQ", item(explicit(0x00091003, "IS", b"SECRET"))),
        )
    ),
    "sequences nested too deep": lambda api: api.store(
        secret(new_identity(), (explicit(0x0040A730, "SQ", b"", 0xFFFFFFFF) + item(b"", 0xFFFFFFFF)) * 60)
    ),
    "marks in headers of a part": lambda api: api.send(
        b"--a-boundary\r\nContent-Type: application/dicom; x=SECRET\r\n"
        b'Content-Disposition: attachment; filename="SECRET^NAME.dcm"\r\n'
        b"Content-Location: SECRET\r\nX-SECRET: SECRET\r\n\r\nSECRET\r\n--a-boundary--"
    ),
    "a head of a part without end": lambda api: api.send(b"--a-boundary\r\nSECRET: " + b"SECRET" * 20_000),
    "a boundary": lambda api: api.send(
        b"--SECRET\r\nx", 'multipart/related; type="application/dicom"; boundary=SECRET'
    ),
    "no type known": lambda api: api.send(b"SECRET", "SECRET/SECRET; SECRET=SECRET"),
    "metadata with bulk data": lambda api: send(
        api,
        [metadata(new_identity(), t00420011={"vr": "OB", "BulkDataURI": "http://SECRET/1"})],
        ("SECRET/SECRET", "http://SECRET/2", b"SECRET"),
    ),
    "metadata with a strange VR": lambda api: send(
        api, [metadata(new_identity(), t00420011={"vr": "SECRET", "Value": ["SECRET"], "SECRET": 1}, tSECRET={})]
    ),
    "broken JSON": broken_metadata(DICOM_JSON, b'[{"00100010": SECRET'),
    "broken XML": broken_metadata(DICOM_XML, b"<NativeDicomModel>SECRET</Native>"),
    "strange XML": broken_metadata(DICOM_XML, b"<SECRET/>"),
    "XML with a bad value": broken_metadata(
        DICOM_XML,
        b'<NativeDicomModel><DicomAttribute tag="SECRET" vr="SECRET"><Value>SECRET</Value></DicomAttribute>'
        b"</NativeDicomModel>",
    ),
}
"""Store requests, of which every answer and the log must be without marks."""


EVERYTHING = """
import logging
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("opentelemetry").setLevel(logging.INFO)
"""
"""Run by every process of the server at its start."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    """Where traces, metrics and logs are sent."""
    with receiving() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[RunningServer]:
    """A server of its own, so that all of its log, at level DEBUG, is about these tests."""
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


@pytest.fixture
def ward(watched: RunningServer, receiver: Receiver, http: httpx.Client) -> Iterator[Api]:
    """Its API; afterwards its log is read, and what it sent elsewhere."""
    yield Api(http, f"{watched.url}/v2")
    assert not marked(watched.log.read_bytes())
    assert not marked(b"".join(receiver.content))


def marked(told: bytes) -> bool:
    return MARK.encode() in told.upper()


def is_clean(answer: httpx.Response) -> bool:
    told = answer.text + str(answer.headers)
    return MARK not in told.upper()


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("case", STORES)
def test_answers_to_stores_repeat_no_value(ward: Api, case: str, version: str) -> None:
    answer = STORES[case](Api(ward.http, ward.base.replace("v2", version)))
    assert answer.status_code in (200, 202, 400, 409, 415)
    assert is_clean(answer), answer.text


def test_values_are_given_to_those_who_ask_for_them(ward: Api) -> None:
    """The marks do arrive: what is tested above is that they are held back."""
    identity = new_identity()
    answer = ward.store(secret(identity))
    assert answer.status_code == 202
    assert not failed(answer)
    assert MARK in ward.get(f"{identity.path}/metadata").text
    assert MARK in ward.search(f"studies?StudyInstanceUID={identity.study}")[0]["00100020"]["Value"][0]
    assert MARK.encode() in ward.get(identity.path, DICOM).content


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


def test_a_stored_instance_in_failing_reads(ward: Api) -> None:
    identity = new_identity()
    ward.store(secret(identity))
    for path, accept in (
        (identity.path, "image/jpeg"),
        (f"{identity.path}/frames/1", None),
        (f"{identity.path}/bulkdata/00100010", None),
        (f"{identity.path}/frames/x", None),
        (f"/studies/{identity.study}", f"application/dicom; transfer-syntax={BIG_ENDIAN}"),
        (f"/studies/{identity.study}/pixeldata", None),
    ):
        answer = ward.get(path, accept)
        assert answer.status_code in (400, 404, 406)
        assert is_clean(answer)


def test_a_connection_that_breaks_off(ward: Api) -> None:
    with connection(ward.base) as opened:
        head = request_head("POST", "/v2/studies", f"Content-Type: {DICOM}", "Content-Length: 100000")
        opened.sendall(head + secret(new_identity()))
    assert ward.get("/partitions").status_code == 200


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


def test_files_dropped_into_the_inbox(ward: Api, watched: RunningServer) -> None:
    good = new_identity()
    files = {
        "SECRET 1.dcm": secret(good),
        "SECRET 2.dcm": secret(new_identity())[:-5],
        "SECRET 3.zip": b"PK\x03\x04SECRET",
        "SECRET 4.dcm": b"SECRET",
    }
    elsewhere, folder = watched.data / "elsewhere", watched.data / "inbox" / "SECRET^NAME"
    elsewhere.mkdir()
    for name, file in files.items():
        (elsewhere / name).write_bytes(file)
        os.utime(elsewhere / name, (0, time.time() - 3600))
    elsewhere.rename(folder)
    eventually(lambda: None if list(folder.glob("*.*")) else True)
    assert ward.get(good.path).status_code == 200
    assert len(list((watched.data / "inbox-errors" / folder.name).glob("*.json"))) == len(files) - 1


def test_what_failed_names_no_partition() -> None:
    """There may be none of that name: somebody may have written a patient's into the path."""
    for status in (400, 403, 404, 429, 499, 500, 503):
        assert MARK not in log_line(made_exchange(partition=MARK, status=status, function="store"))
    assert MARK in log_line(made_exchange(partition=MARK, status=200))


def test_metrics_and_health_name_nobody(ward: Api, watched: RunningServer, receiver: Receiver) -> None:
    """After all of the above; and what was read there and in the log was no empty page."""
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
