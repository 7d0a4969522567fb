"""What version 1 and version 2 of the API make of values that break the rules of their VR (PS3.5 6.2)."""

from typing import Any

import pytest

from tests.api.client import Api
from tests.api.files import by_hand, without_pixels
from tests.api.store_answers import FAILED, FAILED_ATTRIBUTES, REASON, REFERENCED, VALIDATION_FAILED, WARNING, comments
from tests.dicom.building import explicit, item, sequence
from tests.instances import Identity, new_identity, new_uid

STUDY_DATE = "00080020"
PATIENT_ID = "00100020"
OTHER_PATIENT_IDS = 0x00101002


def only(answer: Any, sequence_tag: str) -> dict[str, Any]:
    (entry,) = answer.json()[sequence_tag]["Value"]
    found: dict[str, Any] = entry
    return found


@pytest.mark.parametrize(
    ("values", "tag"),
    [
        ({"StudyDate": b"20240230"}, "(0008,0020)"),
        ({"StudyDate": b"2024-01-02"}, "(0008,0020)"),
        ({"AccessionNumber": b"A" * 17}, "(0008,0050)"),
        ({"StudyDescription": b"x" * 65}, "(0008,1030)"),
        ({"StudyDescription": b"in\0side"}, "(0008,1030)"),
        ({"PatientName": b"a^b^c^d^e^f"}, "(0010,0010)"),
        ({"Modality": b"ct"}, "(0008,0060)"),
    ],
)
def test_version_2_stores_with_a_warning_and_leaves_the_bad_value_out(
    api: Api, values: dict[str, bytes], tag: str
) -> None:
    identity = new_identity()
    file = by_hand(identity, PatientBirthDate=b"19700102", **values)
    answer = api.store(file)
    assert answer.status_code == 202
    entry = only(answer, REFERENCED)
    assert entry[WARNING] == {"vr": "US", "Value": [1]}
    (comment,) = comments(entry)
    assert comment.startswith(f"DICOM100: {tag} - ")
    (dataset,) = api.metadata(identity.path)
    assert tag.strip("()").replace(",", "").upper() not in dataset
    assert dataset["00100030"]["Value"] == ["19700102"]
    assert api.search(f"studies?StudyInstanceUID={identity.study}&PatientBirthDate=19700102")
    assert api.get(identity.path, "application/dicom").content == file


@pytest.mark.parametrize(
    "values", [{"StudyDate": b"20240230"}, {"StudyDescription": b"x" * 65}, {"PatientName": b"a^b^c^d^e^f"}]
)
def test_version_1_refuses_a_bad_value_of_an_indexed_attribute(v1: Api, values: dict[str, bytes]) -> None:
    identity = new_identity()
    answer = v1.store(by_hand(identity, **values))
    assert answer.status_code == 409
    entry = only(answer, FAILED)
    assert entry[REASON]["Value"] == [VALIDATION_FAILED]
    assert comments(entry)
    assert REFERENCED not in answer.json()
    assert v1.get(identity.path).status_code == 404


def test_a_bad_value_that_is_not_indexed_is_no_matter_to_version_1(v1: Api) -> None:
    identity = new_identity()
    answer = v1.store(by_hand(identity, explicit(0x00101030, "DS", b"heavy ")))
    assert answer.status_code == 200
    assert FAILED_ATTRIBUTES not in only(answer, REFERENCED)
    assert WARNING not in only(answer, REFERENCED)


def test_exactly_the_bad_element_is_left_out(api: Api) -> None:
    """Not its namesake outside the sequence, nor its neighbour inside."""
    identity = new_identity()
    inner = item(explicit(0x00080020, "DA", b"not one ") + explicit(0x00100020, "LO", b"other "))
    answer = api.store(by_hand(identity, sequence(OTHER_PATIENT_IDS, inner), StudyDate=b"20240229"))
    assert answer.status_code == 202
    (dataset,) = api.metadata(identity.path)
    assert dataset[STUDY_DATE]["Value"] == ["20240229"]
    assert dataset["00101002"]["Value"] == [{PATIENT_ID: {"vr": "LO", "Value": ["other"]}}]


@pytest.mark.parametrize(
    "missing", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID", "PatientID"]
)
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_required_attributes(api: Api, v1: Api, missing: str, version: str) -> None:
    answer = (v1 if version == "v1" else api).store(by_hand(new_identity(), b"", **{missing: None}))
    assert answer.status_code == 409
    assert only(answer, FAILED)[REASON]["Value"] == [VALIDATION_FAILED]
    assert "is missing" in comments(only(answer, FAILED))[0]


