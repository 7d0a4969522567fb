"""STOW-RS: which requests are taken and what their answers say (PS3.18 10.5)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from shared.dicom.xml import from_xml
from tests.api.client import BOUNDARY, DICOM, DICOM_JSON, DICOM_PARTS, DICOM_XML, Api
from tests.api.files import EXPLICIT, IMPLICIT, by_hand, native, without_pixels
from tests.api.store_answers import (
    ALREADY_STORED,
    BEING_STORED,
    FAILED,
    FAILED_ATTRIBUTES,
    REASON,
    REFERENCED,
    RETRIEVE_URL,
    SOP_CLASS,
    SOP_INSTANCE,
    STUDY_MISMATCH,
    VALIDATION_FAILED,
    WARNING,
    failed,
    reasons,
    referenced,
    uids,
)
from tests.instances import multipart, new_identity, new_uid

CT = "1.2.840.10008.5.1.4.1.1.2"

METHODS = pytest.mark.parametrize("method", ["POST", "PUT"])


@METHODS
@pytest.mark.parametrize("form", ["single part", "multipart"])
@pytest.mark.parametrize("names_study", [True, False])
def test_what_is_stored_comes_back_byte_for_byte(api: Api, method: str, form: str, names_study: bool) -> None:
    identity = new_identity()
    file = native(identity, bytes(range(256)) * 2)
    send = api.store_one if form == "single part" else api.store
    answer = send(file, method=method, path=f"/studies/{identity.study}" if names_study else "/studies")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == DICOM_JSON
    retrieved = api.get(identity.path, DICOM)
    assert retrieved.content == file
    assert api.search(f"instances?SOPInstanceUID={identity.instance}")


def test_the_answer_names_what_was_stored(api: Api) -> None:
    identity = new_identity()
    answer = api.store(without_pixels(identity), path=f"/studies/{identity.study}").json()
    assert answer == {
        RETRIEVE_URL: {"vr": "UR", "Value": [f"{api.base}/studies/{identity.study}"]},
        REFERENCED: {
            "vr": "SQ",
            "Value": [
                {
                    SOP_CLASS: {"vr": "UI", "Value": [CT]},
                    SOP_INSTANCE: {"vr": "UI", "Value": [identity.instance]},
                    RETRIEVE_URL: {"vr": "UR", "Value": [api.base + identity.path]},
                    FAILED_ATTRIBUTES: {"vr": "SQ"},
                }
            ],
        },
    }


def test_without_a_study_in_the_url_the_answer_names_no_study(api: Api) -> None:
    assert RETRIEVE_URL not in api.store(without_pixels()).json()


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, DICOM_JSON),
        ("", DICOM_JSON),
        ("*/*", DICOM_JSON),
        ("application/*", DICOM_JSON),
        (DICOM_JSON, DICOM_JSON),
        ("application/json", DICOM_JSON),
        ("Application/DICOM+JSON", DICOM_JSON),
        (f"{DICOM_JSON}, multipart/related; type=application/octet-stream", DICOM_JSON),
        (f"{DICOM_XML};q=0.5, {DICOM_JSON}", DICOM_JSON),
        (f"{DICOM_XML}, {DICOM_JSON};q=0.5", DICOM_XML),
        (f"image/jpeg, {DICOM_XML}", DICOM_XML),
        (DICOM_XML, DICOM_XML),
    ],
)
def test_accept_chooses_the_form_of_the_answer(api: Api, accept: str | None, expected: str) -> None:
    answer = api.store(without_pixels(), accept=accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, expected)


@pytest.mark.parametrize("accept", ["application/data", DICOM, "image/jpeg", f"{DICOM_JSON};q=0", "text/html"])
def test_nothing_is_stored_for_a_client_that_accepts_no_answer_of_ours(api: Api, accept: str) -> None:
    identity = new_identity()
    assert api.store(without_pixels(identity), accept=accept).status_code == 406
    assert api.get(identity.path).status_code == 404


@pytest.mark.parametrize("status", [200, 202, 409])
def test_xml_answers_say_what_json_answers_say(api: Api, status: int) -> None:
    identity, other = new_identity(), new_identity()
    files = {
        200: [without_pixels(identity)],
        202: [without_pixels(identity), without_pixels(other)],
        409: [without_pixels(other)],
    }[status]
    path = f"/studies/{identity.study}"
    as_xml = api.store(*files, path=path, method="PUT", accept=DICOM_XML)
    as_json = api.store(*files, path=path, method="PUT", accept=DICOM_JSON)
    assert as_xml.status_code == as_json.status_code == status
    assert from_xml(as_xml.content) == as_json.json()


@pytest.mark.parametrize(
    "content_type",
    [
        f"{DICOM_PARTS}; boundary={BOUNDARY}",
        f'{DICOM_PARTS}; boundary="{BOUNDARY}"',
        f"multipart/related; type=application/dicom; boundary={BOUNDARY}",
        f"multipart/related; boundary={BOUNDARY}",
        f"multipart/related;boundary={BOUNDARY};type=application/dicom;",
        f"Multipart/Related; Type=Application/DICOM; Boundary={BOUNDARY}",
    ],
)
def test_multipart_content_types_are_read_leniently(api: Api, content_type: str) -> None:
    body = multipart([without_pixels()], BOUNDARY)
    assert api.send(body, content_type).status_code == 200


@pytest.mark.parametrize("content_type", [DICOM, "Application/DICOM", f"{DICOM}; transfer-syntax={EXPLICIT}"])
def test_single_part_content_types_may_have_parameters(api: Api, content_type: str) -> None:
    assert api.send(without_pixels(), content_type).status_code == 200


@METHODS
@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "nonsense",
        "text/plain",
        "application/octet-stream",
        DICOM_JSON,
        "multipart/related",
        DICOM_PARTS,
        f"multipart/form-data; boundary={BOUNDARY}",
        f"multipart/form; boundary={BOUNDARY}",
        f'multipart/mixed; type="application/dicom"; boundary={BOUNDARY}',
        f'multipart/related; type="image/jpeg"; boundary={BOUNDARY}',
    ],
)
def test_other_content_types_are_415(api: Api, method: str, content_type: str | None) -> None:
    answer = api.send(multipart([without_pixels()], BOUNDARY), content_type, method=method)
    assert answer.status_code == 415
    assert answer.json()["status"] == 415


def test_a_content_coding_is_415(api: Api) -> None:
    answer = api.request("POST", "/studies", content=without_pixels(), content_type=DICOM, content_encoding="gzip")
    assert answer.status_code == 415


def test_a_start_parameter_is_400(api: Api) -> None:
    content_type = f'{DICOM_PARTS}; boundary={BOUNDARY}; start="<one>"'
    assert api.send(multipart([without_pixels()], BOUNDARY), content_type).status_code == 400


@pytest.mark.parametrize("body", [b"", f"--{BOUNDARY}--\r\n".encode(), f"--{BOUNDARY}--".encode()])
def test_no_parts_are_204(api: Api, body: bytes) -> None:
    answer = api.send(body)
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    "send",
    [lambda api: api.store_one(b""), lambda api: api.store(b"")],
    ids=["empty body", "empty part"],
)
def test_nothing_instead_of_an_instance_is_409(api: Api, send: Callable[[Api], httpx.Response]) -> None:
    answer = send(api)
    assert answer.status_code == 409
    (entry,) = failed(answer)
    assert entry[REASON]["Value"] == [VALIDATION_FAILED]
    assert SOP_INSTANCE not in entry


def test_one_bad_part_does_not_hinder_the_others(api: Api) -> None:
    first, last = new_identity(), new_identity()
    answer = api.store(without_pixels(first), b"no DICOM at all", without_pixels(last))
    assert answer.status_code == 202
    assert uids(referenced(answer)) == [first.instance, last.instance]
    assert reasons(answer) == [VALIDATION_FAILED]
    assert {api.get(identity.path).status_code for identity in (first, last)} == {200}


@pytest.mark.parametrize("position", [0, 1])
def test_parts_may_leave_their_type_to_the_root(api: Api, position: int) -> None:
    parts = [without_pixels(), without_pixels()]
    heads = [b"Content-Type: application/dicom\r\n", b"Content-Type: application/dicom\r\n"]
    heads[position] = b""
    body = b"".join(
        b"--a-boundary\r\n" + head + b"\r\n" + part + b"\r\n" for head, part in zip(heads, parts, strict=True)
    )
    answer = api.send(body + b"--a-boundary--\r\n")
    assert answer.status_code == 200
    assert len(uids(referenced(answer))) == 2


@pytest.mark.parametrize("part_type", ["text/plain", DICOM_JSON, "image/jpeg"])
def test_a_part_of_another_type_is_refused_alone(api: Api, part_type: str) -> None:
    good, other = new_identity(), new_identity()
    foreign = f"--{BOUNDARY}\r\nContent-Type: {part_type}\r\n\r\n".encode() + without_pixels(other) + b"\r\n"
    assert api.send(foreign + f"--{BOUNDARY}--\r\n".encode()).status_code == 415
    answer = api.send(foreign + multipart([without_pixels(good)], BOUNDARY))
    assert answer.status_code == 202
    assert uids(referenced(answer)) == [good.instance]
    assert api.get(other.path).status_code == 404


@METHODS
def test_instances_of_another_study_are_refused(api: Api, method: str) -> None:
    study, first, second = new_uid(), new_identity(), new_identity()
    answer = api.store(without_pixels(first), without_pixels(second), path=f"/studies/{study}", method=method)
    assert answer.status_code == 409
    assert answer.json().keys() == {FAILED}
    assert reasons(answer) == [STUDY_MISMATCH] * 2
    assert uids(failed(answer)) == [first.instance, second.instance]
    assert api.get(f"/studies/{study}").status_code == 404


def test_only_the_instance_of_another_study_is_refused(api: Api) -> None:
    good, other = new_identity(), new_identity()
    answer = api.store(without_pixels(other), without_pixels(good), path=f"/studies/{good.study}")
    assert answer.status_code == 202
    assert answer.json()[RETRIEVE_URL]["Value"][0].endswith(f"/studies/{good.study}")
    assert (uids(referenced(answer)), reasons(answer)) == ([good.instance], [STUDY_MISMATCH])
    assert api.get(f"/studies/{other.study}").status_code == 404


def test_storing_again_is_409_and_changes_nothing(api: Api) -> None:
    identity = new_identity()
    file = without_pixels(identity)
    first = api.store(file)
    assert (first.status_code, FAILED in first.json()) == (200, False)
    again = api.store(without_pixels(identity, PatientID="another"))
    assert again.status_code == 409
    assert (reasons(again), uids(failed(again))) == ([ALREADY_STORED], [identity.instance])
    assert referenced(again) == []
    assert api.get(identity.path, DICOM).content == file


def test_the_same_identity_twice_in_one_request(api: Api) -> None:
    identity = new_identity(series=(study := new_uid()), study=study)
    file = without_pixels(identity)
    answer = api.store(file, file)
    assert answer.status_code == 202
    assert (uids(referenced(answer)), reasons(answer)) == ([identity.instance], [ALREADY_STORED])


def test_two_requests_at_once_store_an_instance_once(api: Api) -> None:
    identity = new_identity()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: api.store(without_pixels(identity, PatientID=str(number))), range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]
    assert {reasons(answer)[0] for answer in answers if answer.status_code == 409} <= {ALREADY_STORED, BEING_STORED}
    assert len(api.search(f"instances?SOPInstanceUID={identity.instance}")) == 1


def test_put_replaces(api: Api) -> None:
    identity = new_identity()
    api.keep(without_pixels(identity, PatientID="before"))
    tag = api.get(identity.path).headers["etag"]
    file = without_pixels(identity, PatientID="after")
    answer = api.store(file, method="PUT")
    assert (answer.status_code, uids(referenced(answer))) == (200, [identity.instance])
    retrieved = api.get(identity.path, DICOM)
    assert retrieved.content == file
    assert retrieved.headers["etag"] != tag
    (found,) = api.search(f"instances?SOPInstanceUID={identity.instance}&includefield=PatientID")
    assert found["00100020"]["Value"] == ["after"]
    assert len(api.metadata(f"/studies/{identity.study}")) == 1


def test_implicit_vr_is_stored_without_a_warning(api: Api) -> None:
    answer = api.store(without_pixels(transfer_syntax=IMPLICIT))
    assert answer.status_code == 200
    assert WARNING not in referenced(answer)[0]


def test_several_values_where_one_is_indexed_warn_in_a_header(api: Api) -> None:
    answer = api.store(by_hand(new_identity(), StudyDescription=b"one\\two "))
    assert answer.status_code in (200, 202)
    assert answer.headers["warning"].startswith("299 ")
    assert "only first value is indexed" in answer.headers["warning"]


@pytest.mark.parametrize("form", ["single part", "multipart"])
def test_large_instances(api: Api, form: str) -> None:
    identity = new_identity()
    file = native(identity, bytes(range(256)) * 32 * 1024, side=2048)
    answer = (api.store_one if form == "single part" else api.store)(file)
    assert answer.status_code == 200
    assert api.get(identity.path, DICOM).content == file


def test_many_instances_in_one_request(partition: Api) -> None:
    study, series = new_uid(), new_uid()
    identities = [new_identity(study, series) for _ in range(150)]
    answer = partition.store(*(without_pixels(identity) for identity in identities))
    assert answer.status_code == 200
    assert uids(referenced(answer)) == [identity.instance for identity in identities]
    assert len(partition.metadata(f"/studies/{study}")) == 150


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"X_Forwarded_Host": "pacs.example.org"}, "http://pacs.example.org/v2"),
        ({"X_Forwarded_Host": "pacs.example.org", "X_Forwarded_Proto": "https"}, "https://pacs.example.org/v2"),
        ({"X_Forwarded_Host": "pacs.example.org:8443"}, "http://pacs.example.org:8443/v2"),
        ({"X_Forwarded_Host": "p.example", "X_Forwarded_Prefix": "/dicom/web"}, "http://p.example/dicom/web"),
        ({"Forwarded": "host=f.example;proto=https"}, "https://f.example/v2"),
    ],
)
def test_urls_are_those_the_caller_used_behind_a_proxy(api: Api, headers: dict[str, str], expected: str) -> None:
    identity = new_identity()
    answer = api.request("POST", "/studies", content=without_pixels(identity), content_type=DICOM, **headers)
    (entry,) = referenced(answer)
    assert entry[RETRIEVE_URL]["Value"] == [expected + identity.path]


def test_a_host_header_without_the_port_does_not_lose_the_port(api: Api) -> None:
    identity = new_identity()
    answer = api.request("POST", "/studies", content=without_pixels(identity), content_type=DICOM, Host="127.0.0.1")
    (entry,) = referenced(answer)
    assert entry[RETRIEVE_URL]["Value"] == [api.base + identity.path]


def test_the_url_of_a_partition_is_in_the_answer(api: Api) -> None:
    partition = Api(api.http, f"{api.base}/partitions/store-{uuid4().hex}")
    identity = new_identity()
    answer = partition.store(without_pixels(identity), path=f"/studies/{identity.study}").json()
    assert answer[RETRIEVE_URL]["Value"] == [f"{partition.base}/studies/{identity.study}"]
    assert answer[REFERENCED]["Value"][0][RETRIEVE_URL]["Value"] == [partition.base + identity.path]


@pytest.mark.parametrize("form", ["single part", "multipart"])
def test_a_file_without_preamble_is_given_one(api: Api, form: str) -> None:
    identity = new_identity()
    file = without_pixels(identity)
    send = api.store_one if form == "single part" else api.store
    assert send(file[132:]).status_code == 200
    assert api.get(identity.path, DICOM).content == bytes(128) + file[128:]
