"""Values are folded to one form, whatever spelling they come in."""

import unicodedata
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword

from shared.dicom.attributes import BY_PATH, LEVEL_TAGS, LEVEL_UID, MODALITIES_IN_STUDY, SEARCHABLE, default_tags
from shared.dicom.matching import bounds, fold, level_dataset, match_values
from shared.dicom.model import DataSet, Level


@pytest.mark.parametrize(
    ("vr", "value", "folded"),
    [
        ("LO", "  Chest CT \0", "chest ct"),
        ("SH", "ÅNGSTRÖM", "ångström"),
        ("SH", "A\u030angstrom", "ångstrom"),
        ("CS", "CT ", "ct"),
        ("LO", "Straße", "strasse"),
        ("AE", 5, "5"),
        ("LT", "  indented ", "  indented"),
        ("UC", " x\0", " x"),
        ("LO", "   ", None),
        ("LO", "", None),
        ("LO", None, None),
        ("LO", {"Alphabetic": "x"}, None),
        ("UI", "1.2.3\0", "1.2.3"),
        ("UI", " 1.2.3  ", "1.2.3"),
        ("UI", "\0", None),
    ],
)
def test_text(vr: str, value: object, folded: str | None) -> None:
    assert fold(vr, value) == folded


@pytest.mark.parametrize(
    ("value", "folded"),
    [
        ("DOE^John", "doe^john"),
        ("Doe^John^^^", "doe^john"),
        (" Doe  Jr ^ John ", "doe jr^john"),
        ("Doe^^Middle", "doe^^middle"),
        ("Doe^John\0", "doe^john"),
        ("Müller^Jörg", "muller^jorg"),
        ("Mu\u0308ller^Jo\u0308rg", "muller^jorg"),
        ("ÇELİK^ŞÜKRÜ", "celik^sukru"),
        ("Sørensen^Łukasz", "sorensen^lukasz"),
        ("Αθηνά", "αθηνα"),
        ("Ёлкин", "елкин"),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "yamada^tarou=山田^太郎=やまだ^たろう"),
        ({"Alphabetic": "Yamada^Tarou", "Phonetic": "やまだ^たろう"}, "yamada^tarou==やまだ^たろう"),
        ({"Ideographic": "洪^吉洞", "Phonetic": "홍^길동"}, "=洪^吉洞=홍^길동"),
        ({"Alphabetic": "Doe", "Ideographic": "", "Phonetic": None}, "doe"),
        ("ﾔﾏﾀﾞ^ﾀﾛｳ", "ヤマダ^タロウ"),
        ("\uff39\uff21\uff2d\uff21\u3000\uff34", "yama t"),
        ("がぎ", "がぎ"),
        ("जॉन", "जॉन"),
        ("Doe^Jo*?", "doe^jo*?"),
        ("^^", None),
        ("==", None),
        ("", None),
        ({}, None),
        (None, None),
    ],
)
def test_person_names(value: object, folded: str | None) -> None:
    assert fold("PN", value) == folded


@settings(max_examples=300, deadline=None)
@given(st.text())
@example("0 \u2260")
def test_a_name_matches_itself_in_any_normal_form(name: str) -> None:
    forms = {fold("PN", unicodedata.normalize(form, name)) for form in ("NFC", "NFD")}
    assert len(forms) == 1


@pytest.mark.parametrize(
    ("vr", "value", "folded"),
    [
        ("IS", "12 ", 12),
        ("IS", " -3", -3),
        ("IS", "+7", 7),
        ("IS", 5, 5),
        ("IS", 5.0, 5),
        ("IS", "5.0", 5),
        ("US", 65535, 65535),
        ("SV", -(2**63), -(2**63)),
        ("UV", 2**63, None),
        ("UV", 9007199254740993, 9007199254740993),
        ("IS", "5.5", None),
        ("IS", "x", None),
        ("IS", "", None),
        ("IS", "1_000", None),
        ("IS", "٣", None),
        ("IS", True, None),
        ("IS", "9" * 5000, None),
        ("DS", "1.50", 1.5),
        ("DS", "-1e3 ", -1000.0),
        ("FD", 0.1, 0.1),
        ("FL", float("nan"), None),
        ("DS", "1e999", None),
        ("DS", "inf", None),
    ],
)
def test_numbers(vr: str, value: object, folded: float | None) -> None:
    found = fold(vr, value)
    assert found == folded
    assert type(found) is type(folded)


@pytest.mark.parametrize(
    ("vr", "text", "earliest", "latest"),
    [
        ("DA", "20240229", "20240229", "20240229"),
        ("DA", "20240229 ", "20240229", "20240229"),
        ("DA", "2003.08.21", "20030821", "20030821"),
        ("TM", "10", "100000.000000", "105959.999999"),
        ("TM", "1011", "101100.000000", "101159.999999"),
        ("TM", "101112", "101112.000000", "101112.999999"),
        ("TM", "101112.5", "101112.500000", "101112.599999"),
        ("TM", "101112.123456", "101112.123456", "101112.123456"),
        ("TM", "10:11:12", "101112.000000", "101112.999999"),
        ("TM", "235960", "235960.000000", "235960.999999"),
        ("DT", "2024", "20240101000000.000000", "20241231235959.999999"),
        ("DT", "202402", "20240201000000.000000", "20240229235959.999999"),
        ("DT", "20230203", "20230203000000.000000", "20230203235959.999999"),
        ("DT", "2023020310", "20230203100000.000000", "20230203105959.999999"),
        ("DT", "20230203101112.25+0100", "20230203101112.250000", "20230203101112.259999"),
    ],
)
def test_moments(vr: str, text: str, earliest: str, latest: str) -> None:
    assert bounds(vr, text) == (earliest, latest)
    assert fold(vr, text) == earliest


