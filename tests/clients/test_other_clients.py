"""The requests of viewers, archives and tools that are not run here, as they send them."""

import asyncio
import io
import time
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.filewriter import dcmwrite
from pydicom.uid import HTJ2KLossless

from shared.dicom.xml import to_xml
from tests.api.client import DICOM_JSON, DICOM_XML, OCTETS, Api, chunked, exchange, parts, request_head
from tests.clients.archive import FRAMES, Archive, frame, study_uids, uids
from tests.instances import Identity, dataset, new_identity, new_uid, part10

JAVA_ACCEPT = "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"
IN_FLIGHT = 100
WEASIS_SECONDS = 15


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def api(http: httpx.Client, url: str) -> Api:
    """A data partition that holds the archive."""
    return Api(http, url)


@pytest.fixture
def empty(http: httpx.Client, empty_url: str) -> Api:
    return Api(http, empty_url)


def path_of(made: Dataset) -> str:
    return Identity(*uids(made)).path


def value(item: dict[str, Any], tag: str) -> Any:
    return item[tag]["Value"][0]


class TestOhif:
    LIST = "limit=101&offset=0&fuzzymatching=false&includefield=00081030%2C00080060%2C00080090%2C00100030"
    ACCEPT = "application/dicom+json, multipart/related; type=application/octet-stream"
    FRAME_ACCEPT = "multipart/related; type=application/octet-stream; transfer-syntax=*"

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ("", {"anna", "james", "charlie"}),
            ("PatientName=*ann*", {"anna"}),
            ("00100020=*B-*", {"james", "charlie"}),
            ("AccessionNumber=*ACC-2*", {"james"}),
            ("StudyDescription=*chest*", {"anna"}),
            ("ModalitiesInStudy=MR", {"james"}),
            ("ModalitiesInStudy=CT,MR", {"anna", "james"}),
            ("ModalitiesInStudy=CT%5C%5CMR", {"anna", "james"}),
            ("StudyDate=20240201-20240331", {"james", "charlie"}),
            (
                "PatientName=*ann*&00100020=*A*&AccessionNumber=*1*&StudyDescription=*c*&ModalitiesInStudy=CT"
                "&StudyDate=20240101-20240101",
                {"anna"},
            ),
        ],
    )
    def test_the_study_list(self, api: Api, archive: Archive, filters: str, found: set[str]) -> None:
        answer = api.get(f"/studies?{filters}&{self.LIST}", self.ACCEPT)
        assert answer.status_code == 200
        assert answer.headers["warning"].startswith("299 ")
        assert {value(study, "0020000D") for study in answer.json()} == study_uids(
            [getattr(archive, name) for name in found]
        )
        for study in answer.json():
            assert "00080060" not in study
            assert {"CT", "MR", "OT"} & set(study["00080061"]["Value"])
            assert value(study, "00201208") in (1, 2, 4)

    def test_priors(self, api: Api, archive: Archive) -> None:
        wanted = sorted(study_uids([archive.anna, archive.james]))
        for separator in (",", "\\"):
            found = api.get(f"/studies?StudyInstanceUID={separator.join(wanted)}&{self.LIST}", self.ACCEPT).json()
            assert sorted(value(study, "0020000D") for study in found) == wanted

    async def test_a_study_is_opened_with_all_its_series_at_once(self, empty: Api) -> None:
        study = new_uid()
        made = [dataset(new_identity(study), SeriesNumber=number) for number in range(1, IN_FLIGHT + 1)]
        empty.keep(*map(part10, made))
        wanted = "00080021,00080031,0008103E,00200011"
        listed = empty.get(f"/studies/{study}/series?includefield={wanted}&limit=1000", self.ACCEPT).json()
        assert sorted(value(series, "00200011") for series in listed) == list(range(1, IN_FLIGHT + 1))
        limits = httpx.Limits(max_connections=IN_FLIGHT)
        async with httpx.AsyncClient(base_url=empty.base, limits=limits, timeout=60) as client:
            paths = (f"/studies/{study}/series/{value(series, '0020000E')}/metadata" for series in listed)
            metadata = await asyncio.gather(*(client.get(path, headers={"Accept": self.ACCEPT}) for path in paths))
            frames = await asyncio.gather(
                *(client.get(f"{path_of(each)}/frames/1", headers={"Accept": self.FRAME_ACCEPT}) for each in made)
            )
        found = {value(each.json()[0], "00080018") for each in metadata}
        assert found == {str(each.SOPInstanceUID) for each in made}
        assert all(parts(answer)[0].content == frame(each, 1) for answer, each in zip(frames, made, strict=True))

    def test_native_frames(self, api: Api, archive: Archive) -> None:
        for number in range(1, FRAMES + 1):
            (part,) = parts(api.get(f"{path_of(archive.image)}/frames/{number}", self.FRAME_ACCEPT))
            assert part.content_type == f"{OCTETS}; transfer-syntax=1.2.840.10008.1.2.1"
            assert part.content == frame(archive.image, number)

    @pytest.mark.parametrize(
        ("name", "media_type"),
        [
            ("examples_ybr_color.dcm", "image/jpeg"),
            ("emri_small_jpeg_2k_lossless.dcm", "image/jp2"),
            ("emri_small_jpeg_ls_lossless.dcm", "image/jls"),
            ("emri_small_RLE.dcm", "image/dicom-rle"),
        ],
    )
    def test_compressed_frames_say_how_to_decode_them(self, empty: Api, name: str, media_type: str) -> None:
        made = dcmread(str(get_testdata_file(name)))
        empty.keep(written(made))
        (part,) = parts(empty.get(f"{path_of(made)}/frames/3", self.FRAME_ACCEPT))
        assert part.content_type == f"{media_type}; transfer-syntax={made.file_meta.TransferSyntaxUID}"
        assert part.content == frames_of(made)[2]

    def test_high_throughput_frames(self, empty: Api) -> None:
        """The stream is opaque to the service: any will do."""
        made = dcmread(str(get_testdata_file("MR_small_jp2klossless.dcm")))
        made.file_meta.TransferSyntaxUID = HTJ2KLossless
        empty.keep(written(made))
        (part,) = parts(empty.get(f"{path_of(made)}/frames/1", self.FRAME_ACCEPT))
        assert part.content_type == f"image/jphc; transfer-syntax={HTJ2KLossless}"

    def test_bulk_data_in_one_part_or_several(self, api: Api, archive: Archive) -> None:
        (metadata,) = api.metadata(path_of(archive.image))
        location = metadata["7FE00010"]["BulkDataURI"]
        assert location.startswith("http://")
        single = api.http.get(location, headers={"Accept": OCTETS})
        assert single.headers["content-type"] == OCTETS
        (part,) = parts(api.http.get(location, headers={"Accept": "multipart/related; type=application/octet-stream"}))
        assert single.content == part.content == archive.image.PixelData

    @pytest.mark.parametrize("resource", ["thumbnail", "rendered", "frames/1/thumbnail", "frames/1/rendered"])
    def test_pictures_that_are_not_made_are_not_found(self, api: Api, archive: Archive, resource: str) -> None:
        assert api.get(f"{path_of(archive.image)}/{resource}?accept=image/jpeg", "image/jpeg").status_code == 404


