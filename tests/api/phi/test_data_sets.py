"""What a patient's data says is told to those who ask for it, and to nobody else: not in the log, not in errors."""

import os
import time
from collections.abc import Callable

import httpx
import pytest

from tests.api.client import DICOM, DICOM_JSON, DICOM_XML, Api, connection, request_head
from tests.api.files import BIG_ENDIAN, by_hand, real
from tests.api.phi.marks import MARK, is_clean
from tests.api.store_answers import failed
from tests.api.test_store_metadata_bulk import metadata, send, send_parts
from tests.dicom.building import explicit, item, sequence
from tests.instances import Identity, new_identity
from tests.server import RunningServer
from tests.telemetry.receiver import eventually

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
