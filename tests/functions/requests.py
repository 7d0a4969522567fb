"""Requests as a function receives them."""

from azurefunctions.extensions.http.fastapi import Request


def request(method: str = "GET", path: str = "/v2/studies", **headers: str) -> Request:
    """Headers are named with underscores."""
    raw = [(name.replace("_", "-").lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request(
        {
            "type": "http",
            "method": method,
            "scheme": "http",
            "server": ("localhost", 80),
            "path": path,
            "query_string": b"",
            "headers": raw,
        }
    )
