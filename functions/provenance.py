"""What the headers of a request tell of where it comes from: client address, correlation id, remarks for the audit."""

import ipaddress
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.types import Scope

REMARK = b"x-ms-azuredicom-audit-"
"""Begins the names of headers whose values the client wants to see in the audit."""
TRACE = b"traceparent"
"""The header of a W3C trace context."""
MOST_REMARKS = 10
LONGEST_REMARK = 2048
"""Characters."""

_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}").fullmatch
_TRACE = re.compile(rb"[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}.*").fullmatch
_PORT = re.compile(r"\[(?P<six>[0-9a-fA-F:.]+)\](?::[0-9]+)?|(?P<four>[0-9.]+):[0-9]+").fullmatch


@dataclass(frozen=True, slots=True)
class Provenance:
    """``remarks`` are None if they are too many or too long; ``traceparent`` is as it was sent."""

    correlation: str
    client: str | None
    remarks: Mapping[str, str] | None
    traceparent: str | None = None


def provenance(scope: Scope, proxies: int) -> Provenance:
    """Where a request comes from.

    Its id is the one that the client gave it, else a new one. Its client is who opened the connection, or behind
    ``proxies`` of our own whom the first of these noted in ``X-Forwarded-For``; what stands before that in the header
    may be made up.
    """
    ids: dict[bytes, bytes] = {}
    forwarded: list[bytes] = []
    remarks: dict[str, str] = {}
    for name, value in scope["headers"]:
        if not name.startswith(_WATCHED):
            continue
        if name in _IDS:
            ids.setdefault(name, value)
        elif name == b"x-forwarded-for":
            forwarded.append(value)
        elif name.startswith(REMARK):
            remarks[name[len(REMARK) :].decode("latin-1")] = value.decode("latin-1")
    client = scope.get("client")
    address = client[0] if client else None
    if proxies and forwarded:
        address = _forwarded(b",".join(forwarded), proxies) or address
    few = len(remarks) <= MOST_REMARKS and all(len(value) <= LONGEST_REMARK for value in remarks.values())
    correlation = _correlation(ids) if ids else secrets.token_hex(16)
    trace = ids[TRACE].decode("latin-1") if TRACE in ids else None
    return Provenance(correlation, address, remarks if few else None, trace)


def _plain(value: bytes) -> bytes | None:
    return value if _ID(value) else None


def _trace(value: bytes) -> bytes | None:
    """The trace id of a W3C trace context."""
    found = _TRACE(value)
    return found[1] if found else None


_IDS = {b"x-ms-request-id": _plain, b"x-request-id": _plain, TRACE: _trace}
"""What ids are read from, the first before the others."""
_WATCHED = (b"x-", TRACE)
"""Begin the names of all headers that are read here."""


def _correlation(given: Mapping[bytes, bytes]) -> str:
    found = (read(given[name]) for name, read in _IDS.items() if name in given)
    return next((known.decode() for known in found if known), None) or secrets.token_hex(16)


def _forwarded(noted: bytes, proxies: int) -> str | None:
    addresses = noted.decode("latin-1").split(",")
    text = addresses[max(0, len(addresses) - proxies)].strip()
    if with_port := _PORT(text):
        text = with_port["six"] or with_port["four"]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None
