"""The HTTP server that this service runs on, with nothing behind it."""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.servers import free_port, running

EMPTY, HALF = "/empty", "/half"
_BODIES = {EMPTY: b"", HALF: bytes(512 * 1024)}
Message = MutableMapping[str, Any]


async def application(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """An ASGI application that answers at once, with as many bytes as the path asks for."""
    if scope["type"] != "http":
        return
    body = _BODIES.get(scope["path"], b"")
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """One worker process for each core, as the embedded host has; gives its origin."""
    port = free_port()
    granian = [sys.executable, "-m", "granian", "--interface", "asginl", "--port", str(port), "--no-ws"]
    command = [*granian, "--workers", str(os.cpu_count()), "--log-level", "warning", "benchmarks.floor:application"]
    with running(command, folder, f"http://127.0.0.1:{port}{EMPTY}"):
        yield f"http://127.0.0.1:{port}"
