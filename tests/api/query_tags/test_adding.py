"""Adding, listing, changing and removing extended query tags, and the errors of instances that can't be added."""

import re
from typing import Any

import pytest

from tests.api.client import Api
from tests.api.files import without_pixels
from tests.api.query_tags.conftest import Added
from tests.api.query_tags.instances import ACQUISITION, AGE, ALL, FILMS, PATHS, SEX, STAGE, staged
from tests.api.query_tags.tagging import TAGS, detail, disable, enable, entry, found, patch, post, private
from tests.api.store_answers import VALIDATION_FAILED, reasons
from tests.instances import new_identity

MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


def tag(api: Api, path: str) -> dict[str, Any]:
    answer = api.get(f"{TAGS}/{path}")
    assert answer.status_code == 200
    shown: dict[str, Any] = answer.json()
    return shown


def test_adding_is_answered_with_an_operation(api: Api, added: Added) -> None:
    answer = added.started
    identifier = answer.json()["id"]
    assert re.fullmatch("[0-9a-f]{32}", identifier)
    assert answer.json() == {"id": identifier, "href": f"{api.base}/operations/{identifier}"}
    assert answer.headers["location"] == answer.json()["href"]
    assert answer.headers["content-type"] == "application/json"
    assert added.ended["type"] == "reindex"
    assert added.ended["percentComplete"] == 100
    assert added.ended["resources"] == [f"{api.base}{TAGS}/{path}" for path in ALL]


def test_a_tag_that_is_being_indexed(api: Api, added: Added) -> None:
    operation = added.started.json()
    assert added.meanwhile["tag"].json() == {
        "path": FILMS,
        "vr": "IS",
        "level": "study",
        "status": "adding",
        "queryStatus": "enabled",
        "operation": operation,
    }


def test_others_can_not_be_added_meanwhile(added: Added) -> None:
    answer = added.meanwhile["add"]
    assert answer.status_code == 409
    assert answer.headers["location"] == added.started.headers["location"]
    assert detail(answer) == "Other extended query tags are being indexed. Add these when that operation has ended."


def test_it_can_not_be_removed_meanwhile(added: Added) -> None:
    answer = added.meanwhile["delete"]
    assert answer.status_code == 400
    assert f"The extended query tag '{FILMS}' is being indexed." in detail(answer)


def test_it_can_be_disabled_meanwhile(added: Added) -> None:
    answer = added.meanwhile["change"]
    assert answer.status_code == 200
    assert (answer.json()["status"], answer.json()["queryStatus"]) == ("adding", "disabled")
    assert added.tags[ACQUISITION]["queryStatus"] == "enabled"


def test_it_can_not_be_searched_by_meanwhile(added: Added) -> None:
    answer = added.meanwhile["search"]
    assert answer.status_code == 400
    assert f"AttributeId {FILMS} is not queryable." in detail(answer)


def test_what_could_be_searched_by_before_can_be_meanwhile(added: Added) -> None:
    answer = added.meanwhile["sex"]
    assert answer.status_code == 200
    assert [match["0020000D"]["Value"] for match in answer.json()] == [[added.few.study]]


def test_ready_tags(api: Api, added: Added) -> None:
    assert tag(api, SEX) == added.tags[SEX]
    assert added.tags[SEX] == {
        "path": SEX,
        "vr": "CS",
        "level": "study",
        "status": "ready",
        "queryStatus": "enabled",
    }
    assert tag(api, "NumberOfFilms") == {
        "path": FILMS,
        "vr": "IS",
        "level": "study",
        "status": "ready",
        "queryStatus": "enabled",
    }
    assert tag(api, PATHS["SH"].lower()) == {
        "path": PATHS["SH"],
        "vr": "SH",
        "privateCreator": "ACME 3.2",
        "level": "instance",
        "status": "ready",
        "queryStatus": "enabled",
    }


def test_pages_of_tags(api: Api, added: Added) -> None:
    whole = api.get(TAGS)
    assert whole.headers["content-type"] == "application/json"
    paths = [each["path"] for each in whole.json()]
    assert tuple(paths[-len(ALL) :]) == ALL
    assert [each["path"] for each in api.get(f"{TAGS}?limit=2").json()] == paths[:2]
    assert [each["path"] for each in api.get(f"{TAGS}?LIMIT=2&Offset=1").json()] == paths[1:3]
    assert api.get(f"{TAGS}?offset={len(paths)}").json() == []