class TestWeasis:
    def test_a_study_is_opened(self, api: Api, archive: Archive) -> None:
        study, ct, _ = uids(archive.anna[0])
        fields = "0008103E,00080060,0020000E,00200011,00081190"
        series = api.get(f"/studies/{study}/series?includefield={fields}", DICOM_JSON).json()
        described = {value(each, "0020000E"): each for each in series}
        assert set(described) == {ct, archive.anna[-1].SeriesInstanceUID}
        assert value(described[ct], "0008103E") == "Axial"
        assert value(described[ct], "00081190") == f"{api.base}/studies/{study}/series/{ct}"
        (counted,) = api.get(f"/series?0020000E={ct}&includefield=00201209", DICOM_JSON).json()
        assert value(counted, "00201209") == 3
        fields = "00080018,00200013,00081190"
        answer = api.get(f"/studies/{study}/series/{ct}/instances?includefield={fields}&limit=1000", DICOM_JSON)
        assert answer.status_code == 200
        assert sorted(value(each, "00200013") for each in answer.json()) == [1, 2, 3]
        for each in answer.json():
            assert api.http.get(value(each, "00081190"), headers={"Accept": "application/dicom"}).status_code == 200

    def test_a_store_is_answered_in_time_and_in_xml(self, empty: Api) -> None:
        files = [part10(dataset(new_identity(), side=512)) for _ in range(50)]
        begun = time.monotonic()
        answer = empty.store(*files, accept=DICOM_XML)
        assert time.monotonic() - begun < WEASIS_SECONDS
        assert answer.status_code == 200
        references = [each for each in ElementTree.fromstring(answer.content).iter() if each.get("tag") == "00081155"]
        assert len(references) == 50


