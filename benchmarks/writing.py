"""Load that stores: raw sockets, requests that are ready before they are sent."""

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from benchmarks.data import Slice, Template

BOUNDARY = "benchmark-boundary"
_PART = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
_END = f"--{BOUNDARY}--\r\n".encode()
_ANSWER_BYTES = 65536


@dataclass(slots=True)
class Written:
    """What a run of stores came to. ``latencies`` are in seconds, one a request."""

    instances: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)


class Writers:
    """Several connections, each sending its next request when the last one was answered."""

    def __init__(self, url: str, connections: int = 8) -> None:
        self._url = urlsplit(url)
        self._connections = connections

    def store(self, template: Template, slices: Iterator[Sequence[Slice]], seconds: float | None = None) -> Written:
        """Store each group of slices with one request, until there are no more or time is up. Raises RuntimeError for
        an answer other than 200."""
        written, lock, failures = Written(), threading.Lock(), list[Exception]()
        began = time.perf_counter()

        def work() -> None:
            with socket.create_connection((self._url.hostname or "", self._url.port or 80)) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while not failures and (seconds is None or time.perf_counter() - began < seconds):
                    with lock:
                        group = next(slices, None)
                    if group is None:
                        return
                    request = self._request([template.file(each) for each in group])
                    sent = time.perf_counter()
                    connection.sendall(request)
                    _answered(connection)
                    with lock:
                        written.latencies.append(time.perf_counter() - sent)
                        written.instances += len(group)

        def guarded() -> None:
            try:
                work()
            except Exception as error:  # told by the thread that waits
                failures.append(error)

        threads = [threading.Thread(target=guarded) for _ in range(self._connections)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failures:
            raise failures[0]
        written.seconds = time.perf_counter() - began
        return written

    def _request(self, files: Sequence[bytes]) -> bytes:
        body = b"".join([each for file in files for each in (_PART, file, b"\r\n")]) + _END
        head = (
            f"POST {self._url.path}/studies HTTP/1.1\r\nHost: {self._url.netloc}\r\nAccept: application/dicom+json\r\n"
            f'Content-Type: multipart/related; type="application/dicom"; boundary={BOUNDARY}\r\n'
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


def _answered(connection: socket.socket) -> None:
    """Read one answer to its end."""
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += _received(connection)
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    if b" 200 " not in lines[0] + b" ":
        raise RuntimeError(f"A store was answered {lines[0].decode()}: {body[:200]!r}")
    length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), None)
    if length is None:
        while not body.endswith(b"0\r\n\r\n"):
            body += _received(connection)
        return
    while len(body) < length:
        body += _received(connection)


def _received(connection: socket.socket) -> bytes:
    received = connection.recv(_ANSWER_BYTES)
    if not received:
        raise RuntimeError("The server closed the connection.")
    return received
