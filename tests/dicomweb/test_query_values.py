"""Values to search by are read as PS3.4 C.2.2.2 matches them, each by its VR."""

import pytest

from shared.dicom.attributes import BY_PATH, Attribute
from shared.dicom.conditions import Condition, Equal, Range, Wildcard, Words
from shared.dicom.model import Level
from shared.dicomweb.query import attribute_path
from shared.errors import BadRequest
from tests.dicomweb.queries import parse, refusal


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("PatientID=P1", Equal("00100020", ("p1",))),
        ("PatientID=%20P1%20%00", Equal("00100020", ("p1",))),
        ("PatientID=a+b", Equal("00100020", ("a b",))),
        ("PatientID=a%2Bb", Equal("00100020", ("a+b",))),
        ("PatientID=a=b", Equal("00100020", ("a=b",))),
        ("PatientID=a,b", Equal("00100020", ("a,b",))),
        ("PatientID=A%5CB", Equal("00100020", ("a", "b"))),
        ("PatientID=A\\\\B\\", Equal("00100020", ("a", "b"))),
        ("PatientID=A*\\B", Wildcard("00100020", ("a*", "b"))),
        ("PatientID=A**?***", Wildcard("00100020", ("a*?*",))),
        ("PatientID=?", Wildcard("00100020", ("?",))),
        ("StudyDescription=%C3%84RZTIN", Equal("00081030", ("ärztin",))),
        ("PatientName=Doe%5EJohn%5E%5E", Equal("00100010", ("doe^john",))),
        ("PatientName=M%C3%BCller,+J", Equal("00100010", ("muller, j",))),
        ("PatientName=Doe%5CRoe", Equal("00100010", ("doe", "roe"))),
        ("PatientName=Doe%5E*", Wildcard("00100010", ("doe^*", "doe"))),
        ("PatientName=Doe%5E*%5E*", Wildcard("00100010", ("doe^*^*", "doe^*", "doe"))),
        ("PatientName=*%5EJohn", Wildcard("00100010", ("*^john",))),
        ("PatientName=%5E*", Wildcard("00100010", ("^*",))),
        ("PatientName=Do*%5CRoe", Wildcard("00100010", ("do*", "roe"))),
        ("ModalitiesInStudy=CT,MR", Equal("00080061", ("ct", "mr"))),
        ("ModalitiesInStudy=CT%5CMR", Equal("00080061", ("ct", "mr"))),
        ("ModalitiesInStudy=C*", Wildcard("00080061", ("c*",))),
        ("StudyInstanceUID=1.2", Equal("0020000D", ("1.2",))),
        ("StudyInstanceUID=1.2,1.3", Equal("0020000D", ("1.2", "1.3"))),
        ("StudyInstanceUID=1.2\\1.3%5C%5C1.4,%201.5%20", Equal("0020000D", ("1.2", "1.3", "1.4", "1.5"))),
        ("StudyInstanceUID=1.2*", Equal("0020000D", ("1.2*",))),
        ("StudyInstanceUID=no-uid", Equal("0020000D", ("no-uid",))),
        ("StudyDate=20240101", Equal("00080020", ("20240101",))),
        ("StudyDate=2024.01.01", Equal("00080020", ("20240101",))),
        ("StudyDate=20240101-", Range("00080020", "20240101", None)),
        ("StudyDate=-20240101", Range("00080020", None, "20240101")),
        ("StudyDate=20240101-20240101", Range("00080020", "20240101", "20240101")),
        ("StudyDate=20240101%20-%2020240201", Range("00080020", "20240101", "20240201")),
        ("StudyDate=20240101%5C20240201", Equal("00080020", ("20240101", "20240201"))),
        ("StudyTime=10", Range("00080030", "100000.000000", "105959.999999")),
        ("StudyTime=10-12", Range("00080030", "100000.000000", "125959.999999")),
        ("StudyTime=1015-", Range("00080030", "101500.000000", None)),
        ("StudyTime=-101530", Range("00080030", None, "101530.999999")),
        ("StudyTime=101530.123456", Equal("00080030", ("101530.123456",))),
    ],
)
def test_values(raw: str, expected: Condition) -> None:
    query = parse(raw)
    assert query.conditions == (expected,)
    assert tuple(query.filters) == (expected.path,)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("SeriesNumber=5", Equal("00200011", (5,))),
        ("SeriesNumber=+05%20", Equal("00200011", (5,))),
        ("SeriesNumber=5%5C6", Equal("00200011", (5, 6))),
        ("RequestAttributesSequence.RequestedProcedureID=R*", Wildcard("00400275.00401001", ("r*",))),
        ("00400275.00401001=R", Equal("00400275.00401001", ("r",))),
        ("Modality=CT,MR", Equal("00080060", ("ct", "mr"))),
    ],
)
def test_values_of_series(raw: str, expected: Condition) -> None:
    assert parse(raw, "series").conditions == (expected,)


