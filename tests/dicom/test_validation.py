import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.dicom.attributes import Attribute
from shared.dicom.model import DataSet, Level
from shared.dicom.validation import REQUIRED, Findings, cleaned, multi_valued, validate
from shared.dicom.vr_rules import RULES
from tests.dicom.real_files import real_data_sets
from tests.dicom.valid import VALID, edited, sequence


def test_a_valid_data_set_has_no_findings_and_is_not_copied() -> None:
    for version in (1, 2):
        findings = validate(VALID, version)
        assert findings.errors == ()
        assert findings.warnings == ()
        assert findings.comments == ()
    assert cleaned(VALID, validate(VALID, 2)) is VALID


@pytest.mark.parametrize("tag", REQUIRED)
@pytest.mark.parametrize("version", [1, 2])
def test_a_missing_required_attribute_fails_the_instance(tag: str, version: int) -> None:
    shown = f"({tag[:4]},{tag[4:]})".lower()
    assert validate(edited(tag), version).errors == (f"DICOM100: {shown} - The required tag '{shown}' is missing.",)


@pytest.mark.parametrize("tag", REQUIRED)
@pytest.mark.parametrize("values", [[], [None], [""]])
def test_an_empty_required_attribute_fails_the_instance_but_for_the_patient_id_in_version_2(
    tag: str, values: list[Any]
) -> None:
    vr = VALID[tag]["vr"]
    dataset = edited(**{f"t{tag}": {"vr": vr, "Value": values}})
    assert len(validate(dataset, 1).errors) == 1
    findings = validate(dataset, 2)
    if tag == "00100020":
        assert findings.errors == ()
        assert findings.comments == ("DICOM100: (0010,0020) - The required tag '(0010,0020)' is missing.",)
        assert cleaned(dataset, findings) == dataset, "an empty attribute of type 2 is valid and stays"
    else:
        assert len(findings.errors) == 1


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("tag", "element"),
    [
        ("0020000D", {"vr": "UI", "Value": ["abc.123"]}),
        ("0020000D", {"vr": "UI", "Value": ["11|"]}),
        ("0020000E", {"vr": "UI", "Value": ["1." * 33]}),
        ("00080018", {"vr": "UI", "Value": ["1.2\0.3"]}),
        ("00080018", {"vr": "UI", "Value": ["1.2", "1.3"]}),
        ("00080016", {"vr": "UI", "Value": ["1.2."]}),
        ("00080018", {"vr": "LO", "Value": ["1.2.3"]}),
        ("00100020", {"vr": "LO", "Value": ["a\0b"]}),
        ("00100020", {"vr": "LO", "Value": ["x" * 65]}),
        ("00100020", {"vr": "SH", "Value": ["4711"]}),
    ],
)
def test_a_malformed_identifier_fails_the_instance(tag: str, element: dict[str, Any], version: int) -> None:
    findings = validate(edited(**{f"t{tag}": element}), version)
    (error,) = findings.errors
    assert error.startswith(f"DICOM100: ({tag[:4]},{tag[4:]})".lower().replace("dicom", "DICOM"))
    assert findings.warnings == ()
    assert element["Value"][0] not in error, "comments never show a value"


def test_padded_identifiers_are_valid() -> None:
    dataset = edited(t0020000D={"vr": "UI", "Value": ["1.2.3\0"]}, t00080018={"vr": "UI", "Value": ["1.2.3 "]})
    assert validate(dataset, 1).errors == validate(dataset, 2).errors == ()


def test_an_invalid_indexed_attribute_fails_in_version_1_and_is_dropped_in_version_2() -> None:
    dataset = edited(t00080020={"vr": "DA", "Value": ["20241399"]}, t00100030={"vr": "DA", "Value": ["19700101"]})
    comment = (
        "DICOM100: (0008,0020) - Dicom element 'StudyDate' failed validation for VR 'DA': "
        "Value cannot be parsed as a valid date."
    )
    assert validate(dataset, 1).errors == (comment,)
    findings = validate(dataset, 2)
    assert findings.errors == ()
    assert findings.comments == (comment,)
    result = cleaned(dataset, findings)
    assert "00080020" not in result
    assert result["00100030"] == dataset["00100030"]


def test_a_null_inside_a_value_is_an_invalid_character() -> None:
    dataset = edited(t00080020={"vr": "DA", "Value": ["2024\x000229"]}, t00080030={"vr": "TM", "Value": ["12\x00"]})
    findings = validate(dataset, 2)
    assert [warning.tag for warning in findings.warnings] == ["00080020", "00080030"]
    assert all("invalid characters" in comment for comment in findings.comments)


