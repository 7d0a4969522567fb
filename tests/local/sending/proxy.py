"""A small HTTP server between the command and the service: it passes requests on, or answers as a test wants it to."""

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from time import monotonic

KEPT = ("content-type", "content-encoding", "retry-after")


@dataclass(frozen=True)
class Received:
    """A request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=monotonic)


@dataclass(frozen=True)
class Reply:
    """An answer of the proxy's own; status 0 breaks the connection instead."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


Rule = Callable[[Received], Reply | None]


class Proxy:
    """Passes on what ``rule`` has no reply for. ``received`` are all requests, in order."""

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.rule: Rule = lambda received: None
        self.received: list[Received] = []
        self.url = ""

    def answer(self, received: Received) -> Reply:
        self.received.append(received)
        return self.rule(received) or self._passed_on(received)

    def _passed_on(self, received: Received) -> Reply:
        host, port = self.upstream.removeprefix("http://").split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
        headers = {name: value for name, value in received.headers.items() if name.lower() != "host"}
        try:
            connection.request(received.method, received.path, received.body, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.headers.items() if name.lower() in KEPT}
            return Reply(answer.status, answer.read(), kept)
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def _handle(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        reply = self.proxy.answer(Received(self.command, self.path, dict(self.headers), body))
        if reply.status == 0:
            self.close_connection = True
            return
        self.send_response(reply.status)
        for name, value in {**reply.headers, "Content-Length": str(len(reply.body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)

    do_GET = do_POST = do_PUT = _handle  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A command that was killed leaves connections behind."""


@contextmanager
def proxy_of(upstream: str) -> Iterator[Proxy]:
    proxy = Proxy(upstream)
    handler = type("Handler", (_Handler,), {"proxy": proxy})
    with _Server(("127.0.0.1", 0), handler) as server:
        proxy.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield proxy
        finally:
            server.shutdown()
            thread.join()
