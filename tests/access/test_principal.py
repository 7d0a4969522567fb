"""What claims say of the caller."""

from typing import Any

import pytest

from shared.access.principal import Kind, Principal, principal_of

CLAIMS: dict[str, Any] = {"iss": "https://login.example.org", "sub": "subject"}


def caller(role_claims: tuple[str, ...] = ("roles",), **claims: Any) -> Principal:
    found = principal_of(CLAIMS | claims, role_claims)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("claims", "subject"),
    [({}, "subject"), ({"oid": "object"}, "object"), ({"oid": ""}, "subject"), ({"oid": 7}, "subject")],
)
def test_subject(claims: dict[str, Any], subject: str) -> None:
    assert caller(**claims).subject == subject


@pytest.mark.parametrize("claims", [{"sub": None}, {"sub": ""}, {"sub": None, "oid": ["object"]}])
def test_nobody(claims: dict[str, Any]) -> None:
    assert principal_of(CLAIMS | claims, ()) is None


@pytest.mark.parametrize(
    ("claims", "client"),
    [
        ({}, None),
        ({"appid": "a"}, "a"),
        ({"azp": "a"}, "a"),
        ({"client_id": "a"}, "a"),
        ({"cid": "a"}, "a"),
        ({"azp": None, "client_id": "a"}, "a"),
    ],
)
def test_client(claims: dict[str, Any], client: str | None) -> None:
    assert caller(**claims).client == client


@pytest.mark.parametrize(
    ("claims", "kind"),
    [
        ({}, Kind.USER),
        ({"oid": "object", "azp": "client"}, Kind.USER),
        ({"oid": "subject"}, Kind.APP),
        ({"client_id": "subject"}, Kind.APP),
        ({"idtyp": "app"}, Kind.APP),
        ({"idtyp": "user", "oid": "subject"}, Kind.USER),
        ({"sub": None, "oid": "object"}, Kind.USER),
    ],
)
def test_kind(claims: dict[str, Any], kind: Kind) -> None:
    assert caller(**claims).kind is kind


@pytest.mark.parametrize(
    ("role_claims", "claims", "roles"),
    [
        (("roles",), {}, set()),
        (("roles",), {"roles": ["A", "B", "A"]}, {"A", "B"}),
        (("roles",), {"roles": "DICOM Data Owner"}, {"DICOM Data Owner"}),
        (("roles",), {"roles": None}, set()),
        (("roles",), {"roles": [1, None, ["A"], {"A": 1}, "B"]}, {"B"}),
        (("roles",), {"roles": {"A": True}}, set()),
        (("groups",), {"roles": ["A"], "groups": ["B"]}, {"B"}),
        (("roles", "groups"), {"roles": ["A"], "groups": "B"}, {"A", "B"}),
        (("realm_access.roles",), {"realm_access": {"roles": ["A"]}}, {"A"}),
        (("resource_access.dicom.roles",), {"resource_access": {"dicom": {"roles": ["A"]}}}, {"A"}),
        (("realm_access.roles",), {"realm_access": ["roles"]}, set()),
        (("realm_access.roles",), {"realm_access": "roles"}, set()),
        (("https://example.org/roles",), {"https://example.org/roles": ["A"]}, {"A"}),
        (("a.b",), {"a.b": ["A"], "a": {"b": ["B"]}}, {"A"}),
    ],
)
def test_roles(role_claims: tuple[str, ...], claims: dict[str, Any], roles: set[str]) -> None:
    assert caller(role_claims, **claims).roles == roles