def test_version_1_looks_at_indexed_attributes_only() -> None:
    dataset = edited(t00081010={"vr": "SH", "Value": ["x" * 99]}, t00400244={"vr": "DA", "Value": ["20240101"]})
    assert validate(dataset, 1).errors == ()
    assert len(validate(dataset, 2).warnings) == 1


@pytest.mark.parametrize(
    "edit",
    [
        {"t0008103E": {"vr": "LO", "Value": ["x" * 65]}},
        {"t00100040": {"vr": "CS", "Value": ["x" * 17]}},
        {"t00080030": {"vr": "TM", "Value": ["99"]}},
        {"t00200011": {"vr": "LO", "Value": ["eleven"]}},
        {"t00400275": sequence({}, {"00400009": {"vr": "SH", "Value": ["x" * 17]}})},
    ],
)
def test_version_1_takes_whatever_stands_in_attributes_that_were_not_always_searchable(edit: Any) -> None:
    dataset = edited(**edit)
    assert validate(dataset, 1) == Findings()
    assert len(validate(dataset, 2).warnings) == 1


def test_version_1_asks_code_strings_for_their_length_only() -> None:
    assert validate(edited(t00080060={"vr": "CS", "Value": ["ct\t"]}), 1).errors == ()
    assert len(validate(edited(t00080060={"vr": "CS", "Value": ["X" * 17]}), 1).errors) == 1


def test_an_indexed_attribute_of_another_vr_is_not_what_a_search_expects() -> None:
    dataset = edited(t00080060={"vr": "LO", "Value": ["CT"]})
    assert "expected CS" in validate(dataset, 1).errors[0]
    (warning,) = validate(dataset, 2).warnings
    assert "expected CS" in warning.comment
    assert "00080060" not in cleaned(dataset, validate(dataset, 2))


def test_extended_query_tags_count_in_version_1() -> None:
    dataset = edited(t00101020={"vr": "DS", "Value": ["tall"]})
    tag = Attribute("00101020", "PatientSize", "DS", Level.STUDY)
    assert validate(dataset, 1).errors == ()
    assert validate(dataset, 1, (tag,)).errors == (
        "DICOM100: (0010,1020) - Dicom element 'PatientSize' failed validation for VR 'DS': "
        "Value cannot be parsed as a decimal number.",
    )


def test_the_value_of_a_private_extended_query_tag_is_judged_and_dropped_where_it_stands() -> None:
    tag = Attribute("00091001", "00091001", "SH", Level.SERIES, "ACME")
    dataset = edited(
        t00090011={"vr": "LO", "Value": ["ACME"]},
        t00091001={"vr": "SH", "Value": ["another's" * 2]},
        t00091101={"vr": "SS", "Value": [1]},
    )
    comment = "DICOM100: (0009,1101) - Dicom element '(0009,1101)' failed validation for VR 'SS': "
    assert validate(dataset, 1).errors == ()
    assert validate(dataset, 1, (tag,)).errors == (comment + "The VR is not the expected SH.",)
    findings = validate(dataset, 2, (tag,))
    assert findings.errors == ()
    assert [warning.path for warning in findings.warnings] == ["00091101", "00091001"]
    assert cleaned(dataset, findings).keys() == dataset.keys() - {"00091101", "00091001"}


def test_exactly_the_bad_elements_are_dropped_also_inside_sequences() -> None:
    bad, good = {"vr": "DA", "Value": ["bad"]}, {"vr": "DA", "Value": ["20240101"]}
    uid = {"vr": "UI", "Value": ["1.2"]}
    dataset = edited(
        t00080020=good,
        t00081115=sequence(
            {"00080020": bad, "0020000E": uid},
            {},
            {"00080020": good, "00081199": sequence({"00080020": bad, "00080018": {"vr": "UI", "Value": ["x"]}})},
        ),
    )
    before = copy.deepcopy(dataset)
    findings = validate(dataset, 2)
    assert findings.errors == ()
    assert [warning.path for warning in findings.warnings] == [
        "00081115/0/00080020",
        "00081115/2/00081199/0/00080020",
        "00081115/2/00081199/0/00080018",
    ]
    assert [comment[10:21] for comment in findings.comments] == ["(0008,0020)", "(0008,0018)"]
    assert cleaned(dataset, findings) == edited(
        t00080020=good,
        t00081115=sequence({"0020000E": uid}, {}, {"00080020": good, "00081199": sequence({})}),
    )
    assert dataset == before, "the data set that was given is left alone"


