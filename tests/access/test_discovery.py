"""Fetching keys over HTTP from an issuer that behaves, and from ones that don't."""

import gzip
import json
import time
from collections.abc import Callable

import pytest

from shared.access.discovery import MOST_BYTES, KeysUnavailable, _jwks_uri, fetch_keys
from shared.access.issuers import Issuer
from tests.access.issuer import Answer, Misbehave, TestIssuer


def described(issuer: TestIssuer) -> Issuer:
    return Issuer(issuer.url, f"{issuer.url}/.well-known/openid-configuration")


def configured(**changes: object) -> Callable[[TestIssuer], Misbehave]:
    """An OpenID configuration with other members."""

    def misbehaving(issuer: TestIssuer) -> Misbehave:
        right = {"issuer": issuer.url, "jwks_uri": f"{issuer.origin}/{issuer.tenant}/discovery/keys"}
        body = json.dumps({**right, **changes}).encode()
        return lambda path: Answer(body) if path.endswith("configuration") else None

    return misbehaving


def answering(ending: str, answer: Answer) -> Callable[[TestIssuer], Misbehave]:
    """One answer to paths that end so."""
    return lambda _: lambda path: answer if path.endswith(ending) else None


ELSEWHERE = "http://127.0.0.1:1/elsewhere"
PADDED = json.dumps({"keys": [], "pad": "x" * MOST_BYTES}).encode()

MISBEHAVIOURS = {
    "another issuer": (configured(issuer="https://login.example.org"), "of another issuer"),
    "no issuer": (configured(issuer=None), "of another issuer"),
    "keys at a file": (configured(jwks_uri="file:///etc/passwd"), "no https URL"),
    "keys over plain http": (configured(jwks_uri="http://10.0.0.1/keys"), "no https URL"),
    "keys behind a password": (configured(jwks_uri="https://user:password@login.example.org/keys"), "no https URL"),
    "no address of keys": (configured(jwks_uri=None), "no https URL"),
    "configuration is a list": (answering("configuration", Answer(b"[]")), "no JSON object"),
    "configuration is no JSON": (answering("configuration", Answer(b"<html>")), "JSONDecodeError"),
    "configuration is missing": (answering("configuration", Answer(b"", 404)), "status 404"),
    "configuration is elsewhere": (answering("configuration", Answer(b"", 301, ELSEWHERE)), "status 301"),
    "keys are elsewhere": (answering("keys", Answer(b"", 302, ELSEWHERE)), "status 302"),
    "server error": (answering("keys", Answer(b"", 500)), "status 500"),
    "keys are no JSON": (answering("keys", Answer(b"{")), "JSONDecodeError"),
    "keys are no set": (answering("keys", Answer(b"[1]")), "no key for signatures"),
    "no keys": (answering("keys", Answer(b'{"keys": []}')), "no key for signatures"),
    "nested deeply": (answering("keys", Answer(b"[" * 100_000)), "JSONDecodeError"),
    "too much": (answering("keys", Answer(PADDED)), f"more than {MOST_BYTES} bytes"),
    "compressed": (answering("keys", Answer(gzip.compress(PADDED), encoding="gzip")), "JSONDecodeError"),
    "slow": (answering("configuration", Answer(b"{}", pause=0.1)), "TimeoutError"),
    "slow keys": (answering("keys", Answer(b"{}", pause=0.1)), "TimeoutError"),
}


async def test_keys(issuer: TestIssuer) -> None:
    second = issuer.rotate("ES512")
    keys = await fetch_keys(described(issuer))
    assert keys.keys() == issuer.keys.keys()
    assert keys[second].algorithms == {"ES512"}
    assert keys[second].key.public_numbers() == issuer.keys[second].public_key().public_numbers()


async def test_keys_of_the_other_name(issuer: TestIssuer) -> None:
    assert (await fetch_keys(Issuer(issuer.v1_name, issuer.v1_metadata))).keys() == issuer.keys.keys()


@pytest.mark.parametrize("name", MISBEHAVIOURS)
async def test_misbehaviour(issuer: TestIssuer, name: str) -> None:
    misbehaving, reason = MISBEHAVIOURS[name]
    issuer.misbehave = misbehaving(issuer)
    began = time.monotonic()
    with pytest.raises(KeysUnavailable, match=reason):
        await fetch_keys(described(issuer), seconds=0.15 if "slow" in name else 5)
    assert time.monotonic() - began < 2
    assert len(issuer.requests) <= 2


async def test_nobody_there(issuer: TestIssuer) -> None:
    issuer.stop()
    with pytest.raises(KeysUnavailable, match="ClientConnectorError"):
        await fetch_keys(described(issuer))


async def test_an_issuer_elsewhere_can_not_send_to_this_machine(issuer: TestIssuer) -> None:
    """Plain http is for an issuer on this machine alone, which one with an https address is not."""
    configuration = {"issuer": "https://login.example.org", "jwks_uri": f"{issuer.origin}/keys"}
    with pytest.raises(KeysUnavailable, match="no https URL"):
        _jwks_uri(configuration, Issuer("https://login.example.org", "https://login.example.org/.well-known/x"))
