"""Every request over HTTP leaves its record in the audit: who, what, where, with what outcome."""

import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from tests.access.issuer import TestIssuer, issuing
from tests.api.client import DICOM, Api, connection, request_head
from tests.api.files import native, without_pixels
from tests.instances import Identity, multipart, new_identity
from tests.server import RunningServer, running

ROLES = [{"name": "Reader", "actions": ["read"]}]
LARGE = bytes(64 * 1024 * 1024)
SOON = 20.0
WHILE = 0.5
"""Seconds in which a server has sent all that fits on the way to a client that does not read."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record as it was found in the audit."""

    event: dict[str, Any]

    @property
    def request(self) -> dict[str, str]:
        """What the record says of the request."""
        return {each["type"]: each["valueString"] for each in self.event["entity"][0]["detail"]}

    @property
    def correlation(self) -> str:
        found: str = self.event["entity"][0]["what"]["identifier"]["value"]
        return found

    @property
    def caller(self) -> dict[str, Any]:
        (found,) = (agent for agent in self.event["agent"] if agent["requestor"])
        return found

    @property
    def studies(self) -> dict[str, list[tuple[str, str]]]:
        """What the record says of each study."""
        return {
            entity["what"]["identifier"]["value"].removeprefix("urn:oid:"): [
                (each["type"], each["valueString"]) for each in entity.get("detail", ())
            ]
            for entity in self.event["entity"]
            if entity.get("what", {}).get("identifier", {}).get("system") == "urn:dicom:uid"
        }

    @property
    def parameters(self) -> list[str]:
        """The names of the query's parameters."""
        (entity,) = (each for each in self.event["entity"] if each.get("role", {}).get("code") == "24")
        return [each["valueString"] for each in entity["detail"]]

    @property
    def kind(self) -> tuple[str, str, str, str]:
        """Code of the type, subtype, action and outcome."""
        event = self.event
        return event["type"]["code"], event["subtype"][0]["code"], event["action"], event["outcome"]


@dataclass(frozen=True, slots=True)
class Audit:
    """The audit folder of a server."""

    folder: Path

    def records(self) -> list[Record]:
        """Those that are in the files so far, whole lines of them."""
        lines = [line for path in self.files() for line in path.read_bytes().splitlines(keepends=True)]
        return [Record(json.loads(line)) for line in lines if line.endswith(b"\n")]

    def files(self) -> list[Path]:
        return sorted(self.folder.glob("*.jsonl"))

    def of(self, answer: httpx.Response) -> Record:
        """The one record of a request that was answered."""
        return self.by_id(answer.headers["x-request-id"])

    def by_id(self, correlation: str) -> Record:
        """It goes from the spool into a file within a moment."""
        deadline = time.monotonic() + SOON
        while not (found := [record for record in self.records() if record.correlation == correlation]):
            assert time.monotonic() < deadline, "There is no such record."
            time.sleep(0.05)
        assert len(found) == 1
        AuditEvent.model_validate(found[0].event)
        return found[0]


@pytest.fixture(scope="module")
def issuer() -> Iterator[TestIssuer]:
    with issuing() as started:
        yield started


