"""Absolute URLs in answers. They never come from the Host header alone: proxies and clients bend it."""

import re
from collections.abc import Mapping
from typing import Any

from pydantic import HttpUrl

LEVELS = ("studies", "series", "instances")
DEFAULT_PORTS = {"http": 80, "https": 443}
PROXY_HEADERS = ("x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-for", "forwarded")

_HOST = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\])(?::(?P<port>[0-9]{1,5}))?")
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+;=:@%-]+)*/?")
_FORWARDED_PAIR = re.compile(r'\s*([A-Za-z]+)\s*=\s*(?:"([^"]*)"|([^\s;,"]*))\s*')


def base_url(
    scope: Mapping[str, Any],
    headers: Mapping[str, str],
    public_url: HttpUrl | str | None,
    version: str,
    partition: str | None = None,
) -> str:
    """The absolute URL below which ``/studies`` lies, without a slash at its end.

    ``scope`` is the ASGI scope of the request; ``headers`` are looked up by names in lower case. The host is
    that of ``public_url``, else of X-Forwarded-Host, -Proto and -Port or Forwarded (RFC 7239), the first of a
    list, else that of the request, with the port of the server where Host leaves it out. What does not look
    like a host, scheme, port or path is passed over.

    X-Forwarded-Prefix stands in for all that is between the host and the DICOMweb path, version and
    partition included.
    """
    path = f"/{version}" if partition is None else f"/{version}/partitions/{partition}"
    if public_url is not None:
        return str(public_url).rstrip("/") + path
    prefix = _first(headers, "x-forwarded-prefix")
    if prefix and _PREFIX.fullmatch(prefix):
        path = prefix.rstrip("/")
    return _origin(scope, headers) + path


def resource_url(base: str, *uids: str) -> str:
    """Where a study, series or instance is retrieved from; its UIDs from that of the study down, 1 to 3 of them."""
    return base + "".join(f"/{level}/{uid}" for level, uid in zip(LEVELS, uids, strict=False))


def study_url(base: str, study: str) -> str:
    """Where a study is retrieved from."""
    return resource_url(base, study)


def series_url(base: str, study: str, series: str) -> str:
    """Where a series is retrieved from."""
    return resource_url(base, study, series)


def instance_url(base: str, study: str, series: str, instance: str) -> str:
    """Where an instance is retrieved from."""
    return f"{base}/studies/{study}/series/{series}/instances/{instance}"


def bulkdata_url(base: str, study: str, series: str, instance: str, reference: str) -> str:
    """Where a bulk data value is retrieved from; ``reference`` as in stored metadata, such as ``00420011``."""
    return f"{instance_url(base, study, series, instance)}/bulkdata/{reference}"


def _origin(scope: Mapping[str, Any], headers: Mapping[str, str]) -> str:
    forwarded = _forwarded(headers)
    scheme = (_first(headers, "x-forwarded-proto") or forwarded.get("proto", "")).lower()
    if scheme not in DEFAULT_PORTS:
        scheme = scope["scheme"]
    proxied = _host(_first(headers, "x-forwarded-host")) or _host(forwarded.get("host", ""))
    host = proxied or _host(headers.get("host", ""))
    server_name, server_port = scope.get("server") or ("localhost", None)
    if host is None:
        name = f"[{server_name}]" if ":" in server_name else server_name
        return f"{scheme}://{name}{_port(server_port, scheme)}"
    port = host["port"] or _first(headers, "x-forwarded-port")
    if not port and not any(name in headers for name in PROXY_HEADERS):
        port = server_port
    return f"{scheme}://{host['name']}{_port(port, scheme)}"


def _port(port: str | int | None, scheme: str) -> str:
    """The port as a URL writes it: not at all where it is the scheme's own or none."""
    number = int(port) if port and re.fullmatch("[0-9]{1,5}", str(port)) else 0
    return f":{number}" if 0 < number < 65536 and number != DEFAULT_PORTS.get(scheme) else ""


def _host(value: str) -> re.Match[str] | None:
    return _HOST.fullmatch(value.strip())


def _first(headers: Mapping[str, str], name: str) -> str:
    return headers.get(name, "").split(",")[0].strip()


def _forwarded(headers: Mapping[str, str]) -> dict[str, str]:
    """The pairs of the first element of the Forwarded header, names in lower case."""
    pairs = (_FORWARDED_PAIR.fullmatch(pair) for pair in _first(headers, "forwarded").split(";"))
    return {pair[1].lower(): pair[2] or pair[3] or "" for pair in pairs if pair}
