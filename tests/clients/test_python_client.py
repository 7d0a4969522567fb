"""The Python client of the Imaging Data Commons, which notebooks, 3D Slicer, MONAILabel and pathology viewers use."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from dicomweb_client.api import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from requests import HTTPError

from tests.clients.archive import FRAMES, Archive, as_read, frame, study_uids, uids
from tests.instances import dataset, new_identity, new_uid

STUDY, SERIES, INSTANCE = "0020000D", "0020000E", "00080018"


@pytest.fixture(scope="module")
def client(url: str) -> Iterator[DICOMwebClient]:
    """Of a data partition that holds the archive; these tests don't change it."""
    yield from connected(url)


@pytest.fixture
def empty(empty_url: str) -> Iterator[DICOMwebClient]:
    yield from connected(empty_url)


def connected(url: str) -> Iterator[DICOMwebClient]:
    client = DICOMwebClient(url)
    yield client
    client._session.close()


def stored(client: DICOMwebClient, name: str) -> Dataset:
    """One of the files that pydicom ships, stored. Some have no PatientID, which the answer would warn of."""
    made = dcmread(str(get_testdata_file(name)))
    made.PatientID = made.get("PatientID") or "P-1"
    client.store_instances([made])
    return made


class TestStore:
    def test_the_answer_lists_each_instance_with_its_url(self, empty: DICOMwebClient) -> None:
        made = [as_read(dataset(new_identity())) for _ in range(3)]
        answer = empty.store_instances(made)
        assert "FailedSOPSequence" not in answer
        for item, sent in zip(answer.ReferencedSOPSequence, made, strict=True):
            study, series, instance = uids(sent)
            assert item.ReferencedSOPInstanceUID == instance
            assert item.RetrieveURL == f"{empty.base_url}/studies/{study}/series/{series}/instances/{instance}"

    def test_more_than_a_megabyte_is_sent_in_chunks(self, empty: DICOMwebClient) -> None:
        made = as_read(dataset(new_identity(), side=1024))
        empty.store_instances([made])
        assert empty.retrieve_instance(*uids(made)) == made

    def test_into_a_named_study(self, empty: DICOMwebClient) -> None:
        made = as_read(dataset(new_identity()))
        answer = empty.store_instances([made], study_instance_uid=made.StudyInstanceUID)
        assert answer.RetrieveURL == f"{empty.base_url}/studies/{made.StudyInstanceUID}"
        with pytest.raises(HTTPError) as refused:
            empty.store_instances([as_read(dataset(new_identity()))], study_instance_uid=made.StudyInstanceUID)
        assert failure_reasons(refused.value) == [0xA901]

    def test_a_second_time_is_refused_and_changes_nothing(self, empty: DICOMwebClient) -> None:
        made = as_read(dataset(new_identity()))
        empty.store_instances([made])
        with pytest.raises(HTTPError) as refused:
            empty.store_instances([made])
        assert refused.value.response.status_code == 409
        assert failure_reasons(refused.value) == [0xB00E]
        assert len(empty.search_for_instances()) == 1


