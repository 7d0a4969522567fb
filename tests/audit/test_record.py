"""Records are FHIR AuditEvents with the codes of DICOM, and hold identifiers only."""

import json
from typing import Any

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from shared.access import ANYONE
from shared.audit import audit_event, log_line
from shared.exchange import Exchange
from shared.storage.index.model import InstanceKey
from tests.audit.exchanges import exchange

STUDY, SERIES, INSTANCE = "1.2.3", "1.2.3.4", "1.2.3.4.5"


def record(of: Exchange) -> dict[str, Any]:
    """What the line holds, once it has proved to be an AuditEvent."""
    line = audit_event(of)
    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    AuditEvent.model_validate_json(line)
    found: dict[str, Any] = json.loads(line)
    return found


def details(entity: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each["type"], each["valueString"]) for each in entity.get("detail", [])]


def studies(found: dict[str, Any]) -> dict[str, list[tuple[str, str]]]:
    """What is said of each study, by its UID."""
    marked = [entity for entity in found["entity"] if entity["what"]["identifier"].get("system") == "urn:dicom:uid"]
    return {entity["what"]["identifier"]["value"].removeprefix("urn:oid:"): details(entity) for entity in marked}


def test_a_search() -> None:
    found = record(exchange(query=("PatientName", "limit"), resource=None))
    assert found["type"] == {
        "system": "http://dicom.nema.org/resources/ontology/DCM",
        "code": "110112",
        "display": "Query",
    }
    assert (found["subtype"], found["action"], found["outcome"]) == ([{"code": "query"}], "E", "0")
    assert found["period"] == {"start": "2023-11-14T22:13:20.250Z", "end": "2023-11-14T22:13:20.750Z"}
    assert found["recorded"] == found["period"]["end"]
    request, query = found["entity"]
    assert request["what"] == {"identifier": {"value": "b7c1"}}
    assert details(query) == [("parameter", "PatientName"), ("parameter", "limit")]
    assert query["role"]["code"] == "24"
    told = dict(details(request))
    assert told == {
        "function": "search_studies",
        "method": "GET",
        "route": "{version}/studies",
        "status": "200",
        "complete": "true",
        "partition": "Microsoft.Default",
        "bytesReceived": "0",
        "bytesSent": "1234",
        "seconds": "0.500000",
        "callerKind": "user",
        "callerTenant": "t",
    }


def test_who_and_from_where() -> None:
    caller, service = record(exchange())["agent"]
    assert caller["who"] == {"identifier": {"system": "https://login.example.org/t/v2.0", "value": "0d3b"}}
    assert caller["altId"] == "viewer-app"
    assert caller["role"] == [{"text": "Owner"}, {"text": "Reader"}]
    assert caller["network"] == {"address": "192.0.2.7", "type": "2"}
    assert (caller["requestor"], service["requestor"]) == (True, False)
    assert service["who"] == {"display": "DICOM Functions"}


@pytest.mark.parametrize("caller", [None, ANYONE])
def test_nobody_is_made_up_where_nobody_is_known(caller: Any) -> None:
    agent = record(exchange(caller=caller, client=None))["agent"][0]
    assert set(agent) == {"type", "requestor"}


@pytest.mark.parametrize(
    ("function", "sender"),
    [("store", "caller"), ("search_studies", "caller"), ("retrieve_study", "service"), ("study_metadata", "service")],
)
def test_who_sends_and_who_receives(function: str, sender: str) -> None:
    """PS3.15 A.5.3.7 and A.5.3.10: the source of a query is who asks."""
    agents = record(exchange(function=function))["agent"]
    codes = dict(zip(("caller", "service"), (agent["type"]["coding"][0]["code"] for agent in agents), strict=True))
    assert {codes.pop(sender), *codes.values()} == {"110153", "110152"}
    assert {agent["type"]["coding"][0]["code"] for agent in agents if agent["requestor"] is (sender == "caller")} == {
        "110153"
    }