@pytest.mark.parametrize(
    ("vr", "text"),
    [
        ("DA", "20230229"),
        ("DA", "20241301"),
        ("DA", "00000101"),
        ("DA", "2024"),
        ("DA", "2024.1.1"),
        ("DA", "2003.0821"),
        ("DA", "20240101x"),
        ("DA", "٢٠٢٤٠١٠١"),
        ("DA", ""),
        ("TM", "24"),
        ("TM", "1060"),
        ("TM", "101161"),
        ("TM", "1"),
        ("TM", "101"),
        ("TM", "1011.5"),
        ("TM", "101112.1234567"),
        ("DT", "20241301"),
        ("DT", "20240230"),
        ("DT", "2024010124"),
        ("DT", "024"),
    ],
)
def test_malformed_moments(vr: str, text: str) -> None:
    assert bounds(vr, text) is None
    assert fold(vr, text) is None


@given(st.dates(), st.times())
def test_every_moment_folds_in_its_order(day: Any, time: Any) -> None:
    text = f"{day:%Y}".zfill(4) + f"{day:%m%d}{time:%H%M%S.%f}"
    assert fold("DT", text) == text
    assert fold("DA", text[:8]) == text[:8]
    assert fold("TM", text[8:]) == text[8:]


FILE: DataSet = {
    "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
    "00080008": {"vr": "CS", "Value": ["ORIGINAL", "PRIMARY"]},
    "00080016": {"vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.2"]},
    "00080018": {"vr": "UI", "Value": ["1.2.3"]},
    "00080020": {"vr": "DA", "Value": ["20240230"]},
    "00080030": {"vr": "TM", "Value": ["1011"]},
    "00080050": {"vr": "SH"},
    "00080060": {"vr": "CS", "Value": ["CT"]},
    "00080061": {"vr": "CS", "Value": ["MR"]},
    "00080090": {"vr": "PN", "Value": [None]},
    "0008103E": {"vr": "LO", "Value": [""]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^John"}, {"Alphabetic": "Roe"}]},
    "00100020": {"vr": "LO", "Value": ["A", "B"]},
    "0020000D": {"vr": "UI", "Value": ["1"]},
    "0020000E": {"vr": "UI", "Value": ["1.2"]},
    "00200011": {"vr": "IS", "Value": [4]},
    "00200013": {"vr": "IS", "Value": ["x"]},
    "00280010": {"vr": "US", "Value": [0]},
    "00400275": {
        "vr": "SQ",
        "Value": [{"00400009": {"vr": "SH", "Value": ["SPS1"]}}, {"00401001": {"vr": "SH", "Value": ["RP2"]}}],
    },
    "7FE00010": {"vr": "OW", "BulkDataURI": "7FE00010"},
}


def test_the_searchable_values_of_each_level() -> None:
    assert match_values(FILE, Level.STUDY) == {
        "0020000D": "1",
        "00080030": "101100.000000",
        "00100010": "doe^john",
        "00100020": "a",
    }
    assert match_values(FILE, Level.SERIES) == {
        "0020000E": "1.2",
        "00080060": "ct",
        "00200011": 4,
        "00400275.00400009": "sps1",
    }
    assert match_values(FILE, Level.INSTANCE) == {"00080016": "1.2.840.10008.5.1.4.1.1.2", "00080018": "1.2.3"}


@pytest.mark.parametrize("value", [[], [None], [{}], ["text"], [5]])
def test_a_sequence_without_the_member_has_no_value(value: list[Any]) -> None:
    assert match_values({"00400275": {"vr": "SQ", "Value": value}}, Level.SERIES) == {}


def test_what_is_kept_of_each_level() -> None:
    assert list(level_dataset(FILE, Level.STUDY)) == ["00080020", "00080030", "00100010", "00100020", "0020000D"]
    assert list(level_dataset(FILE, Level.SERIES)) == ["00080060", "0020000E", "00200011", "00400275"]
    assert list(level_dataset(FILE, Level.INSTANCE)) == ["00080008", "00080016", "00080018", "00200013", "00280010"]
    assert level_dataset(FILE, Level.SERIES)["00400275"] == FILE["00400275"]


def test_the_attribute_table_agrees_with_the_dictionary() -> None:
    for attribute in SEARCHABLE:
        tags = attribute.path.split(".")
        assert [f"{tag_for_keyword(keyword):08X}" for keyword in attribute.keyword.split(".")] == tags
        assert dictionary_VR(int(tags[-1], 16)) == attribute.vr
    assert len(BY_PATH) == len(SEARCHABLE)


def test_every_searchable_attribute_is_kept_at_its_level() -> None:
    for attribute in SEARCHABLE:
        if attribute.path != MODALITIES_IN_STUDY:
            assert attribute.path[:8] in LEVEL_TAGS[attribute.level]


def test_levels_share_nothing_but_the_time_zone() -> None:
    study, series, instance = (LEVEL_TAGS[level] for level in Level)
    assert study & series == study & instance == series & instance == {"00080201"}


@pytest.mark.parametrize("level", Level)
def test_what_is_returned_unasked_is_kept_or_known_anyway(level: Level) -> None:
    for version in (1, 2):
        defaults = default_tags(level, version)
        assert LEVEL_UID[level] in defaults
        assert defaults - LEVEL_TAGS[level] <= {"00080056"}
