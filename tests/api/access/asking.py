"""A request to any function that is registered, and callers with tokens of the test's issuer."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx

import function_app
from functions import registration
from functions.registration import RegisteredRoute
from tests.access.issuer import TestIssuer
from tests.api.client import DICOM, Api
from tests.instances import Identity

assert function_app.app
ROUTES = tuple(registration.ROUTES)
"""All functions, registered when the Function App was imported."""
OTHERS = {
    "version": "v2",
    "frames": "1",
    "reference": "7FE00010",
    "tag": "00101010",
    "operation": "0" * 32,
    "upload": "0" * 32 + ".dcm",
    "path": "no/such/path",
}
"""Values of the parameters of routes, beside partition and UIDs."""
FREE = {"health", "openapi_json", "openapi_yaml", "z_fallback"}
"""Functions that anyone may call: they disclose nothing of what is stored."""


@dataclass(frozen=True, slots=True)
class Asking:
    """A request without a token."""

    method: str
    path: str
    content: bytes

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def send(self, http: httpx.Client, origin: str, authorization: bytes | None = None) -> httpx.Response:
        headers = {b"Content-Type": DICOM.encode(), b"Accept": b"*/*"}
        if authorization is not None:
            headers[b"Authorization"] = authorization
        return http.request(self.method, origin + self.path, headers=headers, content=self.content or None)


def asking(
    route: RegisteredRoute, identity: Identity, partition: str | None = None, content: bytes = b""
) -> Iterator[Asking]:
    """A request by each method of a function; ``content`` is sent where there is something to send."""
    values = OTHERS | {"partition": partition or ""}
    values |= {"study": identity.study, "series": identity.series, "instance": identity.instance}
    path = re.sub(r"\{\*?(\w+)\}", lambda found: values[found[1]], route.template)
    for method in route.methods:
        yield Asking(method, f"/{path}", content if method in ("POST", "PUT", "PATCH") else b"")


@dataclass(frozen=True, slots=True)
class Callers:
    """Makes clients that bear tokens, and closes them with ``clients``."""

    issuer: TestIssuer
    origin: str
    clients: ExitStack
    known: dict[tuple[str, ...], httpx.Client] = field(default_factory=dict)

    def bearer(self, *roles: str) -> bytes:
        """The Authorization header of someone with these roles."""
        return f"Bearer {self.issuer.token(roles=list(roles))}".encode()

    def api(self, *roles: str, partition: str | None = None) -> Api:
        """A client of version 2 with these roles, of one data partition if it is named."""
        if roles not in self.known:
            client = httpx.Client(headers={"Authorization": self.bearer(*roles).decode()}, timeout=60.0)
            self.known[roles] = self.clients.enter_context(client)
        return Api(self.known[roles], f"{self.origin}/v2" + (f"/partitions/{partition}" if partition else ""))