@pytest.mark.parametrize("missing", ["StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"])
@pytest.mark.parametrize("value", [b"", b"abc.123 ", b"11|", b"1.", b"1" * 65, b"1.2\\1.3 ", b"1 2 "])
def test_bad_uids_are_refused(api: Api, missing: str, value: bytes) -> None:
    answer = api.store(by_hand(new_identity(), **{missing: value}))
    assert answer.status_code == 409
    assert only(answer, FAILED)[REASON]["Value"] == [VALIDATION_FAILED]
    assert REFERENCED not in answer.json()


def test_version_1_refuses_a_bad_patient_id_with_its_tag(v1: Api) -> None:
    answer = v1.store(by_hand(new_identity(), PatientID=b"a\x01b\x02"))
    assert answer.status_code == 409
    assert comments(only(answer, FAILED))[0].startswith("DICOM100: (0010,0020) - ")


@pytest.mark.parametrize("value", [b"a\x01b\x02", b"in\0side\0", b"x" * 65])
def test_version_2_refuses_a_bad_patient_id_too(api: Api, value: bytes) -> None:
    answer = api.store(by_hand(new_identity(), PatientID=value))
    assert answer.status_code == 409
    assert only(answer, FAILED)[REASON]["Value"] == [VALIDATION_FAILED]


def test_an_empty_patient_id_fails_in_version_1_and_warns_in_version_2(api: Api, v1: Api) -> None:
    file = by_hand(new_identity(), PatientID=b"")
    assert v1.store(file).status_code == 409
    answer = api.store(file)
    assert answer.status_code == 202
    assert comments(only(answer, REFERENCED)) == ["DICOM100: (0010,0020) - The required tag '(0010,0020)' is missing."]


def test_an_empty_patient_id_does_not_clear_the_one_that_is_known(api: Api) -> None:
    study, patient = new_uid(), f"P-{new_uid()[-20:]}"
    expected = [(b"", 202, []), (patient.encode(), 200, [study]), (b"", 202, [study])]
    for value, status, found in expected:
        assert api.store(by_hand(new_identity(study), PatientID=value)).status_code == status
        matches = api.search(f"studies?PatientID={patient}")
        assert [match["0020000D"]["Value"][0] for match in matches] == found


@pytest.mark.parametrize("padding", [b" ", b"\0", b"\0\0\0", b"  "])
def test_padding_is_no_part_of_a_value(api: Api, padding: bytes) -> None:
    identity = new_identity()
    description = f"d{identity.instance[-20:]}"
    values = {
        "StudyInstanceUID": identity.study.encode() + padding,
        "SOPInstanceUID": identity.instance.encode() + padding,
        "PatientID": b"P-1" + padding,
        "StudyDescription": description.encode() + padding,
        "StudyDate": b"20240229" + padding,
    }
    answer = api.store(by_hand(identity, **values))
    assert answer.status_code == 200
    assert only(answer, REFERENCED)[FAILED_ATTRIBUTES] == {"vr": "SQ"}
    assert api.get(identity.path).status_code == 200
    assert len(api.search(f"studies?StudyInstanceUID={identity.study}&StudyDescription={description}")) == 1
    assert len(api.search(f"studies?StudyInstanceUID={identity.study}&StudyDate=20240229")) == 1


@pytest.mark.parametrize("stored", ["", " ", "   "])
@pytest.mark.parametrize("asked", ["", "%20", "%20%20%20"])
def test_uids_are_the_same_however_they_are_padded(api: Api, stored: str, asked: str) -> None:
    identity = new_identity()
    assert api.store(by_hand(identity, StudyInstanceUID=(identity.study + stored).encode())).status_code == 200
    again = api.store(by_hand(identity, StudyInstanceUID=f"{identity.study}     ".encode()))
    assert again.status_code == 409
    padded = Identity(identity.study + asked, identity.series + asked, identity.instance + asked)
    assert api.get(padded.path).status_code == 200
    assert api.get(f"/studies/{padded.study}/metadata").status_code == 200
    other = new_identity(identity.study, identity.series)
    assert api.store(without_pixels(other), path=f"/studies/{padded.study}").status_code == 200