@pytest.mark.parametrize("resource", [TAGS, f"{TAGS}/{AGE}/errors"])
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("limit=0", "The query parameter 'Limit' is invalid. The field Limit must be between 1 and 200."),
        ("limit=201", "The query parameter 'Limit' is invalid. The field Limit must be between 1 and 200."),
        ("limit=x", "The query parameter 'Limit' is invalid. The field Limit must be between 1 and 200."),
        ("offset=-1", "The query parameter 'Offset' is invalid. The field Offset must be 0 or more."),
    ],
)
def test_pages_that_there_are_not(api: Api, added: Added, resource: str, query: str, sentence: str) -> None:
    answer = api.get(f"{resource}?{query}")
    assert answer.status_code == 400
    assert detail(answer) == sentence


def test_old_and_new_instances_are_found(shelf: Api, added: Added) -> None:
    new = new_identity()
    shelf.keep(without_pixels(new, NumberOfFilms="3"))
    assert found(shelf, f"instances?{FILMS}=0003") == {added.few.instance, new.instance}
    assert found(shelf, "studies?NumberOfFilms=12") == {added.many.study}
    assert found(shelf, "studies?PatientSex=M&NumberOfFilms=12") == {added.many.study}
    assert found(shelf, "studies?PatientSex=O&NumberOfFilms=12") == set()


def test_errors_of_indexing(api: Api, shelf: Api, added: Added) -> None:
    errors = api.http.get(added.tags[AGE]["errors"]["href"]).json()
    assert added.tags[AGE] == {
        "path": AGE,
        "vr": "AS",
        "level": "instance",
        "status": "ready",
        "queryStatus": "disabled",
        "errors": {"count": len(errors), "href": f"{api.base}{TAGS}/{AGE}/errors"},
    }
    partition = shelf.base.rpartition("/")[2]
    ours = [error for error in errors if error["partitionName"] == partition]
    uids = [(error["studyInstanceUid"], error["seriesInstanceUid"], error["sopInstanceUid"]) for error in ours]
    assert sorted(uids) == sorted((each.study, each.series, each.instance) for each in added.bad)
    for error in ours:
        assert len(error) == 6
        assert MOMENT.fullmatch(error["createdTime"])
        assert error["errorMessage"] == "Value is not three digits followed by D, W, M or Y."
    pages = [api.get(f"{TAGS}/PatientAge/errors?limit=1&offset={at}").json() for at in range(len(errors) + 1)]
    assert pages == [*([error] for error in errors), []]
    assert "errors" not in tag(api, FILMS)
    assert api.get(f"{TAGS}/{FILMS}/errors").json() == []


def test_a_tag_with_errors_is_used_once_it_is_enabled_again(api: Api, shelf: Api, added: Added) -> None:
    disable(api, AGE)
    refused = shelf.get(f"/instances?{AGE}=053Y")
    assert refused.status_code == 400
    assert detail(refused) == f"Query is disabled on specified attribute '{AGE}'."
    answer = patch(api, AGE, {"queryStatus": "Enabled"})
    assert answer.status_code == 200
    assert answer.json() == tag(api, AGE)
    assert answer.json()["queryStatus"] == "enabled"
    searched = shelf.get(f"/instances?{AGE}=053Y")
    assert searched.headers["erroneous-dicom-attributes"] == AGE
    assert [match["00080018"]["Value"] for match in searched.json()] == [[added.good.instance]]
    assert shelf.get("/instances?PatientAge=*").headers["erroneous-dicom-attributes"] == "PatientAge"
    assert shelf.get("/instances?PatientAge=0*&NumberOfFilms=1").headers["erroneous-dicom-attributes"] == "PatientAge"
    assert "erroneous-dicom-attributes" not in shelf.get(f"/instances?{FILMS}=12").headers
    assert found(shelf, f"instances?{AGE}=baz") == set()


