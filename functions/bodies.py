"""Reading request bodies within a limit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from azurefunctions.extensions.http.fastapi import Request
from starlette.requests import ClientDisconnect

from functions.patience import impatient
from shared.errors import PayloadTooLarge, RequestTimeout, UnsupportedMediaType
from shared.settings import settings

LINGER_BYTES = 4 * 1024 * 1024
LINGER_SECONDS = 0.5

SMALLER = "Send fewer instances in one request, or upload them for import."


def require_no_coding(request: Request) -> None:
    """Raises UnsupportedMediaType for a compressed body, and says which one is taken (RFC 9110 12.5.3)."""
    if request.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise UnsupportedMediaType(
            "A body with a Content-Encoding is not supported.", headers={"Accept-Encoding": "identity"}
        )


async def limited(request: Request, limit: int | None, advice: str = SMALLER) -> AsyncIterator[bytes]:
    """The body's chunks. Raises PayloadTooLarge beyond ``limit`` bytes, RequestTimeout if they cease to come.

    ``advice`` is what the refusal tells the client to do instead.
    """
    received = 0
    declared = request.headers.get("content-length", "")
    chunks = impatient(request.stream(), settings().idle_seconds)
    if limit is not None and declared.isdigit() and int(declared) > limit:
        waits = "expect" in request.headers
        raise _too_large(limit, advice, ended=not waits and await _linger(chunks))
    async for chunk in chunks:
        received += len(chunk)
        if limit is not None and received > limit:
            raise _too_large(limit, advice, ended=await _linger(chunks))
        if chunk:
            yield chunk


async def _linger(chunks: AsyncIterator[bytes]) -> bool:
    """Take what is on its way, for a connection that is closed before takes the answer with it (RFC 9112 9.6).

    Tells whether that was all, so that the connection can be used again.
    """
    taken = 0
    with suppress(TimeoutError, RequestTimeout, ClientDisconnect):
        async with asyncio.timeout(LINGER_SECONDS):
            async for chunk in chunks:
                taken += len(chunk)
                if taken > LINGER_BYTES:
                    return False
            return True
    return False


def _too_large(limit: int, advice: str, *, ended: bool) -> PayloadTooLarge:
    detail = f"The request exceeded the allowed limit of {limit} bytes. {advice}".rstrip()
    return PayloadTooLarge(detail, headers=None if ended else {"Connection": "close"})
