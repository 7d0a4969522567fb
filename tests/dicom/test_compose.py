import struct
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from shared.dicom.compose import BulkSource, compose
from shared.dicom.identifiers import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from shared.dicom.model import DataSet
from shared.errors import HostileInstance, InvalidInstance
from tests.dicom.composing import BASE, EXPLICIT, JPEG_2000, OCTETS, read


def test_file_meta_information() -> None:
    raw = b"".join(compose(BASE, {}))
    assert raw[:132] == bytes(128) + b"DICM"
    meta = dcmread(BytesIO(raw)).file_meta
    assert meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert meta.MediaStorageSOPInstanceUID == "1.2.3"
    assert meta.TransferSyntaxUID == EXPLICIT
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID
    assert meta.ImplementationVersionName == IMPLEMENTATION_VERSION_NAME
    assert meta.FileMetaInformationVersion == b"\0\1"
    assert raw[144 + meta.FileMetaInformationGroupLength :].startswith(b"\x08\x00\x16\x00UI"), "its length is right"


VALUES: list[tuple[str, dict[str, Any], bytes]] = [
    ("00080054", {"vr": "AE", "Value": ["A", "BC"]}, b"A\\BC"),
    ("00101010", {"vr": "AS", "Value": ["018M"]}, b"018M"),
    ("00720026", {"vr": "AT", "Value": ["00100020", "7fe00010"]}, b"\x10\0\x20\0\xe0\x7f\x10\0"),
    ("00080008", {"vr": "CS", "Value": ["A", None, "C"]}, b"A\\\\C"),
    ("00080020", {"vr": "DA", "Value": ["20240229"]}, b"20240229"),
    ("00281053", {"vr": "DS", "Value": [1, 0.5, "2.50", None]}, b"1\\0.5\\2.50\\ "),
    ("00281053", {"vr": "DS", "Value": [1 / 3]}, b"0.33333333333333"),
    ("00281053", {"vr": "DS", "Value": [-1.2345678901234567e-100]}, b"-1.23456789e-100"),
    (
        "00189220",
        {"vr": "FD", "Value": [0.1, "NaN", "-Infinity", 2]},
        struct.pack("<4d", 0.1, float("nan"), float("-inf"), 2),
    ),
    ("00189221", {"vr": "FL", "Value": [0.5, "Infinity"]}, struct.pack("<2f", 0.5, float("inf"))),
    ("00200013", {"vr": "IS", "Value": [-12, "7", 3.0]}, b"-12\\7\\3 "),
    ("00100020", {"vr": "LO", "Value": ["abc"]}, b"abc "),
    ("00104000", {"vr": "LT", "Value": ["a\\b\r\n"]}, b"a\\b\r\n "),
    ("00420011", {"vr": "OB", "InlineBinary": "AAEC"}, b"\0\1\2\0"),
    ("00420011", {"vr": "OB", "InlineBinary": ""}, b""),
    ("00420011", {"vr": "OB"}, b""),
    (
        "00100010",
        {"vr": "PN", "Value": [{"Alphabetic": "a", "Phonetic": "c"}, {"Ideographic": "b"}, None, "d^e"]},
        b"a==c\\=b\\\\d^e",
    ),
    ("00080050", {"vr": "SH"}, b""),
    ("00080050", {"vr": "SH", "Value": None}, b""),
    ("00186020", {"vr": "SL", "Value": [-1]}, b"\xff\xff\xff\xff"),
    ("00189219", {"vr": "SS", "Value": [-2]}, b"\xfe\xff"),
    ("00720082", {"vr": "SV", "Value": [-3, "-9223372036854775808"]}, struct.pack("<2q", -3, -(2**63))),
    ("00080119", {"vr": "UC", "Value": ["x"]}, b"x "),
    ("00080018", {"vr": "UI", "Value": ["1.2.3"]}, b"1.2.3\0"),
    ("00081161", {"vr": "UL", "Value": [2**32 - 1]}, b"\xff\xff\xff\xff"),
    ("00081190", {"vr": "UR", "Value": ["http://h"]}, b"http://h"),
    ("00280010", {"vr": "US", "Value": [512, 1]}, b"\0\2\1\0"),
    ("0040A160", {"vr": "UT", "Value": ["x"]}, b"x "),
    ("7FE00001", {"vr": "UV", "Value": [2**64 - 1]}, b"\xff" * 8),
]


