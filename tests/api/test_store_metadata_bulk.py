"""Storing metadata, as JSON or XML, with bulk data in parts of its own (PS3.18 10.5.1)."""

import base64
import json
from typing import Any

import httpx
import pytest

from shared.dicom.xml import to_xml
from tests.api.client import BOUNDARY, DICOM_JSON, DICOM_XML, OCTETS, Api, parts
from tests.api.files import EXPLICIT, JPEG
from tests.api.store_answers import FAILED, REASON, REFERENCED, SOP_INSTANCE, VALIDATION_FAILED
from tests.instances import Identity, new_identity

CT = "1.2.840.10008.5.1.4.1.1.2"
PDF = "1.2.840.10008.5.1.4.1.1.104.1"
PIXELS = bytes(range(256)) * 2
FORMS = pytest.mark.parametrize("form", [DICOM_JSON, DICOM_XML])

BulkPart = tuple[str, str | None, bytes]
"""Content-Type, Content-Location and content."""


def metadata(identity: Identity, sop_class: str = CT, **elements: Any) -> dict[str, dict[str, Any]]:
    """A data set in the DICOM JSON model; ``elements`` by tag with a ``t`` before it."""
    values = {
        "00080016": ("UI", sop_class),
        "00080018": ("UI", identity.instance),
        "00080060": ("CS", "CT"),
        "00100010": ("PN", {"Alphabetic": "Doe^Jane"}),
        "00100020": ("LO", "P-7"),
        "0020000D": ("UI", identity.study),
        "0020000E": ("UI", identity.series),
    }
    dataset: dict[str, dict[str, Any]] = {tag: {"vr": vr, "Value": [value]} for tag, (vr, value) in values.items()}
    return dataset | {name.removeprefix("t"): element for name, element in elements.items()}


def image(identity: Identity, *, uri: str = "pixels", frames: int = 1, bits: int = 16) -> dict[str, dict[str, Any]]:
    """A data set with its pixel data elsewhere: frames of 16 by 16 pixels."""
    numbers = {"00280002": 1, "00280010": 16, "00280011": 16, "00280100": bits, "00280101": bits, "00280103": 0}
    attributes: dict[str, Any] = {f"t{tag}": {"vr": "US", "Value": [value]} for tag, value in numbers.items()}
    return metadata(
        identity,
        t00280004={"vr": "CS", "Value": ["MONOCHROME2"]},
        t00280008={"vr": "IS", "Value": [frames]},
        t7FE00010={"vr": "OW", "BulkDataURI": uri},
        **attributes,
    )


def send(
    api: Api, datasets: list[dict[str, Any]], *bulk: BulkPart, form: str = DICOM_JSON, method: str = "POST"
) -> httpx.Response:
    """JSON takes all data sets in one part, XML each in its own."""
    bodies = [json.dumps(datasets).encode()] if form == DICOM_JSON else list(map(to_xml, datasets))
    return send_parts(api, form, *((form, None, body) for body in bodies), *bulk, method=method)


def send_parts(api: Api, form: str, *body_parts: BulkPart, method: str = "POST") -> httpx.Response:
    body = b"".join(map(_part, body_parts)) + f"--{BOUNDARY}--\r\n".encode()
    return api.send(body, f'multipart/related; type="{form}"; boundary={BOUNDARY}', method=method)


def _part(part: BulkPart) -> bytes:
    content_type, location, content = part
    head = f"--{BOUNDARY}\r\nContent-Type: {content_type}\r\n"
    head += f"Content-Location: {location}\r\n" if location else ""
    return head.encode() + b"\r\n" + content + b"\r\n"


@FORMS
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_native_pixels(api: Api, form: str, method: str) -> None:
    identity = new_identity()
    answer = send(api, [image(identity)], (OCTETS, "pixels", PIXELS), form=form, method=method)
    assert answer.status_code == 200, answer.text
    assert answer.json()[REFERENCED]["Value"][0][SOP_INSTANCE]["Value"] == [identity.instance]
    assert api.get(f"{identity.path}/frames/1", OCTETS).content == PIXELS
    (dataset,) = api.metadata(identity.path)
    sent = image(identity)
    assert {tag: dataset[tag] for tag in sent if tag != "7FE00010"} == {
        tag: element for tag, element in sent.items() if tag != "7FE00010"
    }
    assert api.search(f"studies?StudyInstanceUID={identity.study}&PatientID=P-7")


