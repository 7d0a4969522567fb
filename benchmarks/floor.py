"""The HTTP server that this service runs on, with nothing behind it but, for stores, the folder of blobs."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.servers import free_port, running
from shared.dicom.model import Chunk
from shared.storage.blobs.folder import FolderBlobs

EMPTY, HALF = "/empty", "/half"
BLOBS = "BENCHMARK_BLOBS"
"""The environment variable that names the folder for what is stored."""

_BODIES = {EMPTY: b"", HALF: bytes(512 * 1024)}
_FOLDER_BLOBS = 64
_numbers = count()

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """An ASGI application that answers at once, with as many bytes as the path asks for.

    What is sent to ``/N/studies`` it stores first, as N instances of the same size, without a look at it.
    """
    if scope["type"] != "http":
        return
    if scope["method"] == "POST":
        await _store(int(scope["path"].split("/")[1]), receive)
    body = _BODIES.get(scope["path"], b"")
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _store(together: int, receive: Receive) -> None:
    blobs = await _opened()
    body = b"".join([chunk async for chunk in _received(receive)])
    size = len(body) // together
    parts = [memoryview(body)[start : start + size] for start in range(0, size * together, size)]
    await asyncio.gather(*(blobs.put(_name(), _only(part)) for part in parts))


def _name() -> str:
    number = next(_numbers)
    return f"{os.getpid()}/{number // _FOLDER_BLOBS}/{number}"


async def _received(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _only(chunk: Chunk) -> AsyncIterator[Chunk]:
    yield chunk


@cache
def _opened() -> "asyncio.Task[FolderBlobs]":
    return asyncio.ensure_future(_open())


async def _open() -> FolderBlobs:
    blobs = FolderBlobs(Path(os.environ[BLOBS]))
    await blobs.open()
    return blobs


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """One worker process for each core, as the embedded host has; gives its origin. It stores into ``folder``."""
    port = free_port()
    granian = [sys.executable, "-m", "granian", "--interface", "asginl", "--port", str(port), "--no-ws"]
    command = [*granian, "--workers", str(os.cpu_count()), "--log-level", "warning", "benchmarks.floor:application"]
    with running(command, folder, f"http://127.0.0.1:{port}{EMPTY}", {BLOBS: str(folder / "blobs")}):
        yield f"http://127.0.0.1:{port}"
