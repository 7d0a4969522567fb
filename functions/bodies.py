"""Reading request bodies within a limit."""

from collections.abc import AsyncIterator

from azurefunctions.extensions.http.fastapi import Request

from functions.patience import impatient
from shared.errors import PayloadTooLarge, UnsupportedMediaType
from shared.settings import settings

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
    if limit is not None and declared.isdigit() and int(declared) > limit:
        raise _too_large(limit, advice)
    async for chunk in impatient(request.stream(), settings().idle_seconds):
        received += len(chunk)
        if limit is not None and received > limit:
            raise _too_large(limit, advice)
        if chunk:
            yield chunk


def _too_large(limit: int, advice: str) -> PayloadTooLarge:
    return PayloadTooLarge(f"The request exceeded the allowed limit of {limit} bytes. {advice}".rstrip())