def test_an_invalid_value_of_a_tag_fails_in_version_1_and_warns_in_version_2(
    old: Api, shelf: Api, added: Added
) -> None:
    identity = new_identity()
    answer = old.store(staged(identity, b"two "))
    assert answer.status_code == 409
    assert reasons(answer) == [VALIDATION_FAILED]
    assert VALIDATION_FAILED == 43264
    assert shelf.store(staged(identity, b"two ")).status_code == 202
    assert found(shelf, f"instances?{STAGE}=2&SOPInstanceUID={identity.instance}") == set()
    assert old.store(staged(new_identity(), b"2 ")).status_code == 200


def test_a_disabled_tag_is_not_searched_by_even_if_it_could_be_before(api: Api, shelf: Api, added: Added) -> None:
    disable(api, SEX)
    assert tag(api, SEX)["queryStatus"] == "disabled"
    for query in (f"{SEX}=O", "PatientSex=O", "PatientSex="):
        answer = shelf.get(f"/studies?{query}")
        assert answer.status_code == 400
        assert detail(answer) == f"Query is disabled on specified attribute '{SEX}'."
    enable(api, "PatientSex")
    assert found(shelf, "studies?PatientSex=O") == {added.few.study}


@pytest.mark.parametrize(
    ("body", "field", "name"),
    [
        (b'[{"Path":"00100040"}]', "[0].Level", "Level"),
        (b'[{"Path":"","Level":"Study"}]', "[0].Path", "Path"),
        (b'[{"Level":"Study"}]', "[0].Path", "Path"),
        (b'[{"Path":"00181030","Level":"Study"},{"Path":"00181031"}]', "[1].Level", "Level"),
    ],
)
def test_a_missing_property(api: Api, body: bytes, field: str, name: str) -> None:
    answer = post(api, body)
    assert answer.status_code == 400
    assert detail(answer) == (
        f"The field '{field}' in request body is invalid: "
        f"The Dicom Tag Property {name} must be specified and must not be null, empty or whitespace."
    )


def test_another_level(api: Api) -> None:
    answer = api.request("POST", TAGS, accept="text/plain", content=b'[{"Path":"00100040","Level":"Studys"}]')
    assert answer.status_code == 400
    assert answer.text == (
        "The field '$[0].Level' in request body is invalid: "
        "Expected value 'Studys' to be one of the following values: ['Instance', 'Series', 'Study']"
    )


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The syntax of the request body is invalid."),
        (b"[{", "The syntax of the request body is invalid."),
        (b'{"path":"00181030","level":"Study"}', "The syntax of the request body is invalid."),
        (b"[]", "The request body must name one extended query tag or more."),
        ([entry("0040A730")], "Sequential dicom tags are currently not supported."),
        ([entry("0040A370.00080050")], "Sequential dicom tags are currently not supported."),
        ([entry("StudyDate")], "The query tag '00080020' is already supported."),
        ([entry("00181030"), entry("ProtocolName")], "The extended query tag '00181030' has been specified before."),
        ([entry("00091002", vr="SH")], "The private creator of the private tag '00091002' must be specified."),
        ([entry("00091002", privateCreator="A")], "The VR of the private tag '00091002' must be specified."),
        (
            [entry("00181030", privateCreator="A")],
            "The tag '00181030' is not a private attribute: it takes no private creator.",
        ),
        (
            [entry("00181030", vr="SH")],
            "The VR of the tag '00181030' is incorrectly specified. The expected one is 'LO'. "
            "Retry this request either with the correct VR or without specifying it.",
        ),
        (
            [entry("00091002", vr="QQ", privateCreator="A")],
            "The VR of the tag '00091002' is not supported. "
            "Those that are: AE AS CS DA DS DT FD FL IS LO PN SH SL SS TM UI UL US.",
        ),
        ([entry("00081FFF")], "The tag '00081FFF' is not in the data dictionary."),
        (
            [entry("protocolname")],
            "The tag path 'protocolname' is neither 8 hexadecimal digits nor a keyword of an attribute.",
        ),
    ],
)
def test_what_can_not_be_added(api: Api, body: object, sentence: str) -> None:
    answer = post(api, body)
    assert answer.status_code == 400
    assert detail(answer) == sentence


def test_more_tags_than_there_can_be(api: Api, added: Added) -> None:
    known = len(api.get(TAGS).json())
    answer = post(api, [private(number, "SH") for number in range(0x40, 0x40 + 129 - known)])
    assert answer.status_code == 400
    assert detail(answer) == f"There can be at most 128 extended query tags; {known} exist already."
    assert len(api.get(TAGS).json()) == known


