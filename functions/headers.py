"""Headers that every answer carries: security, API versions, and CORS for the origins in the settings."""

from functools import lru_cache
from urllib.parse import urlsplit

from azurefunctions.extensions.http.fastapi import Request, Response

from shared.settings import Settings

ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Content-Security-Policy": "frame-src 'self';",
    "api-supported-versions": "1, 2",
}
EXPOSED = (
    "Content-Location, Content-Range, ETag, Link, Location, Retry-After, Warning, WWW-Authenticate, X-Request-Id, "
    "X-Total-Count, erroneous-dicom-attributes"
)
PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": (
        "Accept, Authorization, Content-Type, If-Match, If-None-Match, Prefer, Range, X-Requested-With"
    ),
    "Access-Control-Max-Age": "7200",
}
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


def add_headers(response: Response, req: Request, settings: Settings) -> None:
    """Complete an answer."""
    response.headers.update(ALWAYS)
    if settings.cors_origins:
        response.headers.add_vary_header("Origin")
        origin = req.headers.get("origin")
        if origin and allows(settings.cors_origins, origin):
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED


def is_preflight(req: Request) -> bool:
    """Whether a browser asks for leave to send another request (Fetch, 3.2.2)."""
    return req.method == "OPTIONS" and "access-control-request-method" in req.headers


@lru_cache(maxsize=256)
def allows(origins: tuple[str, ...], origin: str) -> bool:
    """Whether pages of an origin may call the service."""
    return "*" in origins or origin in origins or ("loopback" in origins and _is_loopback(origin))


def _is_loopback(origin: str) -> bool:
    try:
        return urlsplit(origin).hostname in LOOPBACK_HOSTS
    except ValueError:
        return False
