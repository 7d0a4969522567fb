"""The caller of a request, as the claims of a verified token describe it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Claims = Mapping[str, Any]


class Kind(StrEnum):
    """What a caller is; ``ANYONE`` calls a service that asks for no token."""

    USER = "user"
    APP = "app"
    ANYONE = "anyone"


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller, by identifiers only: never by a name or address.

    ``subject`` is the object id (Microsoft Entra ID) or else the subject of the token, unique within ``issuer``;
    ``client`` the id of the application that a user works with, or that calls by itself.
    """

    kind: Kind
    subject: str
    issuer: str
    tenant: str | None = None
    client: str | None = None
    roles: frozenset[str] = frozenset()


ANYONE = Principal(Kind.ANYONE, subject="", issuer="")


def principal_of(claims: Claims, role_claims: Iterable[str]) -> Principal | None:
    """The caller whom verified claims describe. None if they name nobody."""
    subject = _text(claims, "oid", "sub")
    if subject is None:
        return None
    client = client_of(claims)
    kind = Kind.APP if _is_app(claims, client) else Kind.USER
    roles = frozenset(role for name in role_claims for role in _roles(claims, name))
    return Principal(kind, subject, claims["iss"], _text(claims, "tid"), client, roles)


def client_of(claims: Claims) -> str | None:
    """The application that the token was given to: v1.0 and v2.0 of Entra ID, RFC 9068 2.2, Okta."""
    return _text(claims, "appid", "azp", "client_id", "cid")


def _is_app(claims: Claims, client: str | None) -> bool:
    """Whether no user is behind the token.

    Entra ID says so in ``idtyp``, if the application asks for that claim; else its subject is the object itself, where
    a user's differs from application to application. With others it is the client (RFC 9068 2.2).
    """
    if "idtyp" in claims:
        return bool(claims["idtyp"] == "app")
    subject = _text(claims, "sub")
    return subject is not None and subject in (claims.get("oid"), client)


def _roles(claims: Claims, name: str) -> Iterator[str]:
    """The roles in one claim: a text is one role, a list several. A name with dots may be a path."""
    value: Any = claims[name] if name in claims else _at(claims, name.split("."))
    for role in value if isinstance(value, list) else [value]:
        if isinstance(role, str):
            yield role


def _at(value: Any, path: Iterable[str]) -> Any:
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _text(claims: Claims, *names: str) -> str | None:
    """The first of the claims that is a text with something in it."""
    return next((value for name in names if isinstance(value := claims.get(name), str) and value), None)
