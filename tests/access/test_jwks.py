"""Which published keys may sign tokens."""

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from shared.access.jwks import ALGORITHMS, MOST_KEYS, RSA, signing_keys
from tests.access.issuer import new_key, public_jwk, rsa_key

EC_KEY = new_key("ES256")
SECP256K1 = ec.generate_private_key(ec.SECP256K1())


def test_algorithms() -> None:
    families = {"RS", "PS", "ES"}
    assert set(ALGORITHMS) == {f"{family}{bits}" for family in families for bits in (256, 384, 512)}


@pytest.mark.parametrize(
    ("jwk", "algorithms"),
    [
        (public_jwk(rsa_key(), "k"), RSA),
        (public_jwk(rsa_key(), "k", use=None), RSA),
        (public_jwk(rsa_key(), "k", alg="PS384"), {"PS384"}),
        (public_jwk(rsa_key(), "k", key_ops=["verify"]), RSA),
        (public_jwk(rsa_key(), "k", x5c=["ignored"], issuer="ignored"), RSA),
        (public_jwk(EC_KEY, "k"), {"ES256"}),
        (public_jwk(new_key("ES384"), "k"), {"ES384"}),
        (public_jwk(new_key("ES512"), "k", alg="ES512"), {"ES512"}),
    ],
)
def test_keys_for_signatures(jwk: dict[str, Any], algorithms: set[str]) -> None:
    assert signing_keys({"keys": [jwk]})["k"].algorithms == algorithms


@pytest.mark.parametrize(
    "jwk",
    [
        public_jwk(rsa_key(), None),
        public_jwk(rsa_key(), "k", kid=7),
        public_jwk(rsa_key(), "k", use="enc"),
        public_jwk(rsa_key(), "k", key_ops=["encrypt"]),
        public_jwk(rsa_key(), "k", key_ops="verify"),
        public_jwk(rsa_key(), "k", alg="HS256"),
        public_jwk(rsa_key(), "k", alg="RSA-OAEP"),
        public_jwk(rsa_key(), "k", alg="ES256"),
        public_jwk(rsa_key(), "k", alg=["RS256"]),
        public_jwk(rsa_key(), "k", n=None),
        public_jwk(rsa_key(), "k", n=5),
        public_jwk(rsa_key(), "k", n="\u00e9"),
        public_jwk(rsa_key(), "k", kty="oct", k="c2VjcmV0"),
        public_jwk(rsa_key(2, bits=1024), "k"),
        public_jwk(EC_KEY, "k", alg="ES384"),
        public_jwk(EC_KEY, "k", crv="P-384"),
        public_jwk(EC_KEY, "k", crv=None),
        public_jwk(EC_KEY, "k", crv=["P-256"]),
        public_jwk(EC_KEY, "k", x="AAAA"),
        public_jwk(SECP256K1, "k"),
        {"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "HS256"},
        {**ECAlgorithm.to_jwk(EC_KEY, as_dict=True), "kid": "k", "key_ops": ["verify"]},
        {**RSAAlgorithm.to_jwk(rsa_key(), as_dict=True), "kid": "k", "key_ops": ["verify"]},
        {**OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate().public_key(), as_dict=True), "kid": "k"},
        {},
        "key",
        None,
    ],
)
def test_other_keys(jwk: Any) -> None:
    good = public_jwk(EC_KEY, "good")
    assert signing_keys({"keys": [jwk, good]}).keys() == {"good"}


@pytest.mark.parametrize("document", [None, [], "keys", {}, {"keys": None}, {"keys": {"kid": "k"}}])
def test_what_is_no_set_of_keys(document: Any) -> None:
    assert signing_keys(document) == {}


def test_only_so_many_keys() -> None:
    jwks = [public_jwk(EC_KEY, str(number)) for number in range(MOST_KEYS + 1)]
    assert list(signing_keys({"keys": jwks})) == [str(number) for number in range(MOST_KEYS)]