@pytest.mark.parametrize(("tag", "element", "value"), VALUES)
def test_the_value_of_each_vr(tag: str, element: dict[str, Any], value: bytes) -> None:
    raw = b"".join(compose(BASE | {tag: element}, {}))
    vr = element["vr"].encode()
    long_form = element["vr"] in ("OB", "SV", "UC", "UR", "UT", "UV")
    length = struct.pack("<xxI" if long_form else "<H", len(value))
    written = struct.pack("<HH", int(tag[:4], 16), int(tag[4:], 16)) + vr + length + value
    assert raw.count(written) == 1
    assert len(raw) % 2 == 0


@pytest.mark.parametrize(
    "element",
    [
        {"vr": "US", "Value": [-1]},
        {"vr": "US", "Value": [65536]},
        {"vr": "US", "Value": ["1"]},
        {"vr": "US", "Value": [1.5]},
        {"vr": "US", "Value": [None]},
        {"vr": "UV", "Value": ["x"]},
        {"vr": "FL", "Value": [1e39]},
        {"vr": "LO", "Value": [5]},
        {"vr": "LO", "Value": [0]},
        {"vr": "LO", "Value": [{}]},
        {"vr": "LO", "Value": "text"},
        {"vr": "LO", "Value": {"a": 1}},
        {"vr": "DS", "Value": [float("nan")]},
        {"vr": "DS", "Value": [[]]},
        {"vr": "IS", "Value": [{}]},
        {"vr": "AT", "Value": ["0010002"]},
        {"vr": "AT", "Value": ["0010002G"]},
        {"vr": "AT", "Value": [1048608]},
        {"vr": "PN", "Value": [{"Alphabetic": 1}]},
        {"vr": "PN", "Value": [1]},
        {"vr": "OB", "Value": [1]},
        {"vr": "OB", "InlineBinary": "AAE"},
        {"vr": "OB", "InlineBinary": "AA E="},
        {"vr": "OB", "InlineBinary": "AAE=AAE="},
        {"vr": "OB", "InlineBinary": "Ä==="},
        {"vr": "OB", "InlineBinary": 5},
        {"vr": "LO", "InlineBinary": "AAE="},
        {"vr": "SQ", "InlineBinary": "AAE="},
        {"vr": "SQ", "Value": ["item"]},
        {"vr": "SQ", "Value": [5]},
        {"vr": "SQ", "Value": [{"PatientID": {"vr": "LO"}}]},
        {"vr": "SQ", "BulkDataURI": "known"},
        {"vr": "OB", "BulkDataURI": "unknown"},
        {"vr": "OB", "BulkDataURI": None},
        {"vr": "OB", "BulkDataURI": "known", "InlineBinary": "AAE="},
        {"vr": "XX", "Value": ["1"]},
        {"vr": ["LO"], "Value": ["1"]},
        {"Value": ["1"]},
        {},
        [],
        "text",
    ],
)
def test_what_is_no_element_fails_the_instance_before_the_first_byte(element: Any) -> None:
    with pytest.raises(InvalidInstance) as caught:
        compose(BASE | {"00091001": element}, {"known": [BulkSource(Path("unread"), 2, OCTETS)]})
    assert "text" not in caught.value.detail


@pytest.mark.parametrize("dataset", [[], None, {"PatientID": {"vr": "LO"}}, {"0010002": {"vr": "LO"}}])
def test_what_is_no_data_set_fails_the_instance(dataset: Any) -> None:
    with pytest.raises(InvalidInstance):
        compose(dataset, {})