class TestSearch:
    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ({}, {"anna", "james", "charlie"}),
            ({"PatientID": "B-2"}, {"james"}),
            ({"00100020": "B-2"}, {"james"}),
            ({"PatientName": "Brown*"}, {"james", "charlie"}),
            ({"PatientName": "müller^anna"}, {"anna"}),
            ({"PatientID": "B-?"}, {"james", "charlie"}),
            ({"StudyDate": "20240201-20240301"}, {"james"}),
            ({"StudyDate": "20240215-"}, {"james", "charlie"}),
            ({"StudyDate": "-20240214"}, {"anna"}),
            ({"ModalitiesInStudy": "SEG"}, {"anna"}),
            ({"AccessionNumber": "ACC-1", "PatientID": "A-1"}, {"anna"}),
            ({"AccessionNumber": "ACC-1", "PatientID": "B-2"}, set()),
        ],
    )
    def test_studies(self, client: DICOMwebClient, archive: Archive, filters: dict[str, str], found: set[str]) -> None:
        studies = client.search_for_studies(search_filters=filters)
        assert values(studies, STUDY) == sorted(study_uids([getattr(archive, name) for name in found]))

    def test_studies_by_names_begun(self, client: DICOMwebClient, archive: Archive) -> None:
        found = client.search_for_studies(search_filters={"PatientName": "jam"}, fuzzymatching=True)
        assert values(found, STUDY) == sorted(study_uids([archive.james]))
        assert not client.search_for_studies(search_filters={"PatientName": "jam"}, fuzzymatching=False)

    def test_a_study_tells_what_a_list_shows(self, client: DICOMwebClient, archive: Archive) -> None:
        (item,) = client.search_for_studies(search_filters={"PatientID": "A-1"})
        found = Dataset.from_json(item)
        assert found.PatientName == "Müller^Anna"
        assert found.StudyDescription == "CT of the chest"
        assert set(found.ModalitiesInStudy) == {"CT", "SEG"}
        assert found.NumberOfStudyRelatedSeries == 2
        assert found.NumberOfStudyRelatedInstances == 4
        assert found.RetrieveURL == f"{client.base_url}/studies/{archive.anna[0].StudyInstanceUID}"

    def test_fields(self, client: DICOMwebClient) -> None:
        unasked = client.search_for_instances(search_filters={"PatientID": "A-1"})
        assert not any("00280101" in item or "00280103" in item for item in unasked)
        asked = client.search_for_instances(search_filters={"PatientID": "A-1"}, fields=["BitsStored", "00280103"])
        assert [item["00280101"]["Value"] for item in asked] == [[16]] * 4
        assert [item["00280103"]["Value"] for item in asked] == [[0]] * 4

    def test_pages(self, client: DICOMwebClient) -> None:
        whole = [item[INSTANCE]["Value"][0] for item in client.search_for_instances()]
        paged = [
            item[INSTANCE]["Value"][0]
            for offset in range(0, len(whole), 2)
            for item in client.search_for_instances(limit=2, offset=offset)
        ]
        assert paged == whole
        assert client.search_for_instances(offset=len(whole)) == []

    @pytest.mark.parametrize("limit", [1, 3, 1000])
    def test_remaining(self, client: DICOMwebClient, archive: Archive, limit: int) -> None:
        found = client.search_for_instances(limit=limit, get_remaining=True)
        assert values(found, INSTANCE) == sorted(str(made.SOPInstanceUID) for made in archive.datasets)

    def test_remaining_of_more_than_a_page(self, empty: DICOMwebClient) -> None:
        series = new_identity()
        made = [as_read(dataset(new_identity(series.study, series.series), side=1)) for _ in range(250)]
        empty.store_instances(made)
        assert len(empty.search_for_instances()) == 100
        assert len(empty.search_for_instances(limit=1000)) == 200
        found = empty.search_for_instances(limit=1000, get_remaining=True)
        assert values(found, INSTANCE) == sorted(str(each.SOPInstanceUID) for each in made)

    def test_series(self, client: DICOMwebClient, archive: Archive) -> None:
        ct, seg = archive.anna[0], archive.anna[-1]
        assert values(client.search_for_series(ct.StudyInstanceUID), SERIES) == sorted(
            {str(ct.SeriesInstanceUID), str(seg.SeriesInstanceUID)}
        )
        assert len(client.search_for_series()) == 4
        (found,) = client.search_for_series(search_filters={"Modality": "SEG"})
        assert found[STUDY]["Value"] == [seg.StudyInstanceUID]
        assert found[SERIES]["Value"] == [seg.SeriesInstanceUID]
        (found,) = client.search_for_series(search_filters={"SeriesInstanceUID": ct.SeriesInstanceUID})
        assert found[STUDY]["Value"] == [ct.StudyInstanceUID]
        (found,) = client.search_for_series(ct.StudyInstanceUID, search_filters={"SeriesNumber": 1})
        assert found[SERIES]["Value"] == [ct.SeriesInstanceUID]
        (found,) = client.search_for_series(
            search_filters={"RequestAttributesSequence.RequestedProcedureID": "RP-7"}, fields=["SeriesNumber"]
        )
        assert found["00200011"]["Value"] == [2]

    def test_instances(self, client: DICOMwebClient, archive: Archive) -> None:
        study, series, instance = uids(archive.anna[1])
        assert len(client.search_for_instances()) == len(archive.datasets)
        assert len(client.search_for_instances(study)) == 4
        assert len(client.search_for_instances(study, series)) == 3
        (found,) = client.search_for_instances(study, series, search_filters={"InstanceNumber": 2})
        assert found[INSTANCE]["Value"] == [instance]
        assert len(client.search_for_instances(search_filters={"Modality": "CT", "PatientID": "A-*"})) == 3

    def test_nothing(self, client: DICOMwebClient) -> None:
        assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
        assert client.search_for_series(new_uid()) == []


