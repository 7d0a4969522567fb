"""One exchange as a record of the audit: a FHIR AuditEvent (R4), and a line of the log.

Both name patients' data by UIDs only, and of queries the parameters only.
"""

import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from typing import Any

import orjson

from shared.access import Principal
from shared.audit.events import event_of
from shared.exchange import Exchange

PRODUCT = "DICOM Functions"
URN_UID = "urn:dicom:uid"
PROFILES = "https://profiles.ihe.net/ITI/BALP/CodeSystem"
TERMS = "http://terminology.hl7.org/CodeSystem"
SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE = "0", "4", "8"
ADDRESS_IS_NAME, ADDRESS_IS_IP = "1", "2"
HOST = os.environ.get("WEBSITE_SITE_NAME") or socket.gethostname()
"""The function app in Azure, the machine elsewhere."""

Json = dict[str, Any]


def _json(value: object) -> orjson.Fragment:
    return orjson.Fragment(orjson.dumps(value))


REQUEST = _json({"system": f"{PROFILES}/BasicAuditEntityType", "code": "XrequestId"})
SYSTEM_OBJECT = _json({"system": f"{TERMS}/audit-entity-type", "code": "2", "display": "System Object"})
REPORT = _json({"system": f"{TERMS}/object-role", "code": "3", "display": "Report"})
QUERY_ROLE = _json({"system": f"{TERMS}/object-role", "code": "24", "display": "Query"})
_SERVER = {"system": f"{TERMS}/security-source-type", "code": "4", "display": "Application Server"}
SOURCE = _json({"observer": {"display": HOST}, "type": [_SERVER]})

_START = secrets.token_hex(12)
_numbers = count(1)


def audit_event(exchange: Exchange) -> bytes:
    """The record as a line of JSON. Every record has an id of its own."""
    kind = _kind(exchange.function, exchange.method)
    ended = _moment(exchange.started + exchange.duration)
    record = {
        "resourceType": "AuditEvent",
        "id": f"{_START}-{os.getpid()}-{next(_numbers)}",
        "type": kind.type,
        "subtype": kind.subtype,
        "action": kind.action,
        "period": {"start": _moment(exchange.started), "end": ended},
        "recorded": ended,
        "outcome": _outcome(exchange),
        "agent": [_caller(exchange, kind.caller), kind.service],
        "source": SOURCE,
        "entity": list(_entities(exchange)),
    }
    return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)


def log_line(exchange: Exchange) -> str:
    """The record as JSON of one level: identifiers only, without the headers that the client wants in the audit."""
    caller = exchange.caller
    found = {
        "function": exchange.function,
        "status": exchange.status,
        "complete": exchange.complete,
        "action": exchange.action,
        "method": exchange.method,
        "apiVersion": exchange.api_version,
        "partition": exchange.partition,
        "study": exchange.study,
        "series": exchange.series,
        "instance": exchange.instance,
        "resource": exchange.resource,
        "query": exchange.query or None,
        "instances": exchange.touched or None,
        "bytesReceived": exchange.received,
        "bytesSent": exchange.sent,
        "seconds": round(exchange.duration, 6),
        "client": exchange.client,
        "caller": caller.subject if caller else None,
        "issuer": caller.issuer if caller else None,
        "application": caller.client if caller else None,
        "correlation": exchange.correlation,
    }
    return orjson.dumps({name: value for name, value in found.items() if value not in (None, "")}).decode()


@dataclass(frozen=True, slots=True)
class _Kind:
    """What is the same in every record of a function, in JSON already."""

    type: orjson.Fragment
    subtype: orjson.Fragment
    action: str
    caller: orjson.Fragment
    service: orjson.Fragment


@lru_cache(maxsize=1024)
def _kind(function: str, method: str) -> _Kind:
    event = event_of(function, method)
    service = {
        "type": {"coding": [asdict(event.service)]},
        "who": {"display": PRODUCT},
        "requestor": False,
        "network": {"address": HOST, "type": ADDRESS_IS_NAME},
    }
    return _Kind(
        _json(asdict(event.type)),
        _json([{"code": event.subtype}]),
        event.action,
        _json({"coding": [asdict(event.caller)]}),
        _json(service),
    )


