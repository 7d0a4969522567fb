"""Which tokens are taken and what they say of their bearer. What is refused is in test_access and forgeries."""

import time
from collections.abc import Iterable

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.access import Kind, Principal, tokens
from shared.access.discovery import fetch_keys
from shared.access.issuers import Issuer
from shared.access.jwks import ALGORITHMS, signing_keys
from shared.access.keys import FRESH_SECONDS, IssuerKeys
from shared.access.tokens import InvalidToken, TokenVerifier
from tests.access.issuer import AUDIENCE, CLIENT, TestIssuer, public_jwk, rsa_key


def trusting(issuer: TestIssuer, audiences: Iterable[str] = (AUDIENCE,)) -> TokenVerifier:
    """A verifier that knows both names of the issuer."""
    both = (Issuer(issuer.url, f"{issuer.url}/.well-known/openid-configuration"),)
    both += (Issuer(issuer.v1_name, issuer.v1_metadata),)
    return TokenVerifier(
        {each.name: IssuerKeys(each.name, lambda each=each: fetch_keys(each)) for each in both}, audiences
    )


async def refused(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(InvalidToken) as caught:
        await verifier.verify(token)
    return str(caught.value)


@pytest.mark.parametrize(
    ("form", "kind", "role"),
    [
        ("v2_user", Kind.USER, "DicomDataReader"),
        ("v1_user", Kind.USER, "DicomDataReader"),
        ("v2_app", Kind.APP, "DicomDataOwner"),
        ("v1_app", Kind.APP, "DicomDataOwner"),
    ],
)
async def test_versions_of_entra_tokens(issuer: TestIssuer, form: str, kind: Kind, role: str) -> None:
    claims = getattr(issuer, form)()
    caller = await trusting(issuer).verify(issuer.token(claims))
    assert caller == Principal(kind, claims["oid"], claims["iss"], issuer.tenant, CLIENT, frozenset({role}))
    assert "marker" not in repr(caller).lower()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_algorithms(issuer: TestIssuer, algorithm: str) -> None:
    issuer.rotate(algorithm)
    caller = await trusting(issuer).verify(issuer.token(algorithm=algorithm))
    assert caller.kind is Kind.USER


async def test_other_signatures_are_refused(issuer: TestIssuer) -> None:
    token = jwt.encode(issuer.v2_user(), Ed25519PrivateKey.generate(), "EdDSA", headers={"kid": issuer.key_id})
    assert await refused(trusting(issuer), token) == "algorithm not allowed"


async def test_a_key_is_used_with_the_algorithm_it_is_for(issuer: TestIssuer) -> None:
    issuer.jwks[0]["alg"] = "RS256"
    verifier = trusting(issuer)
    assert await refused(verifier, issuer.token(algorithm="PS256")) == "InvalidAlgorithmError"
    assert (await verifier.verify(issuer.token(algorithm="RS256"))).kind is Kind.USER


@pytest.mark.parametrize("typ", [None, "JWT", "jwt", "at+jwt", "application/at+jwt"])
async def test_types_of_access_tokens(issuer: TestIssuer, typ: str | None) -> None:
    assert (await trusting(issuer).verify(issuer.token(headers={"typ": typ}))).kind is Kind.USER


@pytest.mark.parametrize(
    ("setting", "claim"),
    [
        (AUDIENCE, AUDIENCE),
        (AUDIENCE, f"api://{AUDIENCE}"),
        (f"api://{AUDIENCE}", AUDIENCE),
        (f"api://{AUDIENCE}/", f"api://{AUDIENCE}"),
        (AUDIENCE.upper(), AUDIENCE),
        (AUDIENCE, ["other", AUDIENCE]),
        ("https://dicom.healthcareapis.azure.com", "https://dicom.healthcareapis.azure.com/"),
        ("https://dicom.healthcareapis.azure.com/", "https://dicom.healthcareapis.azure.com"),
        ("api://contoso/dicom", "api://contoso/dicom"),
        ("dicom", "dicom"),
    ],
)
async def test_names_of_an_audience(issuer: TestIssuer, setting: str, claim: str | list[str]) -> None:
    verifier = trusting(issuer, ["first", setting])
    assert (await verifier.verify(issuer.token(aud=claim))).kind is Kind.USER


@pytest.mark.parametrize(("setting", "claim"), [("api://dicom", "dicom"), ("dicom", "api://dicom"), ("a", "A")])
async def test_other_audiences_have_one_name(issuer: TestIssuer, setting: str, claim: str) -> None:
    assert await refused(trusting(issuer, [setting]), issuer.token(aud=claim)) == "InvalidAudienceError"


async def test_clocks_may_differ_by_a_minute(issuer: TestIssuer) -> None:
    verifier, now = trusting(issuer), int(time.time())
    for changes in ({"exp": now - 30}, {"nbf": now + 30}, {"iat": now + 30}, {"nbf": None}):
        assert (await verifier.verify(issuer.token(**changes))).kind is Kind.USER
    assert await refused(verifier, issuer.token(exp=now - 90)) == "ExpiredSignatureError"
    assert await refused(verifier, issuer.token(nbf=now + 90)) == "ImmatureSignatureError"


@pytest.mark.parametrize("claimed", ["{}", "{}/"])
async def test_a_slash_at_the_end_of_an_issuer_does_not_matter(issuer: TestIssuer, claimed: str) -> None:
    assert (await trusting(issuer).verify(issuer.token(iss=claimed.format(issuer.url)))).kind is Kind.USER


async def test_a_token_is_remembered_for_five_minutes(issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0

    async def published() -> dict[str, object]:
        return signing_keys({"keys": issuer.jwks})

    keys = IssuerKeys("issuer", published, lambda: now)  # type: ignore[arg-type]
    verifier = TokenVerifier({issuer.url: keys}, [AUDIENCE])
    token = issuer.token()
    caller = await verifier.verify(token)
    issuer.rotate(drop=True)
    now = FRESH_SECONDS + 1
    assert await verifier.verify(token) is caller
    remembered_until = time.time() + tokens.REMEMBERED_SECONDS
    monkeypatch.setattr(tokens.time, "time", lambda: remembered_until)
    assert await refused(verifier, token) == "unknown key"


async def test_a_token_is_not_remembered_beyond_its_end(issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    verifier, ends = trusting(issuer), int(time.time()) + 30
    token = issuer.token(exp=ends)
    caller = await verifier.verify(token)
    assert await verifier.verify(token) is caller
    monkeypatch.setattr(tokens.time, "time", lambda: float(ends))
    assert await verifier.verify(token) is not caller


async def test_only_so_many_tokens_are_remembered(issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "MOST_REMEMBERED", 3)
    verifier = trusting(issuer)
    issued = [issuer.token() for _ in range(4)]
    callers = [await verifier.verify(token) for token in issued[:3]]
    assert await verifier.verify(issued[0]) is callers[0]
    await verifier.verify(issued[3])
    assert await verifier.verify(issued[0]) is callers[0]
    assert await verifier.verify(issued[1]) is not callers[1]
    assert len(verifier._verified._callers) == 3


LOCAL = TokenVerifier({}, [AUDIENCE])


@given(st.text() | st.from_regex(r"[A-Za-z0-9_=-]{0,80}\.[A-Za-z0-9_=-]{0,80}\.[A-Za-z0-9_=-]{0,80}", fullmatch=True))
async def test_whatever_a_token_is_it_is_refused_cleanly(token: str) -> None:
    await refused(LOCAL, token)


@given(st.integers(0, 9_999), st.sampled_from("ABCXYZabcxyz0189-_=. "))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
async def test_no_changed_byte_goes_unnoticed(issuer: TestIssuer, number: int, letter: str) -> None:
    async def published() -> dict[str, object]:
        return signing_keys({"keys": [public_jwk(rsa_key(), issuer.key_id)]})

    verifier = TokenVerifier({issuer.url: IssuerKeys("issuer", published)}, [AUDIENCE])  # type: ignore[arg-type]
    token = issuer.token()
    place = number % len(token)
    other = letter if letter != token[place] else "~"
    await refused(verifier, token[:place] + other + token[place + 1 :])