@FORMS
def test_several_instances_each_with_its_own_pixels(api: Api, form: str) -> None:
    identities = [new_identity() for _ in range(3)]
    datasets = [image(identity, uri=f"bulk/{number}") for number, identity in enumerate(identities)]
    bulk = [(OCTETS, f"bulk/{number}", bytes([number]) * 512) for number in reversed(range(3))]
    answer = send(api, datasets, *bulk, form=form)
    assert answer.status_code == 200, answer.text
    for number, identity in enumerate(identities):
        assert api.get(f"{identity.path}/frames/1", OCTETS).content == bytes([number]) * 512


@FORMS
def test_compressed_frames_in_a_part_each(api: Api, form: str) -> None:
    identity = new_identity()
    frames = [b"\xff\xd8 one \xff\xd9", b"\xff\xd8 the other one \xff\xd9"]
    label = f"image/jpeg; transfer-syntax={JPEG}"
    answer = send(api, [image(identity, frames=2, bits=8)], *((label, "pixels", frame) for frame in frames), form=form)
    assert answer.status_code == 200, answer.text
    found = parts(api.get(f"{identity.path}/frames/1,2", "multipart/related; type=image/jpeg; transfer-syntax=*"))
    assert [part.content.rstrip(b"\0") for part in found] == frames
    assert {part.content_type for part in found} == {label}


def test_a_document(api: Api) -> None:
    identity = new_identity()
    document = b"%PDF-1.7 too much to stand within the metadata" * 50
    dataset = metadata(
        identity,
        PDF,
        t00420011={"vr": "OB", "BulkDataURI": "http://example.org/document"},
        t00420012={"vr": "LO", "Value": ["application/pdf"]},
    )
    assert send(api, [dataset], ("application/pdf", "http://example.org/document", document)).status_code == 200
    assert api.get(f"{identity.path}/bulkdata/00420011", OCTETS).content == document


@FORMS
def test_values_inline(api: Api, form: str) -> None:
    identity = new_identity()
    binary = base64.b64encode(b"\1\2\3\4").decode()
    names = {"Alphabetic": "Müller^Jörg", "Ideographic": "山田^太郎"}
    dataset = metadata(
        identity,
        t00100010={"vr": "PN", "Value": [names]},
        t00420011={"vr": "OB", "InlineBinary": binary},
        t00081140={"vr": "SQ", "Value": [{"00081150": {"vr": "UI", "Value": [CT]}}, {}]},
    )
    assert send(api, [dataset], form=form).status_code == 200
    (found,) = api.metadata(identity.path)
    assert found["00100010"]["Value"] == [names]
    assert found["00420011"] == {"vr": "OB", "InlineBinary": binary}
    assert found["00081140"]["Value"][0] == {"00081150": {"vr": "UI", "Value": [CT]}}


def test_one_object_instead_of_an_array(api: Api) -> None:
    identity = new_identity()
    body = json.dumps(metadata(identity)).encode()
    assert send_parts(api, DICOM_JSON, (DICOM_JSON, None, body)).status_code == 200
    assert api.get(identity.path).status_code == 200