class TestDcm4che:
    BOUNDARY = "-------gc0p4Jq0M2Yt08jU534c0p"

    def send(self, api: Api, part_type: str, *body_parts: tuple[str, bytes]) -> ElementTree.Element:
        """As stowrs does: chunks of 2 KiB, blanks at the ends of lines, the reply in XML."""
        delimiter = f"\r\n--{self.BOUNDARY}\r\n".encode()
        body = b"".join(delimiter + head.encode() + b"\r\n" + content for head, content in body_parts)
        body += f"\r\n--{self.BOUNDARY}--\r\n".encode()
        head = request_head(
            "POST",
            f"{httpx.URL(api.base).path}/studies",
            f'Content-Type: multipart/related; type="{part_type}"; boundary={self.BOUNDARY}',
            "Accept: application/dicom+xml",
            "charset: utf-8",
            "Transfer-Encoding: chunked",
        )
        answer = exchange(api.base, head + chunked(body, 2048))
        assert answer.status == 200, answer.body
        assert answer.headers["content-type"] == DICOM_XML
        return ElementTree.fromstring(answer.body)

    def test_stowrs_of_files(self, empty: Api) -> None:
        made = dataset(new_identity(), side=64)
        file = part10(made)
        disposition = 'Content-Disposition: inline; name="file[]"; filename="1.dcm"\r\n'
        self.send(empty, "application/dicom", (f"{disposition}Content-Type: application/dicom \r\n", file))
        assert empty.get(path_of(made), "application/dicom").content == file

    @pytest.mark.parametrize("form", [DICOM_JSON, "application/json", DICOM_XML])
    def test_stowrs_of_metadata_and_pixel_data(self, empty: Api, form: str) -> None:
        made = dataset(new_identity(), side=64, frames=2)
        part10(made)
        metadata = made.to_json_dict()
        metadata["7FE00010"] = {"vr": "OW", "BulkDataURI": "file:/tmp/1.dcm?offset=1464&length=16384"}
        written_metadata = to_xml(metadata) if form == DICOM_XML else httpx.Request("POST", "/", json=metadata).content
        pixels = f"Content-Type: {OCTETS}; transfer-syntax=1.2.840.10008.1.2.1 \r\n"
        self.send(
            empty,
            form,
            (f"Content-Type: {form}; transfer-syntax=1.2.840.10008.1.2.1 \r\n", written_metadata),
            (f"{pixels}Content-Location: file:/tmp/1.dcm?offset=1464&length=16384 \r\n", made.PixelData),
        )
        found = dcmread(io.BytesIO(empty.get(path_of(made), "application/dicom").content))
        assert found.PatientName == made.PatientName
        assert found.PixelData == made.PixelData
        assert parts(empty.get(f"{path_of(made)}/frames/2"))[0].content == frame(made, 2)

    def test_stowrs_of_metadata_and_compressed_pixel_data(self, empty: Api) -> None:
        made = dcmread(str(get_testdata_file("JPEG2000.dcm")))
        (stream,) = frames_of(made)
        metadata = made.to_json_dict()
        metadata["7FE00010"] = {"vr": "OB", "BulkDataURI": "urn:uuid:1"}
        syntax = made.file_meta.TransferSyntaxUID
        self.send(
            empty,
            DICOM_XML,
            (f"Content-Type: {DICOM_XML}; transfer-syntax={syntax} \r\n", to_xml(metadata)),
            (f"Content-Type: image/jp2; transfer-syntax={syntax} \r\nContent-Location: urn:uuid:1 \r\n", stream),
        )
        found = dcmread(io.BytesIO(empty.get(path_of(made), "application/dicom").content))
        assert found.file_meta.TransferSyntaxUID == syntax
        assert frames_of(found) == [stream]

    @pytest.mark.parametrize(
        ("path", "accept", "content_type"),
        [
            ("", "multipart/related;type=application/dicom;transfer-syntax=*", "multipart/related"),
            ("", "application/dicom", "application/dicom"),
            ("/metadata", "application/dicom%2Bjson", DICOM_JSON),
            ("/metadata", "multipart/related;type=application/dicom%2Bxml", "multipart/related"),
            ("/frames/1", "multipart/related;type=application/octet-stream", "multipart/related"),
            ("/frames/1", "image/jpeg,application/octet-stream", OCTETS),
        ],
    )
    def test_wadors(self, api: Api, archive: Archive, path: str, accept: str, content_type: str) -> None:
        """Java adds an Accept header of its own, which the query overrides."""
        answer = api.get(f"{path_of(archive.image)}{path}?accept={accept}", JAVA_ACCEPT)
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith(content_type)


