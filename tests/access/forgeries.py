"""Tokens that must open nothing, by why they are refused. Their issuer publishes an RSA key and signs with it."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.access.issuer import AUDIENCE, TestIssuer, new_key, public_jwk, rsa_key

Forge = Callable[[TestIssuer], str]

FAR = 7200


def segment(value: Any) -> str:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def parts(token: str) -> list[str]:
    return token.split(".")


def reworded(token: str, **changes: Any) -> str:
    """The token with other claims under the old signature."""
    header, payload, signature = parts(token)
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    return ".".join((header, segment(claims | changes), signature))


def headed(token: str, **changes: Any) -> str:
    """The token with another header under the old signature."""
    header, payload, signature = parts(token)
    return ".".join((segment(json.loads(base64.urlsafe_b64decode(header + "==")) | changes), payload, signature))


def by_secret(issuer: TestIssuer, secret: bytes) -> str:
    """An HS256 token, whose secret is something that everybody knows."""
    signed = f"{segment({'typ': 'JWT', 'alg': 'HS256', 'kid': issuer.key_id})}.{segment(issuer.v2_user())}"
    return f"{signed}.{segment(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def unsigned(issuer: TestIssuer, algorithm: str | None) -> str:
    return f"{segment({'alg': algorithm, 'kid': issuer.key_id})}.{segment(issuer.v2_user())}."


def public_pem(issuer: TestIssuer) -> bytes:
    return issuer.keys[issuer.key_id].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def public_json(issuer: TestIssuer) -> bytes:
    return json.dumps(issuer.jwks[-1]).encode()


def now() -> int:
    return int(time.time())


def by_anothers_key(issuer: TestIssuer, **headers: Any) -> str:
    return issuer.token(key=rsa_key(1), headers=headers)


def replayed_elsewhere(issuer: TestIssuer) -> str:
    other = TestIssuer()
    other.stop()
    return other.token()


BY_REASON: dict[str, dict[str, Forge]] = {
    "algorithm not allowed": {
        "no signature, alg none": lambda issuer: unsigned(issuer, "none"),
        "no signature, alg None": lambda issuer: unsigned(issuer, "None"),
        "no signature, alg missing": lambda issuer: unsigned(issuer, None),
        "HS256 by the public key as PEM": lambda issuer: by_secret(issuer, public_pem(issuer)),
        "HS256 by the public key as JSON": lambda issuer: by_secret(issuer, public_json(issuer)),
        "HS256 by nothing": lambda issuer: by_secret(issuer, b""),
        "header says HS256": lambda issuer: headed(issuer.token(), alg="HS256"),
        "alg is a list": lambda issuer: headed(issuer.token(), alg=["RS256"]),
    },
    "InvalidSignatureError": {
        "truncated signature": lambda issuer: issuer.token()[:-22],
        "no signature": lambda issuer: ".".join(parts(issuer.token())[:2]) + ".",
        "another hash than was signed": lambda issuer: headed(issuer.token(), alg="RS512"),
        "more roles than were signed": lambda issuer: reworded(issuer.token(), roles=["DicomDataOwner"]),
        "longer life than was signed": lambda issuer: reworded(issuer.token(), exp=now() + 10 * FAR),
        "signature of another token": lambda issuer: ".".join(
            parts(issuer.token())[:2] + parts(issuer.token(issuer.v2_app()))[2:]
        ),
        "another's key under a known id": by_anothers_key,
        "brings its key": lambda issuer: by_anothers_key(issuer, jwk=public_jwk(rsa_key(1), issuer.key_id)),
        "points at its keys": lambda issuer: by_anothers_key(issuer, jku=f"{issuer.origin}/mine/keys"),
        "points at its certificate": lambda issuer: by_anothers_key(issuer, x5u=f"{issuer.origin}/mine/certificate"),
        "brings its certificate": lambda issuer: by_anothers_key(issuer, x5c=["MIIB"]),
    },
    "InvalidAlgorithmError": {
        "algorithm that does not fit the key": lambda issuer: headed(issuer.token(), alg="ES256"),
        "by a curve of no issuer's key": lambda issuer: issuer.token(key=new_key("ES256")),
    },
    "ExpiredSignatureError": {
        "expired": lambda issuer: issuer.token(iat=now() - FAR, nbf=now() - FAR, exp=now() - 120),
    },
    "MissingRequiredClaimError": {
        "no exp": lambda issuer: issuer.token(exp=None),
        "no iat": lambda issuer: issuer.token(iat=None),
        "no audience": lambda issuer: issuer.token(aud=None),
    },
    "DecodeError": {
        "exp is no number": lambda issuer: issuer.token(exp="tomorrow"),
        "payload apart": lambda issuer: headed(issuer.token(), b64=False, crit=["b64"]),
        "encrypted": lambda issuer: issuer.token() + ".x.y",
        "two tokens": lambda issuer: f"{issuer.token()} {issuer.token()}",
    },
    "ImmatureSignatureError": {
        "nbf in the future": lambda issuer: issuer.token(nbf=now() + 600),
        "iat in the future": lambda issuer: issuer.token(iat=now() + 600),
    },
    "InvalidAudienceError": {
        "wrong audience": lambda issuer: issuer.token(aud="https://graph.microsoft.com"),
        "audience that begins alike": lambda issuer: issuer.token(aud=f"{AUDIENCE}-test"),
        "wrong audiences": lambda issuer: issuer.token(aud=["https://graph.microsoft.com", "api://other"]),
        "audience is an object": lambda issuer: issuer.token(aud={AUDIENCE: AUDIENCE}),
    },
    "another issuer": {
        "other issuer": lambda issuer: issuer.token(iss="https://login.example.org"),
        "other tenant": lambda issuer: issuer.token(
            iss=issuer.url.replace(issuer.tenant, "00000000-0000-0000-0000-000000000000")
        ),
        "other issuer's own token": replayed_elsewhere,
        "issuer that begins alike": lambda issuer: issuer.token(iss=issuer.url + ".example.org"),
    },
    "malformed": {
        "no issuer": lambda issuer: issuer.token(iss=None),
        "issuer is a list": lambda issuer: reworded(issuer.token(), iss=[issuer.url]),
        "truncated payload": lambda issuer: issuer.token()[:200],
        "empty segments": lambda issuer: "..",
        "one segment": lambda issuer: "secret",
        "no JSON": lambda issuer: ".".join((segment(b"{"), segment(b"}"), segment(b"x"))),
        "no objects": lambda issuer: ".".join((segment([]), segment([]), segment(b"x"))),
        "nested deeply": lambda issuer: ".".join((segment(b"[" * 5000), segment(b"[" * 5000), segment(b"x"))),
    },
    "names no subject": {
        "no subject": lambda issuer: issuer.token(sub=None, oid=None),
    },
    "unknown key": {
        "unknown key id": lambda issuer: issuer.token(headers={"kid": "unknown"}),
        "no key id": lambda issuer: issuer.token(headers={"kid": None}),
        "key id is a list": lambda issuer: headed(issuer.token(), kid=[issuer.key_id]),
        "key id is a number": lambda issuer: headed(issuer.token(), kid=1),
        "key id is a path": lambda issuer: issuer.token(headers={"kid": "../../dev/null"}),
        "brings its key, no id": lambda issuer: by_anothers_key(issuer, kid=None, jwk=public_jwk(rsa_key(1), "mine")),
    },
    "InvalidTokenError": {
        "critical extension": lambda issuer: issuer.token(headers={"crit": ["exp"], "exp": 1}),
    },
    "not a bearer access token": {
        "ID token with at_hash": lambda issuer: issuer.token(at_hash="x"),
        "ID token of Keycloak": lambda issuer: issuer.token(typ="ID"),
        "refresh token of Keycloak": lambda issuer: issuer.token(typ="Refresh"),
        "ID token of Entra ID": lambda issuer: issuer.token(azp=None, scp=None, nonce="x"),
        "token for logging out": lambda issuer: issuer.token(headers={"typ": "logout+jwt"}),
        "bound to a key of its sender": lambda issuer: issuer.token(cnf={"jkt": "x"}),
    },
    "too long, or no ASCII": {
        "too long": lambda issuer: issuer.token(groups=["x" * 100] * 200),
        "no ASCII": lambda issuer: issuer.token() + "\u00e9",
    },
}
"""Forgeries by their names, by what the log says of them."""

FORGERIES = {name: forge for forgeries in BY_REASON.values() for name, forge in forgeries.items()}
REASONS = {name: reason for reason, forgeries in BY_REASON.items() for name in forgeries}