@pytest.mark.parametrize("value", ["", "*", "**", "%20", "%00", "*%20", "\\", "%20\\*", "x\\*"])
@pytest.mark.parametrize(
    "keyword", ["PatientID", "PatientName", "StudyDate", "StudyInstanceUID", "ModalitiesInStudy", "SeriesNumber"]
)
@pytest.mark.parametrize("fuzzy", ["true", "false"])
def test_universal_matching_sets_no_condition_but_is_answered(keyword: str, value: str, fuzzy: str) -> None:
    query = parse(f"{keyword}={value}&fuzzymatching={fuzzy}", "series")
    assert query.conditions == ()
    assert query.filters == {attribute_path(keyword): keyword}


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ("StudyDate=2024", "a date as YYYYMMDD"),
        ("StudyDate=20240230", "a date as YYYYMMDD"),
        ("StudyDate=2024*", "a date as YYYYMMDD"),
        ("StudyDate=-", "two ends"),
        ("StudyDate=20240101-20240102-20240103", "two ends"),
        ("StudyDate=20240102-20240101", "ends before it begins"),
        ("StudyDate=20240101-x", "a date as YYYYMMDD"),
        ("StudyDate=20240101%5C20240102-", "a date as YYYYMMDD"),
        ("StudyTime=25", "a time as HHMMSS"),
        ("StudyTime=10%5C11", "one range, or full values"),
        ("StudyTime=12-10", "ends before it begins"),
        ("PatientBirthDate=yesterday", "a date as YYYYMMDD"),
    ],
)
def test_moments_that_cannot_be(raw: str, words: str) -> None:
    keyword, _, value = raw.partition("=")
    detail = refusal(raw)
    assert keyword in detail
    assert words in detail
    assert value == "-" or value not in detail


@pytest.mark.parametrize("value", ["x", "5*", "5.5", "5%5Cx", "99999999999999999999"])
def test_numbers_that_cannot_be(value: str) -> None:
    assert (
        refusal(f"SeriesNumber={value}", "series") == "The query parameter 'SeriesNumber' is invalid. It takes numbers."
    )


DT = {**BY_PATH, "0008002A": Attribute("0008002A", "AcquisitionDateTime", "DT", Level.STUDY)}


@pytest.mark.parametrize("value", ["20240101%2B0100", "20240101101010-0500", "20240101-0500-20240102-0500"])
def test_offsets_from_utc_are_refused(value: str) -> None:
    with pytest.raises(BadRequest, match="AcquisitionDateTime"):
        parse(f"AcquisitionDateTime={value}", attributes=DT)


def test_ranges_of_date_times() -> None:
    query = parse("AcquisitionDateTime=2023-202402", attributes=DT)
    assert query.conditions == (Range("0008002A", "20230101000000.000000", "20240229235959.999999"),)


def test_at_most_so_many_values() -> None:
    assert len(parse("StudyInstanceUID=" + ",".join(["1"] * 500)).conditions[0].values) == 500  # type: ignore[union-attr]
    assert "500" in refusal("StudyInstanceUID=" + ",".join(["1"] * 501))


# Fuzzy matching


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("joh", Words("00100010", ("joh",))),
        ("Jo%20Do", Words("00100010", ("jo", "do"))),
        ("Doe%5EJohn=x", Words("00100010", ("doe", "john", "x"))),
        ("J%C3%B6*%20Do*", Words("00100010", ("jo", "do"))),
        ("*joh*", Wildcard("00100010", ("*joh*",))),
        ("J?n", Wildcard("00100010", ("j?n",))),
        ("Doe%5CRoe", Equal("00100010", ("doe", "roe"))),
    ],
)
def test_fuzzy_matching_of_names(value: str, expected: Condition) -> None:
    assert parse(f"PatientName={value}&fuzzymatching=true").conditions == (expected,)


def test_fuzzy_matching_is_for_names_only() -> None:
    query = parse("fuzzymatching=true&PatientID=jo+do&ReferringPhysicianName=House")
    assert query.conditions == (Equal("00100020", ("jo do",)), Words("00080090", ("house",)))
