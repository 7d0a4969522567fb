"""Bodies of requests for extended query tags, and tags in paths."""

import json
from typing import Any

import pytest

from shared.dicom.attributes import Attribute
from shared.dicom.model import Level
from shared.dicom.query_tags import NO_SEQUENCES
from shared.dicomweb.tag_request import LEVELS, parse_query_status, parse_tags, tag_path
from shared.errors import BadRequest

SYNTAX = "The syntax of the request body is invalid."
MISSING = "must be specified and must not be null, empty or whitespace."
AGE = Attribute("00101010", "00101010", "AS", Level.STUDY)


def entry(**given: Any) -> bytes:
    return json.dumps([{"path": "00101010", "level": "Study"} | given]).encode()


def detail(body: bytes) -> str:
    with pytest.raises(BadRequest) as refused:
        parse_tags(body)
    return refused.value.detail


def test_tags_in_the_order_of_the_request() -> None:
    body = json.dumps(
        [
            {"path": "00101010", "level": "Study"},
            {"path": "00091002", "vr": "SH", "privateCreator": "ACME", "level": "Series"},
            {"path": "StageNumber", "vr": "IS", "level": "Instance"},
        ]
    )
    assert parse_tags(body.encode()) == (
        AGE,
        Attribute("00091002", "00091002", "SH", Level.SERIES, "ACME"),
        Attribute("00082122", "00082122", "IS", Level.INSTANCE),
    )


@pytest.mark.parametrize(
    "given",
    [
        {"PATH": "PatientAge", "Level": "sTUDY", "path": "00101010"},
        {"path": " 00101010 ", "level": " study "},
        {"vr": "as"},
        {"VR": None, "PrivateCreator": None},
        {"vr": " ", "privateCreator": ""},
        {"status": "ready", "queryStatus": "Enabled"},
    ],
)
def test_spelling_is_free(given: dict[str, Any]) -> None:
    assert parse_tags(entry(**given)) == (AGE,)


def test_paths_come_in_capitals() -> None:
    assert parse_tags(entry(path="0009100a", vr="sh", privateCreator="ACME"))[0].path == "0009100A"


@pytest.mark.parametrize(
    "body", [b"", b"x", b"{}", b"5", b"null", b'"00101010"', b"[5]", b'["00101010"]', b"[{]", b"[["]
)
def test_what_is_no_list_of_objects(body: bytes) -> None:
    assert detail(body) == SYNTAX


def test_an_empty_list() -> None:
    assert detail(b"[]") == "The request body must name one extended query tag or more."


@pytest.mark.parametrize("missing", ["Path", "Level"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_property(missing: str, value: object) -> None:
    expected = f"The field '[0].{missing}' in request body is invalid: The Dicom Tag Property {missing} {MISSING}"
    assert detail(entry(**{missing.lower(): value})) == expected
    tags = json.loads(entry())
    del tags[0][missing.lower()]
    assert detail(json.dumps(tags).encode()) == expected


def test_the_number_of_the_tag_is_told() -> None:
    assert detail(entry()[:-1] + b',{"level":"Study"}]').startswith("The field '[1].Path' in request body is invalid:")


@pytest.mark.parametrize("name", ["Path", "Level", "VR", "PrivateCreator"])
@pytest.mark.parametrize("value", [5, True, [], {}])
def test_a_property_of_another_type(name: str, value: object) -> None:
    expected = f"The field '[0].{name}' in request body is invalid: It takes a string."
    assert detail(entry(**{name.lower(): value})) == expected


def test_another_level() -> None:
    expected = "to be one of the following values: ['Instance', 'Series', 'Study']"
    field = "The field '$[0].Level' in request body is invalid: Expected value"
    assert detail(entry(level="Studys")) == f"{field} 'Studys' {expected}"
    assert detail(entry(level="<script>")) == f"{field} {expected}"
    assert LEVELS.keys() == {level.name.capitalize() for level in Level}


@pytest.mark.parametrize("second", ["00101010", "PatientAge"])
def test_a_tag_that_is_given_twice(second: str) -> None:
    body = json.dumps([{"path": path, "level": "Study"} for path in ("00101010", second)])
    assert detail(body.encode()) == "The extended query tag '00101010' has been specified before."


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"path": "0040A730.0040A160"}, NO_SEQUENCES),
        ({"path": "ContentSequence"}, NO_SEQUENCES),
        ({"path": "StudyDate"}, "The query tag '00080020' is already supported."),
        ({"path": "0010101"}, "The tag path '0010101' is neither 8 hexadecimal digits nor a keyword of an attribute."),
        ({"path": "patientage"}, "The tag path 'patientage' is neither"),
        ({"path": "(0010,1010)"}, "The tag path is neither"),
        ({"vr": "SH"}, "The expected one is 'AS'"),
        ({"privateCreator": "ACME"}, "takes no private creator"),
    ],
)
def test_what_can_be_no_tag(given: dict[str, Any], reason: str) -> None:
    assert reason in detail(entry(**given))


@pytest.mark.parametrize(
    ("body", "is_enabled"),
    [
        (b'{"queryStatus":"Enabled"}', True),
        (b'{"QUERYSTATUS":"eNABLED"}', True),
        (b'{"queryStatus":"disabled"}', False),
        (b'{ "QueryStatus" : "Disabled" }', False),
    ],
)
def test_query_status(body: bytes, is_enabled: bool) -> None:
    assert parse_query_status(body) is is_enabled


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", SYNTAX),
        (b"[]", SYNTAX),
        (b'"Enabled"', SYNTAX),
        (
            b'{"queryStatus":"On"}',
            "The field '$.QueryStatus' in request body is invalid: "
            "Expected value 'On' to be one of the following values: ['Disabled', 'Enabled']",
        ),
        (b'{"queryStatus":null}', "The field '$.QueryStatus' in request body is invalid: Expected value to be one of"),
        (b'{"queryStatus":true}', "The field '$.QueryStatus' in request body is invalid: Expected value to be one of"),
        (b"{}", "The field '$.QueryStatus' in request body is invalid: Expected value to be one of"),
        (b'{"vr":"SH"}', "The field 'vr' in request body is invalid: Only QueryStatus can be changed."),
        (b'{"queryStatus":"Enabled","level":"Study"}', "The field 'level' in request body is invalid:"),
    ],
)
def test_a_query_status_that_is_none(body: bytes, reason: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse_query_status(body)
    assert refused.value.detail.startswith(reason)


@pytest.mark.parametrize(
    ("text", "path"), [("00101010", "00101010"), ("0009100a", "0009100A"), ("PatientAge", "00101010")]
)
def test_tags_in_paths(text: str, path: str) -> None:
    assert tag_path(text) == path


@pytest.mark.parametrize("text", ["", "0010101", "001010100", "0010101G", "Nonsense", "00101010.00101010", "0010 1010"])
def test_what_is_no_tag(text: str) -> None:
    with pytest.raises(BadRequest):
        tag_path(text)
