"""What an open service must refuse: pages in a browser on this machine, which reach it where their authors can't."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from azurefunctions.extensions.http.fastapi import Request

from functions.headers import allows
from shared.errors import Forbidden
from shared.settings import Settings

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods whose answers a page of another origin does not get to see, and that change nothing."""
BROWSERS = frozenset({"accept-language", "origin", "sec-fetch-site"})
"""Headers of which browsers send at least one with whatever a page asks for."""


def require_own(req: Request, settings: Settings) -> None:
    """Raises Forbidden for a request that a page of another site may have made.

    Such a page has a name in the DNS that it can point at this machine, or sends requests without reading the answers.
    """
    host = req.headers.get("host", "")
    if BROWSERS.isdisjoint(req.headers):
        return
    if not _is_own(_name(f"//{host}"), settings):
        raise Forbidden(
            "Without access control the service is reached by addresses and names of this machine only, "
            "and by that in DICOM_PUBLIC_URL."
        )
    origin = req.headers.get("origin")
    if origin is None or req.method in SAFE or allows(settings.cors_origins, origin):
        return
    if origin.partition("://")[2] != host:
        raise Forbidden("Without access control the service takes requests of this origin only if its settings allow.")


def _is_own(name: str, settings: Settings) -> bool:
    """Whether nobody else can have the name: an address, one without dots, or that of the settings."""
    if "." not in name or name.endswith(".localhost") or name == (settings.public_url and settings.public_url.host):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True


def _name(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""
