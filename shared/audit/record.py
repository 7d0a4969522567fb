"""One exchange as a record of the audit: a FHIR AuditEvent (R4), and a line of the log.

Both name patients' data by UIDs only, and of queries the parameters only.
"""

import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from typing import Any

import orjson

from shared.access import Principal
from shared.audit.events import Code, event_of
from shared.exchange import Exchange

PRODUCT = "DICOM Functions"
URN_UID = "urn:dicom:uid"
TERMS = "http://terminology.hl7.org/CodeSystem"
REQUEST = {"system": "https://profiles.ihe.net/ITI/BALP/CodeSystem/BasicAuditEntityType", "code": "XrequestId"}
SYSTEM_OBJECT = {"system": f"{TERMS}/audit-entity-type", "code": "2", "display": "System Object"}
REPORT = {"system": f"{TERMS}/object-role", "code": "3", "display": "Report"}
QUERY = {"system": f"{TERMS}/object-role", "code": "24", "display": "Query"}
SERVER = {"system": f"{TERMS}/security-source-type", "code": "4", "display": "Application Server"}
SUCCESS, MINOR_FAILURE, SERIOUS_FAILURE = "0", "4", "8"
ADDRESS_IS_NAME, ADDRESS_IS_IP = "1", "2"
HOST = os.environ.get("WEBSITE_SITE_NAME") or socket.gethostname()
"""The function app in Azure, the machine elsewhere."""

_START = secrets.token_hex(12)
_numbers = count(1)

Json = dict[str, Any]
Details = Iterable[tuple[str, object]]


def audit_event(exchange: Exchange) -> bytes:
    """The record as a line of JSON. Every record has an id of its own."""
    template = _template(
        exchange.function, exchange.method, exchange.route, exchange.partition, exchange.caller, exchange.client
    )
    ended = _moment(exchange.started + exchange.duration)
    line = template % (
        f"{_START}-{os.getpid()}-{next(_numbers)}",
        _moment(exchange.started),
        ended,
        ended,
        _outcome(exchange),
        exchange.correlation,
        exchange.status,
        "true" if exchange.complete else "false",
        exchange.received,
        exchange.sent,
        f"{exchange.duration:.6f}",
        "".join(f",{_json(detail)}" for detail in _details(_particulars(exchange))),
        "".join(f",{entity}" for entity in _entities(exchange)),
    )
    return line.encode()


