"""Asks a host, and makes answers of two hosts comparable."""

import gzip
import re
from collections.abc import Iterable
from dataclasses import dataclass

import httpx

PUBLIC_HOST = "dicom.example.org:8443"
DICOM = {"Content-Type": "application/dicom"}
PARTS = {"Content-Type": 'multipart/related; type="application/dicom"; boundary=a-boundary'}
OF_THE_EXCHANGE = {"connection", "date", "keep-alive", "server", "transfer-encoding", "x-request-id"}
BOUNDARY = re.compile(r"boundary=\"?([^\";]+)")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers sorted with names in lower case, and the body as it was sent, content coding and all."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str:
        return dict(self.headers)[name]

    @property
    def comparable(self) -> "Answer":
        """Without what belongs to one exchange, decoded, and with one boundary for all multipart bodies."""
        headers, body = dict(self.headers), self.body
        dropped = OF_THE_EXCHANGE
        if headers.get("content-encoding") == "gzip":
            body, dropped = gzip.decompress(body) if body else b"", dropped | {"content-length"}
        kept = tuple(pair for pair in self.headers if pair[0] not in dropped)
        if boundary := BOUNDARY.search(headers.get("content-type", "")):
            kept = tuple((name, value.replace(boundary[1], "BOUNDARY")) for name, value in kept)
            body = body.replace(boundary[1].encode(), b"BOUNDARY")
        return Answer(self.status, kept, body)


@dataclass(frozen=True, slots=True)
class Client:
    """Speaks to one of the hosts, by the name that both have outside."""

    http: httpx.Client
    origin: str

    def ask(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        content: bytes | Iterable[bytes] | None = None,
    ) -> Answer:
        sent = {"Host": PUBLIC_HOST} | (headers or {})
        with self.http.stream(method, self.origin + path, headers=sent, content=content) as answer:
            pairs = sorted((name.lower(), value) for name, value in answer.headers.multi_items())
            return Answer(answer.status_code, tuple(pairs), b"".join(answer.iter_raw()))