@pytest.mark.parametrize("tag", BASE)
@pytest.mark.parametrize("element", [None, {"vr": "UI"}, {"vr": "UI", "Value": [""]}, {"vr": "UI", "Value": [1]}])
def test_identifying_uids_are_required(tag: str, element: dict[str, Any] | None) -> None:
    dataset = {key: value for key, value in BASE.items() if key != tag} | ({tag: element} if element else {})
    with pytest.raises(InvalidInstance, match=rf"\({tag[:4]},{tag[4:]}\) is missing"):
        compose(dataset, {})


def test_keys_in_any_order_and_case_without_what_belongs_elsewhere() -> None:
    shuffled = {
        "7fe00008": {"vr": "OF", "InlineBinary": "AAAAAA=="},
        "0008103e": {"vr": "LO", "Value": ["x"]},
        "00080000": {"vr": "UL", "Value": [9]},
        "00020002": {"vr": "UI", "Value": ["9.9"]},
        "00083002": {"vr": "UI", "Value": [JPEG_2000]},
        "00000100": {"vr": "US", "Value": [1]},
        "FFFEE00D": {"vr": "UN"},
    }
    result = read(shuffled)
    kept = ["00080016", "00080018", "0008103E", "0020000D", "0020000E", "7FE00008"]
    assert [f"{int(element.tag):08X}" for element in result] == kept
    assert result.file_meta.MediaStorageSOPClassUID == "1.2.840.10008.5.1.4.1.1.7"
    assert result.file_meta.TransferSyntaxUID == EXPLICIT


def test_text_beyond_ascii_is_utf_8_and_says_so() -> None:
    latin = {"vr": "CS", "Value": ["ISO_IR 100"]}
    name = {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎"}]}
    result = read({"00080005": latin, "00081115": {"vr": "SQ", "Value": [{"00080005": latin, "00100010": name}]}})
    assert result.SpecificCharacterSet == "ISO_IR 192"
    item = result.ReferencedSeriesSequence[0]
    assert "SpecificCharacterSet" not in item
    assert item.PatientName == "Yamada^Tarou=山田^太郎"
    assert read({"00081030": {"vr": "LO", "Value": ["é"]}}).StudyDescription == "é"


def test_the_character_set_of_ascii_text_stays() -> None:
    latin = {"vr": "CS", "Value": ["ISO_IR 100"]}
    result = read({"00080005": latin, "00081115": {"vr": "SQ", "Value": [{"00080005": latin}]}})
    assert result.SpecificCharacterSet == "ISO_IR 100"
    assert result.ReferencedSeriesSequence[0].SpecificCharacterSet == "ISO_IR 100"
    assert "SpecificCharacterSet" not in read({})


def test_a_value_too_long_for_its_vr_is_written_as_unknown() -> None:
    values = list(range(20_000))
    element = read({"30060050": {"vr": "DS", "Value": values}})["ContourData"]
    assert element.VR == "UN"
    assert [int(value) for value in element.value.split(b"\\")] == values


def test_sequences_and_empty_ones() -> None:
    inner = {"00081155": {"vr": "UI", "Value": ["1.2"]}}
    result = read(
        {
            "00081115": {"vr": "SQ", "Value": [{"00081199": {"vr": "SQ", "Value": [inner, {}, None]}}]},
            "00081140": {"vr": "SQ"},
            "00082112": {"vr": "SQ", "Value": []},
        }
    )
    items = result.ReferencedSeriesSequence[0].ReferencedSOPSequence
    assert [len(item) for item in items] == [1, 0, 0]
    assert items[0].ReferencedSOPInstanceUID == "1.2"
    assert len(result.ReferencedImageSequence) == len(result.SourceImageSequence) == 0


def nested(depth: int) -> DataSet:
    dataset: DataSet = {}
    for _ in range(depth):
        dataset = {"00081115": {"vr": "SQ", "Value": [dataset]}}
    return dataset


def test_depth_is_bounded() -> None:
    assert "ReferencedSeriesSequence" in read(nested(50))
    with pytest.raises(HostileInstance):
        compose(BASE | nested(51), {})
    with pytest.raises(HostileInstance):
        compose(BASE | nested(5000), {})
