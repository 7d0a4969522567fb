"""Bearer tokens: JSON Web Tokens signed by a trusted issuer for this service (RFC 7519, RFC 8725, RFC 9068)."""

import asyncio
import hashlib
import time
from base64 import urlsafe_b64decode
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

import jwt
import orjson
from jwt.exceptions import PyJWTError

from shared.access.jwks import ALGORITHMS, SigningKey
from shared.access.keys import IssuerKeys
from shared.access.principal import Claims, Principal, client_of, principal_of

MOST_BYTES = 16 * 1024
LEEWAY_SECONDS = 60
REMEMBERED_SECONDS = 300.0
MOST_REMEMBERED = 4096

REQUIRED = ["iss", "aud", "exp", "iat"]
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
"""The header ``typ`` of access tokens; those of other kinds of JSON Web Tokens differ (RFC 8725 3.11, RFC 9068 2.1)."""
ID_TOKEN_CLAIMS = frozenset({"at_hash", "c_hash", "s_hash"})
"""Claims of ID tokens only, which tell a client who signed in and open nothing (OpenID Connect Core 3.3.2.11)."""
BOUND = "cnf"
"""The claim of a token that is worth something only with a proof that its sender holds a key (RFC 7800)."""


class InvalidToken(Exception):
    """The token is not taken. The words are for the log and hold nothing of the token."""


class TokenVerifier:
    """``issuers`` are keys by the names of issuers, ``role_claims`` the names of claims that hold roles."""

    def __init__(
        self, issuers: Mapping[str, IssuerKeys], audiences: Iterable[str], role_claims: Iterable[str] = ("roles",)
    ) -> None:
        self._issuers = {name.rstrip("/"): keys for name, keys in issuers.items()}
        self._audiences = frozenset(name for audience in audiences for name in _names(audience))
        self._role_claims = tuple(role_claims)
        self._verified = _Verified()

    async def verify(self, token: str) -> Principal:
        """Whom the token stands for. Raises InvalidToken, and ServiceUnavailable if its issuer can't be asked for keys.

        A token that was verified is taken again for up to 300 s without another look at its signature.
        """
        if len(token) > MOST_BYTES or not token.isascii():
            raise InvalidToken("too long, or no ASCII")
        digest = hashlib.sha256(token.encode()).digest()
        caller = self._verified.get(digest)
        if caller is None:
            claims = await self._verified_claims(token)
            caller = principal_of(claims, self._role_claims)
            if caller is None:
                raise InvalidToken("names no subject")
            self._verified.add(digest, caller, float(claims["exp"]))
        return caller

    async def check(self) -> None:
        """Raises ServiceUnavailable if an issuer does not give its keys."""
        await asyncio.gather(*(keys.check() for keys in self._issuers.values()))

    async def _verified_claims(self, token: str) -> Claims:
        header, issuer = _unverified(token)
        key = await self._key(header, issuer)
        try:
            claims = jwt.decode(
                token,
                key.key,
                algorithms=sorted(key.algorithms),
                issuer=issuer,
                audience=self._audiences,
                leeway=LEEWAY_SECONDS,
                options={"require": REQUIRED},
            )
        except PyJWTError as error:
            raise InvalidToken(type(error).__name__) from None
        if not _is_bearer_access_token(header, claims):
            raise InvalidToken("not a bearer access token")
        return claims

    async def _key(self, header: Claims, issuer: str) -> SigningKey:
        """The key of the issuer that the header names. One that a token brings or points at is nobody's."""
        keys, algorithm, key_id = self._issuers.get(issuer.rstrip("/")), header.get("alg"), header.get("kid")
        if keys is None:
            raise InvalidToken("another issuer")
        if algorithm not in ALGORITHMS:
            raise InvalidToken("algorithm not allowed")
        key = await keys.key(key_id) if isinstance(key_id, str) else None
        if key is None:
            raise InvalidToken("unknown key")
        return key


def _unverified(token: str) -> tuple[Claims, str]:
    """The header of a token and the issuer it claims, to find the key by. Nothing else may be done with them."""
    try:
        header, claims = (orjson.loads(urlsafe_b64decode(f"{part}==")) for part in token.split(".")[:2])
    except ValueError:
        raise InvalidToken("malformed") from None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    if not isinstance(header, dict) or not isinstance(issuer, str):
        raise InvalidToken("malformed")
    return header, issuer


def _is_bearer_access_token(header: Claims, claims: Claims) -> bool:
    """Whether nothing shows that it is another kind of token: for clients, for renewing, bound to its sender.

    Keycloak names the kind in a claim ``typ``. In Entra ID the access tokens alone name the client.
    """
    return (
        str(header.get("typ", "jwt")).lower() in TYPES
        and claims.get("typ", "Bearer") == "Bearer"
        and not claims.keys() & ID_TOKEN_CLAIMS
        and BOUND not in claims
        and not ("tid" in claims and client_of(claims) is None)
    )


def _names(audience: str) -> Iterator[str]:
    """What tokens may call an audience: an application by its id or, in v1.0 of Entra ID, as ``api://`` and that id."""
    name = audience.rstrip("/")
    bare = name.removeprefix("api://").lower()
    for each in (bare, f"api://{bare}") if _is_application_id(bare) else (name,):
        yield from (each, f"{each}/")


def _is_application_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


class _Verified:
    """The callers of tokens verified lately, by the hashes of the tokens."""

    def __init__(self) -> None:
        self._callers: OrderedDict[bytes, tuple[Principal, float]] = OrderedDict()

    def get(self, digest: bytes) -> Principal | None:
        caller, until = self._callers.get(digest, (None, 0.0))
        if caller is None or time.time() >= until:
            return None
        self._callers.move_to_end(digest)
        return caller

    def add(self, digest: bytes, caller: Principal, expires: float) -> None:
        self._callers[digest] = caller, min(expires, time.time() + REMEMBERED_SECONDS)
        self._callers.move_to_end(digest)
        if len(self._callers) > MOST_REMEMBERED:
            self._callers.popitem(last=False)