@pytest.mark.parametrize(
    ("broken", "bulk"),
    [
        ({"t7FE00010": {"vr": "OW", "BulkDataURI": "elsewhere"}}, []),
        ({"t7FE00010": {"vr": "OW", "BulkDataURI": "http://127.0.0.1:1/fetch-me"}}, []),
        ({"t7FE00010": {"vr": "OW", "BulkDataURI": "file:///etc/hostname"}}, []),
        ({"t00420011": {"vr": "OB", "InlineBinary": "not base64!"}}, []),
        ({"t00280010": {"vr": "US", "Value": ["many"]}}, []),
        ({"t00280010": {"vr": "XX", "Value": [1]}}, []),
        ({"t00280010": {"vr": "US", "Value": "1"}}, []),
        ({"t00280010": {"Value": [1]}}, []),
        ({"tnonsense": {"vr": "US", "Value": [1]}}, []),
        ({"t00080018": {"vr": "UI"}}, []),
        ({"t00080018": {"vr": "UI", "Value": ["abc.1"]}}, []),
        ({"t00420011": {"vr": "OB", "BulkDataURI": "twice"}}, [(OCTETS, "twice", b"1"), (OCTETS, "twice", b"2")]),
    ],
)
def test_a_broken_data_set_is_refused_alone(api: Api, broken: dict[str, Any], bulk: list[BulkPart]) -> None:
    bad, good = new_identity(), new_identity()
    answer = send(api, [metadata(bad, **broken), metadata(good)], *bulk)
    assert answer.status_code == 202, answer.text
    (failure,) = answer.json()[FAILED]["Value"]
    assert failure[REASON]["Value"] == [VALIDATION_FAILED]
    assert api.get(good.path).status_code == 200
    assert api.get(bad.path).status_code == 404


DEEP = "[" * 100_000
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {name} "{"&" + before + ";"}{("&" + before + ";") * 9}">' for before, name in ("ab", "bc"))
    + "]><NativeDicomModel>&c;</NativeDicomModel>"
)
FETCH = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><NativeDicomModel>&e;</NativeDicomModel>'


@pytest.mark.parametrize(
    ("form", "body"),
    [
        (DICOM_JSON, "not JSON"),
        (DICOM_JSON, ""),
        (DICOM_JSON, "[1, 2]"),
        (DICOM_JSON, '"text"'),
        (DICOM_JSON, DEEP),
        (DICOM_XML, "not XML"),
        (DICOM_XML, ""),
        (DICOM_XML, "<NativeDicomModel>"),
        (DICOM_XML, "<Other/>"),
        (DICOM_XML, BOMB),
        (DICOM_XML, FETCH),
    ],
    ids=[
        "no JSON",
        "nothing",
        "numbers",
        "text",
        "deep JSON",
        "no XML",
        "empty",
        "cut",
        "other root",
        "bomb",
        "entity",
    ],
)
def test_metadata_that_cannot_be_read_are_400(api: Api, form: str, body: str) -> None:
    answer = send_parts(api, form, (form, None, body.encode()))
    assert answer.status_code == 400, answer.text
    assert answer.json()["detail"]


def test_metadata_nested_too_deep_are_refused(api: Api) -> None:
    identity = new_identity()
    dataset: dict[str, Any] = {"00080060": {"vr": "CS", "Value": ["CT"]}}
    for _ in range(100):
        dataset = {"00081140": {"vr": "SQ", "Value": [dataset]}}
    answer = send(api, [metadata(identity) | dataset])
    assert answer.status_code == 409


def test_bulk_data_without_a_name_is_reported(api: Api) -> None:
    identity = new_identity()
    answer = send(api, [metadata(identity)], (OCTETS, None, b"whose?"))
    assert answer.status_code == 202
    assert api.get(identity.path).status_code == 200


def test_pixels_may_be_labelled_with_their_transfer_syntax(api: Api) -> None:
    identity = new_identity()
    label = f"{OCTETS}; transfer-syntax={EXPLICIT}"
    assert send(api, [image(identity)], (label, "pixels", PIXELS)).status_code == 200
    assert api.get(f"{identity.path}/frames/1", OCTETS).content == PIXELS


def test_large_bulk_data(api: Api) -> None:
    identity = new_identity()
    dataset = metadata(identity, PDF, t00420011={"vr": "OB", "BulkDataURI": "large"})
    content = bytes(range(256)) * 4096 * 12
    assert send(api, [dataset], (OCTETS, "large", content)).status_code == 200
    assert api.get(f"{identity.path}/bulkdata/00420011", OCTETS).content == content


def test_no_parts_are_204(api: Api) -> None:
    assert send_parts(api, DICOM_JSON).status_code == 204
