"""Which attributes can be extended query tags, and what data sets give to them."""

from base64 import b64encode
from struct import pack
from typing import Any

import pytest
from pydicom.datadict import tag_for_keyword

from shared.dicom.attributes import MODALITIES_IN_STUDY, SEARCHABLE, Attribute
from shared.dicom.conditions import MatchValue
from shared.dicom.matching import fold, match_values
from shared.dicom.model import DataSet, Level
from shared.dicom.query_tags import (
    ALWAYS_SEARCHABLE,
    MULTIPLE_VALUES,
    NO_SEQUENCES,
    SUPPORTED_VRS,
    TOO_LARGE,
    InvalidTagValue,
    creator_place,
    place_of,
    queryable,
    value_of,
)
from shared.dicom.vr_rules import MINIMUM_RULES
from shared.errors import BadRequest
from tests.dicom.vr_values import BAD, GOOD

VRS = SUPPORTED_VRS.split()
TAG = "00181000"
CREATOR = {"vr": "LO", "Value": ["ACME 1.1"]}


def of(vr: str, *values: Any) -> DataSet:
    return {TAG: {"vr": vr, "Value": list(values)}}


def unknown(binary: bytes, **further: Any) -> DataSet:
    """A data set with an element that was left as bytes."""
    return {**further, TAG: {"vr": "UN", "InlineBinary": b64encode(binary).decode()}}


@pytest.mark.parametrize(
    ("path", "vr", "private_creator", "expected_vr"),
    [
        ("00101010", None, None, "AS"),
        ("00101010", "AS", None, "AS"),
        ("00101030", None, None, "DS"),
        ("00280106", None, None, "US"),
        ("00280106", "SS", None, "SS"),
        ("60020010", None, None, "US"),
        ("00100040", None, None, "CS"),
        ("00091002", "SH", "ACME 1.1", "SH"),
        ("0009FF02", "PN", "ACME 1.1", "PN"),
        ("00090010", None, None, "LO"),
        ("000900FF", "LO", None, "LO"),
    ],
)
def test_what_can_be_an_extended_query_tag(
    path: str, vr: str | None, private_creator: str | None, expected_vr: str
) -> None:
    expected = Attribute(path, path, expected_vr, Level.SERIES, private_creator)
    assert queryable(path, vr, Level.SERIES, private_creator) == expected


@pytest.mark.parametrize(
    ("path", "vr", "private_creator", "reason"),
    [
        ("0040A730", None, None, NO_SEQUENCES),
        ("0040A730", "SQ", None, NO_SEQUENCES),
        ("00091002", "SQ", "ACME", NO_SEQUENCES),
        ("00101010", "DA", None, "The VR of the tag '00101010' is incorrectly specified. The expected one is 'AS'."),
        ("00280106", "UL", None, "The expected one is 'US or SS'."),
        ("00101010", None, "ACME", "The tag '00101010' is not a private attribute: it takes no private creator."),
        ("00090010", "LO", "ACME", "The tag '00090010' is not a private attribute: it takes no private creator."),
        ("00090010", "SH", None, "The expected one is 'LO'."),
        ("00104000", None, None, "The VR of the tag '00104000' is not supported."),
        ("7FE00010", None, None, "The VR of the tag '7FE00010' is not supported."),
        ("00091002", "OB", "ACME", "The VR of the tag '00091002' is not supported."),
        ("00091002", "ZZ", "ACME", "The VR of the tag '00091002' is not supported."),
        ("00091002", None, "ACME", "The VR of the private tag '00091002' must be specified."),
        ("00091002", "SH", None, "The private creator of the private tag '00091002' must be specified."),
        ("00091002", "SH", "x" * 65, "The private creator of the tag '00091002' is not a valid LO value."),
        ("00091002", "SH", "a\\b", "The private creator of the tag '00091002' is not a valid LO value."),
        ("00090001", "SH", "ACME", "The tag '00090001' can't be that of a private attribute."),
        ("00090F02", "SH", "ACME", "The tag '00090F02' can't be that of a private attribute."),
        ("00051002", "SH", "ACME", "The tag '00051002' is not one of a data set."),
        ("FFFF1002", "SH", "ACME", "The tag 'FFFF1002' is not one of a data set."),
        ("00020010", None, None, "The tag '00020010' is not one of a data set."),
        ("00000002", None, None, "The tag '00000002' is not one of a data set."),
        ("00081FFF", None, None, "The tag '00081FFF' is not in the data dictionary."),
    ],
)
def test_what_can_not(path: str, vr: str | None, private_creator: str | None, reason: str) -> None:
    with pytest.raises(BadRequest) as refused:
        queryable(path, vr, Level.STUDY, private_creator)
    assert reason in refused.value.detail