@pytest.fixture(scope="module")
def closed(issuer: TestIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server that lets in the issuer's callers, behind one proxy."""
    settings = issuer.settings | {"DICOM_ROLES": json.dumps(ROLES), "DICOM_TRUSTED_PROXIES": "1"}
    with running(tmp_path_factory.mktemp("audit") / "data", workers=2, settings=settings) as started:
        yield started


@pytest.fixture(scope="module")
def audit(closed: RunningServer) -> Audit:
    return Audit(closed.data / "audit")


@pytest.fixture(scope="module")
def owner(issuer: TestIssuer, closed: RunningServer) -> Iterator[Api]:
    yield from _client(closed, issuer, "DicomDataOwner")


@pytest.fixture(scope="module")
def reader(issuer: TestIssuer, closed: RunningServer) -> Iterator[Api]:
    yield from _client(closed, issuer, "Reader")


def _client(server: RunningServer, issuer: TestIssuer, role: str) -> Iterator[Api]:
    token = issuer.token(roles=[role], oid=f"oid-of-{role}", name="Doe^John", preferred_username="doe@example.org")
    headers = {"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}
    with httpx.Client(headers=headers, timeout=60.0) as client:
        yield Api(client, f"{server.url}/v2")


@pytest.fixture(scope="module")
def kept(owner: Api) -> Identity:
    identity = new_identity()
    owner.keep(without_pixels(identity, PatientName="Secret^Patient", PatientID="SECRET-7"))
    return identity


def described(identity: Identity) -> list[tuple[str, str]]:
    return [("SeriesInstanceUID", identity.series), ("SOPInstanceUID", identity.instance)]


def test_a_store(owner: Api, audit: Audit) -> None:
    first, second = new_identity(), new_identity()
    files = [without_pixels(first), without_pixels(second)]
    answer = owner.store(*files)
    assert answer.status_code == 200
    record = audit.of(answer)
    assert record.kind == ("110104", "store", "C", "0")
    assert record.studies == {each.study: [("NumberOfInstances", "1"), *described(each)] for each in (first, second)}
    assert record.caller["who"]["identifier"]["value"] == "oid-of-DicomDataOwner"
    assert record.caller["role"] == [{"text": "DicomDataOwner"}]
    request = record.request
    assert int(request["bytesReceived"]) == len(multipart(files, "a-boundary"))
    assert int(request["bytesSent"]) == len(answer.content)
    assert (request["function"], request["method"], request["status"], request["instances"]) == (
        "store",
        "POST",
        "200",
        "2",
    )
    assert request["partition"] == "Microsoft.Default"
    assert 0 < float(request["seconds"]) < 60


def test_a_store_of_which_a_part_fails_names_only_what_was_stored(owner: Api, kept: Identity, audit: Audit) -> None:
    identity = new_identity()
    answer = owner.store(without_pixels(identity), without_pixels(kept))
    assert answer.status_code == 202
    record = audit.of(answer)
    assert set(record.studies) == {identity.study}
    assert record.request["instances"] == "1"


def test_a_store_that_breaks_off_names_what_was_kept(owner: Api, audit: Audit) -> None:
    identity = new_identity()
    body = multipart([without_pixels(identity), without_pixels()], "a-boundary")[:-100]
    answer = owner.send(body)
    assert answer.status_code == 400
    record = audit.of(answer)
    assert set(record.studies) == {identity.study}
    assert record.kind == ("110104", "store", "C", "4")


def test_a_replacement(owner: Api, kept: Identity, audit: Audit) -> None:
    answer = owner.store(without_pixels(kept, PatientName="Secret^Patient"), method="PUT")
    assert audit.of(answer).kind == ("110104", "store", "U", "0")


def test_a_search(reader: Api, kept: Identity, audit: Audit) -> None:
    answer = reader.get("/studies?PatientName=Secret*&PatientID=SECRET-7&limit=5&includefield=all&Secret=1")
    assert answer.status_code in (200, 400)
    record = audit.of(reader.get("/studies?PatientName=Secret*&00100020=SECRET-7&limit=5"))
    assert record.kind == ("110112", "query", "E", "0")
    assert record.parameters == ["PatientName", "00100020", "limit"]
    assert audit.of(answer).parameters == ["PatientName", "PatientID", "limit", "includefield", "(unknown)"]


def test_an_answer_given_again_from_memory_is_recorded_again(reader: Api, kept: Identity, audit: Audit) -> None:
    answers = [reader.get(f"/studies?StudyInstanceUID={kept.study}") for _ in range(6)]
    records = [audit.of(answer) for answer in answers]
    assert {answer.content for answer in answers} == {answers[0].content}
    assert {record.request["bytesSent"] for record in records} == {str(len(answers[0].content))}


@pytest.mark.parametrize(
    ("resource", "kind"),
    [
        ("", ("110104", "retrieve", "R", "0")),
        ("/metadata", ("110103", "retrieve-metadata", "R", "0")),
    ],
)
def test_a_retrieve(reader: Api, kept: Identity, audit: Audit, resource: str, kind: tuple[str, ...]) -> None:
    answer = reader.get(kept.path + resource)
    assert answer.status_code == 200
    record = audit.of(answer)
    assert record.kind == kind
    assert record.studies == {kept.study: described(kept)}
    assert record.request["bytesSent"] == str(len(answer.content))
    assert record.caller["type"]["coding"][0]["code"] == "110152"


def test_bytes_are_those_that_were_sent(reader: Api, kept: Identity, audit: Audit) -> None:
    head = reader.head(kept.path, DICOM)
    assert audit.of(head).request["bytesSent"] == "0"
    part = reader.get(kept.path, DICOM, Range="bytes=0-99")
    assert (part.status_code, audit.of(part).request["bytesSent"]) == (206, "100")
    whole = reader.get(f"/studies/{kept.study}/metadata", Accept_Encoding="gzip")
    assert audit.of(whole).request["bytesSent"] == str(whole.num_bytes_downloaded)
    assert whole.num_bytes_downloaded < len(whole.content)


def test_a_delete(owner: Api, audit: Audit) -> None:
    identity = new_identity()
    owner.keep(without_pixels(identity), without_pixels(new_identity(identity.study)))
    record = audit.of(owner.delete(f"/studies/{identity.study}"))
    assert record.kind == ("110105", "delete", "D", "0")
    assert record.studies == {identity.study: [("NumberOfInstances", "2")]}
    again = audit.of(owner.delete(f"/studies/{identity.study}"))
    assert (again.kind[3], again.request["status"]) == ("4", "404")
    assert "instances" not in again.request


def test_a_partition(owner: Api, audit: Audit) -> None:
    partition = f"p-{uuid4().hex}"
    record = audit.of(Api(owner.http, f"{owner.base}/partitions/{partition}").store(without_pixels()))
    assert record.request["partition"] == partition
    assert record.request["function"] == "store"


def test_someone_without_a_token(closed: RunningServer, kept: Identity, audit: Audit) -> None:
    answer = httpx.get(f"{closed.url}/v2{kept.path}")
    assert answer.status_code == 401
    record = audit.of(answer)
    assert record.kind == ("110104", "retrieve", "R", "4")
    assert record.request["status"] == "401"
    assert record.studies == {kept.study: described(kept)}
    assert "who" not in record.caller


def test_someone_who_may_not(reader: Api, kept: Identity, audit: Audit) -> None:
    answer = reader.delete(kept.path)
    assert answer.status_code == 403
    record = audit.of(answer)
    assert (record.kind[2:], record.request["status"]) == (("D", "4"), "403")
    assert record.caller["who"]["identifier"]["value"] == "oid-of-Reader"


def test_a_path_that_leads_nowhere(owner: Api, audit: Audit) -> None:
    answer = owner.get("/studies/Secret^Patient/nowhere")
    assert answer.status_code == 404
    record = audit.of(answer)
    assert (record.request["route"], record.request["status"]) == ("{*path}", "404")


def test_where_the_client_is(reader: Api, audit: Audit) -> None:
    noted = reader.get("/partitions", X_Forwarded_For="6.6.6.6, 203.0.113.9:4711")
    assert audit.of(noted).caller["network"] == {"address": "203.0.113.9", "type": "2"}
    assert audit.of(reader.get("/partitions")).caller["network"] == {"address": "127.0.0.1", "type": "2"}


@pytest.mark.parametrize("header", ["X_Request_Id", "X_MS_Request_Id"])
def test_the_id_of_the_client_is_kept_and_sent_back(reader: Api, audit: Audit, header: str) -> None:
    given = uuid4().hex
    answer = reader.get("/partitions", **{header: given})
    assert answer.headers["x-request-id"] == given
    assert audit.by_id(given).request["function"] == "partitions"


def test_remarks(reader: Api, audit: Audit, closed: RunningServer) -> None:
    remark = f"second opinion {uuid4().hex}"
    answer = reader.get("/partitions", X_MS_AZUREDICOM_AUDIT_Reason=remark)
    assert audit.of(answer).request["X-MS-AZUREDICOM-AUDIT-reason"] == remark
    assert remark not in closed.log.read_text()


@pytest.mark.parametrize(
    "remarks", [{f"X_MS_AZUREDICOM_AUDIT_{n}": "x" for n in range(11)}, {"X_MS_AZUREDICOM_AUDIT_A": "x" * 2049}]
)
def test_too_many_remarks_are_400(reader: Api, audit: Audit, remarks: dict[str, str]) -> None:
    answer = reader.get("/partitions", **remarks)
    assert answer.status_code == 400
    assert not any(name.startswith("X-MS-") for name in audit.of(answer).request)
    ten = reader.get("/partitions", **{f"X_MS_AZUREDICOM_AUDIT_{n}": "x" * 2048 for n in range(10)})
    assert ten.status_code == 200


def test_health_checks_and_preflights_leave_no_record(closed: RunningServer, audit: Audit) -> None:
    preflight = {"Origin": "http://localhost", "Access-Control-Request-Method": "GET"}
    ids = {
        httpx.get(f"{closed.url}/health/check").headers["x-request-id"],
        httpx.options(f"{closed.url}/v2/studies", headers=preflight).headers["x-request-id"],
    }
    assert len(ids) == 2
    audit.of(httpx.get(f"{closed.url}/v2/studies"))
    assert not ids & {record.correlation for record in audit.records()}


def test_a_client_that_leaves_in_the_middle_is_recorded_with_what_it_was_sent(
    owner: Api, closed: RunningServer, audit: Audit
) -> None:
    identity = new_identity()
    owner.store_one(native(identity, LARGE, side=4096, NumberOfFrames=2)).raise_for_status()
    given = uuid4().hex
    bearer = owner.http.headers["authorization"]
    head = request_head(
        "GET", f"/v2{identity.path}", f"Accept: {DICOM}", f"X-Request-Id: {given}", f"Authorization: {bearer}"
    )
    with connection(closed.url) as opened:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        opened.sendall(head)
        got = len(opened.recv(1000))
        time.sleep(WHILE)
    record = audit.by_id(given)
    assert record.request["complete"] == "false"
    assert record.kind == ("110104", "retrieve", "R", "4")
    assert got <= int(record.request["bytesSent"]) < len(LARGE) // 2
    assert record.studies == {identity.study: described(identity)}


def test_nothing_but_identifiers_is_recorded_or_logged(
    owner: Api, reader: Api, kept: Identity, closed: RunningServer, audit: Audit
) -> None:
    reader.get("/studies?PatientName=SECRET-8&SECRET-8")
    reader.get("/studies/SECRET-8")
    owner.request("POST", "/extendedquerytags", content=b'[{"path": "SECRET-8"}]')
    audit.of(owner.delete("/extendedquerytags/SECRET-8"))
    text = "".join(path.read_text() for path in audit.files())
    for hidden in ("SECRET", "Secret", "doe@example.org", "Doe", "SECRET-8"):
        assert hidden not in text
        assert hidden not in closed.log.read_text()


def test_the_log_tells_of_what_is_rare_and_of_refusals(owner: Api, reader: Api, closed: RunningServer) -> None:
    """Reads and stores that succeed are in the audit only."""
    identity = new_identity()
    stored = owner.store(without_pixels(identity)).headers["x-request-id"]
    read = reader.get(identity.path).headers["x-request-id"]
    refused = reader.delete(identity.path).headers["x-request-id"]
    deleted = owner.delete(identity.path).headers["x-request-id"]
    lines = [line.partition(" dicom.audit: ")[2] for line in closed.log.read_text().splitlines()]
    logged = {found["correlation"]: found for found in map(json.loads, filter(None, lines))}
    assert not {stored, read} & set(logged)
    assert logged[refused]["status"] == 403
    assert (logged[deleted]["function"], logged[deleted]["instance"]) == ("delete_instance", identity.instance)
    assert logged[deleted]["caller"] == "oid-of-DicomDataOwner"


def test_a_record_is_there_when_the_answer_is(tmp_path: Path) -> None:
    """What a service has answered before it is killed is in the audit once the next one has begun its work."""
    data = tmp_path / "data"
    with running(data, workers=1) as server, httpx.Client() as client:
        ids = {client.get(f"{server.url}/v2/studies?limit=1").headers["x-request-id"] for _ in range(50)}
        server.kill()
    with running(data, workers=1) as server:
        Audit(data / "audit").of(httpx.get(f"{server.url}/v2/studies"))
    records = [record.correlation for record in Audit(data / "audit").records()]
    assert ids <= set(records)
    assert not list((data / "audit").glob("*.spool"))


def test_a_service_whose_audit_fails_goes_on_and_tells(tmp_path: Path) -> None:
    with running(tmp_path / "data", workers=1) as server, httpx.Client(timeout=60) as client:
        folder = server.data / "audit"
        Audit(folder).of(client.get(f"{server.url}/v2/partitions"))
    away = folder.rename(folder.with_name("away"))
    with running(tmp_path / "data", workers=1) as server, httpx.Client(timeout=60) as client:
        folder.rmdir()
        folder.write_bytes(b"")
        ids = [client.get(f"{server.url}/v2/partitions").headers["x-request-id"] for _ in range(10)]
        deadline = time.monotonic() + SOON
        while (health := client.get(f"{server.url}/health/check")).json()["overallStatus"] != "Degraded":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert health.status_code == 200
        (told,) = (each for each in health.json()["details"] if each["name"] == "audit")
        assert told["status"] == "Unhealthy"
        assert "10 audit records wait, 0 were lost" in told["description"]
        assert "Audit records can't be kept" in server.log.read_text()
        assert ids[-1] in server.log.read_text()
        folder.unlink()
        away.rename(folder)
        deadline = time.monotonic() + SOON
        while client.get(f"{server.url}/health/check").json()["overallStatus"] != "Healthy":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert "Audit records are kept again" in server.log.read_text()
        assert {record.correlation for record in Audit(folder).records()} >= set(ids)


def test_a_place_for_the_audit_that_can_not_be_is_told_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(AssertionError, match="The audit folder can't be made: Not a directory"):
        RunningServer(tmp_path / "data", settings={"DICOM_AUDIT": str(tmp_path / "file" / "audit")}).start()