def log_line(exchange: Exchange) -> str:
    """The record as JSON of one level, without the headers that the client wants in the audit.

    Nor does it tell the partition of a request that failed: there may be none of that name, but a patient.
    """
    caller = exchange.caller
    failed = exchange.status >= 400
    found = {
        "function": exchange.function,
        "status": exchange.status,
        "complete": exchange.complete,
        "action": exchange.action,
        "method": exchange.method,
        "apiVersion": exchange.api_version,
        "partition": None if failed else exchange.partition,
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


_SLOT = "\ue000"
"""Stands in a template for a value that needs no escaping."""


@lru_cache(maxsize=1024)
def _template(
    function: str, method: str, route: str, partition: str | None, caller: Principal | None, client: str | None
) -> str:
    """The record with ``%s`` for what is new each time, and at its end for further details and entities."""
    event = event_of(function, method)
    request = [
        ("function", function),
        ("method", method),
        ("route", route),
        ("partition", partition),
        ("callerKind", caller and caller.kind),
        ("callerTenant", caller and caller.tenant),
    ]
    outcome = [(name, _SLOT) for name in ("status", "complete", "bytesReceived", "bytesSent", "seconds")]
    record = {
        "resourceType": "AuditEvent",
        "id": _SLOT,
        "type": asdict(event.type),
        "subtype": [{"code": event.subtype}],
        "action": event.action,
        "period": {"start": _SLOT, "end": _SLOT},
        "recorded": _SLOT,
        "outcome": _SLOT,
        "agent": [_caller(event.caller, caller, client), _service(event.service)],
        "source": {"observer": {"display": HOST}, "type": [SERVER]},
        "entity": [
            {
                "what": {"identifier": {"value": _SLOT}},
                "type": REQUEST,
                "detail": [*_details(request), *_details(outcome)],
            },
        ],
    }
    text = _json(record).replace("%", "%%").replace(_SLOT, "%s")
    return text.removesuffix("]}]}") + "%s]}%s]}\n"


def _caller(part: Code, caller: Principal | None, client: str | None) -> Json:
    """The object or subject id of the caller; the application that acts for it; the roles of its token."""
    agent: Json = {"type": {"coding": [asdict(part)]}, "requestor": True}
    if caller is not None and caller.subject:
        agent["who"] = {"identifier": {"system": _plain(caller.issuer), "value": _plain(caller.subject)}}
        if caller.client is not None:
            agent["altId"] = _plain(caller.client)
        if caller.roles:
            agent["role"] = [{"text": _plain(role)} for role in sorted(caller.roles)]
    if client is not None:
        agent["network"] = {"address": client, "type": ADDRESS_IS_IP}
    return agent


def _service(part: Code) -> Json:
    return {
        "type": {"coding": [asdict(part)]},
        "who": {"display": PRODUCT},
        "requestor": False,
        "network": {"address": HOST, "type": ADDRESS_IS_NAME},
    }


def _outcome(exchange: Exchange) -> str:
    if exchange.succeeded:
        return SUCCESS
    return SERIOUS_FAILURE if exchange.status >= 500 else MINOR_FAILURE


def _particulars(exchange: Exchange) -> Iterator[tuple[str, object]]:
    """What only some requests have."""
    if exchange.resource is not None:
        yield "resource", exchange.resource
    if exchange.touched:
        yield "instances", exchange.touched
    for name, value in exchange.remarks.items():
        yield f"X-MS-AZUREDICOM-AUDIT-{name}", value


def _entities(exchange: Exchange) -> Iterator[str]:
    """What the request was for, or stored."""
    if exchange.study is not None:
        yield _study(exchange.study, _within(exchange))
    else:
        for study, number in exchange.studies.items():
            yield _study(study, [("NumberOfInstances", number), *_named(exchange, study)])
    if exchange.query:
        yield _query(exchange.query)


def _within(exchange: Exchange) -> Iterator[tuple[str, object]]:
    """What of the path's study the request was for, or what it stored there."""
    yield "SeriesInstanceUID", exchange.series
    yield "SOPInstanceUID", exchange.instance
    yield "NumberOfInstances", exchange.touched or None
    yield from _named(exchange, exchange.study)


def _named(exchange: Exchange, study: str | None) -> Iterator[tuple[str, object]]:
    series = None
    for key in exchange.instances:
        if key.study == study:
            if key.series != series:
                series = key.series
                yield "SeriesInstanceUID", series
            yield "SOPInstanceUID", key.instance


def _study(uid: str, details: Details) -> str:
    entity: Json = {
        "what": {"identifier": {"system": URN_UID, "value": f"urn:oid:{uid}"}},
        "type": SYSTEM_OBJECT,
        "role": REPORT,
    }
    if found := _details(details):
        entity["detail"] = found
    return _json(entity)


@lru_cache(maxsize=1024)
def _query(names: tuple[str, ...]) -> str:
    return _json({"type": SYSTEM_OBJECT, "role": QUERY, "detail": _details(("parameter", name) for name in names)})


def _details(named: Details) -> list[Json]:
    """What has a value."""
    return [{"type": name, "valueString": str(value)} for name, value in named if value not in (None, "")]


def _plain(text: str) -> str:
    return text.replace(_SLOT, "?")


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _moment(seconds: float) -> str:
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{_second(whole)}.{milliseconds:03}Z"


@lru_cache(maxsize=16)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