def test_attributes_that_every_client_can_search_by_are_none() -> None:
    searchable = {attribute.path for attribute in SEARCHABLE}
    assert searchable > ALWAYS_SEARCHABLE
    assert f"{tag_for_keyword('PatientID'):08X}" in ALWAYS_SEARCHABLE
    for path in ALWAYS_SEARCHABLE:
        with pytest.raises(BadRequest, match=f"The query tag '{path}' is already supported"):
            queryable(path, None, Level.STUDY, None)


@pytest.mark.parametrize("vr", VRS)
def test_a_good_value_is_given_folded(vr: str) -> None:
    for value in GOOD[vr]:
        assert value_of(of(vr, value), TAG, vr, None) == fold(vr, value)
        assert value_of(of(vr, value), TAG, vr, None, only_one=True) == fold(vr, value)


@pytest.mark.parametrize(("vr", "value", "complaint"), [each for each in BAD if each[0] in VRS])
def test_a_bad_value_is_refused_without_being_repeated(vr: str, value: Any, complaint: str) -> None:
    if value in ("", {}) or MINIMUM_RULES[vr].accepts([value]):
        assert value_of(of(vr, value), TAG, vr, None) == fold(vr, value)
        return
    with pytest.raises(InvalidTagValue, match=complaint) as refused:
        value_of(of(vr, value), TAG, vr, None)
    assert len(str(value)) < 4 or str(value) not in refused.value.message


def test_some_values_are_bad() -> None:
    refused = [vr for vr, value, _ in BAD if vr in VRS and value != "" and not MINIMUM_RULES[vr].accepts([value])]
    assert set(refused) >= set(VRS) - {"FD", "FL", "UL", "US", "SL", "SS"}
    assert len(refused) > 40


@pytest.mark.parametrize("vr", VRS)
@pytest.mark.parametrize(
    "element", [{}, {"Value": []}, {"Value": [None]}, {"Value": [""]}, {"Value": [{}]}, {"Value": [None, None]}]
)
def test_empty_values_count_for_nothing(vr: str, element: DataSet) -> None:
    assert value_of({TAG: {"vr": vr, **element}}, TAG, vr, None) is None


def test_a_data_set_without_the_attribute_gives_nothing() -> None:
    assert value_of({}, TAG, "SH", None) is None
    assert value_of(of("SH", "x"), "00181001", "SH", None) is None
    assert value_of({TAG: {"vr": "UN"}}, TAG, "SH", None) is None


def test_the_first_of_several_values_counts_unless_there_may_be_only_one() -> None:
    assert value_of(of("IS", 3, 4), TAG, "IS", None) == 3
    assert value_of(of("IS", 3, "x"), TAG, "IS", None) == 3
    assert value_of(of("IS", None, 4), TAG, "IS", None) is None
    with pytest.raises(InvalidTagValue) as refused:
        value_of(of("IS", 3, 4), TAG, "IS", None, only_one=True)
    assert refused.value.message == MULTIPLE_VALUES


@pytest.mark.parametrize("element", [{"vr": "LO", "Value": ["x"]}, {"vr": "SQ", "Value": [{}]}])
def test_another_vr_is_refused(element: dict[str, Any]) -> None:
    with pytest.raises(InvalidTagValue) as refused:
        value_of({TAG: element}, TAG, "SH", None)
    assert refused.value.message == "The VR is not the expected SH."


@pytest.mark.parametrize("vr", ["US", "UN"])
def test_what_was_left_in_the_file_is_too_large(vr: str) -> None:
    with pytest.raises(InvalidTagValue) as refused:
        value_of({TAG: {"vr": vr, "BulkDataURI": TAG}}, TAG, "US", None)
    assert refused.value.message == TOO_LARGE