def test_a_tag_that_exists(api: Api, added: Added) -> None:
    for entries in ([entry(FILMS)], [entry("00181030"), entry("NumberOfFilms")]):
        answer = post(api, entries)
        assert answer.status_code == 409
        assert detail(answer) == "One or more extended query tags already exist."
        assert "location" not in answer.headers
    assert api.get(f"{TAGS}/00181030").status_code == 404


def test_a_body_beyond_all_need(api: Api) -> None:
    assert post(api, b"[" + b" " * 1_100_000 + b"]").status_code == 413


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", ["00181030", "ProtocolName", "StudyDate", "00091002"])
def test_a_tag_that_there_is_not(api: Api, method: str, path: str) -> None:
    answer = api.request(method, f"{TAGS}/{path}", content=b'{"queryStatus":"Enabled"}' if method == "PATCH" else None)
    assert answer.status_code == 404
    if method != "HEAD":
        assert "cannot be found" in detail(answer)


def test_errors_of_a_tag_that_there_is_not(api: Api) -> None:
    answer = api.get(f"{TAGS}/00181030/errors")
    assert answer.status_code == 404
    assert detail(answer) == "The specified extended query tag with tag path '00181030' cannot be found."


@pytest.mark.parametrize("resource", ["", "/errors"])
@pytest.mark.parametrize("path", ["0018103", "00181030.00080050", "protocolname", "0018103G", "0040A370.00080050"])
def test_a_path_that_is_no_tag(api: Api, path: str, resource: str) -> None:
    assert api.get(f"{TAGS}/{path}{resource}").status_code == 400
    if not resource:
        assert api.delete(f"{TAGS}/{path}").status_code == 400
        assert patch(api, path, {"queryStatus": "Enabled"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            {"queryStatus": "On"},
            "The field '$.QueryStatus' in request body is invalid: "
            "Expected value 'On' to be one of the following values: ['Disabled', 'Enabled']",
        ),
        (
            {"queryStatus": "Enabled", "level": "Study"},
            "The field 'level' in request body is invalid: Only QueryStatus can be changed.",
        ),
        ({"vr": "IS"}, "The field 'vr' in request body is invalid: Only QueryStatus can be changed."),
        ([], "The syntax of the request body is invalid."),
    ],
)
def test_what_can_not_be_changed(api: Api, added: Added, body: object, sentence: str) -> None:
    answer = patch(api, FILMS, body)
    assert answer.status_code == 400
    assert detail(answer) == sentence
    assert tag(api, FILMS)["queryStatus"] == "enabled"


@pytest.mark.parametrize("word", ["DISABLED", "disabled", "Disabled"])
def test_words_in_any_letter_case(api: Api, added: Added, word: str) -> None:
    answer = patch(api, FILMS, {"QUERYstatus": word})
    assert (answer.status_code, answer.json()["queryStatus"]) == (200, "disabled")
    enable(api, FILMS)


def test_every_version_has_the_resource(v1: Api, shelf: Api, added: Added) -> None:
    assert [each["path"] for each in v1.get(TAGS).json()][-len(ALL) :] == list(ALL)
    assert tag(v1, FILMS)["path"] == FILMS
    assert v1.http.get(v1.base.replace("/v1", "/v3") + TAGS).status_code == 404
    assert shelf.get(TAGS).status_code == 404


def test_urls_are_those_the_client_sees(api: Api, added: Added) -> None:
    answer = api.get(f"{TAGS}/{AGE}", x_forwarded_host="dicom.example.org", x_forwarded_proto="https")
    assert answer.json()["errors"]["href"] == f"https://dicom.example.org/v2{TAGS}/{AGE}/errors"


def test_methods(api: Api) -> None:
    assert api.request("PUT", TAGS).status_code == 405
    assert set(api.request("OPTIONS", TAGS).headers["allow"].split(", ")) == {"GET", "HEAD", "POST", "OPTIONS"}
    allowed = api.request("OPTIONS", f"{TAGS}/{AGE}").headers["allow"]
    assert set(allowed.split(", ")) == {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}
