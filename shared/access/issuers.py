"""The issuers of tokens that the settings name: what their tokens call them, and where they describe themselves."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})

ENTRA_CLOUDS = {
    "login.microsoftonline.com": "sts.windows.net",
    "login.microsoftonline.us": "sts.windows.net",
    "login.partner.microsoftonline.cn": "sts.chinacloudapi.cn",
}
"""The hosts of Microsoft Entra ID, and those that its v1.0 tokens name instead."""

_TENANT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


@dataclass(frozen=True, slots=True)
class Issuer:
    """``name`` is the claim ``iss`` of its tokens, ``metadata`` the URL of its OpenID configuration."""

    name: str
    metadata: str


def issuers(url: str) -> list[Issuer]:
    """The issuers that a URL of the settings stands for.

    A tenant of Microsoft Entra ID is two: which version of tokens a client gets is decided by the manifest of the
    application, not by the address it asks. Raises ValueError if the URL can't be one of an issuer.
    """
    if not is_secure(url):
        raise ValueError(f"DICOM_ISSUERS: {url} is not an https URL without query, fragment and user name.")
    parts = urlsplit(url)
    host = next((host for host, v1 in ENTRA_CLOUDS.items() if parts.hostname in (host, v1)), None)
    if host is None:
        return [Issuer(url, _metadata(url))]
    tenant = parts.path.strip("/").removesuffix("/v2.0").lower()
    if not _TENANT(tenant):
        raise ValueError(f"DICOM_ISSUERS: {url} does not name a tenant of Microsoft Entra ID by its id.")
    base = f"https://{host}/{tenant}"
    v1 = f"https://{ENTRA_CLOUDS[host]}/{tenant}/"
    return [Issuer(f"{base}/v2.0", _metadata(f"{base}/v2.0")), Issuer(v1, _metadata(base))]


def is_secure(url: str) -> bool:
    """Whether a URL leads to its host alone and nobody can listen in: https, or http that stays on this machine."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    if not parts.hostname or parts.query or parts.fragment or parts.username is not None:
        return False
    return parts.scheme == "https" or is_loopback(url)


def is_loopback(url: str) -> bool:
    """Whether a URL is plain http to this machine."""
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS


def _metadata(url: str) -> str:
    """OpenID Connect Discovery 1.0, 4.1."""
    return f"{url.rstrip('/')}/.well-known/openid-configuration"
