"""What breaks clients, each row tried with raw requests: labels, framing, Accept, paging, URLs, bodies, CORS."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from tests.api.client import (
    DICOM,
    DICOM_JSON,
    DICOM_PARTS,
    DICOM_XML,
    OCTET_PARTS,
    OCTETS,
    Api,
    chunked,
    exchange,
    parts,
    request_head,
)
from tests.clients.archive import Archive, frame, uids
from tests.instances import dataset, multipart, new_identity, new_uid, part10
from tests.server import RunningServer

OHIF_ACCEPT = "application/dicom+json, multipart/related; type=application/octet-stream"
PYTHON_ACCEPT = "application/dicom+json, application/json"
JAVA_ACCEPT = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
"""What Java sends unasked."""
IMG_ACCEPT = "image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8"
EXPLICIT = "1.2.840.10008.1.2.1"
JPEG = "1.2.840.10008.1.2.4.50"

FAILED, REFERENCED, REASON, SOP_INSTANCE, RETRIEVE_URL = "00081198", "00081199", "00081197", "00081155", "00081190"


@pytest.fixture(scope="module")
def http() -> Any:
    with httpx.Client(timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def api(http: httpx.Client, url: str) -> Api:
    """A data partition that holds the archive."""
    return Api(http, url)


@pytest.fixture
def empty(http: httpx.Client, empty_url: str) -> Api:
    return Api(http, empty_url)


def path_of(archive: Archive) -> str:
    """Of the multi-frame image."""
    study, series, instance = uids(archive.image)
    return f"/studies/{study}/series/{series}/instances/{instance}"


class TestLabels:
    """Row 1."""

    @pytest.mark.parametrize("accept", [None, PYTHON_ACCEPT, OHIF_ACCEPT, "application/json", "*/*", JAVA_ACCEPT])
    def test_json_is_labelled_exactly(self, api: Api, archive: Archive, accept: str | None) -> None:
        study, series, instance = uids(archive.image)
        searches = ["/studies", "/series", "/instances", f"/studies/{study}/series", f"/studies/{study}/instances"]
        in_series = f"/studies/{study}/series/{series}"
        metadata = [f"/studies/{study}", in_series, f"{in_series}/instances/{instance}"]
        for path in [*searches, f"{in_series}/instances", *(f"{each}/metadata" for each in metadata)]:
            answer = api.get(path, accept)
            assert answer.status_code == 200
            assert answer.headers["content-type"] == DICOM_JSON
            assert isinstance(answer.json(), list)

    @pytest.mark.parametrize("accept", [None, PYTHON_ACCEPT, "application/json", "*/*"])
    def test_json_of_a_store_too(self, empty: Api, accept: str | None) -> None:
        file = part10(dataset(new_identity()))
        answers = [empty.store(file, accept=accept), empty.store(file, part10(dataset(new_identity())), accept=accept)]
        answers.append(empty.store(file, accept=accept))
        assert [answer.status_code for answer in answers] == [200, 202, 409]
        assert {answer.headers["content-type"] for answer in answers} == {DICOM_JSON}


class TestFraming:
    """Row 2. ``parts`` itself refuses what is framed in any other way."""

    @pytest.mark.parametrize(
        ("path", "accept", "label"),
        [
            ("", f"{DICOM_PARTS}; transfer-syntax=*", f"{DICOM}; transfer-syntax={EXPLICIT}"),
            ("/frames/1", f"{OCTET_PARTS}; transfer-syntax=*", f"{OCTETS}; transfer-syntax={EXPLICIT}"),
            ("/frames/2,1,4", f"{OCTET_PARTS}; transfer-syntax=*", f"{OCTETS}; transfer-syntax={EXPLICIT}"),
            ("/bulkdata/7FE00010", OCTET_PARTS, OCTETS),
            ("/pixeldata", OCTET_PARTS, OCTETS),
        ],
    )
    def test_parts_can_be_cut_out_raw(self, api: Api, archive: Archive, path: str, accept: str, label: str) -> None:
        answer = api.get(path_of(archive) + path, accept)
        assert answer.status_code == 200
        outer, _, boundary = answer.headers["content-type"].partition("; boundary=")
        assert outer == f'multipart/related; type="{label.split(";")[0]}"'
        assert boundary.isalnum()
        assert answer.content.startswith(f"--{boundary}\r\nContent-Type: {label}\r\n".encode())
        assert answer.content.index(b"\r\n\r\n") < 1000
        assert {part.content_type for part in parts(answer)} == {label}

    def test_so_can_those_of_studies_and_series(self, api: Api, archive: Archive) -> None:
        study, series, _ = uids(archive.anna[0])
        for path, made in (
            (f"/studies/{study}", archive.anna),
            (f"/studies/{study}/series/{series}", archive.anna[:3]),
        ):
            found = parts(api.get(path, DICOM_PARTS))
            assert {part.content_type for part in found} == {f"{DICOM}; transfer-syntax={EXPLICIT}"}
            assert sorted(part.content for part in found) == sorted(map(part10, made))

    def test_so_can_those_of_compressed_frames(self, empty: Api) -> None:
        name = str(get_testdata_file("examples_ybr_color.dcm"))
        made = dcmread(name)
        with open(name, "rb") as file:
            empty.keep(file.read())
        study, series, instance = uids(made)
        answer = empty.get(
            f"/studies/{study}/series/{series}/instances/{instance}/frames/1", f"{OCTET_PARTS}; transfer-syntax=*"
        )
        (part,) = parts(answer)
        assert part.headers == {"Content-Type": f"image/jpeg; transfer-syntax={JPEG}"}
        assert answer.headers["content-type"].startswith('multipart/related; type="image/jpeg"; boundary=')


class TestAccept:
    """Row 3."""

    @pytest.mark.parametrize(
        "accept",
        [
            None,
            "",
            "*/*",
            JAVA_ACCEPT,
            "multipart/related; type=application/octet-stream; transfer-syntax=*",
            "multipart/related; type=application/octet-stream",
            'multipart/related; type="application/octet-stream"; transfer-syntax=*; transfer-syntax=*',
            "multipart/related; type=application/octet-stream; transfer-syntax=1.2.840.10008.1.2.1",
            'multipart/related; type="image/jls"; q=1, multipart/related; type="application/octet-stream"; q=0.1',
            'image/jp2, multipart/related; type="*/*"',
            'multipart/related; type="*/*"',
            "nonsense, multipart/related",
            "application/octet-stream;q=0.5, multipart/related; type=image/jpeg",
        ],
    )
    def test_of_frames(self, api: Api, archive: Archive, accept: str | None) -> None:
        answer = api.get(f"{path_of(archive)}/frames/2", accept)
        assert answer.status_code == 200, answer.text
        single = answer.headers["content-type"].startswith(OCTETS)
        content = answer.content if single else parts(answer)[0].content
        assert content == frame(archive.image, 2)
        assert single == (accept is not None and accept.startswith(OCTETS))

    @pytest.mark.parametrize("accept", ["image/*", "image/jpeg", 'multipart/related; type="image/*"', IMG_ACCEPT])
    def test_of_compressed_frames(self, empty: Api, accept: str) -> None:
        name = str(get_testdata_file("SC_rgb_dcmtk_+eb+cr.dcm"))
        with open(name, "rb") as file:
            empty.keep(file.read())
        study, series, instance = uids(dcmread(name))
        answer = empty.get(f"/studies/{study}/series/{series}/instances/{instance}/frames/1", accept)
        assert answer.status_code == 200
        part_type = parts(answer)[0].content_type if "multipart" in accept else answer.headers["content-type"]
        assert part_type == f"image/jpeg; transfer-syntax={JPEG}"

    @pytest.mark.parametrize(
        "accept",
        [
            None,
            "*/*",
            DICOM_PARTS,
            f"{DICOM_PARTS}; transfer-syntax=*",
            "multipart/related; type=application/dicom; transfer-syntax=*; transfer-syntax=*",
            f"{DICOM_PARTS}; transfer-syntax=1.2.840.10008.1.2.4.90;q=0.9, {DICOM_PARTS}; transfer-syntax=*;q=0.1",
            JAVA_ACCEPT,
        ],
    )
    def test_of_studies(self, api: Api, archive: Archive, accept: str | None) -> None:
        answer = api.get(f"/studies/{archive.anna[0].StudyInstanceUID}", accept)
        assert answer.status_code == 200
        assert len(parts(answer)) == 4

    def test_single_part_of_an_instance(self, api: Api, archive: Archive) -> None:
        for accept in (DICOM, f"{DICOM}; transfer-syntax=*", f"image/png, {DICOM};q=0.3"):
            answer = api.get(path_of(archive), accept)
            assert answer.headers["content-type"] == f"{DICOM}; transfer-syntax={EXPLICIT}"
            assert answer.content == part10(archive.image)

    @pytest.mark.parametrize(
        ("query", "label"),
        [
            ("accept=application/dicom", f"{DICOM}; transfer-syntax={EXPLICIT}"),
            ("accept=application/dicom;transfer-syntax=*", f"{DICOM}; transfer-syntax={EXPLICIT}"),
            ("x=1&ACCEPT=application%2Fdicom", f"{DICOM}; transfer-syntax={EXPLICIT}"),
            ("accept=multipart/related;type=application/dicom;transfer-syntax=*", "multipart/related"),
            ("accept=application/zip", "application/zip"),
        ],
    )
    def test_in_the_query_overrides_the_header(self, api: Api, archive: Archive, query: str, label: str) -> None:
        answer = api.get(f"{path_of(archive)}?{query}", "text/html")
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(label)

    def test_in_the_query_of_searches_and_metadata(self, api: Api, archive: Archive) -> None:
        for path in ("/studies", f"{path_of(archive)}/metadata"):
            for value in ("application/dicom%2Bjson", "application/dicom+json"):
                assert api.get(f"{path}?accept={value}", "text/html").headers["content-type"] == DICOM_JSON
            in_xml = api.get(f"{path}?accept=multipart/related;type=%22application/dicom%2Bxml%22", DICOM_JSON)
            assert {part.content_type for part in parts(in_xml)} == {DICOM_XML}

    def test_what_can_not_be_given(self, api: Api, archive: Archive) -> None:
        for path, accept in (("/studies", "image/png"), (path_of(archive), "text/html;q=0.4, image/jpeg")):
            assert api.get(path, accept).status_code == 406


class TestPaging:
    """Row 4."""

    def test_an_offset_past_the_end(self, api: Api) -> None:
        for level in ("studies", "series", "instances"):
            answer = api.get(f"/{level}?offset=1000")
            assert answer.status_code == 204
            assert answer.content == b""

    def test_a_limit_above_the_most(self, api: Api) -> None:
        for level, count in (("studies", 3), ("series", 4), ("instances", 7)):
            answer = api.get(f"/{level}?limit=1000")
            assert answer.status_code == 200
            assert len(answer.json()) == count
            assert answer.headers["warning"].startswith("299 ")
        assert "warning" not in api.get("/studies?limit=200").headers

    def test_a_page_that_is_not_the_last(self, api: Api) -> None:
        """PS3.18 8.3.4.4.1."""
        for offset, remaining in ((0, 5), (2, 3), (5, 0), (6, 0)):
            warning = api.get(f"/instances?limit=2&offset={offset}").headers.get("warning", "")
            assert f"There are {remaining} additional results that can be requested" in warning or not remaining
            assert bool(warning) == bool(remaining)


class TestUrls:
    """Row 5."""

    def test_the_port_does_not_depend_on_the_host_header(
        self, api: Api, archive: Archive, server: RunningServer
    ) -> None:
        for host in ("127.0.0.1", "localhost", f"127.0.0.1:{server.port}"):
            (study,) = api.get("/studies?PatientID=A-1", host=host).json()
            assert httpx.URL(study[RETRIEVE_URL]["Value"][0]).port == server.port
            (metadata,) = api.get(f"{path_of(archive)}/metadata", host=host).json()
            location = httpx.URL(metadata["7FE00010"]["BulkDataURI"])
            assert location.port == server.port
            assert api.http.get(location, headers={"Accept": OCTETS}).content == archive.image.PixelData

    def test_a_proxy_says_what_the_caller_asked(self, empty: Api) -> None:
        forwarded = {
            "x_forwarded_host": "pacs.example.org",
            "x_forwarded_proto": "https",
            "x_forwarded_prefix": "/dicom",
        }
        file = part10(dataset(new_identity()))
        answer = empty.request("POST", "/studies", content=file, content_type=DICOM, **forwarded)
        (item,) = answer.json()[REFERENCED]["Value"]
        assert item[RETRIEVE_URL]["Value"][0].startswith("https://pacs.example.org/dicom/studies/")


class TestStoreBodies:
    """Row 6."""

    @pytest.mark.parametrize(
        ("start", "end", "content_type"),
        [
            (b"\r\n", b"", 'multipart/related; type="application/dicom"; boundary="a-boundary"'),
            (b"\r\n", b"\r\n", "multipart/related; type=application/dicom; boundary=a-boundary"),
            (b"", b"\r\n", 'multipart/related; type=application/dicom; boundary="a-boundary"'),
            (b"", b"", "multipart/related; boundary=a-boundary"),
            (b"", b"\r\n", 'Multipart/Related;boundary=a-boundary;type="application/dicom"'),
        ],
    )
    @pytest.mark.parametrize("expect", [(), ("Expect:",)])
    def test_as_they_come(
        self, empty: Api, start: bytes, end: bytes, content_type: str, expect: tuple[str, ...]
    ) -> None:
        files = [part10(dataset(new_identity(), side=side)) for side in (16, 800)]
        body = start + multipart(files).removesuffix(b"\r\n") + end
        path = httpx.URL(empty.base).path + "/studies"
        head = request_head("POST", path, f"Content-Type: {content_type}", "Transfer-Encoding: chunked", *expect)
        answer = exchange(empty.base, head, chunked(body, 300_000))
        assert answer.status == 200, answer.body
        assert len(empty.search("instances")) == 2

    def test_the_reply_in_xml(self, empty: Api) -> None:
        first, second = (part10(dataset(new_identity())) for _ in range(2))
        expected = {200: [], 202: ["45070"], 409: ["45070", "45070"]}
        for files in ([first], [first, second], [first, second]):
            answer = empty.store(*files, accept=DICOM_XML)
            assert answer.headers["content-type"] == DICOM_XML
            root = ElementTree.fromstring(answer.content)
            assert root.tag.endswith("NativeDicomModel")
            found = [each for each in root.iter() if each.get("tag") == REASON]
            assert ["".join(each.itertext()).strip() for each in found] == expected.pop(answer.status_code)
        assert not expected


class TestStoreAgain:
    """Row 7."""

    def test_is_refused_and_changes_nothing(self, empty: Api) -> None:
        identity = new_identity()
        first, second = (part10(dataset(identity, ContentDescription=new_uid())) for _ in range(2))
        assert empty.store(first).status_code == 200
        for file in (first, second):
            answer = empty.store(file)
            assert answer.status_code == 409
            (failure,) = answer.json()[FAILED]["Value"]
            assert failure[REASON]["Value"] == [0xB00E]
            assert failure[SOP_INSTANCE]["Value"] == [identity.instance]
        assert empty.get(identity.path, DICOM).content == first
        assert len(empty.search("instances")) == 1

    def test_at_the_same_time_is_taken_once(self, empty: Api) -> None:
        identity = new_identity()
        files = [part10(dataset(identity, ContentDescription=new_uid())) for _ in range(16)]
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(empty.store, files))
        assert sorted(answer.status_code for answer in answers) == [200] + [409] * 15
        (taken,) = (file for file, answer in zip(files, answers, strict=True) if answer.status_code == 200)
        assert empty.get(identity.path, DICOM).content == taken


def test_the_url_of_a_stored_instance_names_its_series(empty: Api) -> None:
    """Row 8."""
    identity = new_identity()
    (item,) = empty.store(part10(dataset(identity))).json()[REFERENCED]["Value"]
    assert item[RETRIEVE_URL]["Value"] == [empty.base + identity.path]
    assert f"/series/{identity.series}/" in item[RETRIEVE_URL]["Value"][0]


@pytest.mark.parametrize("separator", [",", "%2C", "\\", "%5C", "\\\\", "%5C%5C"])
def test_several_uids(api: Api, archive: Archive, separator: str) -> None:
    """Row 9."""
    wanted = {str(made.StudyInstanceUID) for made in (archive.anna[0], archive.charlie[0])}
    found = api.search(f"studies?StudyInstanceUID={separator.join(sorted(wanted))}")
    assert {study["0020000D"]["Value"][0] for study in found} == wanted


@pytest.mark.parametrize(
    "query",
    [
        "&includefield=00081030,00080060&PatientID=A-1",
        "&&PatientID=A-1&&includefield=StudyDescription&",
        "00100020=A-1&includefield=00081030&includefield=PatientSex,StudyTime",
        "includefield=StudyDescription&includefield=00081030&00100020=A-1",
        "PatientID=A-1&PatientName=&includefield=all",
        "PatientID=A-1&includefield=all&includefield=00081030&LIMIT=5&OffSet=0",
        "PatientID=A-1&includefield=",
    ],
)
def test_query_strings_as_they_come(api: Api, query: str) -> None:
    """Row 10."""
    (study,) = api.search(f"studies?{query}")
    assert study["00081030"]["Value"] == ["CT of the chest"]


@pytest.mark.parametrize("separator", ["\\", "\\\\"])
def test_several_uids_in_a_request_line_that_nobody_encoded(api: Api, archive: Archive, separator: str) -> None:
    """Row 9 again."""
    wanted = separator.join((archive.anna[0].StudyInstanceUID, archive.charlie[0].StudyInstanceUID))
    path = f"{httpx.URL(api.base).path}/studies?StudyInstanceUID={wanted}"
    answer = exchange(api.base, request_head("GET", path))
    assert len(json.loads(answer.body)) == 2


def test_a_slash_at_the_end(api: Api, archive: Archive) -> None:
    for path in ("/studies", f"/studies/{archive.anna[0].StudyInstanceUID}", f"{path_of(archive)}/metadata"):
        assert api.get(f"{path}/").status_code == 200
    assert api.request("PATCH", "/studies/").status_code == 405


class TestCors:
    """Row 11."""

    @pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
    def test_preflight(self, api: Api, archive: Archive, method: str) -> None:
        asked = {"origin": "http://localhost:3000", "access_control_request_method": method}
        for path in ("/studies", f"/studies/{archive.anna[0].StudyInstanceUID}/metadata", path_of(archive)):
            answer = api.request(
                "OPTIONS", path, access_control_request_headers="accept,authorization,content-type,range", **asked
            )
            assert answer.status_code in (200, 204)
            assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
            assert method in listed(answer, "access-control-allow-methods")
            allowed = {name.lower() for name in listed(answer, "access-control-allow-headers")}
            assert {"accept", "authorization", "content-type", "range"} <= allowed

    def test_what_scripts_may_read(self, api: Api, archive: Archive) -> None:
        for path in ("/studies", path_of(archive), "/studies/none-such", "/nowhere"):
            answer = api.get(path, origin="http://127.0.0.1:3000")
            assert answer.headers["access-control-allow-origin"] == "http://127.0.0.1:3000"
            assert {"Content-Range", "Warning", "ETag", "Location"} <= listed(answer, "access-control-expose-headers")

    def test_other_origins(self, api: Api) -> None:
        assert "access-control-allow-origin" not in api.get("/studies", origin="http://example.org").headers


def listed(answer: httpx.Response, header: str) -> set[str]:
    return {member.strip() for member in answer.headers[header].split(",")}