def test_only_the_first_problem_of_a_tag_is_reported_but_all_are_dropped() -> None:
    bad = {"vr": "CS", "Value": ["bad"]}
    dataset = edited(t00080060=bad, t00081115=sequence({"00080060": bad}, {"00080060": bad}))
    findings = validate(dataset, 2)
    assert len(findings.comments) == 1
    assert len(findings.warnings) == 3
    assert cleaned(dataset, findings) == edited("00080060", t00081115=sequence({}, {}))


values = st.one_of(st.none(), st.text(max_size=70), st.integers(), st.floats(allow_nan=False), st.just("1.2"))
elements = st.builds(
    lambda vr, found: {"vr": vr, "Value": found}, st.sampled_from(sorted(RULES)), st.lists(values, max_size=3)
)
tags = st.sampled_from(["00091001", "00091002", "00091003", "00080020"])
datasets = st.recursive(
    st.dictionaries(tags, elements),
    lambda inner: st.dictionaries(
        tags, elements | st.builds(lambda items: {"vr": "SQ", "Value": items}, st.lists(inner, max_size=2))
    ),
    max_leaves=8,
)


def places(dataset: DataSet, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for tag, element in dataset.items():
        if element["vr"] == "SQ":
            for number, item in enumerate(element["Value"]):
                yield from places(item, f"{prefix}{tag}/{number}/")
        else:
            yield prefix + tag, element


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(datasets)
def test_a_cleaned_data_set_keeps_the_good_and_only_the_good(generated: DataSet) -> None:
    dataset = VALID | {tag: element for tag, element in generated.items() if tag != "00080020"}
    result = cleaned(dataset, validate(dataset, 2))
    assert not validate(result, 2).warnings
    good = {
        path: element
        for path, element in places(dataset)
        if element["vr"] not in RULES or not element["Value"] or RULES[element["vr"]].accepts(element["Value"])
    }
    assert dict(places(result)) == good


def test_several_values_of_a_single_valued_indexed_attribute() -> None:
    dataset = edited(
        t00081030={"vr": "LO", "Value": ["a", "b"]},
        t00100020={"vr": "LO", "Value": ["1", "2"]},
        t00080061={"vr": "CS", "Value": ["CT", "MR"]},
        t00080008={"vr": "CS", "Value": ["ORIGINAL", "PRIMARY"]},
        t00400275=sequence(
            {"00400009": {"vr": "SH", "Value": ["a", "b"]}}, {"00400009": {"vr": "SH", "Value": ["a", "b"]}}
        ),
    )
    assert multi_valued(dataset) == ("00081030", "00100020", "00400009")
    assert validate(dataset, 1).errors == validate(dataset, 2).errors == ()
    assert multi_valued(VALID) == ()


def test_several_values_of_a_private_indexed_attribute() -> None:
    tag = Attribute("00091001", "", "SH", Level.SERIES, "ACME")
    creator = {"vr": "LO", "Value": ["ACME"]}
    dataset = edited(t00090012=creator, t00091201={"vr": "SH", "Value": ["a", "b"]})
    assert multi_valued(dataset) == ()
    assert multi_valued(dataset, (tag,)) == ("00091201",)


def test_real_files_break_few_rules() -> None:
    findings = {name: validate(dataset, 2) for name, dataset in real_data_sets().items()}
    assert len(findings) > 150
    malformed = {name for name, found in findings.items() if any("is missing" not in error for error in found.errors)}
    assert malformed == {"bad_sequence.dcm"}, "its UIDs are hashes in hexadecimal"
    vrs = {
        name: {comment.split("VR '")[1][:2] for comment in found.comments if "VR '" in comment}
        for name, found in findings.items()
    }
    assert {name: broken for name, broken in vrs.items() if broken} == {
        "ExplVR_BigEnd.dcm": {"DA", "TM"},  # dates with dots, times with colons
        "badVR.dcm": {"IS"},
        "bad_sequence.dcm": {"AS", "SH"},
        "color-pl.dcm": {"DA", "TM"},
        "color-px.dcm": {"DA", "TM"},
        "gdcm-US-ALOKA-16.dcm": {"CS"},
        "gdcm-US-ALOKA-16_big.dcm": {"CS"},
    }