class TestOrthanc:
    def test_sends_in_chunks_with_an_unquoted_boundary(self, empty: Api) -> None:
        files = [part10(dataset(new_identity(), side=512)) for _ in range(4)]
        boundary = "6b8d7f0c-0000-4a57-a1c7-orthanc"
        pieces = [
            f"--{boundary}\r\nContent-Type: application/dicom\r\nContent-Length: {len(file)}\r\n\r\n".encode() + file
            for file in files
        ]
        body = b"\r\n".join(pieces) + f"\r\n--{boundary}--\r\n".encode()
        head = request_head(
            "POST",
            f"{httpx.URL(empty.base).path}/studies",
            "Accept: application/dicom+json",
            "Expect:",
            f"Content-Type: multipart/related; type=application/dicom; boundary={boundary}",
            "Transfer-Encoding: chunked",
        )
        answer = exchange(empty.base, head + chunked(body, 16_384))
        assert answer.status == 200, answer.body
        assert answer.headers["content-type"] == DICOM_JSON
        assert len(empty.search("instances")) == 4

    def test_retrieves_with_one_content_type_for_each_part(self, api: Api, archive: Archive) -> None:
        study = archive.anna[0].StudyInstanceUID
        accept = 'multipart/related; type="application/dicom"; transfer-syntax=*'
        found = parts(api.get(f"/studies/{study}", accept))
        assert len(found) == 4
        assert all(list(part.headers) == ["Content-Type"] for part in found)


class TestMonaiLabelAndSlicer:
    PYTHON_ACCEPT = "application/dicom+json, application/json"

    def test_series_at_the_root(self, api: Api, archive: Archive) -> None:
        segmentation = archive.anna[-1]
        by_modality = api.get("/series?Modality=SEG", self.PYTHON_ACCEPT).json()
        by_uid = api.get(f"/series?SeriesInstanceUID={segmentation.SeriesInstanceUID}", self.PYTHON_ACCEPT).json()
        for (found,) in (by_modality, by_uid):
            assert value(found, "0020000D") == segmentation.StudyInstanceUID
            assert value(found, "0020000E") == segmentation.SeriesInstanceUID

    def test_the_series_of_a_stored_segmentation_is_read_from_its_url(self, empty: Api) -> None:
        identity = new_identity()
        (item,) = empty.store(part10(dataset(identity, Modality="SEG"))).json()["00081199"]["Value"]
        location = value(item, "00081190")
        assert location.split("/series/")[1].split("/")[0] == identity.series


def written(made: Dataset) -> bytes:
    file = io.BytesIO()
    dcmwrite(file, made)
    return file.getvalue()


def frames_of(made: Dataset) -> list[bytes]:
    """Compressed frames, each as it was written."""
    return list(generate_frames(made.PixelData, number_of_frames=int(made.get("NumberOfFrames", 1))))