@pytest.mark.parametrize(
    ("vr", "binary", "value"),
    [
        ("AE", b" ROOM1", "room1"),
        ("CS", b"HEAD", "head"),
        ("DA", b"20240229", "20240229"),
        ("DS", b"1.50", 1.5),
        ("FD", pack("<d", 0.25), 0.25),
        ("FL", pack("<f", 0.1), 0.1),
        ("IS", b"12 ", 12),
        ("LO", b"Str\xdfe", "strsse"),
        ("PN", b"Doe^Jane", "doe^jane"),
        ("SL", pack("<i", -5), -5),
        ("SS", pack("<h", -5), -5),
        ("UI", b"1.2.3\0", "1.2.3"),
        ("UL", pack("<I", 2**32 - 1), 2**32 - 1),
        ("US", pack("<HH", 7, 8), 7),
    ],
)
def test_what_a_reader_left_as_bytes_is_read_by_the_vr_of_the_tag(vr: str, binary: bytes, value: MatchValue) -> None:
    assert value_of(unknown(binary), TAG, vr, None) == value


def test_bytes_are_read_in_the_character_set_of_the_data_set() -> None:
    character_set = {"00080005": {"vr": "CS", "Value": ["ISO_IR 192"]}}
    assert value_of(unknown("日本".encode(), **character_set), TAG, "LO", None) == "日本"
    assert value_of(unknown(b"x", **{"00080005": {"vr": "CS", "Value": [None]}}), TAG, "LO", None) == "x"


@pytest.mark.parametrize(("vr", "binary"), [("US", b"abc"), ("DA", b"tomorrow"), ("SH", b"x" * 17)])
def test_bytes_that_are_no_value_of_that_vr_are_refused(vr: str, binary: bytes) -> None:
    with pytest.raises(InvalidTagValue):
        value_of(unknown(binary), TAG, vr, None)


PRIVATE: DataSet = {
    "00090010": {"vr": "LO", "Value": ["OTHER"]},
    "00090011": CREATOR,
    "000900A0": {"vr": "LO", "Value": ["ACME 1.1 "]},
    "000900FF": {"vr": "LO"},
    "00091002": {"vr": "SH", "Value": ["other's"]},
    "00091102": {"vr": "SH", "Value": ["Ours"]},
    "00091105": {"vr": "SH", "Value": ["first"]},
    "0009A005": {"vr": "SH", "Value": ["second"]},
    "0009A006": {"vr": "SH", "Value": ["further"]},
}


@pytest.mark.parametrize("block", ["10", "11", "A0", "42"])
def test_a_private_attribute_is_found_by_its_creator_whatever_its_block(block: str) -> None:
    assert place_of(PRIVATE, f"0009{block}02", "ACME 1.1") == "00091102"
    assert value_of(PRIVATE, f"0009{block}02", "SH", "ACME 1.1") == "ours"
    assert value_of(PRIVATE, f"0009{block}02", "SH", "OTHER") == "other's"
    assert value_of(PRIVATE, f"0009{block}05", "SH", "ACME 1.1") == "first"
    assert value_of(PRIVATE, f"0009{block}06", "SH", "ACME 1.1") == "further"


@pytest.mark.parametrize(
    ("path", "private_creator"),
    [("00091002", "NOBODY"), ("00091102", "acme 1.1"), ("00091107", "ACME 1.1"), ("00111102", "ACME 1.1")],
)
def test_a_private_attribute_that_is_not_there(path: str, private_creator: str) -> None:
    assert place_of(PRIVATE, path, private_creator) is None
    assert value_of(PRIVATE, path, "SH", private_creator) is None


def test_a_private_creator_is_an_attribute_in_its_own_place() -> None:
    assert value_of(PRIVATE, "00090011", "LO", None) == "acme 1.1"
    assert creator_place("00091102") == "00090011"
    assert creator_place("0009FF02") == "000900FF"


def test_a_tag_of_an_attribute_that_is_searchable_anyway_has_the_same_values() -> None:
    dataset: DataSet = {
        attribute.path: {"vr": attribute.vr, "Value": [GOOD[attribute.vr][0]]}
        for attribute in SEARCHABLE
        if "." not in attribute.path and attribute.path != MODALITIES_IN_STUDY
    }
    for level in Level:
        values = {
            path: value_of(dataset, path, element["vr"], None)
            for path, element in dataset.items()
            if path in {attribute.path for attribute in SEARCHABLE if attribute.level is level}
        }
        assert values == match_values(dataset, level)
        assert values