@pytest.mark.parametrize(
    ("status", "complete", "outcome"),
    [
        (200, True, "0"),
        (204, True, "0"),
        (304, True, "0"),
        (200, False, "4"),
        (401, True, "4"),
        (403, True, "4"),
        (404, True, "4"),
        (499, False, "4"),
        (500, True, "8"),
        (503, True, "8"),
    ],
)
def test_the_outcome(status: int, complete: bool, outcome: str) -> None:
    assert record(exchange(status=status, complete=complete))["outcome"] == outcome


def test_what_the_path_names() -> None:
    found = record(
        exchange(function="delete_instance", method="DELETE", study=STUDY, series=SERIES, instance=INSTANCE, touched=1)
    )
    assert studies(found) == {
        STUDY: [("SeriesInstanceUID", SERIES), ("SOPInstanceUID", INSTANCE), ("NumberOfInstances", "1")]
    }
    assert found["action"] == "D"
    assert found["type"]["code"] == "110103"
    assert record(exchange(function="delete_study", study=STUDY))["type"]["code"] == "110105"


def test_what_was_stored() -> None:
    keys = [InstanceKey("p", "1.1", "1.1.1", f"1.1.1.{n}") for n in range(3)] + [
        InstanceKey("p", "2.1", "2.1.1", "2.2")
    ]
    counts = {"1.1": 3, "2.1": 1, "3.1": 7}
    found = record(exchange(function="store", method="POST", instances=tuple(keys), studies=counts, touched=11))
    assert studies(found) == {
        "1.1": [
            ("NumberOfInstances", "3"),
            ("SeriesInstanceUID", "1.1.1"),
            ("SOPInstanceUID", "1.1.1.0"),
            ("SOPInstanceUID", "1.1.1.1"),
            ("SOPInstanceUID", "1.1.1.2"),
        ],
        "2.1": [("NumberOfInstances", "1"), ("SeriesInstanceUID", "2.1.1"), ("SOPInstanceUID", "2.2")],
        "3.1": [("NumberOfInstances", "7")],
    }
    assert ("instances", "11") in details(found["entity"][0])


def test_what_was_stored_in_the_study_of_the_path() -> None:
    keys = (InstanceKey("p", STUDY, SERIES, INSTANCE),)
    found = record(exchange(function="store_in_study", study=STUDY, instances=keys, studies={STUDY: 1}, touched=1))
    assert studies(found) == {
        STUDY: [("NumberOfInstances", "1"), ("SeriesInstanceUID", SERIES), ("SOPInstanceUID", INSTANCE)]
    }


def test_what_the_client_wants_in_the_audit_is_there_and_not_in_the_log() -> None:
    remarked = exchange(remarks={"reason": "second opinion", "empty": ""})
    found = details(record(remarked)["entity"][0])
    assert ("X-MS-AZUREDICOM-AUDIT-reason", "second opinion") in found
    assert not any(value == "" for _, value in found)
    assert "second opinion" not in log_line(remarked)


def test_every_record_has_an_id_of_its_own() -> None:
    ids = {record(exchange())["id"] for _ in range(50)}
    assert len(ids) == 50


def test_the_line_of_the_log() -> None:
    line = log_line(exchange(study=STUDY, query=("PatientName",), touched=2))
    assert json.loads(line) == {
        "function": "search_studies",
        "status": 200,
        "complete": True,
        "action": "read",
        "method": "GET",
        "apiVersion": 2,
        "partition": "Microsoft.Default",
        "study": STUDY,
        "query": ["PatientName"],
        "instances": 2,
        "bytesReceived": 0,
        "bytesSent": 1234,
        "seconds": 0.5,
        "client": "192.0.2.7",
        "caller": "0d3b",
        "issuer": "https://login.example.org/t/v2.0",
        "application": "viewer-app",
        "correlation": "b7c1",
    }


@pytest.mark.parametrize(("status", "told"), [(200, True), *((status, False) for status in (400, 401, 404, 499, 503))])
def test_the_log_does_not_tell_a_partition_that_may_not_be_one(status: int, told: bool) -> None:
    refused = exchange(partition="Doe", status=status)
    assert ("Doe" in log_line(refused)) is told
    assert ("partition", "Doe") in details(record(refused)["entity"][0])
