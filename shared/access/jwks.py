"""JSON Web Key Sets: which keys of an issuer may sign tokens, and by which algorithms (RFC 7517, RFC 7518)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
CURVES = {"P-256": frozenset({"ES256"}), "P-384": frozenset({"ES384"}), "P-521": frozenset({"ES512"})}
ALGORITHMS = sorted(RSA.union(*CURVES.values()))
"""Signatures by a key that the issuer keeps to itself: never ``none``, never a shared secret."""
LEAST_RSA_BITS = 2048
MOST_KEYS = 100


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key and the algorithms it may be used with."""

    key: RSAPublicKey | EllipticCurvePublicKey
    algorithms: frozenset[str]


def signing_keys(document: Any) -> dict[str, SigningKey]:
    """The keys by their ids. Those without an id, for other purposes or too weak are left out."""
    described = document.get("keys") if isinstance(document, dict) else None
    found = {}
    for jwk in described[:MOST_KEYS] if isinstance(described, list) else ():
        if isinstance(jwk, dict) and _is_for_signatures(jwk) and (key := _signing_key(jwk)):
            found[jwk["kid"]] = key
    return found


def _is_for_signatures(jwk: Mapping[str, Any]) -> bool:
    """RFC 7517 4.2, 4.3."""
    operations = jwk.get("key_ops", ["verify"])
    verifies = isinstance(operations, list) and "verify" in operations
    return isinstance(jwk.get("kid"), str) and jwk.get("use", "sig") == "sig" and verifies


def _signing_key(jwk: dict[str, Any]) -> SigningKey | None:
    curve = jwk.get("crv")
    algorithms = RSA if jwk.get("kty") == "RSA" else CURVES.get(curve) if isinstance(curve, str) else None
    if algorithms and "alg" in jwk:
        algorithms &= {jwk["alg"]} if isinstance(jwk["alg"], str) else set()
    if not algorithms:
        return None
    try:
        key = PyJWK(jwk, min(algorithms)).key
    except PyJWTError:
        return None
    strong = isinstance(key, EllipticCurvePublicKey) or (
        isinstance(key, RSAPublicKey) and key.key_size >= LEAST_RSA_BITS
    )
    return SigningKey(key, algorithms) if strong else None
