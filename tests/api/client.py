"""Speaks to a running server: through httpx where the bytes don't matter, through a bare socket where they do."""

import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.instances import multipart

BOUNDARY = "a-boundary"
DICOM = "application/dicom"
DICOM_JSON = "application/dicom+json"
DICOM_XML = "application/dicom+xml"
OCTETS = "application/octet-stream"
DICOM_PARTS = f'multipart/related; type="{DICOM}"'
OCTET_PARTS = f'multipart/related; type="{OCTETS}"'
SOCKET_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Api:
    """One API version, or one data partition of it. ``base`` is the URL below which ``/studies`` lies."""

    http: httpx.Client
    base: str

    def request(
        self, method: str, path: str, *, accept: str | None = None, content: Any = None, **headers: str
    ) -> httpx.Response:
        """``headers`` are named with underscores; without ``accept`` no Accept header is sent."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = self.http.build_request(method, self.base + path, headers=named, content=content)
        del request.headers["accept"]
        if accept is not None:
            request.headers["accept"] = accept
        return self.http.send(request)

    def get(self, path: str, accept: str | None = None, **headers: str) -> httpx.Response:
        return self.request("GET", path, accept=accept, **headers)

    def head(self, path: str, accept: str | None = None, **headers: str) -> httpx.Response:
        return self.request("HEAD", path, accept=accept, **headers)

    def delete(self, path: str) -> httpx.Response:
        return self.request("DELETE", path)

    def store(
        self, *files: bytes, path: str = "/studies", method: str = "POST", accept: str | None = None
    ) -> httpx.Response:
        """Send files as one multipart request."""
        return self.send(multipart(list(files), BOUNDARY), path=path, method=method, accept=accept)

    def send(
        self,
        body: bytes | Iterable[bytes],
        content_type: str | None = f"{DICOM_PARTS}; boundary={BOUNDARY}",
        *,
        path: str = "/studies",
        method: str = "POST",
        accept: str | None = None,
    ) -> httpx.Response:
        """Send a body to be stored as it is, chunked if it is no bytes."""
        headers = {} if content_type is None else {"content_type": content_type}
        return self.request(method, path, accept=accept, content=body, **headers)

    def store_one(self, file: bytes, **how: Any) -> httpx.Response:
        """Send one file as a single part."""
        return self.send(file, DICOM, **how)

    def keep(self, *files: bytes) -> None:
        """Store files that have to be taken."""
        answer = self.store(*files)
        assert answer.status_code in (200, 202), answer.text
        assert "00081198" not in answer.json(), answer.text

    def metadata(self, path: str) -> list[dict[str, Any]]:
        answer = self.get(f"{path}/metadata")
        assert answer.status_code == 200, answer.text
        datasets: list[dict[str, Any]] = answer.json()
        return datasets

    def search(self, query: str) -> list[dict[str, Any]]:
        """What ``query``, such as ``studies?PatientID=1``, finds."""
        answer = self.get(f"/{query}")
        assert answer.status_code in (200, 204), answer.text
        found: list[dict[str, Any]] = answer.json() if answer.content else []
        return found


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a multipart answer; names of headers as they were written."""

    headers: dict[str, str]
    content: bytes

    @property
    def content_type(self) -> str:
        return self.headers["Content-Type"]


def parts(answer: httpx.Response) -> list[Part]:
    """The parts of a multipart answer, read as strictly as the strictest client does.

    No preamble, every line ended by CRLF, exactly one CRLF before each boundary, nothing behind the last one.
    """
    boundary = answer.headers["content-type"].rpartition("boundary=")[2].encode()
    assert boundary, answer.headers
    delimiter = b"\r\n--" + boundary
    first, *rest = (b"\r\n" + answer.content).split(delimiter)
    assert first == b""
    assert rest.pop() == b"--\r\n"
    return list(map(_part, rest))


def _part(raw: bytes) -> Part:
    head, separator, content = raw.partition(b"\r\n\r\n")
    assert separator
    start, *lines = head.decode("ascii").split("\r\n")
    assert start == ""
    headers = dict(line.split(": ", 1) for line in lines)
    assert next(iter(headers)) == "Content-Type"
    return Part(headers, content)


@dataclass(frozen=True, slots=True)
class RawAnswer:
    """An answer as it came over the wire; names of headers in lower case, chunks joined."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@contextmanager
def connection(url: str) -> Iterator[socket.socket]:
    """A bare connection to the server."""
    address = urlsplit(url)
    with socket.create_connection((address.hostname or "", address.port or 80), SOCKET_SECONDS) as opened:
        yield opened


def exchange(url: str, *request: bytes) -> RawAnswer:
    """Send bytes, piece by piece, and read one answer."""
    with connection(url) as opened:
        for piece in request:
            opened.sendall(piece)
        return read_answer(opened)


def read_answer(opened: socket.socket) -> RawAnswer:
    """The next final answer on a connection."""
    with opened.makefile("rb") as stream:
        while True:
            status = int(stream.readline().split()[1])
            headers = dict(_header(line) for line in iter(stream.readline, b"\r\n"))
            if status >= 200:
                break
        if headers.get("transfer-encoding") == "chunked":
            return RawAnswer(status, headers, b"".join(_chunks(stream)))
        return RawAnswer(status, headers, stream.read(int(headers.get("content-length", "0"))))


def _header(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").partition(":")
    return name.lower(), value.strip()


def _chunks(stream: Any) -> Iterator[bytes]:
    while size := int(stream.readline(), 16):
        yield stream.read(size)
        stream.readline()
    stream.readline()


def request_head(method: str, path: str, *headers: str) -> bytes:
    """The head of an HTTP/1.1 request, its headers exactly as given."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]).encode("latin-1")


def chunked(body: bytes, size: int) -> bytes:
    """A body in HTTP/1.1 chunks of ``size`` bytes."""
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(f"{len(piece):x}\r\n".encode() + piece + b"\r\n" for piece in pieces) + b"0\r\n\r\n"
