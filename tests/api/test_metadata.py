"""Metadata of studies, series and instances: JSON and XML, bulk data by URI, entity tags (PS3.18 10.4.1.1.2)."""

import gzip
import io
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from pydicom import dcmread

from shared.dicom.xml import from_xml
from tests.api.client import DICOM_JSON, DICOM_XML, OCTETS, Api, parts
from tests.api.files import BIG_ENDIAN, DEFLATED, EXPLICIT, IMPLICIT, by_hand, native, without_pixels
from tests.dicom.building import explicit, item, sequence
from tests.instances import Identity, new_identity, new_uid

LEVELS = ["study", "series", "instance"]
XML_PARTS = f'multipart/related; type="{DICOM_XML}"'
PIXELS = bytes(range(256)) * 2

every_level = pytest.mark.parametrize("level", LEVELS)


@dataclass(frozen=True, slots=True)
class Shelf:
    """Two series of a study: one instance alone, and two together."""

    api: Api
    identities: tuple[Identity, Identity, Identity]

    def path(self, level: str) -> str:
        return path_of(self.identities[0], level)

    def count(self, level: str) -> int:
        return {"study": 3, "series": 2, "instance": 1}[level]


def path_of(identity: Identity, level: str) -> str:
    study = f"/studies/{identity.study}"
    return {"study": study, "series": f"{study}/series/{identity.series}", "instance": identity.path}[level]


@pytest.fixture(scope="module")
def stored(shelf: Api) -> Shelf:
    study, series = new_uid(), new_uid()
    identities = new_identity(study, series), new_identity(study, series), new_identity(study)
    shelf.keep(*(native(identity, PIXELS, PatientName="Doe^Jane" * 4) for identity in identities))
    return Shelf(shelf, identities)


@every_level
@pytest.mark.parametrize("accept", [None, "*/*", "application/*", DICOM_JSON, f"{DICOM_JSON}, application/json"])
def test_json(stored: Shelf, level: str, accept: str | None) -> None:
    answer = stored.api.get(f"{stored.path(level)}/metadata", accept)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == DICOM_JSON
    found = answer.json()
    assert [dataset["00080018"]["Value"][0] for dataset in found] == [
        identity.instance for identity in stored.identities[: stored.count(level)]
    ]


@every_level
@pytest.mark.parametrize("accept", [DICOM_XML, XML_PARTS, f"{XML_PARTS}, {DICOM_JSON};q=0.5"])
def test_xml_says_what_json_says(stored: Shelf, level: str, accept: str) -> None:
    answer = stored.api.get(f"{stored.path(level)}/metadata", accept)
    assert answer.headers["content-type"].startswith(f"{XML_PARTS}; boundary=")
    documents = parts(answer)
    assert {part.content_type for part in documents} == {DICOM_XML}
    assert [from_xml(part.content) for part in documents] == stored.api.metadata(stored.path(level))


@every_level
@pytest.mark.parametrize("accept", ["application/dicom", "image/jpeg", OCTETS, "text/html", f"{DICOM_JSON};q=0"])
def test_what_is_not_available_is_406(stored: Shelf, level: str, accept: str) -> None:
    assert stored.api.get(f"{stored.path(level)}/metadata", accept).status_code == 406


@every_level
def test_the_accept_parameter_overrides_the_header(stored: Shelf, level: str) -> None:
    answer = stored.api.get(f"{stored.path(level)}/metadata?accept=application/dicom+xml", DICOM_JSON)
    assert answer.headers["content-type"].startswith(XML_PARTS)


@every_level
@pytest.mark.parametrize("accept", [DICOM_JSON, DICOM_XML])
def test_gzip_where_it_is_asked_for(stored: Shelf, level: str, accept: str) -> None:
    path = f"{stored.path(level)}/metadata"
    plain = stored.api.get(path, accept, Accept_Encoding="identity")
    assert "content-encoding" not in plain.headers
    with stored.api.http.stream(
        "GET", stored.api.base + path, headers={"accept": accept, "accept-encoding": "gzip"}
    ) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["vary"]
    assert len(raw) < len(plain.content)
    if accept == DICOM_JSON:
        assert gzip.decompress(raw) == plain.content


@every_level
@pytest.mark.parametrize("coding", ["gzip;q=0", "br", ""])
def test_no_gzip_where_it_is_refused(stored: Shelf, level: str, coding: str) -> None:
    answer = stored.api.get(f"{stored.path(level)}/metadata", Accept_Encoding=coding)
    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED])
