"""What a patient's data says is told to those who ask for it, and to nobody else: not in the log, not in errors."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from tests.api.client import DICOM, DICOM_JSON, DICOM_XML, Api, connection, request_head
from tests.api.files import BIG_ENDIAN, by_hand, real
from tests.api.store_answers import failed
from tests.api.test_store_metadata_bulk import metadata, send, send_parts
from tests.dicom.building import explicit, item, sequence
from tests.instances import Identity, new_identity
from tests.server import RunningServer, running

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


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server of its own, so that all of its log is about these tests."""
    with running(tmp_path_factory.mktemp("phi") / "data", workers=1) as started:
        yield started


@pytest.fixture
def ward(watched: RunningServer, http: httpx.Client) -> Iterator[Api]:
    """Its API; afterwards its log is read."""
    yield Api(http, f"{watched.url}/v2")
    assert MARK not in watched.log.read_text().upper()


def is_clean(answer: httpx.Response) -> bool:
    told = answer.text + str(answer.headers)
    return MARK not in told.upper()


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("case", STORES)
def test_answers_to_stores_repeat_no_value(ward: Api, case: str, version: str) -> None:
    answer = STORES[case](Api(ward.http, ward.base.replace("v2", version)))
    assert answer.status_code in (200, 202, 400, 409)
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