class TestRetrieve:
    def test_a_study(self, client: DICOMwebClient, archive: Archive) -> None:
        found = client.retrieve_study(archive.anna[0].StudyInstanceUID)
        assert by_uid(found) == by_uid(archive.anna)
        streamed = client.iter_study(archive.anna[0].StudyInstanceUID)
        assert by_uid(streamed) == by_uid(archive.anna)

    def test_a_series(self, client: DICOMwebClient, archive: Archive) -> None:
        study, series, _ = uids(archive.anna[0])
        assert by_uid(client.retrieve_series(study, series)) == by_uid(archive.anna[:3])
        assert by_uid(client.iter_series(study, series)) == by_uid(archive.anna[:3])

    def test_an_instance(self, client: DICOMwebClient, archive: Archive) -> None:
        assert client.retrieve_instance(*uids(archive.image)) == archive.image

    @pytest.mark.parametrize("name", ["JPEG2000.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "reportsi.dcm"])
    def test_an_instance_as_it_was_stored(self, empty: DICOMwebClient, name: str) -> None:
        made = stored(empty, name)
        found = empty.retrieve_instance(*uids(made))
        assert found == made
        assert found.file_meta.TransferSyntaxUID == made.file_meta.TransferSyntaxUID
        assert empty.retrieve_study(made.StudyInstanceUID) == [made]

    def test_what_is_not_there(self, client: DICOMwebClient) -> None:
        with pytest.raises(HTTPError) as missing:
            client.retrieve_study(new_uid())
        assert missing.value.response.status_code == 404

    def test_metadata_with_its_bulk_data_is_the_data_set(self, client: DICOMwebClient, archive: Archive) -> None:
        study, series, instance = uids(archive.anna[0])
        of_study = client.retrieve_study_metadata(study)
        of_series = client.retrieve_series_metadata(study, series)
        of_instance = client.retrieve_instance_metadata(study, series, instance)
        assert by_uid(whole(client, item) for item in of_study) == by_uid(map(in_unicode, archive.anna))
        assert by_uid(whole(client, item) for item in of_series) == by_uid(map(in_unicode, archive.anna[:3]))
        assert whole(client, of_instance) == in_unicode(archive.anna[0])

    def test_bulk_data(self, client: DICOMwebClient, archive: Archive) -> None:
        location = client.retrieve_instance_metadata(*uids(archive.image))["7FE00010"]["BulkDataURI"]
        pixels = archive.image.PixelData
        octets = ("application/octet-stream",)
        assert client.retrieve_bulkdata(location) == [pixels]
        assert client.retrieve_bulkdata(location, media_types=octets) == [pixels]
        assert client.retrieve_bulkdata(location, byte_range=(100, 299)) == [pixels[100:300]]
        assert list(client.iter_bulkdata(location)) == [pixels]
        assert list(client.iter_bulkdata(location, media_types=octets, byte_range=(0, 9))) == [pixels[:10]]


class TestFrames:
    @pytest.mark.parametrize(
        "media_types",
        [
            None,
            ("application/octet-stream",),
            (("application/octet-stream", "1.2.840.10008.1.2.1"),),
            ("image/jp2", "application/octet-stream"),
            (("*/*", "*"),),
        ],
    )
    def test_native(self, client: DICOMwebClient, archive: Archive, media_types: Sequence[Any] | None) -> None:
        image = archive.image
        expected = [frame(image, number) for number in (3, 1)]
        assert client.retrieve_instance_frames(*uids(image), [3, 1], media_types=media_types) == expected
        assert list(client.iter_instance_frames(*uids(image), [3, 1], media_types=media_types)) == expected

    @pytest.mark.parametrize(
        ("name", "media_type"),
        [
            ("examples_ybr_color.dcm", "image/jpeg"),
            ("emri_small_jpeg_2k_lossless.dcm", "image/jp2"),
            ("emri_small_jpeg_ls_lossless.dcm", "image/jls"),
            ("emri_small_jpeg_ls_lossless.dcm", "image/x-jls"),
            ("emri_small_RLE.dcm", "image/x-dicom-rle"),
            ("emri_small_RLE.dcm", "image/dicom-rle"),
        ],
    )
    def test_compressed(self, empty: DICOMwebClient, name: str, media_type: str) -> None:
        made = stored(empty, name)
        frames = list(generate_frames(made.PixelData, number_of_frames=made.NumberOfFrames))
        several = [2, 1, int(made.NumberOfFrames)]
        expected = [frames[number - 1].rstrip(b"\0") for number in several]
        syntax = made.file_meta.TransferSyntaxUID
        for media_types in (None, (media_type,), ((media_type, syntax),), (media_type, "application/octet-stream")):
            found = empty.retrieve_instance_frames(*uids(made), several, media_types=media_types)
            assert [each.rstrip(b"\0") for each in found] == expected

    def test_beyond_the_last(self, client: DICOMwebClient, archive: Archive) -> None:
        with pytest.raises(HTTPError) as missing:
            client.retrieve_instance_frames(*uids(archive.image), [FRAMES + 1])
        assert missing.value.response.status_code == 404


class TestDelete:
    def test_each_level(self, empty: DICOMwebClient, archive: Archive) -> None:
        empty.store_instances(archive.datasets)
        study, series, instance = uids(archive.anna[0])
        empty.delete_instance(study, series, instance)
        assert len(empty.search_for_instances(study, series)) == 2
        empty.delete_series(study, series)
        assert values(empty.search_for_series(study), SERIES) == [archive.anna[-1].SeriesInstanceUID]
        empty.delete_study(study)
        assert values(empty.search_for_studies(), STUDY) == sorted(study_uids([archive.james, archive.charlie]))
        with pytest.raises(HTTPError) as missing:
            empty.delete_study(study)
        assert missing.value.response.status_code == 404
        empty.store_instances(archive.anna)
        assert len(empty.retrieve_study(study)) == 4


def failure_reasons(error: HTTPError) -> list[int]:
    answer = Dataset.from_json(error.response.json())
    return [item.FailureReason for item in answer.FailedSOPSequence]


def values(found: list[dict[str, Any]], tag: str) -> list[str]:
    return sorted(item[tag]["Value"][0] for item in found)


def by_uid(found: Any) -> dict[str, Dataset]:
    return {str(item.SOPInstanceUID): item for item in found}


def whole(client: DICOMwebClient, metadata: dict[str, Any]) -> Dataset:
    """The data set that metadata describe, its bulk data fetched."""
    return Dataset.from_json(metadata, bulk_data_uri_handler=lambda uri: bytes(client.retrieve_bulkdata(uri)[0]))


def in_unicode(made: Dataset) -> Dataset:
    """The data set as metadata give it: without file meta information, text in UTF-8."""
    found = Dataset(made)
    found.SpecificCharacterSet = "ISO_IR 192"
    return found