def _outcome(exchange: Exchange) -> str:
    if exchange.succeeded:
        return SUCCESS
    return SERIOUS_FAILURE if exchange.status >= 500 else MINOR_FAILURE


def _caller(exchange: Exchange, part: orjson.Fragment) -> Json:
    agent: Json = {"type": part, "requestor": True}
    if exchange.caller is not None and exchange.caller.subject:
        agent |= _identity(exchange.caller)
    if exchange.client is not None:
        agent["network"] = {"address": exchange.client, "type": ADDRESS_IS_IP}
    return agent


def _identity(caller: Principal) -> Json:
    """The object or subject id of the caller; the application that acts for it; the roles of its token."""
    found: Json = {"who": {"identifier": {"system": caller.issuer, "value": caller.subject}}}
    if caller.client is not None:
        found["altId"] = caller.client
    if caller.roles:
        found["role"] = [{"text": role} for role in sorted(caller.roles)]
    return found


def _entities(exchange: Exchange) -> Iterator[Json]:
    yield {
        "what": {"identifier": {"value": exchange.correlation}},
        "type": REQUEST,
        "detail": [{"type": name, "valueString": str(value)} for name, value in _request(exchange) if value != ""],
    }
    if exchange.study is not None:
        yield _study(exchange.study, _within(exchange))
    else:
        for study, number in exchange.studies.items():
            yield _study(study, [("NumberOfInstances", number), *_named(exchange, study)])
    if exchange.query:
        named = [{"type": "parameter", "valueString": name} for name in exchange.query]
        yield {"type": SYSTEM_OBJECT, "role": QUERY_ROLE, "detail": named}


def _request(exchange: Exchange) -> Iterator[tuple[str, object]]:
    """What the request was and came to; a value of no characters is left out."""
    caller = exchange.caller
    yield "function", exchange.function
    yield "method", exchange.method
    yield "route", exchange.route
    yield "status", exchange.status
    yield "complete", str(exchange.complete).lower()
    yield "partition", exchange.partition or ""
    yield "resource", exchange.resource or ""
    yield "bytesReceived", exchange.received
    yield "bytesSent", exchange.sent
    yield "seconds", f"{exchange.duration:.6f}"
    yield "instances", exchange.touched or ""
    yield "callerKind", caller.kind if caller else ""
    yield "callerTenant", caller.tenant or "" if caller else ""
    for name, value in exchange.remarks.items():
        yield f"X-MS-AZUREDICOM-AUDIT-{name}", value


def _within(exchange: Exchange) -> Iterator[tuple[str, object]]:
    """What of the path's study the request was for, or what it stored there."""
    if exchange.series is not None:
        yield "SeriesInstanceUID", exchange.series
    if exchange.instance is not None:
        yield "SOPInstanceUID", exchange.instance
    if exchange.touched:
        yield "NumberOfInstances", exchange.touched
    yield from _named(exchange, exchange.study)


def _named(exchange: Exchange, study: str | None) -> Iterator[tuple[str, object]]:
    series = None
    for key in exchange.instances:
        if key.study == study:
            if key.series != series:
                series = key.series
                yield "SeriesInstanceUID", series
            yield "SOPInstanceUID", key.instance


def _study(uid: str, details: Iterable[tuple[str, object]]) -> Json:
    entity: Json = {
        "what": {"identifier": {"system": URN_UID, "value": f"urn:oid:{uid}"}},
        "type": SYSTEM_OBJECT,
        "role": REPORT,
    }
    if found := [{"type": name, "valueString": str(value)} for name, value in details]:
        entity["detail"] = found
    return entity


def _moment(seconds: float) -> str:
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{_second(whole)}.{milliseconds:03}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