def test_metadata_are_the_data_set_without_its_bulk(api: Api, syntax: str) -> None:
    identity = new_identity()
    file = native(
        identity,
        PIXELS,
        transfer_syntax=syntax,
        PatientName="Müller^Jörg",
        SpecificCharacterSet="ISO_IR 192",
        WindowCenter=["40", "-0.5"],
        PixelAspectRatio=[1, 2],
        SmallestImagePixelValue=7,
        ImageType=["ORIGINAL", "", "AXIAL"],
        StudyDescription="",
    )
    api.keep(file)
    (found,) = api.metadata(identity.path)
    assert found.pop("7FE00010") == {"vr": "OW", "BulkDataURI": f"{api.base}{identity.path}/bulkdata/7FE00010"}
    made = dcmread(io.BytesIO(file))
    del made.PixelData
    expected = made.to_json_dict()
    expected["00080008"]["Value"][1] = None
    assert found == expected
    assert not any(tag.startswith("0002") for tag in found)


def test_bulk_data_uris_are_absolute_at_every_depth_and_can_be_followed(partition: Api) -> None:
    identity = new_identity()
    inner = item(explicit(0x00420011, "OB", b"inner" * 300))
    file = by_hand(identity, explicit(0x00420011, "OB", b"outer" * 300) + sequence(0x54000100, item(), inner))
    partition.keep(file)
    (found,) = partition.metadata(identity.path)
    outer, nested = found["00420011"], found["54000100"]["Value"][1]["00420011"]
    assert outer["BulkDataURI"] == f"{partition.base}{identity.path}/bulkdata/00420011"
    assert nested["BulkDataURI"] == f"{partition.base}{identity.path}/bulkdata/54000100/1/00420011"
    for element, content in ((outer, b"outer" * 300), (nested, b"inner" * 300)):
        assert partition.http.get(element["BulkDataURI"], headers={"accept": OCTETS}).content == content


def test_a_text_that_looks_like_a_bulk_data_uri_stays_as_it_is(api: Api) -> None:
    identity = new_identity()
    trap = '"BulkDataURI":"x'
    api.keep(by_hand(identity, StudyDescription=trap.encode()))
    (found,) = api.metadata(identity.path)
    assert found["00081030"]["Value"] == [trap]


def test_bulk_data_uris_are_those_the_caller_used_behind_a_proxy(stored: Shelf) -> None:
    identity = stored.identities[0]
    answer = stored.api.get(f"{identity.path}/metadata", X_Forwarded_Host="pacs.example.org", X_Forwarded_Proto="https")
    (found,) = answer.json()
    partition = stored.api.base.partition("/v2/")[2]
    expected = f"https://pacs.example.org/v2/{partition}{identity.path}/bulkdata/7FE00010"
    assert found["7FE00010"]["BulkDataURI"] == expected


@every_level
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("write", "matches"),
    [
        (lambda tag: tag, True),
        (lambda tag: tag.strip('"'), True),
        (lambda tag: f"W/{tag}", True),
        (lambda tag: f'"0-0",{tag}', True),
        (lambda tag: "*", True),
        (lambda tag: '"0-0"', False),
    ],
    ids=["the tag", "without quotes", "weak", "in a list", "a star", "another"],
)
def test_if_none_match(stored: Shelf, level: str, method: str, write: Callable[[str], str], matches: bool) -> None:
    path = f"{stored.path(level)}/metadata"
    tag = stored.api.head(path).headers["etag"]
    assert tag[0] == tag[-1] == '"'
    answer = stored.api.request(method, path, If_None_Match=write(tag))
    assert answer.status_code == (304 if matches else 200)
    assert answer.headers["etag"] == tag
    assert set(answer.headers["vary"].split(", ")) >= {"Accept", "Accept-Encoding"}
    assert bool(answer.content) == (method == "GET" and not matches)


@every_level
def test_the_entity_tag_changes_with_every_change_below(api: Api, level: str) -> None:
    identity = new_identity()
    sibling = new_identity(identity.study, identity.series)
    path = f"{path_of(identity, level)}/metadata"
    seen = []

    def tag() -> str:
        return api.head(path).headers["etag"]

    api.keep(without_pixels(identity))
    seen.append(tag())
    assert tag() == seen[-1]
    if level != "instance":
        api.keep(without_pixels(sibling))
        seen.append(tag())
        assert api.delete(sibling.path).status_code == 204
        seen.append(tag())
    assert api.store(without_pixels(identity), method="PUT").status_code == 200
    seen.append(tag())
    assert all(before != after for before, after in pairwise(seen))
    assert api.get(path, If_None_Match=", ".join(seen[:-1])).status_code == 200


@every_level
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_is_not_there_is_404(api: Api, level: str, method: str) -> None:
    answer = api.request(method, f"{path_of(new_identity(), level)}/metadata")
    assert answer.status_code == 404
    if method == "GET":
        assert answer.json()["detail"] == f"The specified {level} cannot be found."


@every_level
def test_head_says_what_get_would(stored: Shelf, level: str) -> None:
    path = f"{stored.path(level)}/metadata"
    head, get = stored.api.head(path), stored.api.get(path)
    assert (head.status_code, head.content) == (200, b"")
    for name in ("content-type", "etag", "vary"):
        assert head.headers[name] == get.headers[name]
