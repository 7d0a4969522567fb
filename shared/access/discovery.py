"""Asking an issuer for its keys (OpenID Connect Discovery 1.0)."""

import asyncio
from typing import TYPE_CHECKING, Any

import orjson

from shared.access.issuers import Issuer, is_loopback, is_secure
from shared.access.jwks import SigningKey, signing_keys

if TYPE_CHECKING:
    from aiohttp import ClientSession

FETCH_SECONDS = 5.0
MOST_BYTES = 512 * 1024
HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class KeysUnavailable(Exception):
    """The issuer did not give its keys; the words say why and hold nothing of what it sent."""


async def fetch_keys(issuer: Issuer, seconds: float = FETCH_SECONDS) -> dict[str, SigningKey]:
    """The issuer's signing keys by id, at least one, within so many seconds.

    Redirects are not followed: no answer sends the service elsewhere than to the ``jwks_uri`` of the issuer.
    Raises KeysUnavailable.
    """
    import aiohttp

    try:
        async with (
            asyncio.timeout(seconds),
            aiohttp.ClientSession(headers=HEADERS, auto_decompress=False, trust_env=True) as session,
        ):
            configuration = await _document(session, issuer.metadata)
            keys = signing_keys(await _document(session, _jwks_uri(configuration, issuer)))
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise KeysUnavailable(type(error).__name__) from None
    if not keys:
        raise KeysUnavailable("there is no key for signatures")
    return keys


def _jwks_uri(configuration: Any, issuer: Issuer) -> str:
    """Where the keys are. An issuer answers for no other one (Discovery 4.3)."""
    if not isinstance(configuration, dict):
        raise KeysUnavailable("the OpenID configuration is no JSON object")
    name, uri = configuration.get("issuer"), configuration.get("jwks_uri")
    if not isinstance(name, str) or name.rstrip("/") != issuer.name.rstrip("/"):
        raise KeysUnavailable("the OpenID configuration is of another issuer")
    if not isinstance(uri, str) or not is_secure(uri) or (is_loopback(uri) and not is_loopback(issuer.metadata)):
        raise KeysUnavailable("the OpenID configuration has no https URL of keys")
    return uri


async def _document(session: "ClientSession", url: str) -> Any:
    async with session.get(url, allow_redirects=False) as response:
        if response.status != 200:
            raise KeysUnavailable(f"status {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MOST_BYTES:
                raise KeysUnavailable(f"an answer of more than {MOST_BYTES} bytes")
    return orjson.loads(body)
